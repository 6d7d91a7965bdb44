"""MNIST: 70,000 handwritten digits."""

from __future__ import annotations

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import read_npz
from jaxkeras.datasets.split import Split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)


def load_data(path: str = "mnist.npz") -> Split:
    """Load MNIST: grayscale images of the ten digits.

    Args:
        path: name of the file in the cache folder.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(60000, 28, 28)` and `(10000, 28, 28)` with values 0 to
        255, labels uint8 `(60000,)` and `(10000,)`.

    Raises:
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/. License: CC BY-SA 3.0.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.mnist.load_data()  # doctest: +SKIP
    """
    data = read_npz(*fetch("mnist", name=path))
    return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])
