"""jaxkeras: a graph-compiling trainer on JAX with Keras's API.

Example:

>>> import jaxkeras as jk
>>> model = jk.Sequential([jk.layers.Dense(8, activation="relu"), jk.layers.Dense(1)])
>>> model.compile(optimizer="adam", loss="mse")
"""

from collections.abc import Callable
from typing import Any

from jaxkeras.core import hooks, lazy_imports

__version__ = "0.1.0"


def version() -> str:
    """The version of jaxkeras."""
    return __version__


def _initializer_from_name(name: str) -> Any:
    from jaxkeras import registry

    return registry.get("keras.initializers", name)


def _sparse_call(name: str, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    from jaxkeras.ops._sparse.rules import call

    return call(name, function, args, kwargs)


def _distribution_from_text(text: str) -> Any:
    from jaxkeras.distribution.presets import from_text

    return from_text(text)


hooks.initializer_from_name = _initializer_from_name
hooks.sparse_call = _sparse_call
hooks.distribution_from_text = _distribution_from_text
__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
