"""CIFAR-10: 60,000 small photographs in ten classes."""

from __future__ import annotations

import numpy as np

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import as_image_batch, read_cifar
from jaxkeras.datasets.split import Split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)


def load_data() -> Split:
    """Load CIFAR-10: color images of 32 x 32 pixels.

    The labels are 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship, 9 truck. Some are
    known to be wrong. The images are stored as pickles, which are read without executing anything.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(50000, 32, 32, 3)` and `(10000, 32, 32, 3)`, or with the
        channels first if `image_data_format()` is `"channels_first"`, values 0 to 255; labels uint8 `(50000, 1)` and
        `(10000, 1)`.

    Raises:
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
    https://www.cs.toronto.edu/~kriz/cifar.html.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.cifar10.load_data()  # doctest: +SKIP
    """
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    (path,) = fetch("cifar10")
    batches = read_cifar(path, [f"cifar-10-batches-py/{name}" for name in names], "labels")
    images = [as_image_batch(x) for x, _ in batches]
    labels = [np.array(y, np.uint8).reshape(-1, 1) for _, y in batches]
    return (np.concatenate(images[:-1]), np.concatenate(labels[:-1])), (images[-1], labels[-1])
