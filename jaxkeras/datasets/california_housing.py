"""California housing: house prices by block group, from the census of 1990."""

from __future__ import annotations

from jaxkeras.core import lazy_imports
from jaxkeras.datasets.catalog import fetch
from jaxkeras.datasets.readers import read_npz
from jaxkeras.datasets.split import Split, shuffle, split

__all__ = ["load_data"]
__dir__ = lazy_imports.public_dir(__name__)

_ROWS = {"small": 600, "large": None}


def load_data(
    version: str = "large", path: str = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> Split:
    """Load the California housing data: eight features of a block group, and the median value of its houses.

    The features are, in this order: longitude, latitude, median age of the houses, rooms, bedrooms, population,
    households and median income.

    Args:
        version: `"large"` for all 20,640 rows, `"small"` for the first 600 of them.
        path: name of the file in the cache folder.
        test_split: fraction of the rows used as test data: the last ones after shuffling.
        seed: seed of the shuffle.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features `(n, 8)` and prices in dollars `(n,)`, with the dtype
        of the file.

    Raises:
        ValueError: for another `version`, or a `test_split` not in [0, 1).
        DatasetNotFoundError: if the file is not cached and cannot be downloaded; the message says where to put it.

    Reference: Pace and Barry, "Sparse Spatial Autoregressions", 1997.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = jk.datasets.california_housing.load_data()  # doctest: +SKIP
    """
    if version not in _ROWS:
        raise ValueError(f"Unknown version={version!r}; expected 'small' or 'large'.")
    data = read_npz(*fetch("california_housing", name=path))
    rows = _ROWS[version]
    return split(*shuffle(data["x"][:rows], data["y"][:rows], seed), test_split)
