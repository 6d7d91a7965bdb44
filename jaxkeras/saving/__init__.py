"""Saving and loading of `.keras`, `.weights.h5` and `.h5` files in Keras's layouts, and serialization of objects."""

from jaxkeras.core import lazy_imports
from jaxkeras.registry import CustomObjectScope as CustomObjectScope
from jaxkeras.registry import custom_object_scope as custom_object_scope
from jaxkeras.registry import deserialize as deserialize_keras_object
from jaxkeras.registry import get_custom_objects as get_custom_objects
from jaxkeras.registry import get_registered_name as get_registered_name
from jaxkeras.registry import get_registered_object as get_registered_object
from jaxkeras.registry import register_keras_serializable as register_keras_serializable
from jaxkeras.registry import serialize as serialize_keras_object
from jaxkeras.saving.api import load_model as load_model
from jaxkeras.saving.api import load_weights as load_weights
from jaxkeras.saving.api import save_model as save_model
from jaxkeras.saving.api import save_weights as save_weights
from jaxkeras.saving.file_editor import KerasFileEditor as KerasFileEditor

__all__ = [
    "CustomObjectScope", "KerasFileEditor", "custom_object_scope", "deserialize_keras_object", "get_custom_objects",
    "get_registered_name", "get_registered_object", "load_model", "load_weights", "register_keras_serializable",
    "save_model", "save_weights", "serialize_keras_object",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)
