"""Concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.layers._base.tensor_structures import array_namespace
from jaxkeras.layers.merging.base import Merge, Shapes, broadcast_mask, check_input_list, check_masks
from jaxkeras.registry import register


@register("keras.layers")
class Concatenate(Merge):
    """The concatenation of the inputs along an axis.

    Args:
        axis: the axis; the sizes of all other axes must agree.

    Raises:
        ValueError: if they do not.

    Example:

    >>> Concatenate()([jnp.ones((2, 3)), jnp.ones((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Shapes) -> None:
        check_input_list(self, input_shape)
        rank = len(input_shape[0])
        fits = all(len(shape) == rank for shape in input_shape) and -rank <= self.axis < rank
        for axis, sizes in enumerate(zip(*input_shape)):
            fits = fits and (axis == self.axis % rank or len(set(sizes) - {None}) <= 1)
        if not fits:
            raise ValueError(
                f"Concatenate '{self.name}' needs inputs that agree on every axis but axis={self.axis}; got shapes "
                f"{[tuple(shape) for shape in input_shape]}."
            )

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return array_namespace(inputs).concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> jax.Array | None:
        if mask is None:
            return None
        check_masks(self, inputs, mask)
        if all(m is None for m in mask):
            return None
        full = [m if m is not None and m.ndim == x.ndim else _full_mask(x, m) for x, m in zip(inputs, mask)]
        return _any_of_last_axis(full, self.axis)


@op(name="full_mask")
def _full_mask(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    return jnp.ones(x.shape, bool) if mask is None else broadcast_mask(jnp.asarray(mask), x)


@op(name="any_of_last_axis")
def _any_of_last_axis(xs: list[jax.Array], axis: int) -> jax.Array:
    return jnp.any(jnp.concatenate([jnp.asarray(x) for x in xs], axis=axis), axis=-1)
