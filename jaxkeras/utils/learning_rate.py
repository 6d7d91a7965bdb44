"""`find_learning_rate`: a sweep of growing learning rates, to see where a model learns fastest."""

from __future__ import annotations

import contextlib
import itertools
import os
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.variable import Variable
from jaxkeras.data import adapt
from jaxkeras.display.figures import new_figure, shown, write
from jaxkeras.optimizers.options import cond
from jaxkeras.training import step as steps
from jaxkeras.training.feed import feed_for
from jaxkeras.training.program import NO_CHECKS, BatchRef, CompiledStep
from jaxkeras.training.state import TrainState

_DIVERGED = 4.0  # a loss this many times the least one, above the least, ends the sweep
_PLATEAU = 0.1  # the part of the whole fall that noise on the plateau before may make up
_MEMORY = 0.9  # decay per step of the mean that decides so; one bad batch does not


class LearningRateSweep(NamedTuple):
    """What `find_learning_rate` returns: one entry per step, up to the one at which the loss diverged.

    Attributes:
        rates: the learning rates, growing.
        losses: the loss of the batch of each step.
        smoothed: the losses, averaged over steps nearby.
        suggestion: the rate at which the smoothed loss falls fastest.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float

    def __repr__(self) -> str:
        return f"LearningRateSweep(suggestion={self.suggestion:.3g}, rates {self.rates[0]:.2g} to {self.rates[-1]:.2g})"

    def plot(self, to_file: str | os.PathLike[str] | None = None, *, axes: Any = None) -> Any:
        """Plot the loss against the learning rate, and mark the suggestion.

        Args:
            to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.
            axes: axes of matplotlib to draw on; by default those of a new figure.

        Returns:
            The `matplotlib.figure.Figure`; in a notebook an object that displays it, unless `axes` are given.

        Raises:
            ImportError: without matplotlib.
        """
        own = axes is None
        if own:
            axes = new_figure("LearningRateSweep.plot", (6, 3.6)).subplots()
        axes.plot(self.rates, self.losses, color="#2b6cb0", alpha=0.3, lw=1, label="loss of each batch")
        axes.plot(self.rates, self.smoothed, color="#2b6cb0", lw=2, label="smoothed")
        axes.axvline(self.suggestion, color="#dd6b20", lw=1.5, label=f"suggestion: {self.suggestion:.2g}")
        low, first = float(self.smoothed.min()), float(self.smoothed[0])
        margin = 0.1 * max(first - low, 1e-12)
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=(low - margin, first + 5 * margin))
        axes.legend(frameon=False)
        if own:
            return shown(axes.figure, to_file)
        if to_file is not None:
            write(axes.figure, to_file)
        return axes.figure


def find_learning_rate(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
    seed: int = 0,
) -> LearningRateSweep:
    """Train for some steps with a learning rate that grows exponentially, and suggest a rate for `fit`.

    The suggestion is the rate at which the loss falls fastest. All steps run as one compiled program for data in
    arrays; when the loss diverges, the rest are skipped. The weights, the optimizer and the seeds of the model are
    copies, so the model is as it was; a model without weights is built.

    Args:
        model: a compiled model. If its learning rate is a schedule, the sweep takes the place of the schedule.
        x, y, sample_weight: data as for `fit`; they are repeated if there are fewer batches than steps.
        batch_size: rows per batch, 32 by default; the one that `fit` will use.
        lowest, highest: the first and the last learning rate.
        steps: number of steps.
        seed: seed of the order of rows.

    Returns:
        A `LearningRateSweep` with `suggestion` and `plot()`.

    Raises:
        ValueError: for a model without a loss, an optimizer whose rate cannot be changed, or rates out of order.

    Reference:
        - [Smith, 2017, Cyclical Learning Rates for Training Neural Networks](https://arxiv.org/abs/1506.01186)

    Example:

    >>> import jaxkeras as jk
    >>> x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    >>> model = jk.Sequential([jk.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile(jk.optimizers.SGD(), "mse")
    >>> sweep = find_learning_rate(model, x, x.sum(1, keepdims=True), steps=100)
    >>> 0.01 < sweep.suggestion < 1
    True
    """
    if not 0 < lowest < highest or steps < 10:
        raise ValueError(
            "`find_learning_rate` needs 0 < lowest < highest and at least 10 steps; got "
            f"lowest={lowest!r}, highest={highest!r}, steps={steps!r}."
        )
    model._require_compiled("find_learning_rate")
    rates = np.geomspace(lowest, highest, steps).astype("float32")
    source, _ = model._ready(adapt(x, y, sample_weight, batch_size=batch_size, shuffle=True, seed=seed))
    feed = feed_for(source, moving=True, where=model._session.where)
    try:
        losses = _sweep(model, feed, rates)
    finally:
        feed.close()
        source.close()
    rates = rates[: len(losses)]
    smoothed = _smooth(losses, 0.03 * steps)
    return LearningRateSweep(rates, losses, smoothed, _steepest(rates, smoothed))


# -- the sweep -------------------------------------------------------------------------------------------------------
class _Rates:
    """Stands for the learning rates of an optimizer while a sweep is traced.

    Args:
        optimizer: the optimizer of a model.

    Attributes:
        variables: those of learning rates that are part of the state.
        now: the rate that takes the place of schedules.

    Raises:
        ValueError: for a learning rate that nothing can change.
    """

    def __init__(self, optimizer: Any):
        self.now: Any = None
        self.variables: set[Variable] = set()
        self._schedules: dict[Any, Any] = {}
        for part in _parts(optimizer):
            rate = part._learning_rate
            if isinstance(rate, Variable):
                self.variables.add(rate)
            elif callable(rate):
                self._schedules[part] = rate
            else:
                raise ValueError(
                    f"The learning rate of optimizer '{part.name}' is fixed inside an optax transformation. Let it be "
                    "part of the state: optax.inject_hyperparams(optax.adam)(learning_rate=1e-3)."
                )

    def __enter__(self) -> _Rates:
        for part in self._schedules:
            part._learning_rate = lambda iterations: self.now
        return self

    def __exit__(self, *exc: object) -> None:
        for part, schedule in self._schedules.items():
            part._learning_rate = schedule


def _parts(optimizer: Any) -> Iterator[Any]:
    """The optimizers with a learning rate of their own."""
    inner = getattr(optimizer, "optimizers", None) or [getattr(optimizer, "inner_optimizer", None)]
    if inner[0] is None:
        yield optimizer
    else:
        for part in inner:
            yield from _parts(part)


def _sweep_step(model: Any, rates: jax.Array, held: _Rates) -> steps.Step:
    """A train step of the sweep, which keeps its results beside the metrics."""
    spec = model._session.state_spec
    train = steps.alone(model, spec, steps.train_step(model, spec))

    def step(ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
        own, sweep = ts._replace(metrics=ts.metrics["own"]), ts.metrics["sweep"]

        def go() -> Any:
            held.now = rates[sweep["step"]]
            at = spec.map(lambda v, x: held.now.astype(x.dtype) if v in held.variables else x, own)
            new, extras = train(at, batch)
            logs = model._session.results_alone(extras)
            if "loss" not in logs:
                raise ValueError(f"`find_learning_rate` needs a `loss` among the logs of a step; got {sorted(logs)}.")
            return new, _recorded(sweep, logs["loss"]), extras["checks"]

        new, sweep, checks = cond(sweep["diverged"], lambda: (own, sweep, jnp.zeros((), jnp.uint32)), go)
        ts = new._replace(metrics={"own": new.metrics, "sweep": sweep})
        return ts, {"logs": {}, "checks": checks}

    return step


def _recorded(sweep: dict[str, Any], loss: Any) -> dict[str, Any]:
    """The results with the loss of one more step, unless it shows that the sweep has diverged."""
    step, loss = sweep["step"], jnp.asarray(loss, jnp.float32)
    mean = _MEMORY * sweep["mean"] + (1 - _MEMORY) * loss
    corrected = mean / (1 - _MEMORY ** (step + 1.0))
    least = jnp.minimum(sweep["least"], corrected)
    diverged = ~jnp.isfinite(loss) | (corrected > least + _DIVERGED * jnp.maximum(jnp.abs(least), 1e-6))
    kept = jnp.asarray(sweep["losses"]).at[step].set(jnp.where(jnp.isfinite(loss), loss, jnp.nan))
    count = jnp.where(jnp.isfinite(loss), step + 1, step)
    return {"losses": kept, "least": least, "mean": mean, "diverged": diverged, "step": count}


def _sweep(model: Any, feed: Any, rates: np.ndarray) -> np.ndarray:
    """The loss of each step, up to the divergence."""
    session = model._session
    copied = jax.device_put(session.view().current, may_alias=False)  # the program donates its state
    start = {"losses": np.full(len(rates), np.nan, np.float32), "least": np.float32(np.inf), "mean": np.float32(0)}
    start |= {"diverged": np.bool_(False), "step": np.int32(0)}
    ts = copied._replace(metrics={"own": copied.metrics, "sweep": start})
    extras: Any = {"logs": {}, "checks": NO_CHECKS}
    with _Rates(model.optimizer) as held:
        program = CompiledStep(_sweep_step(model, jnp.asarray(rates), held), eager=not model.jit_compile)
        for ref, count in _batches(feed, len(rates)):
            ts, extras = program(ts, extras, ref, count)
            if ts.metrics["sweep"]["diverged"]:
                break
    session.raise_failed_checks(extras)
    sweep = jax.device_get(ts.metrics["sweep"])
    if not sweep["step"]:
        raise ValueError("The loss of the first batch is not finite, so no learning rate can be found.")
    return sweep["losses"][: sweep["step"]]


def _batches(feed: Any, total: int) -> Iterator[tuple[BatchRef, int]]:
    """Calls of `total` steps together, epoch after epoch, without the smaller batches at the end of epochs."""
    left, size = total, None
    for epoch in itertools.count():
        before = left
        with contextlib.closing(feed.refs(epoch, lambda: left)) as refs:  # noqa: B023
            for ref, count in refs:
                size = ref.size if size is None else size
                if ref.size == size:
                    left -= count
                    yield ref, count
                if not left:
                    return
        if left == before:
            raise ValueError(f"The data ended after {total - left} of {total} steps; pass `steps={total - left}`.")


# -- reading it ------------------------------------------------------------------------------------------------------
def _smooth(losses: np.ndarray, width: float) -> np.ndarray:
    """The means of the losses with Gaussian weights, of a standard deviation of `width` steps."""
    steps = np.arange(len(losses))
    weights = np.exp(-0.5 * ((steps[:, None] - steps) / width) ** 2)
    return weights @ losses / weights.sum(1)


def _steepest(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """The rate at which the smoothed loss falls fastest on its last way down to the minimum.

    Before that the rates are too low to change much, and the slope is that of noise.
    """
    end = int(np.argmin(smoothed))
    plateau = float(np.median(smoothed[: max(1, end // 2)]))
    if end == 0 or smoothed[end] >= plateau:
        warnings.warn(
            f"The loss fell at no learning rate from {rates[0]:.2g} to {rates[-1]:.2g}, so there is nothing to suggest "
            "but the lowest. Check the model and the data, or sweep lower rates with `lowest`.",
            stacklevel=3,
        )
        return float(rates[0])
    high = np.flatnonzero(smoothed[:end] >= plateau - _PLATEAU * (plateau - smoothed[end]))
    start = int(high[-1])
    return float(rates[start + int(np.argmin(np.gradient(smoothed[start : end + 1])))])
