"""Concatenation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.layers._base.tensor_structures import array_namespace
from jaxkeras.layers.merging.base import Merge, Shapes, broadcast_mask, check_input_list
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

    def compute_mask(self, inputs: Any, previous_mask: Any) -> jax.Array | None:
        if previous_mask is None or all(mask is None for mask in previous_mask):
            return None
        full = []
        for x, mask in zip(inputs, previous_mask):
            mask = jnp.ones(x.shape, bool) if mask is None else mask
            full.append(broadcast_mask(mask, x) if mask.ndim < x.ndim else mask)
        return jnp.any(jnp.concatenate(full, axis=self.axis), axis=-1)
