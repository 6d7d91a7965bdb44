"""Resize images on the host with NumPy, because JAX would compile a program for each size of the files.

The results are those of `tf.image.resize` without antialiasing, which Keras uses for images from folders.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from jaxkeras import registry

Kernel = Callable[[np.ndarray], np.ndarray]


def _linear(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - x, 0)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys (1981) with a = -1/2."""
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))


def _mitchell(x: np.ndarray) -> np.ndarray:
    """Mitchell and Netravali (1988) with B = C = 1/3."""
    near, far = (7 / 6 * x - 2) * x * x + 8 / 9, ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: np.ndarray, radius: int) -> np.ndarray:
    return np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(x < 1.5, np.exp(-2 * x * x), 0)


# method -> (radius, kernel as a function of the distance in source pixels)
_KERNELS: dict[str, tuple[float, Kernel]] = {
    "bilinear": (1, _linear),
    "bicubic": (2, _cubic),
    "lanczos3": (3, functools.partial(_lanczos, radius=3)),
    "lanczos5": (5, functools.partial(_lanczos, radius=5)),
    "gaussian": (1.5, _gaussian),
    "mitchellcubic": (2, _mitchell),
}
METHODS = (*_KERNELS, "nearest", "area")


@functools.lru_cache(maxsize=1024)
def _taps(size: int, target: int, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights of the source pixels of each target pixel, both of shape `(target, taps)`."""
    step = size / target
    if method == "nearest":
        at = np.minimum(((np.arange(target) + 0.5) * step).astype(np.int64), size - 1)
        return at[:, None], np.ones((target, 1), np.float32)
    if method == "area":
        # The overlap of each source pixel with the target pixel.
        left, right = (np.arange(target) + 0)[:, None] * step, (np.arange(target) + 1)[:, None] * step
        count = int(np.ceil(step)) + 1
        at = np.floor(left + 1e-9).astype(np.int64) + np.arange(count)
        weights = np.maximum(np.minimum(right, at + 1) - np.maximum(left, at), 0)
    else:
        radius, kernel = _KERNELS[method]
        center = ((np.arange(target) + 0.5) * step - 0.5)[:, None]
        at = np.floor(center).astype(np.int64) + np.arange(1 - int(np.ceil(radius)), int(np.ceil(radius)) + 1)
        weights = kernel(np.abs(at - center))
        if method == "bilinear":  # repeats the border; the other kernels renormalize
            return np.clip(at, 0, size - 1), weights.astype(np.float32)
        weights = np.where((at >= 0) & (at < size), weights, 0)
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.clip(at, 0, size - 1), weights.astype(np.float32)


def _along(image: np.ndarray, axis: int, target: int, method: str) -> np.ndarray:
    at, weights = _taps(image.shape[axis], target, method)
    shape = (target, image.shape[1], image.shape[2]) if axis == 0 else (image.shape[0], target, image.shape[2])
    # Merge channels into rows for long inner loops.
    spread = weights.T[:, :, None] if axis == 0 else np.repeat(weights, shape[2], axis=0).T[:, None, :]
    result: np.ndarray | None = None
    for places, weight in zip(at.T, spread):
        part = np.take(image, places, axis).reshape(shape[0], -1).astype(np.float32)
        part *= weight
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None
    return result.reshape(shape)


def resize(image: np.ndarray, size: Sequence[int], method: str = "bilinear") -> np.ndarray:
    """Resize one image.

    Args:
        image: shape `(height, width, channels)`.
        size: `(height, width)`.
        method: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or "mitchellcubic".

    Returns:
        float32 array of shape `(*size, channels)`.

    Raises:
        ValueError: for another method.

    Example:

    >>> resize(np.array([[[0], [4]]]), (1, 4))[0, :, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    if method not in METHODS:
        raise registry.unknown("interpolation", method, METHODS)
    smooths = method in ("gaussian", "mitchellcubic")  # these change an image of the right size too
    # First the axis that leaves less to do for the second.
    shrink = [new / old for new, old in zip(size, image.shape)]
    for axis in sorted((0, 1), key=lambda axis: shrink[axis]):
        if smooths or image.shape[axis] != size[axis]:
            image = _along(image, axis, size[axis], method)
    return image.astype(np.float32)


def crop_and_resize(image: np.ndarray, size: Sequence[int], method: str) -> np.ndarray:
    """Crop the largest centered window with the aspect ratio of `size`, and resize it."""
    (height, width), (rows, columns) = image.shape[:2], size
    tall, wide = max(min(height, width * rows // columns), 1), max(min(width, height * columns // rows), 1)
    top, left = (height - tall) // 2, (width - wide) // 2
    return resize(image[top : top + tall, left : left + wide], size, method)


def resize_and_pad(image: np.ndarray, size: Sequence[int], method: str) -> np.ndarray:
    """Resize the whole image to fit into `size`, and center it on zeros."""
    # In single precision, as in TensorFlow: rounding determines the number of rows.
    old, new = np.array(image.shape[:2], np.float32), np.array(size, np.float32)
    fitting = old / np.max(old / new)
    inner = np.maximum(fitting.astype(int), 1).tolist()
    top, left = np.maximum((new - fitting) / 2, 0).astype(int).tolist()
    result = np.zeros((*size, image.shape[2]), np.float32)
    result[top : top + inner[0], left : left + inner[1]] = resize(image, inner, method)
    return result
