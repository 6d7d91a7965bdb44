"""Checks of images, and functions of batches applied to images in any layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.config import standardize_data_format


def one_of(value: Any, choices: Any, name: str) -> None:
    """Raise a ValueError unless a value is one of the choices."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.")


def check_rank(images: jax.Array) -> None:
    """Raise a ValueError for anything but one image or a batch of images."""
    if images.ndim not in (3, 4):
        raise ValueError(f"Expected an image (3 axes) or a batch of images (4 axes), got shape {images.shape}.")


def batchwise(function: Callable[[jax.Array], jax.Array], images: jax.Array, data_format: str | None) -> jax.Array:
    """Apply a function of a channels-last batch to one image or a batch in either layout."""
    check_rank(images)
    first = standardize_data_format(data_format) == "channels_first"
    batch = images if images.ndim == 4 else images[None]
    result = function(jnp.moveaxis(batch, 1, -1) if first else batch)
    result = jnp.moveaxis(result, -1, 1) if first else result
    return result if images.ndim == 4 else result[0]
