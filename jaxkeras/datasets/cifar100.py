"""CIFAR-100: 60,000 small photographs in a hundred classes."""

from __future__ import annotations

import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import as_image_batch, read_cifar
from jaxkeras.datasets.split import Split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)


def load_data(label_mode: str = "fine") -> Split:
    """Load CIFAR-100: color images of 32 x 32 pixels, in 100 classes, which form 20 groups.

    The images are stored as pickles, which are read without executing anything.

    Args:
        label_mode: `"fine"` for the classes, `"coarse"` for the groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(50000, 32, 32, 3)` and `(10000, 32, 32, 3)`, or with the
        channels first if `image_data_format()` is `"channels_first"`, values 0 to 255; labels int64 `(50000, 1)` and
        `(10000, 1)`.

    Raises:
        ValueError: for another `label_mode`.
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
    https://www.cs.toronto.edu/~kriz/cifar.html.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.cifar100.load_data()  # doctest: +SKIP
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"Unknown label_mode={label_mode!r}; expected 'fine' or 'coarse'.")
    (path,) = fetch("cifar100")
    members = ["cifar-100-python/train", "cifar-100-python/test"]
    (x_train, y_train), (x_test, y_test) = (
        (as_image_batch(x), np.array(y, np.int64).reshape(-1, 1))
        for x, y in read_cifar(path, members, f"{label_mode}_labels")
    )
    return (x_train, y_train), (x_test, y_test)
