"""Helpers around training."""

from jaxkeras.callbacks.progress import Progbar as Progbar
from jaxkeras.core.dtypes import standardize_dtype as standardize_dtype
from jaxkeras.core.logging import disable_interactive_logging as disable_interactive_logging
from jaxkeras.core.logging import enable_interactive_logging as enable_interactive_logging
from jaxkeras.core.logging import is_interactive_logging_enabled as is_interactive_logging_enabled
from jaxkeras.core.seeds import set_random_seed as set_random_seed
from jaxkeras.core.symbolic import is_keras_tensor as is_keras_tensor
from jaxkeras.data import PyDataset as PyDataset
from jaxkeras.data import Sequence as Sequence
from jaxkeras.data import pack_x_y_sample_weight as pack_x_y_sample_weight
from jaxkeras.data import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from jaxkeras.registry import CustomObjectScope as CustomObjectScope
from jaxkeras.registry import custom_object_scope as custom_object_scope
from jaxkeras.registry import deserialize as deserialize_keras_object
from jaxkeras.registry import get_custom_objects as get_custom_objects
from jaxkeras.registry import get_registered_name as get_registered_name
from jaxkeras.registry import get_registered_object as get_registered_object
from jaxkeras.registry import register_keras_serializable as register_keras_serializable
from jaxkeras.registry import serialize as serialize_keras_object
from jaxkeras.utils import bounding_boxes as bounding_boxes
from jaxkeras.utils.arrays import normalize as normalize
from jaxkeras.utils.arrays import pad_sequences as pad_sequences
from jaxkeras.utils.arrays import to_categorical as to_categorical
from jaxkeras.utils.audio_dataset import audio_dataset_from_directory as audio_dataset_from_directory
from jaxkeras.utils.config import Config as Config
from jaxkeras.utils.curves import plot_history as plot_history
from jaxkeras.utils.feature_space import FeatureSpace as FeatureSpace
from jaxkeras.utils.file_utils import get_file as get_file
from jaxkeras.utils.graphs import get_source_inputs as get_source_inputs
from jaxkeras.utils.image_dataset import image_dataset_from_directory as image_dataset_from_directory
from jaxkeras.utils.images import array_to_img as array_to_img
from jaxkeras.utils.images import img_to_array as img_to_array
from jaxkeras.utils.images import load_img as load_img
from jaxkeras.utils.images import save_img as save_img
from jaxkeras.utils.plot import model_to_dot as model_to_dot
from jaxkeras.utils.plot import plot_model as plot_model
from jaxkeras.utils.session import clear_session as clear_session
from jaxkeras.utils.split import split_dataset as split_dataset
from jaxkeras.utils.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from jaxkeras.utils.timeseries_dataset import timeseries_dataset_from_array as timeseries_dataset_from_array

__all__ = ["deserialize_keras_object", "serialize_keras_object"]
