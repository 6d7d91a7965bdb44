"""Global settings: float type, epsilon, image layout, limits for trial runs, tracebacks, attention."""

from __future__ import annotations

import os
import warnings
from typing import Any

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_LAYOUTS = ("channels_last", "channels_first")

_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"
_flash_attention: bool | None = None
_traceback_filtering = True


def _limit(what: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        whole = int(value)
    except (TypeError, ValueError):
        whole = 0
    if whole < 1 or whole != float(value):
        raise ValueError(f"{what} must be a positive integer, or None for no limit; got {value!r}.")
    return whole


_max_epochs = _limit("The environment variable KERAS_MAX_EPOCHS", os.environ.get("KERAS_MAX_EPOCHS"))
_max_steps_per_epoch = _limit(
    "The environment variable KERAS_MAX_STEPS_PER_EPOCH", os.environ.get("KERAS_MAX_STEPS_PER_EPOCH")
)


def floatx() -> str:
    """Return the default float type, such as `"float32"`.

    Example:

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float type.

    Args:
        value: one of `"bfloat16"`, `"float16"`, `"float32"`, `"float64"`. `"float64"` also needs
            `jax.config.update("jax_enable_x64", True)`.

    Raises:
        ValueError: for any other name.
    """
    global _floatx
    if value not in _FLOATS:
        raise ValueError(f"Unknown float type {value!r}; expected one of {', '.join(_FLOATS)}.")
    _floatx = value
    if value == "float64" and not _x64():
        warnings.warn(
            'set_floatx("float64"): JAX computes with at most 32 bits by default, so values stay float32. '
            'Call jax.config.update("jax_enable_x64", True) first.',
            stacklevel=2,
        )


def _x64() -> bool:
    import jax

    return bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]


def epsilon() -> float:
    """Return the small constant that keeps logarithms and divisions finite (1e-7 by default)."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the constant returned by `epsilon()`."""
    global _epsilon
    _epsilon = float(value)


def image_data_format() -> str:
    """Return the default image layout, `"channels_last"` or `"channels_first"`."""
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the default image layout, `"channels_last"` or `"channels_first"`."""
    global _image_data_format
    if data_format not in _LAYOUTS:
        raise ValueError(f"Unknown data_format {data_format!r}; expected one of {', '.join(_LAYOUTS)}.")
    _image_data_format = data_format


def standardize_data_format(data_format: str | None) -> str:
    """Resolve `None` to the default layout and reject unknown names."""
    if data_format is None:
        return _image_data_format
    name = str(data_format).lower()
    if name not in _LAYOUTS:
        raise ValueError(f"Unknown data_format {data_format!r}; expected one of {', '.join(_LAYOUTS)}.")
    return name


# -- trial runs -------------------------------------------------------------------------------------------------------
def max_epochs() -> int | None:
    """The limit on the epochs of a `fit`, or None."""
    return _max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit the epochs of every `fit`, to try out a program quickly without changing it.

    The environment variable `KERAS_MAX_EPOCHS`, read on import, sets the initial limit.

    Args:
        max_epochs: a positive integer, or None for no limit.

    Raises:
        ValueError: for other values.

    Example:

    >>> set_max_epochs(1)
    >>> max_epochs()
    1
    >>> set_max_epochs(None)
    """
    global _max_epochs
    _max_epochs = _limit("`max_epochs`", max_epochs)


def max_steps_per_epoch() -> int | None:
    """The limit on the batches of an epoch, an `evaluate` or a `predict`, or None."""
    return _max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit the batches of every epoch, `evaluate` and `predict`; as `set_max_epochs`.

    The environment variable is `KERAS_MAX_STEPS_PER_EPOCH`.
    """
    global _max_steps_per_epoch
    _max_steps_per_epoch = _limit("`max_steps_per_epoch`", max_steps_per_epoch)


# -- errors -----------------------------------------------------------------------------------------------------------
def is_traceback_filtering_enabled() -> bool:
    """Whether tracebacks leave out the library's own frames (the default)."""
    return _traceback_filtering


def enable_traceback_filtering() -> None:
    """Leave the library's own frames out of tracebacks, so that they end at the user's line."""
    global _traceback_filtering
    _traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Keep the library's own frames in tracebacks, to debug the library itself.

    JAX filters its frames by `jax_traceback_filtering`; if that is `"off"`, nothing is left out here either.
    """
    global _traceback_filtering
    _traceback_filtering = False


# -- attention --------------------------------------------------------------------------------------------------------
def is_flash_attention_enabled() -> bool | None:
    """Whether attention is computed in blocks: True, False, or None (the default) for where that is faster."""
    return _flash_attention


def enable_flash_attention() -> None:
    """Compute attention in blocks wherever possible; see `ops.nn.dot_product_attention`."""
    global _flash_attention
    _flash_attention = True


def disable_flash_attention() -> None:
    """Never compute attention in blocks."""
    global _flash_attention
    _flash_attention = False
