"""What small private helpers of Keras stand for, where jaxkeras has nothing under another name."""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Callable
from typing import Any, TypeVar

from jaxkeras.core.symbolic import any_symbolic
from jaxkeras.layers._base.arguments import tuple_of

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def keras_export(path: str | list[str]) -> Callable[[T], T]:
    """A decorator that returns its argument: names are exported by stubs here."""
    return lambda thing: thing


def any_symbolic_tensors(args: Any = None, kwargs: Any = None) -> bool:
    """Whether there is a `KerasTensor` in the arguments of a call."""
    return any_symbolic(args or (), kwargs or {})


def in_safe_mode() -> bool | None:
    """Whether a config is being loaded with `safe_mode=True`, or None if none is being loaded."""
    return None


def in_grain_data_pipeline() -> bool:
    """False: layers run on NumPy arrays inside a pipeline without being told."""
    return False


def standardize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """A tuple of `n` integers from one integer or a sequence.

    Raises:
        ValueError: if there are not `n` integers, or one is too small.
    """
    return tuple_of(value, n, name, minimum=0 if allow_zero else 1)


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


def no_automatic_dependency_tracking(method: F) -> F:
    """Make a method whose `self.x = ...` are references: layers and weights in them are not part of `self`.

    Args:
        method: a method of a layer or model.
    """

    @functools.wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        result = method(self, *args, **kwargs)
        missing = object()
        changed = [name for name, value in vars(self).items() if before.get(name, missing) is not value]
        if changed:
            self._untracked = self._untracked.union(changed)
        return result

    return wrapped  # type: ignore[return-value]
