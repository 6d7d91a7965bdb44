"""Knowledge distillation: a small model learns from a large one."""

from jaxkeras.distillation.distiller import Distiller as Distiller
from jaxkeras.distillation.losses import DistillationLoss as DistillationLoss
from jaxkeras.distillation.losses import FeatureDistillation as FeatureDistillation
from jaxkeras.distillation.losses import LogitsDistillation as LogitsDistillation
