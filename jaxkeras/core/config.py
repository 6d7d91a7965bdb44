"""Process-wide defaults: float type, fuzz factor, image layout."""

from __future__ import annotations

_FLOATS = ("bfloat16", "float16", "float32", "float64")
_LAYOUTS = ("channels_last", "channels_first")

_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"


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


def epsilon() -> float:
    """Return the small constant that keeps logarithms and divisions finite (1e-7 unless changed)."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the constant returned by `epsilon()`."""
    global _epsilon
    _epsilon = float(value)


def image_data_format() -> str:
    """Return the default image layout, `"channels_last"` unless changed."""
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
    if data_format not in _LAYOUTS:
        raise ValueError(f"Unknown data_format {data_format!r}; expected one of {', '.join(_LAYOUTS)}.")
    return data_format
