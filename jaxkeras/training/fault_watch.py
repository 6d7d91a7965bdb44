"""Watches a `fit` for the first step after which the loss or a weight is not finite.

Nothing is added to the compiled steps. A watch keeps the state of a moment and the calls that ran since. From time to
time it looks whether the present state is finite. If not, it runs the calls again from the kept state to find the step.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.functional import is_variable
from jaxkeras.data import ArraySource
from jaxkeras.training.fault_replay import first_fault
from jaxkeras.training.faults import Fault, NonFiniteError, is_finite
from jaxkeras.training.program import BatchRef, CompiledStep
from jaxkeras.training.state import StateSpec, TrainState
from jaxkeras.training.step import Step

EXPLODES = 1e4  # how much larger than at the start a loss is that explodes
LOOK_SECONDS = 0.15  # between two looks at the state
LOOK_SHARE = 0.005  # of the time that looks may take
CALLS = 256  # that a window may hold; those of a stream hold their data
KEPT_SHARE = 1 / 16  # of the free memory, for a state to be kept


class Response(Protocol):
    """What to do about a fault.

    Attributes:
        action: `"report"`; `"raise"` raises a `NonFiniteError`, with the state before the failing step in the model;
            `"skip"` leaves failing steps out.
        skipped: how many were left out.
    """

    action: str
    skipped: int

    def found(self, fault: Fault) -> None:
        """Called with the first fault."""


class Call(NamedTuple):
    """What replaced a state.

    Attributes:
        run: the same once more, `state -> state`; None for steps.
        epoch, step: the first step.
        steps: their number.
        ref: their batches.
    """

    run: Callable[[TrainState], TrainState] | None
    epoch: int = 0
    step: int = 0
    steps: int = 0
    ref: BatchRef | None = None


class Window:
    """A state, the calls that ran since, the present state and its extras."""

    def __init__(self, start: TrainState):
        self.start = self.now = start
        self.extras: Any = None
        self.calls: list[Call] = []
        self.since = time.perf_counter()


class FaultWatch:
    """Looks for the first fault of a `fit`.

    Args:
        session: what the model runs with.
        source: the data, to name their rows.
        response: what to do about it.
        keep: whether to keep a state for the search even if it is large.

    Attributes:
        step: what to run.
        reported: whether a fault was found, after which nothing is looked for any more.
    """

    def __init__(self, session: Any, source: Any, response: Response, keep: bool = False):
        self.session, self.source, self.response = session, source, response
        self.skips = response.action == "skip"
        self.step: CompiledStep = session.training_step(keep=keep, skip=self.skips)
        self.reported = False
        self._window: Window | None = None
        self._pending: Window | None = None
        self._extras: Any = None
        self._cost = 0.0  # seconds that a look takes
        self._first_loss: Any = None  # the mean of the loss as it was after the first call, usually of one step

    # -- what happens -------------------------------------------------------------------------------------------------
    def ran(self, before: TrainState, after: TrainState, call: Call, extras: Any = None) -> None:
        """Record that a call replaced a state."""
        if call.ref is not None:
            self._extras = extras
        if self.reported:
            return
        window = self._window
        if window is None or window.now is not before:  # something else changed the state
            if window is not None and window.calls:
                self._look(window)
            window = self._window = Window(before)
        window.calls.append(call)
        window.now, window.extras = after, extras
        if self._first_loss is None and call.ref is not None and self.step.keeps:
            self._first_loss = after.metrics.get("loss", {})
        if time.perf_counter() - window.since > self._interval or len(window.calls) >= CALLS:
            self.poll()
            self._pending, self._window = window, Window(after)
            if not self.step.keeps:
                self.poll()  # the next call takes the state

    def poll(self) -> None:
        """Look at the end of the last window, after which the device has gone on."""
        window, self._pending = self._pending, None
        if window is not None:
            self._look(window)

    def end_epoch(self, loss: Any, last: bool) -> None:
        """Look now if the loss of an epoch is not finite, and when training ends."""
        bad = not is_finite(np.asarray(loss))
        if self.skips and self._extras is not None:
            self.response.skipped += int(self._extras["skipped"])
        if not self.reported and (last or bad):
            self.poll()
            if self._window is not None and self._window.calls:
                self._look(self._window, bad)

    def explain(self, error: FloatingPointError, ts: TrainState, call: Call) -> None:
        """Add what is known to an error of `JAX_DEBUG_NANS`."""
        window = Window(ts)
        window.calls.append(call)
        with jax.debug_nans(False), jax.debug_infs(False):
            fault = self._located(window)[0]
        if fault is not None:
            error.add_note(str(fault))

    @property
    def _interval(self) -> float:
        return max(LOOK_SECONDS, self._cost / LOOK_SHARE)

    # -- looking ------------------------------------------------------------------------------------------------------
    def _look(self, window: Window, bad: bool = False) -> None:
        since = time.perf_counter()
        bad = bad or self._broken(window.now, window.extras, window.start)
        self._warn_of_explosion(window.now)
        self._cost = time.perf_counter() - since
        if not bad or self.reported:
            return
        fault, before = self._located(window)
        self.reported = True
        self._window = self._pending = None
        if fault is None:
            return
        self.response.found(fault)
        if self.response.action == "raise":
            if before is not None:
                self.session.store.current = before
            raise NonFiniteError(fault)

    def _warn_of_explosion(self, ts: TrainState) -> None:
        first, now = _mean(self._first_loss), _mean(ts.metrics.get("loss"))
        if first is None or now is None or not EXPLODES * max(abs(first), 1e-3) < now < np.inf:
            return
        self._first_loss = {}  # warn once
        rate = getattr(self.session.model.optimizer, "learning_rate", None)
        rate = f", {float(rate.value):.3g}," if is_variable(rate) else ""
        warnings.warn(
            f"The loss grew from {first:.3g} at the first steps to a mean of {now:.3g}. The learning rate{rate} is "
            "probably too large, or the data are not scaled.",
            stacklevel=7,
        )

    def _broken(self, ts: TrainState, extras: Any, start: TrainState) -> bool:
        """Whether something became infinite or NaN since the start of a window, or a step was left out."""
        if self.skips:
            return bool(extras is not None and int(extras["skipped"]))
        kept = self.step.keeps
        if extras is not None and not all(map(is_finite, _losses(extras))):
            return True
        for i, leaf in enumerate(watched(ts)):
            if not is_finite(leaf) and not (kept and not is_finite(watched(start)[i])):
                return True
        scale = ts.opt_state.get("dynamic_scale") if isinstance(ts.opt_state, dict) else None
        return scale is not None and float(scale) < 1  # 16 steps in a row had infinite gradients

    # -- finding ------------------------------------------------------------------------------------------------------
    def _located(self, window: Window) -> tuple[Fault | None, TrainState | None]:
        """The first fault of a window, and the state before its step."""
        ts = window.start
        if not self.step.keeps:
            return self._remains(window.now), None
        for call in window.calls:
            if call.run is not None:
                ts = call.run(ts)
                continue
            after = self._run(ts, call.ref, call.steps, window.start)
            if after is not None:
                ts = after
                continue
            first, ts = self._bisect(ts, call, window.start)
            return self._fault(ts, call, first), ts
        return None, None

    def _run(self, ts: TrainState, ref: BatchRef | None, steps: int, start: Any) -> TrainState | None:
        """The state after steps; None if it is not finite."""
        assert ref is not None
        after, extras = self.step(ts, self.step.start_extras(ts, ref), ref, steps)
        return None if self._broken(after, extras, start) else after

    def _bisect(self, ts: TrainState, call: Call, start: Any) -> tuple[int, TrainState]:
        first, stop = 0, call.steps  # the fault is in one of these steps
        assert call.ref is not None
        while stop - first > 1:
            middle = (first + stop) // 2
            after = self._run(ts, call.ref.at(first), middle - first, start)
            if after is None:
                stop = middle
            else:
                first, ts = middle, after
        return first, ts

    def _fault(self, ts: TrainState, call: Call, first: int) -> Fault:
        assert call.ref is not None
        session = self.session
        batch = call.ref.at(first).batch()
        step = call.step + first
        fault = first_fault(session.model, session.state_spec, ts, batch)
        fault = fault or first_fault(session.model, session.state_spec, ts, batch, scaled=True)
        if fault is None:
            fault = Fault("forward", "output", detail="Run again step by step, all values were finite: the compiled "
                          "step overflows where single operations do not.")  # fmt: skip
        rows = self._rows_of_data(fault.rows, call.epoch, step)
        return Fault(**{**vars(fault), "epoch": call.epoch, "step": step, "data_rows": rows})

    def _rows_of_data(self, rows: tuple[int, ...], epoch: int, step: int) -> tuple[int, ...]:
        source = self.source
        if not rows or not isinstance(source, ArraySource):
            return ()
        order = source.order(epoch)
        positions = step * source.batch_size + np.array(rows)
        return tuple((positions if order is None else order[positions]).tolist())

    def _remains(self, ts: TrainState) -> Fault | None:
        """What a state tells that was not kept from before."""
        detail = "The state before the step was too large to keep: with callbacks.NonFinite(...) it is kept."
        variables = jax.tree.leaves(self.session.state_spec.variables.params, is_leaf=is_variable)
        for v, value in zip(variables, jax.tree.leaves(ts.params)):
            if not is_finite(value):
                return Fault("optimizer", "weight", name=v.path, detail=detail, loss=float("nan"))
        return Fault("loss", "loss", detail=detail, loss=float("nan"))


def watched(ts: TrainState) -> list[Any]:
    """The values that must stay finite: the mean of the loss, weights and moments."""
    return jax.tree.leaves((ts.metrics.get("loss"), ts.params, ts.opt_state))


def _mean(tracker: Any) -> float | None:
    """The value of the mean of the loss, given its variables."""
    if not tracker or set(tracker) != {"total", "count"} or not float(tracker["count"]):
        return None
    return float(tracker["total"]) / float(tracker["count"])


def _losses(extras: dict[str, Any]) -> list[Any]:
    """The losses among the logs of an overridden step."""
    return [value for name, value in extras["logs"].items() if "loss" in name]


def skipping(step: Step) -> Step:
    """A step that changes nothing if it would make the loss, a weight or a moment infinite or NaN.

    It counts these cases in its extras, as "skipped".
    """

    def run(ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
        new, extras = step(ts, batch)
        good = jnp.array(True)
        for old, leaf in zip(watched(ts), watched(new)):
            if jnp.issubdtype(leaf.dtype, jnp.inexact):
                good &= (jnp.isfinite(leaf) | ~jnp.isfinite(old)).all()
        for value in _losses(extras):
            good &= jnp.isfinite(value).all()
        new = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, ts)
        return new, {**extras, "skipped": (~good).astype(jnp.int32)}

    return run


def can_keep(spec: StateSpec, free_bytes: float) -> bool:
    """Whether a state is small enough that a fit may keep one of a moment before."""
    size = sum(np.prod(s.shape) * jnp.dtype(s.dtype).itemsize for s in jax.tree.leaves(spec.shapes()))
    return size <= KEPT_SHARE * free_bytes
