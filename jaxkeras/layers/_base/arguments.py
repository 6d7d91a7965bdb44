"""Shared by the constructors of layers: checks of integers, tuples and padding; configured weights; signatures."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.layer import Layer

C = TypeVar("C", bound=type)


def as_int(value: Any) -> int | None:
    """`value` as an `int` if it is an integer (of Python or NumPy, but not a bool), else None."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_tuple(value: Any) -> tuple[Any, ...]:
    """A tuple of any length, from an integer or a sequence."""
    number = as_int(value)
    return tuple(value) if number is None else (number,)


def tuple_of(value: Any, count: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """A tuple of `count` integers, from one integer that is repeated or from a sequence.

    Args:
        value: the argument as given.
        count: the length of the tuple.
        name: the name of the argument, for the error message.
        minimum: the smallest integer allowed.

    Returns:
        The tuple.

    Raises:
        ValueError: if there are not `count` integers, or one of them is too small.
    """
    number = as_int(value)
    items: tuple[Any, ...] = () if number is None else (number,) * count
    if number is None and not isinstance(value, bool):
        try:
            items = tuple(int(item) for item in value)
        except (TypeError, ValueError):
            items = ()
    if len(items) != count:
        raise ValueError(f"`{name}` must be an integer or {count} integers; got {value!r}.")
    if min(items) < minimum:
        raise ValueError(f"`{name}` must be at least {minimum} everywhere; got {value!r}.")
    return items


def positive_int(value: Any, name: str, layer: Layer, wrong_type: type[Exception] = ValueError) -> int:
    """`value` as an `int`.

    Raises:
        ValueError: if it is not a positive integer.
        wrong_type: if it is not an integer.
    """
    number = as_int(value)
    if number is None or number <= 0:
        error = wrong_type if number is None else ValueError
        raise error(f"`{name}` of {type(layer).__name__} must be a positive integer; got {value!r}.")
    return number


def standardize_padding(padding: Any, layer: Layer, allowed: Sequence[str] = ("valid", "same")) -> str:
    """`padding` in lower case.

    Raises:
        ValueError: if it is not one of `allowed`.
    """
    result = padding.lower() if isinstance(padding, str) else padding
    if result not in allowed:
        raise ValueError(
            f"`padding` of {type(layer).__name__} must be {' or '.join(map(repr, allowed))}; got {padding!r}."
        )
    return result


def reject_quantization(layer: Layer, config: Any) -> None:
    """Raise if a quantization config is given: Keras's layers take one, these do not."""
    if config is not None:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}' was given quantization_config={config!r}, but its weights are kept "
            "in floating point only. Leave the argument out; for smaller weights use dtype='bfloat16'."
        )


def add_configured_weight(
    layer: Layer, name: str, shape: Sequence[int], prefix: str | None = None, **kwargs: Any
) -> Variable:
    """Add a weight with the initializer, regularizer and constraint that the layer was configured with.

    Args:
        layer: the layer.
        name: the name of the weight.
        shape: the shape of the weight.
        prefix: the attributes read are `<prefix>_initializer`, `<prefix>_regularizer` and `<prefix>_constraint`;
            defaults to `name`.
        **kwargs: further arguments of `Layer.add_weight`.

    Returns:
        The variable.
    """
    prefix = prefix or name
    return layer.add_weight(
        tuple(shape), getattr(layer, f"{prefix}_initializer"), name=name,
        regularizer=getattr(layer, f"{prefix}_regularizer"), constraint=getattr(layer, f"{prefix}_constraint"),
        **kwargs,
    )  # fmt: skip


def known_size(layer: Layer, input_shape: Sequence[int | None], axis: int) -> int:
    """The size of an axis on which the shape of a weight depends.

    Raises:
        ValueError: if the input has no such axis, or its size is unknown.
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


def with_signature(*order: str, **defaults: Any) -> Callable[[C], C]:
    """Give a class the inherited constructor with other defaults or another order of parameters.

    The 1D, 2D and 3D variants of a layer share one constructor, but Keras declares `strides=1` for one and
    `strides=(1, 1)` for another, and `help` and `inspect` should show the same.

    Args:
        *order: names of parameters to move to the front, in this order.
        **defaults: new defaults.

    Returns:
        A class decorator, which returns the class itself.
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
