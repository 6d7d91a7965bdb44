"""`cross_validate`: one model for each fold, trained at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jaxkeras.display import html
from jaxkeras.display.text import format_value
from jaxkeras.models.folds import splits
from jaxkeras.models.population import Population


class FoldScores(Mapping):
    """The results of `cross_validate`: a mapping from names such as `"val_loss"` to an array with one value a fold.

    Args:
        scores: the values by name.
        population: the trained models, one for each fold.

    Attributes:
        population: the same.
    """

    def __init__(self, scores: dict[str, np.ndarray], population: Population):
        self._scores = scores
        self.population = population

    def __getitem__(self, name: str) -> np.ndarray:
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def mean(self) -> dict[str, float]:
        """The mean over the folds of each value."""
        return {name: float(np.mean(values)) for name, values in self.items()}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation over the folds of each value, an estimate from a sample (`ddof=1`)."""
        return {name: float(np.std(values, ddof=1)) for name, values in self.items()}

    def __repr__(self) -> str:
        lines = [f"{name}: {format_value(self.mean[name])} ± {format_value(self.std[name])}" for name in self]
        return "\n".join([f"{self.population.count} folds, mean and standard deviation", *lines])

    def _repr_html_(self) -> str:
        rows = [[name, *map(format_value, (self.mean[name], self.std[name], *self[name]))] for name in self]
        folds = [f"fold {i}" for i in range(self.population.count)]
        return html.table(["", "mean", "standard deviation", *folds], rows)


def cross_validate(
    model: Any,
    x: Any,
    y: Any,
    folds: Any = 5,
    epochs: int = 1,
    *,
    optimizer: Any = None,
    loss: Any = None,
    metrics: Any = None,
    seed: int = 0,
    verbose: Any = 0,
    groups: Any = None,
    **kwargs: Any,
) -> FoldScores:
    """Train a model on each of the complements of `folds` parts of the rows, all at once, and validate it on the part.

    Args:
        model: a model, which stays as it is, or a function that returns one.
        x, y: arrays.
        folds: the number of folds, which are drawn at random after `utils.set_random_seed`; or an object with
            `split(x, y, groups)`, such as those of `sklearn.model_selection`; or pairs of rows to train on and rows
            held out.
        epochs: number of passes over the rows.
        optimizer, loss, metrics: as for `Model.compile`; those that the model was compiled with by default.
        seed: the model of fold `i` starts with the weights that `seed + i` gives, so never with trained ones.
        verbose: as for `Model.fit`.
        groups: a label for each row, for objects such as `GroupKFold`.
        **kwargs: further arguments of `Population.fit`, such as `batch_size` and `callbacks`.

    Returns:
        A mapping from names to arrays of shape `(folds,)`, with the values of the last epoch of each model; `mean` and
        `std` by name; and the models in `population`.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    >>> scores = jk.cross_validate(model, np.ones((20, 2)), np.ones((20, 1)), folds=4, optimizer="sgd", loss="mse")
    >>> scores["val_loss"].shape
    (4,)
    """
    folds = splits(folds, x, y, groups)
    population = Population(model, seeds=range(seed, seed + (folds if isinstance(folds, int) else len(folds))))
    given = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
    known = population.template._session.arguments
    population.compile(**{**known, **{name: value for name, value in given.items() if value is not None}})
    history = population.fit(x, y, epochs=epochs, folds=folds, verbose=verbose, **kwargs)
    return FoldScores({name: history.last(name) for name in history.history}, population)
