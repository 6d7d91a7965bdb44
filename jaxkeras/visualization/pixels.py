"""Convert batches of images to uint8 with the channels last, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras.core.config import standardize_data_format


def batch(images: Any) -> np.ndarray:
    """Convert images to a NumPy array.

    Raises:
        ValueError: if it does not have four axes.
    """
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(f"Images must be a batch, (batch, height, width, channels); got shape {images.shape}.")
    return images


def channels_last(images: np.ndarray, data_format: str | None) -> np.ndarray:
    """Convert a batch in a data format to channels last."""
    return images.transpose(0, 2, 3, 1) if standardize_data_format(data_format) == "channels_first" else images


def from_channels_last(images: np.ndarray, data_format: str | None) -> np.ndarray:
    """The inverse of `channels_last`."""
    return images.transpose(0, 3, 1, 2) if standardize_data_format(data_format) == "channels_first" else images


def to_bytes(images: np.ndarray, value_range: Sequence[float] | None = None) -> np.ndarray:
    """Convert images to uint8.

    Args:
        images: a batch.
        value_range: the values mapped to 0 and 255; by default (0, 1) for floats with a maximum of at most 1, else
            (0, 255).
    """
    if value_range is None:
        unit = images.dtype.kind == "f" and images.size and images.max() <= 1
        value_range = (0, 1) if unit else (0, 255)
    low, high = value_range
    if (low, high) == (0, 255) and images.dtype == np.uint8:
        return images.copy()
    return np.clip((images.astype(np.float32) - low) * (255 / (high - low)) + 1e-3, 0, 255).astype(np.uint8)
