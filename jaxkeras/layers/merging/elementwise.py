"""Elementwise merges."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.layers._base.tensor_structures import array_namespace
from jaxkeras.layers.merging.base import Merge, Shapes, broadcast_mask, check_input_list
from jaxkeras.registry import register


class _Elementwise(Merge):
    """Broadcasts the inputs; those of lower rank get axes of size 1 after the batch."""

    def build(self, input_shape: Shapes) -> None:
        check_input_list(self, input_shape, self.exactly)
        rank = max(len(shape) for shape in input_shape)
        aligned = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in input_shape]
        for axis, sizes in enumerate(zip(*aligned)):
            if len(set(sizes) - ({None} if axis == 0 else {None, 1})) > 1:
                what = "different batch sizes" if axis == 0 else f"incompatible sizes along axis {axis}"
                raise ValueError(
                    f"{type(self).__name__} '{self.name}' cannot combine inputs of shapes "
                    f"{[tuple(shape) for shape in input_shape]}: they have {what}."
                )

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        rank = max(x.ndim for x in inputs)
        aligned = []
        for x in inputs:
            y = x.reshape((*x.shape[:1], *(1,) * (rank - x.ndim), *x.shape[1:])) if x.ndim < rank else x
            if y is not x and get_mask(x) is not None:
                set_mask(y, get_mask(x))
            aligned.append(y)
        return self.merge(aligned)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> jax.Array | None:
        if previous_mask is None or any(mask is None for mask in previous_mask):
            return None
        return functools.reduce(jnp.logical_or, previous_mask)


@register("keras.layers")
class Add(_Elementwise):
    """The sum of the inputs.

    Example:

    >>> Add()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[3.]], dtype=float32)
    """

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return functools.reduce(array_namespace(inputs).add, inputs)


@register("keras.layers")
class Subtract(_Elementwise):
    """The first input minus the second.

    Example:

    >>> Subtract()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[-1.]], dtype=float32)
    """

    exactly = 2

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return array_namespace(inputs).subtract(*inputs)


@register("keras.layers")
class Multiply(_Elementwise):
    """The product of the inputs. A step that is masked in one input counts as 1 there; a step that is masked in all
    inputs gives 0.

    Example:

    >>> Multiply()([jnp.array([[3.0]]), jnp.array([[2.0]])])
    Array([[6.]], dtype=float32)
    """

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        masks = [None if get_mask(x) is None else broadcast_mask(get_mask(x), x) for x in inputs]
        factors = [x if mask is None else jnp.where(mask, x, 1) for x, mask in zip(inputs, masks)]
        product = functools.reduce(array_namespace(factors).multiply, factors)
        if any(mask is None for mask in masks):
            return product
        keep = functools.reduce(jnp.logical_or, masks)  # type: ignore[arg-type]
        product = jnp.where(keep, product, 0)
        set_mask(product, jnp.any(keep, axis=-1))
        return product


@register("keras.layers")
class Average(_Elementwise):
    """The mean of the inputs.

    Example:

    >>> Average()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[1.5]], dtype=float32)
    """

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        xp = array_namespace(inputs)
        return xp.divide(functools.reduce(xp.add, inputs), len(inputs))


class _Extreme(_Elementwise):
    """Where one input is masked, takes the other."""

    pick: str

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        masks = [None if get_mask(x) is None else broadcast_mask(get_mask(x), x) for x in inputs]
        result, seen = inputs[0], masks[0]
        for x, mask in zip(inputs[1:], masks[1:]):
            x = x if mask is None else jnp.where(mask, x, result)
            result = result if seen is None else jnp.where(seen, result, x)
            seen = None if mask is None or seen is None else jnp.logical_or(seen, mask)
            result = getattr(array_namespace((result, x)), self.pick)(result, x)
        if seen is not None and len(inputs) > 1:
            set_mask(result, jnp.any(seen, axis=-1))
        return result


@register("keras.layers")
class Maximum(_Extreme):
    """The elementwise maximum of the inputs.

    Example:

    >>> Maximum()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[2.]], dtype=float32)
    """

    pick = "maximum"


@register("keras.layers")
class Minimum(_Extreme):
    """The elementwise minimum of the inputs.

    Example:

    >>> Minimum()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[1.]], dtype=float32)
    """

    pick = "minimum"
