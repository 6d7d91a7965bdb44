# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.losses.alignment import ctc as ctc
from jaxkeras.losses.classes.alignment import CTC as CTC
from jaxkeras.losses.classes.base import LossFunctionWrapper as LossFunctionWrapper
from jaxkeras.losses.classes.crossentropy import BinaryCrossentropy as BinaryCrossentropy
from jaxkeras.losses.classes.crossentropy import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from jaxkeras.losses.classes.crossentropy import CategoricalCrossentropy as CategoricalCrossentropy
from jaxkeras.losses.classes.crossentropy import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from jaxkeras.losses.classes.crossentropy import (
    CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy,
)
from jaxkeras.losses.classes.crossentropy import KLDivergence as KLDivergence
from jaxkeras.losses.classes.crossentropy import Poisson as Poisson
from jaxkeras.losses.classes.crossentropy import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from jaxkeras.losses.classes.crossentropy import (
    SparseCategoricalFocalCrossentropy as SparseCategoricalFocalCrossentropy,
)
from jaxkeras.losses.classes.margin import CategoricalHinge as CategoricalHinge
from jaxkeras.losses.classes.margin import Hinge as Hinge
from jaxkeras.losses.classes.margin import SquaredHinge as SquaredHinge
from jaxkeras.losses.classes.overlap import Circle as Circle
from jaxkeras.losses.classes.overlap import Dice as Dice
from jaxkeras.losses.classes.overlap import Tversky as Tversky
from jaxkeras.losses.classes.regression import CosineSimilarity as CosineSimilarity
from jaxkeras.losses.classes.regression import Huber as Huber
from jaxkeras.losses.classes.regression import LogCosh as LogCosh
from jaxkeras.losses.classes.regression import MeanAbsoluteError as MeanAbsoluteError
from jaxkeras.losses.classes.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from jaxkeras.losses.classes.regression import MeanSquaredError as MeanSquaredError
from jaxkeras.losses.classes.regression import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from jaxkeras.losses.crossentropy import binary_crossentropy as binary_crossentropy
from jaxkeras.losses.crossentropy import binary_focal_crossentropy as binary_focal_crossentropy
from jaxkeras.losses.crossentropy import categorical_crossentropy as categorical_crossentropy
from jaxkeras.losses.crossentropy import categorical_focal_crossentropy as categorical_focal_crossentropy
from jaxkeras.losses.crossentropy import categorical_generalized_cross_entropy as categorical_generalized_cross_entropy
from jaxkeras.losses.crossentropy import kl_divergence as kl_divergence
from jaxkeras.losses.crossentropy import poisson as poisson
from jaxkeras.losses.crossentropy import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from jaxkeras.losses.crossentropy import sparse_categorical_focal_crossentropy as sparse_categorical_focal_crossentropy
from jaxkeras.losses.lookup import deserialize as deserialize
from jaxkeras.losses.lookup import get as get
from jaxkeras.losses.lookup import serialize as serialize
from jaxkeras.losses.loss import Loss as Loss
from jaxkeras.losses.margin import categorical_hinge as categorical_hinge
from jaxkeras.losses.margin import hinge as hinge
from jaxkeras.losses.margin import squared_hinge as squared_hinge
from jaxkeras.losses.overlap import circle as circle
from jaxkeras.losses.overlap import dice as dice
from jaxkeras.losses.overlap import tversky as tversky
from jaxkeras.losses.regression import cosine_similarity as cosine_similarity
from jaxkeras.losses.regression import huber as huber
from jaxkeras.losses.regression import log_cosh as log_cosh
from jaxkeras.losses.regression import mean_absolute_error as mean_absolute_error
from jaxkeras.losses.regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from jaxkeras.losses.regression import mean_squared_error as mean_squared_error
from jaxkeras.losses.regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
