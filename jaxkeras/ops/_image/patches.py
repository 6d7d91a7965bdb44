"""Images as grids of patches, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.symbolic import KerasTensor, op
from jaxkeras.ops._arrays import Shape, TensorLike, as_array
from jaxkeras.ops._image.layout import one_of


def _patch_size(size: Shape) -> tuple[int, ...]:
    """The two or three sizes of a patch."""
    if not isinstance(size, (int, tuple, list)):
        raise TypeError(f"`size` must be an integer or a tuple, got {size!r}.")
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(size) not in (2, 3):
        raise ValueError(f"`size` must have two or three entries, got {size}.")
    return size


def _channels_last_batch(x: jax.Array, rank: int, first: bool) -> jax.Array:
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"Expected {rank + 1} axes, or {rank + 2} for a batch, got shape {x.shape}.")
    batch = x if x.ndim == rank + 2 else x[None]
    return jnp.moveaxis(batch, 1, -1) if first else batch


def _same_layout(batch: jax.Array, x: jax.Array, first: bool) -> jax.Array:
    """A channels-last batch in the layout of `x`."""
    batch = jnp.moveaxis(batch, -1, 1) if first else batch
    return batch if x.ndim == batch.ndim else batch[0]


def _patches(
    x: jax.Array, size: tuple[int, ...], strides: Shape | None, dilation: Shape, padding: str, data_format: str | None
) -> jax.Array:
    rank = len(size)
    strides, dilation = (
        (v,) * rank if isinstance(v, int) else tuple(v) for v in (size if not strides else strides, dilation)
    )
    first = standardize_data_format(data_format) == "channels_first"
    batch = _channels_last_batch(x, rank, first)
    one_of(padding.lower(), ("valid", "same"), "padding")
    for i, (k, s, d) in enumerate(zip(size, strides, dilation)):
        axis, extent = 1 + 2 * i, (k - 1) * d + 1  # each of the previous axes has become two
        length = batch.shape[axis]
        if padding.lower() == "same":
            total = max((-(-length // s) - 1) * s + extent - length, 0)
            widths = [(0, 0)] * batch.ndim
            widths[axis] = (total // 2, total - total // 2)
            batch, length = jnp.pad(batch, widths), length + total
        starts = np.arange(0, length - extent + 1, s)
        batch = jnp.take(batch, starts[:, None] + np.arange(k) * d, axis=axis)
    order = (0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1)
    batch = batch.transpose(order)
    return _same_layout(batch.reshape(*batch.shape[: rank + 1], -1), x, first)


@op
def extract_patches(
    images: TensorLike,
    size: Shape,
    strides: Shape | None = None,
    dilation_rate: Shape = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Cut images into patches, each flattened to a vector.

    Args:
        images: array, an image or a batch of images; volumes if `size` has three entries.
        size: size of a patch: an integer, two or three of them.
        strides: step between patches; `size` by default.
        dilation_rate: distance between the elements of a patch.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of shape `(batch, rows, columns, height * width * channels)`, for channels first with the last axis moved
        to the second position.

    Raises:
        TypeError: for a size that is neither an integer nor a tuple.
        ValueError: for a size of another length, another padding, or another number of axes.

    Example:

    >>> extract_patches(np.ones((2, 6, 6, 3)), 2).shape
    (2, 3, 3, 12)
    """
    return _patches(as_array(images), _patch_size(size), strides, dilation_rate, padding, data_format)


