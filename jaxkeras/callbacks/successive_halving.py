"""`SuccessiveHalving`: give up the worse members of a population early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras.callbacks.monitor import MonitorCallback
from jaxkeras.core.messages import print_message


class SuccessiveHalving(MonitorCallback):
    """Drops the worse members of a `Population` at the end of some epochs, and trains on with what is left.

    Dropped members cost nothing from then on: the arrays shrink to those that are left, for which the programs are
    compiled again. They keep the weights that they had.

    Args:
        monitor: name of the metric that members are compared by.
        factor: at each rung the best `1 / factor` of the members go on.
        rungs: the numbers of epochs after which members are dropped; by default 1, `factor`, `factor ** 2`, ...
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        verbose: 1 to print messages.

    Raises:
        ValueError: if `factor` is not above 1; from `fit`, for a single model.

    Reference:
        - [Jamieson and Talwalkar, 2016, Non-stochastic Best Arm Identification and Hyperparameter
          Optimization](https://arxiv.org/abs/1502.07943)

    Example:

    >>> import jaxkeras as jk
    >>> halve = jk.callbacks.SuccessiveHalving("val_loss", factor=2, rungs=[2, 4, 8])
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 2,
        rungs: Sequence[int] | None = None,
        mode: str = "auto",
        verbose: int = 0,
    ):
        super().__init__(monitor, mode)
        if factor <= 1:
            raise ValueError(f"`factor` of SuccessiveHalving must be above 1; got {factor}.")
        self.factor, self.verbose = factor, verbose
        self.rungs = None if rungs is None else sorted(int(rung) for rung in rungs)

    def set_model(self, model: Any) -> None:
        if not hasattr(model, "ranking"):
            raise ValueError("SuccessiveHalving compares the members of a Population; `fit` was called on one model.")
        super().set_model(model)

    def _is_rung(self, done: int) -> bool:
        if self.rungs is not None:
            return done in self.rungs
        power = round(math.log(done, self.factor))
        return done == round(self.factor**power)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._is_rung(epoch + 1):
            return
        values = self._metric_value(logs, "compare members")
        store = self.model._session.store
        present, running = store.rows, store.running_members()
        if values is None or len(running) < 2:
            return
        values = np.asarray(values, float)[running]
        mode = self._find_mode(logs or {})
        order = np.argsort(np.where(np.isfinite(values), values if mode == "min" else -values, np.inf), kind="stable")
        kept = running[order[: math.ceil(len(running) / self.factor)]]
        store.drop(np.setdiff1d(present, kept))
        if self.verbose:
            print_message(f"Epoch {epoch + 1}: {len(kept)} of {len(running)} members go on: {np.sort(kept).tolist()}")
