"""Settings of the process."""

from jaxkeras.core.config import epsilon as epsilon
from jaxkeras.core.config import floatx as floatx
from jaxkeras.core.config import image_data_format as image_data_format
from jaxkeras.core.config import set_epsilon as set_epsilon
from jaxkeras.core.config import set_floatx as set_floatx
from jaxkeras.core.config import set_image_data_format as set_image_data_format
from jaxkeras.core.logging import disable_interactive_logging as disable_interactive_logging
from jaxkeras.core.logging import enable_interactive_logging as enable_interactive_logging
from jaxkeras.core.logging import is_interactive_logging_enabled as is_interactive_logging_enabled
from jaxkeras.core.policy import dtype_policy as dtype_policy
from jaxkeras.core.policy import set_dtype_policy as set_dtype_policy


def backend() -> str:
    """The name of the backend, always `"jax"`."""
    return "jax"
