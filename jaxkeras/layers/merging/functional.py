"""Merging layers as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.merging.concatenate import Concatenate
from jaxkeras.layers.merging.dot import Dot
from jaxkeras.layers.merging.elementwise import Add, Average, Maximum, Minimum, Multiply, Subtract


def _functional(cls: type[Layer]) -> Callable[..., Any]:
    def function(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    function.__name__ = function.__qualname__ = cls.__name__.lower()
    summary = (cls.__doc__ or "").splitlines()[0]
    function.__doc__ = f"{summary}\n\nArgs:\n    inputs: a list of tensors.\n    **kwargs: of `{cls.__name__}`."
    return function


add, subtract, multiply = _functional(Add), _functional(Subtract), _functional(Multiply)


average, maximum, minimum = _functional(Average), _functional(Maximum), _functional(Minimum)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """The concatenation of the inputs along an axis.

    Args:
        inputs: a list of tensors.
        axis: the axis.
        **kwargs: further arguments of `Concatenate`.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """The dot product of two inputs along an axis, for each sample.

    Args:
        inputs: a list of two tensors.
        axes: the axis of both inputs, or one for each.
        **kwargs: further arguments of `Dot`.
    """
    return Dot(axes=axes, **kwargs)(inputs)
