"""`StepStats`: gradient norm, learning rate and step time in the logs."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.learning_rate import logged_rates
from jaxkeras.callbacks.member_logs import is_population


def norm_of_gradients(step: Any) -> jax.Array:
    """The 2-norm of all gradients of a step together, before any clipping.

    Args:
        step: the `StepValues` of a train step.

    Example:

    >>> from jaxkeras.training.step import StepValues
    >>> float(norm_of_gradients(StepValues(0.0, {"w": jnp.array([3.0, 4.0])}, None, None)))
    5.0
    """
    squares = [jnp.sum(jnp.square(g.astype(jnp.float32))) for g in jax.tree.leaves(step.gradients)]
    return jnp.sqrt(sum(squares, jnp.zeros(())))


class StepStats(Callback):
    """Adds to the logs of each epoch, and so to the history, to plots and to loggers:

    - `gradient_norm`: the mean over the steps of the 2-norm of all gradients together, before clipping, without loss
      scale. It is computed inside the compiled step.
    - `learning_rate`: the learning rate at the end of the epoch, that of a schedule included.
    - `step_time`: the mean time of a training step in seconds, without validation; with compilation in the first epoch.

    Steps stay fused. List it before callbacks that read the logs.

    Args:
        gradient_norm, learning_rate, step_time: whether to add each of them.

    Raises:
        ValueError: from `fit`, for gradient norms of a model with a `train_step` of its own.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), callbacks=[StepStats()], verbose=0)
    >>> sorted(history.history)
    ['gradient_norm', 'learning_rate', 'loss', 'step_time']
    """

    sees_pieces = True

    def __init__(self, gradient_norm: bool = True, learning_rate: bool = True, step_time: bool = True):
        super().__init__()
        self.probes = {"gradient_norm": norm_of_gradients} if gradient_norm else {}
        self.learning_rate, self.step_time = learning_rate, step_time
        self._since: float | None = None
        self._seconds, self._steps, self._skipped = 0.0, 0, 0

    def sees_batches(self, mode: str) -> bool:
        return self.step_time and mode == "train"

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._seconds, self._steps, self._since = 0.0, 0, time.perf_counter()
        self._skipped = self.model._session.progress.step  # an interrupted run goes on within an epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps = batch + 1 - self._skipped

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._pause()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._since = time.perf_counter()  # training may go on

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._pause()
        if logs is None:
            return
        if self.learning_rate:
            population = is_population(self.model)
            logs.update(self.model.each(_rates) if population else _rates(self.model))
        if self.step_time and self._steps:
            logs["step_time"] = self._seconds / self._steps

    def _pause(self) -> None:
        if self._since is not None:
            self._seconds += time.perf_counter() - self._since
            self._since = None


def _rates(model: Any) -> dict[str, float]:
    return logged_rates(model.optimizer)
