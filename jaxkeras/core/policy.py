"""DType policies: the type of a layer's weights and the type it computes in."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.dtypes import is_float_dtype, standardize_dtype
from jaxkeras.core.sparse import is_sparse


class DTypePolicy:
    """A pair of dtypes, one for weights and one for computations.

    Args:
        name: a dtype (`"float32"`, `"bfloat16"`, ...) for both, or `"mixed_bfloat16"` or `"mixed_float16"` for
            float32 weights and 16-bit computations. Defaults to the global policy.

    Attributes:
        variable_dtype: the dtype of the weights.
        compute_dtype: the dtype to which inputs and weights are cast inside `call`.

    Reference: [Micikevicius et al., 2018, Mixed Precision Training](https://arxiv.org/abs/1710.03740).

    Example:

    >>> DTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """

    def __init__(self, name: str | None = None):
        if name is None:
            usual = dtype_policy()
            name = getattr(usual, "default_policy", usual).name  # a map of policies has no dtype for a name
        if not isinstance(name, str):
            raise TypeError(f"The name of a dtype policy must be a string; got {name!r} of type {type(name).__name__}.")
        if name.startswith(_QUANTIZED) and "_from_" in name:
            raise not_quantized(name)
        self._name = name
        if name in ("mixed_bfloat16", "mixed_float16"):
            self._variable_dtype, self._compute_dtype = "float32", name.removeprefix("mixed_")
        else:
            try:
                self._variable_dtype = self._compute_dtype = standardize_dtype(name)
            except ValueError:
                raise ValueError(
                    f"Unknown dtype policy {name!r}. Give a dtype such as 'float32', or 'mixed_bfloat16' or "
                    "'mixed_float16'."
                ) from None

    name = property(lambda self: self._name)
    variable_dtype = property(lambda self: self._variable_dtype)
    compute_dtype = property(lambda self: self._compute_dtype)
    quantization_mode: str | None = None

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """Convert an input to an array; cast a floating one to `dtype` if `autocast`."""
        cast = autocast and is_float_dtype(dtype)
        if isinstance(x, (jax.Array, np.ndarray)) and x.dtype.kind not in "OSU":
            if cast and x.dtype != dtype and is_float_dtype(x.dtype):
                return jnp.asarray(x, dtype=dtype)
            return x if isinstance(x, jax.Array) else jnp.asarray(x)
        if is_sparse(x):
            return x.astype(dtype) if cast and x.dtype != dtype and is_float_dtype(x.dtype) else x
        as_array = getattr(x, "__jax_array__", None)
        return x if as_array is None else self.convert_input(as_array(), autocast, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    @property
    def _kind(self) -> type:
        return DTypePolicy if type(self) is FloatDTypePolicy else type(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self._kind is other._kind and self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((self._kind, self.name))

    def __repr__(self) -> str:
        return f'<{self._kind.__name__} "{self.name}">'


class FloatDTypePolicy(DTypePolicy):
    """Keras's name for a policy without quantization; the same as `DTypePolicy`."""


_QUANTIZED = ("int8", "int4", "float8", "gptq", "awq")


def not_quantized(name: str) -> ValueError:
    """The error for Keras's policies for quantized weights."""
    return ValueError(
        f"The dtype policy {name!r} is for quantized weights, which jaxkeras does not have yet. Give a dtype such as "
        "'float32', or 'bfloat16' for smaller weights. To load a quantized model of Keras, save it again before "
        "`quantize`."
    )


_global: DTypePolicy | None = None


def dtype_policy() -> DTypePolicy:
    """The default policy of layers: `floatx()` unless `set_dtype_policy` was called."""
    return _global if _global is not None else DTypePolicy(config.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the default policy of layers created from now on.

    Args:
        policy: a name, a `DTypePolicy` or a `DTypePolicyMap`.

    Raises:
        ValueError: for None, or an unknown name.
    """
    global _global
    if policy is None:
        raise ValueError("A dtype policy is expected, such as 'float32' or 'mixed_bfloat16'; got None.")
    _global = get_policy(policy)


def reset_dtype_policy() -> None:
    """Let the default policy follow `floatx()` again."""
    global _global
    _global = None


def get_policy(identifier: Any) -> DTypePolicy:
    """A policy from None (the global one), a policy, a name or a dtype."""
    if identifier is None:
        return dtype_policy()
    if hasattr(identifier, "compute_dtype") and hasattr(identifier, "variable_dtype"):
        return identifier
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(standardize_dtype(identifier))
