"""`SwapEMAWeights`: evaluate with averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxkeras.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Evaluates with the moving averages of the weights that an optimizer with `use_ema=True` keeps.

    Weights and averages are swapped before evaluation and prediction, and swapped back afterwards.

    Args:
        swap_on_epoch: whether to swap them also at the end of an epoch, and back at the start of the next one, so that
            a later `ModelCheckpoint` saves the averages.

    Raises:
        ValueError: from `fit`, if the optimizer keeps no averages.

    Example:

    >>> import jaxkeras as jk
    >>> swap = jk.callbacks.SwapEMAWeights(swap_on_epoch=True)
    """

    per_member = True
    state_attributes = ("_swapped",)

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Iterate over pairs of a weight and its average."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        keeping = [o for o in getattr(optimizer, "optimizers", [optimizer]) if getattr(o, "use_ema", False)]
        if not keeping:
            raise ValueError(
                "SwapEMAWeights needs an optimizer that keeps averages of the weights: pass `use_ema=True`, as in "
                "Adam(use_ema=True)."
            )
        for part in keeping:
            for path, weight in zip(part._paths, part._trainable_variables):
                average = part._slots.get(("average", *path))
                if average is not None:
                    yield weight, average

    def _swap(self) -> None:
        for weight, average in self._pairs():
            value = weight.value
            weight.assign(average.value)
            average.assign(value)
        self._swapped = not self._swapped

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.swap_on_epoch and self._swapped:
            self._swap()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.swap_on_epoch and not self._swapped:
            self._swap()
            if epoch == (self.params or {}).get("epochs", 0) - 1:
                # At the end of `fit` the optimizer copies the averages to the weights, which hold them already.
                for weight, average in self._pairs():
                    average.assign(weight.value)

    def _enter(self, logs: dict[str, Any] | None = None) -> None:
        if not self._swapped:
            self._swap()

    def _leave(self, logs: dict[str, Any] | None = None) -> None:
        if self._swapped:
            self._swap()

    on_test_begin = on_predict_begin = _enter
    on_test_end = on_predict_end = _leave
