"""jaxkeras: a graph-compiling trainer on JAX with Keras's API.

Example:

>>> import jaxkeras as jk
>>> model = jk.Sequential([jk.layers.Dense(8, activation="relu"), jk.layers.Dense(1)])
>>> model.compile(optimizer="adam", loss="mse")
"""

from __future__ import annotations

import importlib
from typing import Any

from jaxkeras import activations as activations
from jaxkeras import callbacks as callbacks
from jaxkeras import config as config
from jaxkeras import constraints as constraints
from jaxkeras import distillation as distillation
from jaxkeras import initializers as initializers
from jaxkeras import layers as layers
from jaxkeras import losses as losses
from jaxkeras import metrics as metrics
from jaxkeras import models as models
from jaxkeras import ops as ops
from jaxkeras import optimizers as optimizers
from jaxkeras import random as random
from jaxkeras import regularizers as regularizers
from jaxkeras import saving as saving
from jaxkeras import utils as utils
from jaxkeras.core.names import name_scope as name_scope
from jaxkeras.core.policy import DTypePolicy as DTypePolicy
from jaxkeras.core.policy import FloatDTypePolicy as FloatDTypePolicy
from jaxkeras.core.symbolic import KerasTensor as KerasTensor
from jaxkeras.core.symbolic import Operation as Operation
from jaxkeras.core.variable import Variable as Variable
from jaxkeras.initializers import Initializer as Initializer
from jaxkeras.layers import Input as Input
from jaxkeras.layers import InputSpec as InputSpec
from jaxkeras.layers import Layer as Layer
from jaxkeras.losses import Loss as Loss
from jaxkeras.metrics import Metric as Metric
from jaxkeras.models import Function as Function
from jaxkeras.models import Model as Model
from jaxkeras.models import Sequential as Sequential
from jaxkeras.optimizers import Optimizer as Optimizer
from jaxkeras.regularizers import Regularizer as Regularizer

__version__ = "0.1.0"

# Loaded when first used: most programs need none of them.
_LAZY = frozenset(
    "applications backend datasets distribution dtype_policies export mixed_precision preprocessing "
    "quantizers tree visualization wrappers".split()
)


def version() -> str:
    """The version of jaxkeras."""
    return __version__


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        try:
            return importlib.import_module(f"jaxkeras.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"jaxkeras.{name}":
                raise
    raise AttributeError(f"module 'jaxkeras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
