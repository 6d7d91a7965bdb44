"""The base class of merging layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.layers._base.layer import Layer

Shapes = Sequence[Sequence[int | None]]


def check_input_list(layer: Layer, shapes: Any, exactly: int | None = None) -> None:
    """Raise a ValueError unless `shapes` is a list of shapes (with `exactly` so many)."""
    is_list = isinstance(shapes, (list, tuple)) and bool(shapes) and all(isinstance(s, (list, tuple)) for s in shapes)
    if not is_list or (exactly is not None and len(shapes) != exactly):
        wanted = "one or more" if exactly is None else f"exactly {exactly}"
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}' takes a list of {wanted} tensors, as in "
            f"{type(layer).__name__}()([a, b]); got {'shapes' if is_list else 'one tensor of shape'} {shapes}."
        )


class Merge(Layer):
    """A layer that combines a list of inputs by `merge`."""

    exactly: int | None = None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        """Combine the inputs."""
        raise NotImplementedError

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return self.merge(inputs)


def check_masks(layer: Layer, inputs: Any, masks: Any) -> None:
    """Raise a ValueError unless inputs and masks are lists of the same length."""
    for name, value in (("mask", masks), ("inputs", inputs)):
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"`{name}` of {type(layer).__name__}.compute_mask must be a list; got {value!r}.")
    if len(inputs) != len(masks):
        raise ValueError(
            f"{type(layer).__name__}.compute_mask needs a mask, or None, for each input; got {len(inputs)} inputs and "
            f"{len(masks)} masks."
        )


def broadcast_mask(mask: jax.Array, x: jax.Array) -> jax.Array:
    """A mask without the last axis of x, broadcast to the shape of x."""
    return jnp.broadcast_to(mask[..., None], x.shape)
