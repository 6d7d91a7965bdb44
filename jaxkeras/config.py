"""Process-wide settings."""

from __future__ import annotations

import warnings

from jaxkeras.core import lazy_imports
from jaxkeras.core.config import disable_flash_attention as disable_flash_attention
from jaxkeras.core.config import disable_traceback_filtering as disable_traceback_filtering
from jaxkeras.core.config import enable_flash_attention as enable_flash_attention
from jaxkeras.core.config import enable_traceback_filtering as enable_traceback_filtering
from jaxkeras.core.config import epsilon as epsilon
from jaxkeras.core.config import floatx as floatx
from jaxkeras.core.config import image_data_format as image_data_format
from jaxkeras.core.config import is_flash_attention_enabled as is_flash_attention_enabled
from jaxkeras.core.config import is_traceback_filtering_enabled as is_traceback_filtering_enabled
from jaxkeras.core.config import max_epochs as max_epochs
from jaxkeras.core.config import max_steps_per_epoch as max_steps_per_epoch
from jaxkeras.core.config import set_epsilon as set_epsilon
from jaxkeras.core.config import set_floatx as set_floatx
from jaxkeras.core.config import set_image_data_format as set_image_data_format
from jaxkeras.core.config import set_max_epochs as set_max_epochs
from jaxkeras.core.config import set_max_steps_per_epoch as set_max_steps_per_epoch
from jaxkeras.core.logging import disable_interactive_logging as disable_interactive_logging
from jaxkeras.core.logging import enable_interactive_logging as enable_interactive_logging
from jaxkeras.core.logging import is_interactive_logging_enabled as is_interactive_logging_enabled
from jaxkeras.core.policy import dtype_policy as dtype_policy
from jaxkeras.core.policy import set_dtype_policy as set_dtype_policy
from jaxkeras.core.program_cache import program_cache as program_cache
from jaxkeras.core.program_cache import set_program_cache as set_program_cache

__all__ = [
    "backend", "disable_flash_attention", "disable_interactive_logging", "disable_traceback_filtering", "dtype_policy",
    "enable_flash_attention", "enable_interactive_logging", "enable_traceback_filtering",
    "enable_unsafe_deserialization", "epsilon", "floatx", "image_data_format", "is_flash_attention_enabled",
    "is_interactive_logging_enabled", "is_traceback_filtering_enabled", "max_epochs", "max_steps_per_epoch",
    "program_cache", "set_backend", "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format",
    "set_max_epochs", "set_max_steps_per_epoch", "set_program_cache",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)


def backend() -> str:
    """The name of the backend, always `"jax"`."""
    return "jax"


def set_backend(backend: str) -> None:
    """Accept the only backend.

    Args:
        backend: `"jax"`.

    Raises:
        ValueError: for any other.
    """
    if backend != "jax":
        raise ValueError(
            f"set_backend({backend!r}): jaxkeras runs on JAX only. Leave the call out, or run this program with Keras "
            "itself."
        )


def enable_unsafe_deserialization() -> None:
    """Do nothing but warn: code in a file or a config is never executed.

    In Keras this switch lets files execute the Python code of their lambdas, so anyone who can flip it (a config that
    names it, for example) can run anything. There is no such mode here: `load_model` and `from_config`
    read data, and call only what is registered or passed in. The warning says what to write instead.
    """
    warnings.warn(
        "enable_unsafe_deserialization() has no effect: code in a file is never executed. Write the functions of the "
        "model in this program and pass them: load_model(path, custom_objects={'name': function}).",
        stacklevel=2,
    )
