"""Keras's helpers for dtypes, names, masks and scopes."""

from collections.abc import Callable
from typing import Any

from jaxkeras.config import backend as backend
from jaxkeras.core import lazy_imports
from jaxkeras.core.config import epsilon as epsilon
from jaxkeras.core.config import floatx as floatx
from jaxkeras.core.config import image_data_format as image_data_format
from jaxkeras.core.config import set_epsilon as set_epsilon
from jaxkeras.core.config import set_floatx as set_floatx
from jaxkeras.core.config import set_image_data_format as set_image_data_format
from jaxkeras.core.config import standardize_data_format as standardize_data_format
from jaxkeras.core.dtypes import is_float_dtype as is_float_dtype
from jaxkeras.core.dtypes import is_int_dtype as is_int_dtype
from jaxkeras.core.dtypes import result_type as result_type
from jaxkeras.core.dtypes import standardize_dtype as standardize_dtype
from jaxkeras.core.masks import get_mask as get_keras_mask
from jaxkeras.core.masks import set_mask as set_keras_mask
from jaxkeras.core.names import get_uid as get_uid
from jaxkeras.core.scopes import AutocastScope as AutocastScope
from jaxkeras.core.scopes import get_autocast_scope as get_autocast_scope
from jaxkeras.core.scopes import get_stateless_scope as get_stateless_scope
from jaxkeras.core.scopes import in_stateless_scope as in_stateless_scope
from jaxkeras.core.scopes import in_symbolic_scope as in_symbolic_scope
from jaxkeras.core.symbolic import any_symbolic, infer
from jaxkeras.core.symbolic import is_keras_tensor as is_keras_tensor
from jaxkeras.core.variable import standardize_shape as standardize_shape
from jaxkeras.utils.session import clear_session as clear_session

__all__ = [
    "AutocastScope", "any_symbolic_tensors", "backend", "clear_session", "compute_output_spec", "epsilon", "floatx",
    "get_autocast_scope", "get_keras_mask", "get_stateless_scope", "get_uid", "image_data_format", "in_stateless_scope",
    "in_symbolic_scope", "is_float_dtype", "is_int_dtype", "is_keras_tensor", "result_type", "set_epsilon",
    "set_floatx", "set_image_data_format", "set_keras_mask", "standardize_data_format", "standardize_dtype",
    "standardize_shape",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)


def any_symbolic_tensors(args: Any = None, kwargs: Any = None) -> bool:
    """Whether a KerasTensor is anywhere in the arguments of a call.

    Args:
        args: the positional arguments, nested as they may be.
        kwargs: the keyword arguments.

    Example:

    >>> any_symbolic_tensors(([1, jk.KerasTensor((3,))],))
    True
    """
    return any_symbolic(args, kwargs)


def compute_output_spec(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Infer what a function of arrays returns for KerasTensors.

    Args:
        fn: the function; it is traced and computes nothing.
        *args: its arguments, with KerasTensors in place of arrays.
        **kwargs: its keyword arguments.

    Returns:
        The structure that `fn` returns, with KerasTensors in place of arrays.

    Example:

    >>> compute_output_spec(jk.ops.matmul, jk.KerasTensor((None, 3)), jk.KerasTensor((3, 4))).shape
    (None, 4)
    """
    return infer(fn, args, kwargs)
