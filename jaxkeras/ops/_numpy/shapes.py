"""Ops that change or permute the axes of an array, pad it or repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import Axes, Shape, TensorLike, as_array, as_operand
from jaxkeras.ops._make_op import SAME, make_op


def _broadcast_to(x: Any, shape: Any) -> jax.Array:
    """`jnp.broadcast_to`, where None is the size that `x` has there."""
    if isinstance(shape, (list, tuple)) and None in shape:
        own = (1,) * (len(shape) - jnp.ndim(x)) + jnp.shape(x)
        shape = tuple(n if size is None else size for n, size in zip(own, shape))
    return jnp.broadcast_to(x, shape)


@make_op(_broadcast_to, "Array of shape `shape`, with the dtype of `x`.")
def broadcast_to(x: TensorLike, shape: Shape) -> jax.Array:
    """Repeat along axes of size 1, and new leading axes, up to a shape.

    Example:

    >>> broadcast_to([1, 2], (2, 2)).tolist()
    [[1, 2], [1, 2]]
    """
    ...


@make_op(jnp.expand_dims)
def expand_dims(x: TensorLike, axis: int | Sequence[int]) -> jax.Array:
    """Insert axes of size 1.

    Args:
        x: array of any shape.
        axis: positions of the new axes in the result.

    Returns:
        Array with the elements and dtype of `x`.

    Example:

    >>> expand_dims([1, 2], 0).shape
    (1, 2)
    """
    ...


@make_op(jnp.flip, SAME)
def flip(x: TensorLike, axis: Axes = None) -> jax.Array:
    """Reverse the order of the elements.

    Args:
        x: array of any shape.
        axis: axis or axes to reverse; None for all.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> flip([1, 2, 3]).tolist()
    [3, 2, 1]
    """
    ...


@make_op(jnp.fliplr, SAME)
def fliplr(x: TensorLike) -> jax.Array:
    """Reverse the second axis.

    Args:
        x: array with at least two axes.

    Example:

    >>> fliplr([[1, 2], [3, 4]]).tolist()
    [[2, 1], [4, 3]]
    """
    ...


@make_op(jnp.flipud, SAME)
def flipud(x: TensorLike) -> jax.Array:
    """Reverse the first axis.

    Args:
        x: array with at least one axis.

    Example:

    >>> flipud([[1, 2], [3, 4]]).tolist()
    [[3, 4], [1, 2]]
    """
    ...


@make_op(jnp.moveaxis)
def moveaxis(x: TensorLike, source: int | Sequence[int], destination: int | Sequence[int]) -> jax.Array:
    """Move axes to other positions; the others keep their order.

    Args:
        x: array of any shape.
        source: axis or axes to move.
        destination: where each of them goes.

    Returns:
        Array with the elements and dtype of `x`.

    Example:

    >>> moveaxis(np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ...


def ndim(x: TensorLike) -> int:
    """Number of axes.

    Args:
        x: array of any shape, or KerasTensor.

    Returns:
        An integer.

    Example:

    >>> ndim([[1, 2]])
    2
    """
    own: int | None = getattr(x, "ndim", None)
    return jnp.ndim(as_operand(x)) if own is None else own


@op
def pad(
    x: TensorLike,
    pad_width: int | Sequence[int] | Sequence[Sequence[int]],
    mode: str = "constant",
    constant_values: TensorLike | None = None,
) -> jax.Array:
    """Pad at both ends of axes.

    Args:
        x: array of any shape.
        pad_width: `((before, after), ...)` for each axis, one such pair, or one number, for all axes.
        mode: `"constant"`, `"reflect"`, `"symmetric"`, `"edge"`, `"wrap"` or another mode of `jax.numpy.pad`.
        constant_values: the value for `"constant"`; 0 by default.

    Returns:
        Array with the dtype of `x`.

    Raises:
        ValueError: for `constant_values` with another mode.

    Example:

    >>> pad([1, 2], (1, 2), constant_values=9).tolist()
    [9, 1, 2, 9, 9]
    """
    if constant_values is None:
        return jnp.pad(as_array(x), pad_width, mode=mode)
    if mode != "constant":
        raise ValueError(f"`constant_values` goes with mode='constant', got mode={mode!r}.")
    return jnp.pad(as_array(x), pad_width, mode=mode, constant_values=constant_values)


@make_op(jnp.ravel, "Vector with the elements and dtype of `x`.")
def ravel(x: TensorLike) -> jax.Array:
    """Flatten to a vector, the last axis varying fastest.

    Example:

    >>> ravel([[1, 2], [3, 4]]).tolist()
    [1, 2, 3, 4]
    """
    ...


def _repeat(x: Any, repeats: Any, axis: int | None) -> jax.Array:
    return jnp.repeat(x, np.asarray(repeats) if isinstance(repeats, (list, tuple)) else as_operand(repeats), axis)


@make_op(_repeat)
def repeat(x: TensorLike, repeats: Any, axis: int | None = None) -> jax.Array:
    """Repeat each element.

    Args:
        x: array of any shape.
        repeats: number of repetitions, an integer or one for each element along `axis`.
        axis: axis along which to repeat; None for the flattened array.

    Returns:
        Array with the dtype of `x`.

    Example:

    >>> repeat([1, 2], 2).tolist()
    [1, 1, 2, 2]
    """
    ...


def _reshape(x: Any, newshape: Any) -> jax.Array:
    if isinstance(newshape, (list, tuple)):
        newshape = _without_unknown(newshape, jnp.shape(x))
    return jnp.reshape(x, newshape)


def _without_unknown(newshape: Sequence[Any], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """None, as in the `ops.shape` of a KerasTensor, is the batch size in front, and elsewhere what is left (-1)."""
    negative = [n for n in newshape if isinstance(n, int) and n < 0]
    if len(negative) > 1 or negative not in ([], [-1]):
        raise ValueError(f"`newshape` must have non-negative sizes, and -1 at most once; got {tuple(newshape)}.")
    if None in newshape and shape and newshape[0] is None and (-1 in newshape or newshape.count(None) > 1):
        newshape = (shape[0], *newshape[1:])
    return tuple(-1 if n is None else n for n in newshape)


@make_op(_reshape, "Array of shape `newshape`, with the dtype of `x`.", _output_specs.reshape)
def reshape(x: TensorLike, newshape: Shape) -> jax.Array:
    """Arrange the elements in another shape.

    Args:
        x: array of any shape.
        newshape: the shape; one size may be -1 and is inferred.

    Example:

    >>> reshape([[1, 2, 3], [4, 5, 6]], (3, -1)).tolist()
    [[1, 2], [3, 4], [5, 6]]
    """
    ...


@make_op(jnp.roll)
def roll(x: TensorLike, shift: int | Sequence[int], axis: Axes = None) -> jax.Array:
    """Shift elements along an axis; those shifted out come in at the other end.

    Args:
        x: array of any shape.
        shift: number of positions, one for each axis.
        axis: axis or axes along which to shift; None for the flattened array.

    Returns:
        Array of the shape and dtype of `x`.

    Example:

    >>> roll([1, 2, 3], 1).tolist()
    [3, 1, 2]
    """
    ...


@make_op(jnp.rot90)
def rot90(array: TensorLike, k: int = 1, axes: tuple[int, int] = (0, 1)) -> jax.Array:
    """Rotate by multiples of 90 degrees in the plane of two axes.

    Args:
        array: array with at least two axes.
        k: number of quarter turns.
        axes: the plane; the rotation is from the first axis towards the second.

    Returns:
        Array with the elements and dtype of `array`.

    Example:

    >>> rot90([[1, 2], [3, 4]]).tolist()
    [[2, 4], [1, 3]]
    """
    ...


@make_op(jnp.squeeze)
def squeeze(x: TensorLike, axis: Axes = None) -> jax.Array:
    """Remove axes of size 1.

    Args:
        x: array of any shape.
        axis: axis or axes to remove; None for all of size 1.

    Returns:
        Array with the elements and dtype of `x`.

    Example:

    >>> squeeze([[[1], [2]]], axis=0).shape
    (2, 1)
    """
    ...


@make_op(jnp.swapaxes, "Array with the elements and dtype of `x`.")
def swapaxes(x: TensorLike, axis1: int, axis2: int) -> jax.Array:
    """Exchange two axes.

    Example:

    >>> swapaxes(np.zeros((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    ...


@make_op(lambda x, repeats: jnp.tile(x, repeats))
def tile(x: TensorLike, repeats: int | Sequence[int]) -> jax.Array:
    """Repeat the whole array.

    Args:
        x: array of any shape.
        repeats: number of repetitions along each axis; leading axes are added as needed.

    Returns:
        Array with the dtype of `x`.

    Example:

    >>> tile([1, 2], 2).tolist()
    [1, 2, 1, 2]
    """
    ...


@make_op(jnp.transpose)
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> jax.Array:
    """Permute axes.

    Args:
        x: array of any shape.
        axes: the axes in their new order; reversed by default.

    Returns:
        Array with the elements and dtype of `x`.

    Example:

    >>> transpose([[1, 2], [3, 4]]).tolist()
    [[1, 3], [2, 4]]
    """
    ...
