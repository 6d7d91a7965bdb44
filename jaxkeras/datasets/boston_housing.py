"""Boston housing: house prices by census tract, from the census of 1970."""

from __future__ import annotations

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import read_npz
from jaxkeras.datasets.split import Split, shuffle, split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Split:
    """Load the Boston housing data: 13 features of a census tract, and the median value of its houses.

    Not recommended for new work: the feature "B" assumes that racial segregation affects house prices.
    `california_housing` with `version="small"` has about the same size.

    Args:
        path: name of the file in the cache folder.
        test_split: fraction of the 506 rows used as test data: the last ones after shuffling.
        seed: seed of the shuffle.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features `(n, 13)` and prices in thousands of dollars `(n,)`.

    Raises:
        ValueError: for a `test_split` not in [0, 1).
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: Harrison and Rubinfeld, "Hedonic prices and the demand for clean air", 1978.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.boston_housing.load_data()  # doctest: +SKIP
    """
    data = read_npz(*fetch("boston_housing", name=path))
    return split(*shuffle(data["x"], data["y"], seed), test_split)
