"""Dot products of two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxkeras.core.config import epsilon
from jaxkeras.core.sparse import is_sparse
from jaxkeras.layers.merging.base import Merge, Shapes, check_input_list
from jaxkeras.layers.normalization.unit_normalization import l2_normalize
from jaxkeras.registry import register


@register("keras.layers")
class Dot(Merge):
    """The dot product of two inputs along an axis, for each sample.

    Args:
        axes: the axis of both inputs, or one for each; never the batch axis 0.
        normalize: whether to scale both to unit Euclidean norm along the axis first (cosine similarity).

    Output shape: the axes of the first input, then those of the second, without the batch axis and the one that is
    summed over; `(batch, 1)` if no axis is left.

    Example:

    >>> Dot(axes=1)([jnp.ones((2, 3)), jnp.ones((2, 3))])
    Array([[3.],
           [3.]], dtype=float32)
    """

    exactly = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        pair = [axes] if isinstance(axes, int) else axes
        if not isinstance(pair, (list, tuple)) or not all(isinstance(axis, int) for axis in pair):
            raise TypeError(f"`axes` of Dot must be an integer or two; got {axes!r}.")
        if len(pair) > 2 or (not isinstance(axes, int) and len(pair) != 2) or 0 in pair:
            raise ValueError(f"`axes` of Dot must be an integer or two, and not the batch axis 0; got {axes!r}.")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize
        self.supports_masking = True

    def _pair(self, shapes: Shapes) -> tuple[int, int]:
        first, second = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return first % len(shapes[0]), second % len(shapes[1])

    def build(self, input_shape: Shapes) -> None:
        check_input_list(self, input_shape, self.exactly)
        pair = self._pair(input_shape)
        sizes = [shape[axis] for shape, axis in zip(input_shape, pair)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Dot '{self.name}' sums over axes {pair} of its inputs, which must be equal in size; got shapes "
                f"{[tuple(shape) for shape in input_shape]}."
            )

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        pair = self._pair([x.shape for x in inputs])
        x, y = (l2_normalize(x, axis, epsilon()) if self.normalize else x for x, axis in zip(inputs, pair))
        if is_sparse(x) or is_sparse(y):
            from jaxkeras.ops._sparse.products import batch_dot

            return batch_dot(x, y, pair)
        product = jax.lax.dot_general(x, y, (((pair[0],), (pair[1],)), ((0,), (0,))))
        return product if product.ndim > 1 else product[:, None]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None
