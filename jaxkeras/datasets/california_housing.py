"""California housing: prices by block group, from the census of 1990."""

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

    The features are those of Keras's file, in its order: place, age of the houses, rooms, bedrooms, people, households
    and income.

    Args:
        version: `"large"` for all 20,640 rows, `"small"` for the first 600 of them.
        path: name of the file in the cache folder.
        test_split: fraction of the rows that are test data: the last ones after shuffling.
        seed: of the shuffling.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: features `(n, 8)` and prices in dollars `(n,)`, in the file's float
        type.

    Raises:
        ValueError: for another `version`, or a `test_split` not in [0, 1).
        DatasetNotFoundError: if the file is neither on this machine nor can be downloaded; says where to put it.

    Source: Pace and Barry, "Sparse Spatial Autoregressions", 1997.
    """
    if version not in _ROWS:
        raise ValueError(f"Unknown version={version!r}; expected 'small' or 'large'.")
    data = read_npz(*fetch("california_housing", name=path))
    rows = _ROWS[version]
    return split(*shuffle(data["x"][:rows], data["y"][:rows], seed), test_split)
