"""jaxkeras: a graph-compiling trainer on JAX with Keras's API.

Example:

>>> import jaxkeras as jk
>>> model = jk.Sequential([jk.layers.Dense(8, activation="relu"), jk.layers.Dense(1)])
>>> model.compile(optimizer="adam", loss="mse")
"""

from jaxkeras.core import lazy_imports

__version__ = "0.1.0"


def version() -> str:
    """The version of jaxkeras."""
    return __version__


__getattr__, __dir__, __all__ = lazy_imports.attach(__name__)
