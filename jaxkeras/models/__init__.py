"""Three ways to make a model."""

from jaxkeras.core import lazy_imports
from jaxkeras.models.cloning import clone_model as clone_model
from jaxkeras.models.cloning import model_from_json as model_from_json
from jaxkeras.models.graph import Function as Function
from jaxkeras.models.model import Functional as Functional
from jaxkeras.models.model import Model as Model
from jaxkeras.models.sequential import Sequential as Sequential
from jaxkeras.saving import load_model as load_model
from jaxkeras.saving import save_model as save_model

__all__ = [
    "Function", "Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)
