"""From what a user wrote to an optimizer, and between optimizers and configs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from jaxkeras import registry
from jaxkeras.core.names import closest
from jaxkeras.lookup import lookup_functions
from jaxkeras.optimizers.base import Optimizer
from jaxkeras.optimizers.optax_bridge import OptaxOptimizer, aliases, is_transformation

_KIND = "keras.optimizers"


def get(identifier: Any) -> Optimizer | None:
    """An optimizer from what `compile(optimizer=...)` takes.

    Args:
        identifier: None; an optimizer; an `optax.GradientTransformation`; a config; or a name: Keras's in any case
            (`"adam"`), a registered one of your own, or else one of `optax` or `optax.contrib` (`"adabelief"`).

    Returns:
        The optimizer, or None for None.

    Raises:
        ValueError: for an unknown name (the message lists close ones), and for anything else.

    Example:

    >>> get("adam").name.startswith("adam"), type(get("adabelief")).__name__
    (True, 'OptaxOptimizer')
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if is_transformation(identifier):
        return OptaxOptimizer(identifier)
    if isinstance(identifier, str):
        found = _by_name(identifier)
    elif isinstance(identifier, dict):
        found = deserialize(identifier)
    elif inspect.isclass(identifier) and issubclass(identifier, Optimizer):
        found = identifier()  # type: ignore[call-arg]
    else:
        found = identifier
    if is_transformation(found):
        return OptaxOptimizer(found)
    if isinstance(found, Optimizer):
        return found
    registry.refuse_foreign_keras([identifier])
    raise ValueError(
        f"Not an optimizer: {identifier!r} (of type {type(identifier).__name__}). Give a name such as 'adam', an "
        "optimizer such as jaxkeras.optimizers.Adam(1e-3), its config, or an optax transformation such as "
        "optax.adamw(1e-3)."
    )


def _by_name(name: str) -> Any:
    if registry.get_registered_object(name) is not None or registry.find(_KIND, name):
        return registry.get(_KIND, name)
    if registry.find(_KIND, name.lower()):
        return registry.get(_KIND, name.lower())
    if name.lower() in aliases():
        return OptaxOptimizer.from_alias(name.lower())
    keras = {cls.__name__.lower() for cls in registry.registered(_KIND).values()}
    raise ValueError(f"Could not interpret optimizer identifier {name!r}. {closest(name, keras | set(aliases()))}")


def _ignore_case(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> tuple[Any, Any]:
    name = config.get("class_name")
    if isinstance(name, str) and name not in (custom_objects or {}) and registry.find(_KIND, name.lower()):
        config = {**config, "class_name": name.lower()}
    return dict(config), custom_objects


_, serialize, deserialize = lookup_functions(
    _KIND,
    "optimizer",
    prepare=_ignore_case,
    accepts="an Optimizer or its config",
    example=""">>> from jaxkeras.optimizers import SGD
>>> deserialize(serialize(SGD(0.5))).get_config()["learning_rate"]
0.5""",
)
