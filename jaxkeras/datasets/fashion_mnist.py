"""Fashion-MNIST: 70,000 images of clothes."""

from __future__ import annotations

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import read_idx
from jaxkeras.datasets.split import Split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)


def load_data() -> Split:
    """Load Fashion-MNIST: grayscale images of clothes in ten classes, in the format of MNIST.

    The labels are 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag,
    9 ankle boot. The files of Debian's package `dataset-fashion-mnist` are used if it is installed.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(60000, 28, 28)` and `(10000, 28, 28)` with values 0 to
        255, labels uint8 `(60000,)` and `(10000,)`.

    Raises:
        DatasetNotFoundError: if the files are not cached and cannot be downloaded; the message says where to put them.

    Reference: Xiao, Rasul and Vollgraf, 2017, https://arxiv.org/abs/1708.07747. License: MIT, copyright Zalando SE.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.fashion_mnist.load_data()  # doctest: +SKIP
    """
    keys = ("x_train", "y_train", "x_test", "y_test")
    x_train, y_train, x_test, y_test = map(read_idx, fetch(*(f"fashion_mnist/{key}" for key in keys)))
    return (x_train, y_train), (x_test, y_test)
