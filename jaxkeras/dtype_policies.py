"""DType policies, and maps from the paths of layers to policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from jaxkeras import registry
from jaxkeras.core import lazy_imports
from jaxkeras.core.policy import DTypePolicy as DTypePolicy
from jaxkeras.core.policy import FloatDTypePolicy as FloatDTypePolicy
from jaxkeras.core.policy import get_policy, not_quantized
from jaxkeras.lookup import lookup_functions

__all__ = ["DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "deserialize", "get", "serialize"]
__dir__ = lazy_imports.public_dir(__name__)


_, serialize, deserialize = lookup_functions(
    "keras.dtype_policies",
    "dtype_policy",
    accepts="a DTypePolicy or its config",
    example=""">>> deserialize(serialize(DTypePolicy("mixed_bfloat16"))).name
'mixed_bfloat16'""",
)


def get(identifier: Any) -> DTypePolicy:
    """Return the policy of a name, a config or a policy.

    Args:
        identifier: None (the global policy), a policy, a name such as `"mixed_bfloat16"`, a dtype, or what `serialize`
            returned.

    Returns:
        The policy.

    Raises:
        ValueError: for anything else.

    Example:

    >>> get("mixed_bfloat16")
    <DTypePolicy "mixed_bfloat16">
    """
    if not isinstance(identifier, dict):
        return get_policy(identifier)
    policy = deserialize(identifier)
    if not isinstance(policy, DTypePolicy):
        raise ValueError(
            f"This is not the config of a dtype policy: {identifier!r}. Expected what dtype_policies.serialize "
            "returns, such as {'class_name': 'DTypePolicy', 'config': {'name': 'float32'}}."
        )
    return policy


@registry.register("keras.dtype_policies")
class DTypePolicyMap(DTypePolicy, MutableMapping):
    """Dtype policies by the path of a layer, for the `dtype` argument of layers and for `set_dtype_policy`.

    A layer whose policy is a map computes by the entry for its `path`: the one that equals the path, else the only one
    that matches the whole of it as a regular expression, else the default. The path is known when the layer is built:
    its own name, after those of the layers and models whose `build` or `call` builds it (`"encoder/attention/query"`).
    Parts that a layer makes for itself, such as the projections of `MultiHeadAttention`, share its map. Keras builds
    the layers of a `Sequential` or of a wrapper separately when it reads a file, so start a key with `(.*/)?` if it
    must mean the same there.

    Args:
        default_policy: policy of paths that match nothing, or its name; by default the global policy at the time the
            map is created or read from a file.
        policy_map: `{path or regular expression: policy or name}`.

    Raises:
        ValueError: for a default that is a map; for a key that exists already or is not a regular expression; for a
            value that is not a policy; and, on reading, for a path that matches several expressions.
        TypeError: for a `policy_map` that is not a dict.

    Example:

    >>> policies = DTypePolicyMap("float32", {"encoder/.*": "bfloat16"})
    >>> policies["encoder/norm"] = "float32"
    >>> [policies[path].name for path in ("encoder/dense", "encoder/norm", "encoder")]
    ['bfloat16', 'float32', 'float32']
    """

    def __init__(self, default_policy: Any = None, policy_map: dict[str, Any] | None = None):
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("The `default_policy` of a DTypePolicyMap must be a single policy; got another map.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                f"`policy_map` must be a dict of paths and policies; got {policy_map!r} of type "
                f"{type(policy_map).__name__}."
            )
        usual = get(default_policy)
        self._given_default = default_policy
        self._default = usual.default_policy if isinstance(usual, DTypePolicyMap) else usual
        self._policies: dict[str, DTypePolicy] = {}
        self.update(policy_map or {})

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of paths that match nothing."""
        return self._default

    @property
    def name(self) -> str:
        return f"map_{self._default.name}"

    @property
    def variable_dtype(self) -> str:
        """The type of the weights of a layer without a path."""
        return self._default.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The type that a layer without a path computes in."""
        return self._default.compute_dtype

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policies:
            return self._policies[key]
        matching = [pattern for pattern in self._policies if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"The path '{key}' matches several keys of the DTypePolicyMap: {matching}. Make the expressions "
                f"exclude each other, or give the path an entry of its own: policies['{key}'] = ..."
            )
        return self._policies[matching[0]] if matching else self._default

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policies:
            raise ValueError(
                f"The DTypePolicyMap has an entry for '{key}' already, {self._policies[key]}. To change it, delete it "
                f"first: del policies['{key}']."
            )
        try:
            re.compile(key)
        except (TypeError, re.error) as error:
            raise ValueError(
                f"A key of a DTypePolicyMap must be a path or a regular expression; got {key!r} ({error}). Write "
                "re.escape(path) for a path with special characters."
            ) from None
        try:
            self._policies[key] = get(policy)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The value for '{key}' in a DTypePolicyMap must be a policy or its name; got {policy!r} of type "
                f"{type(policy).__name__}. {error}"
            ) from None

    def __delitem__(self, key: str) -> None:
        del self._policies[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policies

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, DTypePolicyMap)
            and self._default == other._default
            and self._policies == other._policies
        )

    def get_config(self) -> dict[str, Any]:
        # Keras takes the names out of all policies if the default was not given, so that its files lose them. Here
        # only the default is left open.
        return {"default_policy": self._given_default, "policy_map": registry.serialize(self._policies)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> DTypePolicyMap:
        """Create a map from the return value of `get_config`."""
        return cls(**{**config, "policy_map": registry.deserialize(config["policy_map"], custom_objects)})

    def __repr__(self) -> str:
        mapping = [(key, policy.name) for key, policy in self._policies.items()]
        return f"<DTypePolicyMap default_policy={self._default.name}, mapping={mapping}>"


class _Quantized:
    """Stands for the policies of quantized layers in Keras's files."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        raise not_quantized(f"{config.get('mode')}_from_{config.get('source_name')}")


for _name in ("Quantized", "QuantizedFloat8", "Int4", "GPTQ", "AWQ"):
    registry.register("keras.dtype_policies", name=f"{_name}DTypePolicy")(_Quantized)
