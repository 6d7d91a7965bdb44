"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.monitor import MonitorCallback
from jaxkeras.core.messages import print_message


def _parts(optimizer: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over the optimizers that have a learning rate, with their names (empty if there is only one)."""
    if hasattr(optimizer, "optimizers"):
        for part in optimizer.optimizers:
            yield part.name, part
    elif hasattr(optimizer, "learning_rate"):
        yield "", optimizer
    else:
        raise ValueError(f"The optimizer {optimizer!r} has no `learning_rate` that a callback could change.")


def _rate(optimizer: Any) -> float:
    return float(np.asarray(optimizer.learning_rate))


def logged_rates(optimizer: Any) -> dict[str, float]:
    """Return the learning rates of an optimizer, or of its parts, by their names in the logs."""
    return {f"learning_rate_{name}" if name else "learning_rate": _rate(part) for name, part in _parts(optimizer)}


def _log_rates(optimizer: Any, logs: dict[str, Any] | None) -> None:
    if logs is not None:
        logs.update(logged_rates(optimizer))


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of each epoch, and adds it to the logs.

    Args:
        schedule: a function `(epoch, learning_rate) -> learning_rate` or `epoch -> learning_rate`, with epochs from 0.
        verbose: 1 to print messages.

    Raises:
        ValueError: from `fit`, if `schedule` does not return a number.

    Example:

    >>> import jaxkeras as jk
    >>> halve = jk.callbacks.LearningRateScheduler(lambda epoch, lr: lr if epoch < 10 else lr / 2)
    """

    per_member = True

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def _scheduled(self, epoch: int, rate: float) -> float:
        new = self.schedule(epoch, rate) if _takes_two(self.schedule) else self.schedule(epoch)
        if isinstance(new, (bool, str)) or new is None or np.ndim(new) != 0:
            raise ValueError(
                f"The `schedule` of LearningRateScheduler must return a number; for epoch {epoch} it returned {new!r}."
            )
        return float(new)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for name, part in _parts(self.model.optimizer):
            rate = self._scheduled(epoch, _rate(part))
            part.learning_rate = rate
            if self.verbose > 0:
                print_message(f"Epoch {epoch + 1}: learning rate{f' of {name}' if name else ''} set to {rate:g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        _log_rates(self.model.optimizer, logs)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a built-in without a signature
        return True
    return True


class ReduceLROnPlateau(MonitorCallback):
    """Reduces the learning rate when a metric no longer improves, and adds the rate to the logs.

    Args:
        monitor: name of the metric in the logs.
        factor: the factor that the rate is multiplied by, less than 1.
        patience: number of epochs without improvement after which the rate is reduced.
        verbose: 1 to print messages.
        mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.
        min_delta: a smaller change does not count as an improvement.
        cooldown: number of epochs after a reduction that do not count.
        min_lr: lower bound of the rate.
        **kwargs: ignored with a warning.

    Raises:
        ValueError: if `factor` is not less than 1.

    Example:

    >>> import jaxkeras as jk
    >>> slower = jk.callbacks.ReduceLROnPlateau("val_loss", factor=0.2, patience=5, min_lr=1e-5)
    """

    per_member = True
    state_attributes = ("best", "cooldown_counter", "wait")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(f"`factor` of ReduceLROnPlateau multiplies the rate, so it must be below 1; got {factor}.")
        for name in kwargs:
            close = difflib.get_close_matches(name, inspect.signature(ReduceLROnPlateau).parameters, 1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            warnings.warn(f"ReduceLROnPlateau has no argument `{name}`; it is ignored.{hint}", stacklevel=2)
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether epochs do not count because of a recent reduction."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        _log_rates(self.model.optimizer, logs)
        current = self._metric_value(logs, "lower the learning rate")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, epoch: int) -> bool:
        reduced = False
        for name, part in _parts(self.model.optimizer):
            old = _rate(part)
            if old > np.float32(self.min_lr):
                reduced = True
                part.learning_rate = rate = max(old * self.factor, self.min_lr)
                if self.verbose > 0:
                    of = f" of {name}" if name else ""
                    print_message(
                        f"Epoch {epoch + 1}: {self.monitor} is on a plateau; learning rate{of} lowered to {rate:g}"
                    )
        return reduced
