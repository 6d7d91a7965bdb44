# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras import activations as activations
from jaxkeras import applications as applications
from jaxkeras import backend as backend
from jaxkeras import callbacks as callbacks
from jaxkeras import config as config
from jaxkeras import constraints as constraints
from jaxkeras import datasets as datasets
from jaxkeras import distillation as distillation
from jaxkeras import distribution as distribution
from jaxkeras import dtype_policies as dtype_policies
from jaxkeras import initializers as initializers
from jaxkeras import layers as layers
from jaxkeras import losses as losses
from jaxkeras import metrics as metrics
from jaxkeras import mixed_precision as mixed_precision
from jaxkeras import models as models
from jaxkeras import ops as ops
from jaxkeras import optimizers as optimizers
from jaxkeras import preprocessing as preprocessing
from jaxkeras import random as random
from jaxkeras import regularizers as regularizers
from jaxkeras import saving as saving
from jaxkeras import tree as tree
from jaxkeras import utils as utils
from jaxkeras import visualization as visualization
from jaxkeras import wrappers as wrappers
from jaxkeras.core.functional import intercept_calls as intercept_calls
from jaxkeras.core.names import name_scope as name_scope
from jaxkeras.core.policy import DTypePolicy as DTypePolicy
from jaxkeras.core.policy import FloatDTypePolicy as FloatDTypePolicy
from jaxkeras.core.remat import RematScope as RematScope
from jaxkeras.core.scopes import StatelessScope as StatelessScope
from jaxkeras.core.scopes import SymbolicScope as SymbolicScope
from jaxkeras.core.scopes import device as device
from jaxkeras.core.scopes import remat as remat
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
from jaxkeras.models.cross_validation import cross_validate as cross_validate
from jaxkeras.models.population import Population as Population
from jaxkeras.optimizers import Optimizer as Optimizer
from jaxkeras.regularizers import Regularizer as Regularizer

__version__: str

def version() -> str: ...
