"""Optimizers: pairs of pure functions with a Keras face. See `Optimizer`."""

from jaxkeras.optimizers import schedules as schedules
from jaxkeras.optimizers.adam import Adam as Adam
from jaxkeras.optimizers.adam import Adamax as Adamax
from jaxkeras.optimizers.adam import AdamW as AdamW
from jaxkeras.optimizers.adam import Lamb as Lamb
from jaxkeras.optimizers.adam import Nadam as Nadam
from jaxkeras.optimizers.adam import ScheduleFreeAdamW as ScheduleFreeAdamW
from jaxkeras.optimizers.adaptive import Adadelta as Adadelta
from jaxkeras.optimizers.adaptive import Adafactor as Adafactor
from jaxkeras.optimizers.adaptive import Adagrad as Adagrad
from jaxkeras.optimizers.adaptive import Ftrl as Ftrl
from jaxkeras.optimizers.adaptive import RMSprop as RMSprop
from jaxkeras.optimizers.base import Optimizer as Optimizer
from jaxkeras.optimizers.lookup import deserialize as deserialize
from jaxkeras.optimizers.lookup import get as get
from jaxkeras.optimizers.lookup import serialize as serialize
from jaxkeras.optimizers.muon import Muon as Muon
from jaxkeras.optimizers.optax_bridge import OptaxOptimizer as OptaxOptimizer
from jaxkeras.optimizers.optax_bridge import to_optax as to_optax
from jaxkeras.optimizers.sgd import SGD as SGD
from jaxkeras.optimizers.sgd import Lion as Lion
from jaxkeras.optimizers.wrappers import LossScaleOptimizer as LossScaleOptimizer
from jaxkeras.optimizers.wrappers import MultiOptimizer as MultiOptimizer
from jaxkeras.optimizers.wrappers import OptimizerMap as OptimizerMap
