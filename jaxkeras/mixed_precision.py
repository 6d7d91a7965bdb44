"""Mixed precision under Keras's names."""

from jaxkeras.core import lazy_imports
from jaxkeras.core.policy import DTypePolicy as DTypePolicy
from jaxkeras.core.policy import DTypePolicy as Policy
from jaxkeras.core.policy import dtype_policy as dtype_policy
from jaxkeras.core.policy import dtype_policy as global_policy
from jaxkeras.core.policy import set_dtype_policy as set_dtype_policy
from jaxkeras.core.policy import set_dtype_policy as set_global_policy
from jaxkeras.optimizers import LossScaleOptimizer as LossScaleOptimizer

__all__ = [
    "DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)
