# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.distillation.distiller import Distiller as Distiller
from jaxkeras.distillation.losses import DistillationLoss as DistillationLoss
from jaxkeras.distillation.losses import FeatureDistillation as FeatureDistillation
from jaxkeras.distillation.losses import LogitsDistillation as LogitsDistillation
