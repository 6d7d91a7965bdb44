"""Modules of other packages that are imported when they are first used."""

from __future__ import annotations

import importlib
import types
from typing import Any


class LazyModule:
    """A module that is imported when one of its attributes is first read.

    Args:
        name: the name of the module.
        pip_name: the name of its distribution, for the error if it is missing.
        import_error_msg: the text of that error.

    Attributes:
        available: whether it can be imported.

    Raises:
        ImportError: when an attribute is read and the module is missing.
    """

    def __init__(self, name: str, pip_name: str | None = None, import_error_msg: str | None = None):
        self.name = name
        self.pip_name = pip_name or name
        self.import_error_msg = import_error_msg or f"This needs {name}: `pip install {self.pip_name}`."
        self.module: types.ModuleType | None = None

    @property
    def available(self) -> bool:
        try:
            self.initialize()
        except ImportError:
            return False
        return True

    def initialize(self) -> None:
        """Import the module."""
        try:
            self.module = importlib.import_module(self.name)
        except ImportError as error:
            raise ImportError(self.import_error_msg) from error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_api_export_path":
            raise AttributeError(name)
        if self.module is None:
            self.initialize()
        return getattr(self.module, name)

    def __repr__(self) -> str:
        return f"LazyModule({self.name})"


tensorflow = LazyModule("tensorflow")
gfile = LazyModule("tensorflow.io.gfile", pip_name="tensorflow")
tensorflow_io = LazyModule("tensorflow_io")
scipy = LazyModule("scipy")
jax = LazyModule("jax")
h5py = LazyModule("h5py")
optree = LazyModule("optree")
grain = LazyModule("grain")
