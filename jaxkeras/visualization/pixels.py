"""Batches of images as the bytes that are drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras.core.config import standardize_data_format


def batch(images: Any) -> np.ndarray:
    """Images as a NumPy array.

    Raises:
        ValueError: unless it has four axes.
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(f"Images must be a batch, (batch, height, width, channels); got shape {images.shape}.")
    return images


def channels_last(images: np.ndarray, data_format: str | None) -> np.ndarray:
    """A batch of any layout with its channels last."""
    return images.transpose(0, 2, 3, 1) if standardize_data_format(data_format) == "channels_first" else images


def as_given(images: np.ndarray, data_format: str | None) -> np.ndarray:
    """The inverse of `channels_last`."""
    return images.transpose(0, 3, 1, 2) if standardize_data_format(data_format) == "channels_first" else images


def to_bytes(images: np.ndarray, value_range: Sequence[float] | None = None) -> np.ndarray:
    """Images as uint8.

    Args:
        images: a batch.
        value_range: what becomes 0 and 255; by default floats whose largest value is at most 1 count from 0 to 1, and
            all else from 0 to 255.
    """
    if value_range is None:
        unit = images.dtype.kind == "f" and images.size and images.max() <= 1
        value_range = (0, 1) if unit else (0, 255)
    low, high = value_range
    if (low, high) == (0, 255) and images.dtype == np.uint8:
        return images.copy()
    return np.clip((images.astype(np.float32) - low) * (255 / (high - low)) + 1e-3, 0, 255).astype(np.uint8)
