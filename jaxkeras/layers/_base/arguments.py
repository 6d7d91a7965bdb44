"""What the constructors of layers share: arguments made regular, weights with their three settings, signatures."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jaxkeras import constraints as constraints  # imported to fill the tables that settings are looked up in
from jaxkeras import initializers as initializers
from jaxkeras import registry
from jaxkeras import regularizers as regularizers
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.layer import Layer

C = TypeVar("C", bound=type)

_KINDS = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
}


def tuple_of(value: Any, count: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """One integer repeated, or a sequence of `count` integers, as a tuple.

    Args:
        value: what the user gave.
        count: how many there must be.
        name: of the argument, for the message.
        minimum: the smallest integer allowed.

    Returns:
        The tuple.

    Raises:
        ValueError: for another number, something that is no integer, or one that is too small.
    """
    items: tuple[Any, ...] = (value,) * count if isinstance(value, int) else ()
    if not isinstance(value, int):
        try:
            items = tuple(int(item) for item in value)
        except (TypeError, ValueError):
            items = ()
    if len(items) != count or any(isinstance(item, bool) for item in items):
        raise ValueError(f"`{name}` must be an integer or {count} integers; got {value!r}.")
    if min(items) < minimum:
        raise ValueError(f"`{name}` must be at least {minimum} everywhere; got {value!r}.")
    return items


def positive_int(value: Any, name: str, layer: Layer) -> int:
    """`value` if it is an integer above zero.

    Raises:
        ValueError: otherwise.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"`{name}` of {type(layer).__name__} must be a positive integer; got {value!r}.")
    return value


def no_quantization(layer: Layer, config: Any) -> None:
    """Raise for a quantization config, which Keras's own layers take and these do not."""
    if config is not None:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}' was given quantization_config={config!r}, but its weights are kept "
            "in floating point only. Leave the argument out; for smaller weights use dtype='bfloat16'."
        )


def weight_settings(layer: Layer, **settings: Any) -> None:
    """Set `<weight>_initializer`, `<weight>_regularizer` and `<weight>_constraint` attributes from names or objects."""
    for name, value in settings.items():
        setattr(layer, name, registry.get(_KINDS[name.rsplit("_", 1)[1]], value))


def settled_weight(
    layer: Layer, name: str, shape: Sequence[int], settings: str | None = None, **kwargs: Any
) -> Variable:
    """A weight that starts, is penalised and is constrained as the layer's attributes `<settings>_...` say.

    Args:
        layer: the layer.
        name: of the weight.
        shape: of the weight.
        settings: prefix of the attributes; defaults to the weight's name.
        **kwargs: for `Layer.add_weight`.

    Returns:
        The variable.
    """
    prefix = settings or name
    return layer.add_weight(
        tuple(shape), getattr(layer, f"{prefix}_initializer"), name=name,
        regularizer=getattr(layer, f"{prefix}_regularizer", None),
        constraint=getattr(layer, f"{prefix}_constraint", None), **kwargs,
    )  # fmt: skip


def known_size(layer: Layer, input_shape: Sequence[int | None], axis: int) -> int:
    """The size of an axis that weights are made for.

    Raises:
        ValueError: if the axis is missing or its size unknown.
    """
    if not -len(input_shape) <= axis < len(input_shape):
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}' works on axis {axis}, which an input of shape "
            f"{tuple(input_shape)} does not have."
        )
    size = input_shape[axis]
    if size is None:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}' must know the size of axis {axis} of its input to make its "
            f"weights; got shape {tuple(input_shape)}. Give that size in Input(shape=...)."
        )
    return size


def respell(*order: str, **defaults: Any) -> Callable[[C], C]:
    """Give a class the inherited constructor under other defaults or another order of arguments.

    The three ranks of a layer share one constructor, but Keras writes `strides=1` for one and `strides=(1, 1)` for
    another, and that is what `help` and `inspect` should show.

    Args:
        *order: names of parameters to bring to the front, in this order.
        **defaults: new defaults.

    Returns:
        A class decorator.
    """

    def decorate(cls: C) -> C:
        inherited: Callable[..., None] = cls.__init__
        parameters = dict(inspect.signature(inherited).parameters)
        for name, default in defaults.items():
            parameters[name] = parameters[name].replace(default=default)
        names = ["self", *order, *(name for name in parameters if name not in ("self", *order))]
        signature = inspect.Signature([parameters[name] for name in names])

        @functools.wraps(inherited)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            arguments = signature.bind(self, *args, **kwargs).arguments
            arguments.update(arguments.pop("kwargs", {}))
            inherited(**{**defaults, **arguments})

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[misc]
        return cls

    return decorate
