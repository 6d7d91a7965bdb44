"""Keras's helpers for dtypes and names."""

from jaxkeras.config import backend as backend
from jaxkeras.core import lazy_imports
from jaxkeras.core.config import epsilon as epsilon
from jaxkeras.core.config import floatx as floatx
from jaxkeras.core.config import image_data_format as image_data_format
from jaxkeras.core.config import set_epsilon as set_epsilon
from jaxkeras.core.config import set_floatx as set_floatx
from jaxkeras.core.config import set_image_data_format as set_image_data_format
from jaxkeras.core.dtypes import is_float_dtype as is_float_dtype
from jaxkeras.core.dtypes import is_int_dtype as is_int_dtype
from jaxkeras.core.dtypes import result_type as result_type
from jaxkeras.core.dtypes import standardize_dtype as standardize_dtype
from jaxkeras.core.names import get_uid as get_uid
from jaxkeras.core.symbolic import is_keras_tensor as is_keras_tensor
from jaxkeras.utils.session import clear_session as clear_session

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "result_type", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)