@op
def extract_patches_3d(
    volumes: TensorLike,
    size: Shape,
    strides: Shape | None = None,
    dilation_rate: Shape = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Cut volumes into patches, each flattened to a vector.

    Args:
        volumes: array of shape `(depth, height, width, channels)`, or a batch of these, or channels first.
        size: size of a patch: an integer or three of them.
        strides: step between patches; `size` by default.
        dilation_rate: distance between the elements of a patch.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of shape `(batch, planes, rows, columns, depth * height * width * channels)`, for channels first with the
        last axis moved to the second position.

    Raises:
        TypeError: for a size that is neither an integer nor has three entries.
        ValueError: for another padding or another number of axes.

    Example:

    >>> extract_patches_3d(np.ones((2, 4, 6, 6, 3)), 2).shape
    (2, 2, 3, 3, 24)
    """
    size = (size,) * 3 if isinstance(size, int) else _patch_size(size)
    if len(size) != 3:
        raise TypeError(f"`size` must be an integer or have three entries, got {size}.")
    return _patches(as_array(volumes), size, strides, dilation_rate, padding, data_format)


def _reconstructed(
    patches: Any,
    size: Any,
    output_size: Any = None,
    strides: Any = None,
    padding: str = "valid",
    data_format: Any = None,
) -> KerasTensor | None:
    """The output of `reconstruct_patches` for an unknown number of patches, which `output_size` determines."""
    first = standardize_data_format(data_format) == "channels_first"
    rank = len(_patch_size(size))
    grid = patches.shape[-rank:] if first else patches.shape[-rank - 1 : -1]
    features = patches.shape[-rank - 1] if first else patches.shape[-1]
    if output_size is None or None not in grid or features is None:
        return None
    channels = (features // math.prod(_patch_size(size)),)
    sizes = (*channels, *output_size) if first else (*output_size, *channels)
    return KerasTensor((*patches.shape[: -rank - 1], *sizes), patches.dtype)


@op(output_spec=_reconstructed)
def reconstruct_patches(
    patches: TensorLike,
    size: Shape,
    output_size: Sequence[int] | None = None,
    strides: Shape | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Put images together from patches that do not overlap; the inverse of `extract_patches`.

    Args:
        patches: array of shape `(batch, rows, columns, height * width * channels)`, or with a third axis of patches for
            volumes, or of one image, or channels first: what `extract_patches` returns.
        size: size of a patch: an integer, two or three of them.
        output_size: height and width of the images (depth, height and width of volumes); the number of patches times
            `size` by default. Needed for `padding="same"`, whose padding is removed.
        strides: step between patches; must be equal to `size`.
        padding: `"valid"` or `"same"`, as for `extract_patches`.
        data_format: `"channels_last"` or `"channels_first"`; `image_data_format()` by default.

    Returns:
        Array of shape `(batch, *output_size, channels)`, or of one image, or channels first.

    Raises:
        TypeError: for a size that is neither an integer nor a tuple.
        ValueError: for sizes that do not match the shape of `patches`, or another padding.
        NotImplementedError: for `strides` other than `size`.

    Example:

    >>> images = np.arange(32.0).reshape((1, 4, 4, 2))
    >>> bool((reconstruct_patches(extract_patches(images, 2), 2) == images).all())
    True
    """
    x, size = as_array(patches), _patch_size(size)
    rank = len(size)
    if strides is not None and ((strides,) * rank if isinstance(strides, int) else tuple(strides)) != size:
        raise NotImplementedError(f"Patches that overlap are not supported: `strides` must be {size}, got {strides}.")
    one_of(padding.lower(), ("valid", "same"), "padding")
    first = standardize_data_format(data_format) == "channels_first"
    batch = _channels_last_batch(x, rank, first)
    grid, features = batch.shape[1:-1], batch.shape[-1]
    if features % math.prod(size):
        raise ValueError(f"Vectors of length {features} cannot be patches of size {size}: got shape {x.shape}.")
    # (batch, *grid, *size, channels), each axis of the grid next to that of the patch
    batch = batch.reshape(*batch.shape[:-1], *size, -1)
    pairs = [axis for i in range(rank) for axis in (1 + i, 1 + rank + i)]
    batch = batch.transpose(0, *pairs, 2 * rank + 1)
    covered = tuple(n * k for n, k in zip(grid, size))
    batch = batch.reshape(batch.shape[0], *covered, -1)
    return _same_layout(_remove_padding(batch, covered, size, output_size, padding.lower()), x, first)


def _remove_padding(
    batch: jax.Array, covered: tuple[int, ...], size: tuple[int, ...], output_size: Sequence[int] | None, padding: str
) -> jax.Array:
    if output_size is None:
        if padding == "same":
            raise ValueError("`output_size` must be given for padding='same', which pads up to a multiple of `size`.")
        return batch
    wanted = tuple(output_size)
    least = tuple(n if padding == "valid" else n - k + 1 for n, k in zip(covered, size))
    if len(wanted) != len(size) or not all(low <= n <= high for low, n, high in zip(least, wanted, covered)):
        raise ValueError(
            f"`output_size` must be between {least} and {covered} for these patches of size {size} and "
            f"padding={padding!r}, got {wanted}."
        )
    starts = [(total - n) // 2 for total, n in zip(covered, wanted)]
    return batch[(slice(None), *(slice(start, start + n) for start, n in zip(starts, wanted)))]
