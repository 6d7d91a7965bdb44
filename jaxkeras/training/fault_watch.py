"""Watches a `fit` for the first step after which the loss or a weight is not finite.

Nothing is added to the compiled steps. A watch keeps the state of a moment and the calls that ran since. From time to
time it looks whether the present state is finite. If not, it runs the calls again from the kept state to find the step.

Several processes do this together: they look when the loss of an epoch is not finite, since their clocks differ, and
each replays the step that failed on one device of its own.
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.functional import is_variable
from jaxkeras.core.placement import to_host
from jaxkeras.data import ArraySource
from jaxkeras.training.fault_replay import first_fault
from jaxkeras.training.faults import Fault, NonFiniteError, all_finite, is_finite
from jaxkeras.training.memory import free_bytes, least_free_bytes
from jaxkeras.training.program import BatchRef, CompiledStep
from jaxkeras.training.state import StateStore, TrainState, copied
from jaxkeras.training.step import Step

EXPLODES = 1e4  # how much larger than at the start a loss is that explodes
LOOK_SECONDS = 0.15  # between two looks at the state
SMALL_BYTES = 2**12
LOOK_SHARE = 0.005  # of the time that looks may take
LOOK_SECONDS_PER_BYTE, LOOK_SECONDS_PER_LEAF = 1e-9, 1e-5  # to look at a state and copy it, until that was timed
CALLS = 4096  # that a window may hold
DATA_BYTES = 64 * 2**20  # of the batches of a stream that a window may hold
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
        run: the same once more, `state -> state`, which takes nothing away; None for steps.
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
    """A state that is kept, or None if that takes too much, and the calls that ran since.

    Attributes:
        now: the present state.
        extras: those of the last step.
        nbytes: size of the data of the calls, without those of the last one.
        data: those of the last call; arrays in memory are the same for many.
        since: when it began.
    """

    def __init__(self, start: TrainState | None, now: TrainState):
        self.start, self.now = start, now
        self.extras: Any = None
        self.calls: list[Call] = []
        self.nbytes = 0
        self.data: Any = None
        self.since = time.perf_counter()

    def append(self, call: Call) -> bool:
        """Record a call, unless there is no state to run it from again; returns whether calls or their data take much
        memory."""
        if self.start is None:
            return False
        ref = call.ref
        if ref is not None and ref.order is not None:
            # Orders are drawn again if need be: to keep them, each would take fresh memory.
            kept = BatchRef(ref.data, ref.size, ref.start, ref.order.shape[0], ref.form)
            call = Call(None, call.epoch, call.step, call.steps, kept)
        self.calls.append(call)
        if ref is not None and ref.data is not self.data:
            if self.data is not None:
                self.nbytes += _size(self.data).nbytes
            self.data = ref.data
        return len(self.calls) >= CALLS or self.nbytes > DATA_BYTES

    def forget(self) -> None:
        """Keep nothing any more."""
        self.start = None
        self.calls.clear()


class FaultWatch:
    """Looks for the first fault of a `fit`.

    Args:
        session: what the model runs with.
        source: the data, to name their rows.
        response: what to do about it.
        keep: whether to keep a state even if it is large.

    Attributes:
        step: what to run.
    """

    def __init__(self, session: Any, source: Any, response: Response, keep: bool = False):
        self.session, self.source, self.response = session, source, response
        self.skips = response.action == "skip"
        self.step: CompiledStep = session.train_skipping if self.skips else session.train
        self._keep_any, self._keeps = keep, keep
        self._many = session.where.processes > 1
        self._window: Window | None = None
        self._extras: Any = None
        self._cost = 0.0  # seconds that a look takes
        self._since = time.perf_counter()
        self._order: tuple[int, Any] = -1, None  # the last one that was drawn again, after its epoch
        self._first_loss: float | None = None  # of an epoch

    # -- what happens -------------------------------------------------------------------------------------------------
    def acquire(self) -> StateStore:
        """Take the numbers of the model, as `Session.acquire` does; what it copies is the first state to keep."""
        session = self.session
        at_rest = session.at_rest()
        store = session.acquire() if at_rest is None else session.acquire(at_rest)
        size = session.state_size = session.state_size or _size(store.current)
        free = least_free_bytes() if self._many else free_bytes()
        self._keeps = self._keep_any or size.nbytes <= KEPT_SHARE * free
        self._cost = LOOK_SECONDS_PER_BYTE * size.nbytes + LOOK_SECONDS_PER_LEAF * size.leaves
        self._window = self._new(store.current) if at_rest is None else Window(at_rest, store.current)
        if not self._keeps:
            self._window.forget()
        return store

    def _new(self, ts: TrainState) -> Window:
        return Window(self.session.copied(ts) if self._keeps else None, ts)

    def begin(self, ts: TrainState) -> None:
        """A call is about to replace this state, whose arrays may be gone after it."""
        window = self._window
        if window is None or window.now is ts:
            return
        change = _small_change(window.now, ts)  # by a callback
        if change is None:
            self._renew(ts)
        else:
            window.append(Call(change))
            window.now = ts

    def ran(self, ts: TrainState, call: Call, extras: Any = None) -> None:
        """A call has made this state."""
        window = self._window
        if call.ref is not None:
            self._extras = extras
        if window is None:
            return
        full = window.append(call)
        window.now, window.extras = ts, extras
        if self._many:
            if full:
                self._renew(ts) if self._keep_any else window.forget()
            return
        seconds, cost = time.perf_counter() - window.since, self._cost / LOOK_SHARE
        if seconds > cost and (full or seconds > LOOK_SECONDS):
            self._renew(ts)
        elif full:
            window.forget()

    def end_epoch(self, logs: dict[str, Any], steps: int, last: bool) -> None:
        """Look now if the loss of an epoch is not finite, and when training ends.

        Args:
            logs: of the epoch; without any step that counts, its loss becomes NaN.
            steps: how many ran.
            last: whether it is the last epoch.
        """
        loss = logs.get("loss")
        one = isinstance(loss, float)  # and not one for each of several models
        bad = one and not math.isfinite(loss)
        if one:
            self._warn_of_explosion(loss)
        if self.skips and self._extras is not None:
            skipped = _skipped(self._extras)
            self.response.skipped += int(skipped.sum())
            if loss is not None and skipped.size == np.size(loss) and (skipped == steps).any():
                logs["loss"] = np.where(skipped.reshape(np.shape(loss)) == steps, np.nan, loss)[()]
        if self._window is not None and (bad or last and (self._keep_any or self._may_look(one))):
            self._look(self._window, bad)
        if self._many and self._window is not None and self._window.start is None:
            self._window = self._new(self._window.now)

    def _may_look(self, loss_is_known: bool) -> bool:
        """Whether to look at weights once more without having been asked: unless training was too short for it."""
        if self._many:  # whose clocks differ
            return False
        return not loss_is_known or (time.perf_counter() - self._since) * LOOK_SHARE > self._cost

    def _warn_of_explosion(self, loss: float) -> None:
        if self._first_loss is None:
            self._first_loss = loss
        elif EXPLODES * max(abs(self._first_loss), 1e-3) < loss < math.inf:
            rate: Any = getattr(self.session.model.optimizer, "_learning_rate", None)
            rate = f", {float(rate.value):.3g}," if is_variable(rate) else ""
            warnings.warn(
                f"The mean of the loss grew from {self._first_loss:.3g} in the first epoch to {loss:.3g}. The learning "
                f"rate{rate} is probably too large, or the data are not scaled.",
                stacklevel=6,
            )
            self._first_loss = math.inf  # warn once

    def explain(self, error: FloatingPointError, call: Call) -> None:
        """Add what is known to an error of `JAX_DEBUG_NANS`."""
        if self._window is not None and self._window.start is not None:
            self._window.calls.append(call)
            with jax.debug_nans(False), jax.debug_infs(False):
                fault = self._located(self._window)[0]
            if fault is not None:
                error.add_note(str(fault))

    def _renew(self, ts: TrainState) -> None:
        """Look at a state, and keep it."""
        window = self._window
        assert window is not None
        jax.block_until_ready(ts)
        since = time.perf_counter()
        window.now = ts
        self._look(window)
        if self._window is not None:
            self._window = self._new(ts)
        self._cost = time.perf_counter() - since

    # -- looking ------------------------------------------------------------------------------------------------------
    def _look(self, window: Window, bad: bool = False) -> None:
        bad = bad or self._broken(window.now, window.extras, window.start)
        if not bad:
            return
        fault, before = self._located(window)
        if fault is None:  # a callback wrote such values
            return
        self._window = None  # nothing is looked for any more
        self._respond(fault, before)

    def _respond(self, fault: Fault, before: TrainState | None) -> None:
        self.response.found(fault)
        if self.response.action == "raise":
            if before is not None:
                self.session.store.update(lambda _: (before, None))
            raise NonFiniteError(fault)

    def _broken(self, ts: TrainState, extras: Any, start: TrainState | None) -> bool:
        """Whether something became infinite or NaN since the start of a window, or a step was left out."""
        if self.skips:
            return bool(extras is not None and _skipped(extras).any())
        if extras is not None and not all(map(is_finite, _losses(extras))):
            return True
        parts = self.session.groups(ts)
        for i, part in enumerate(parts):
            leaves = watched(part)
            if all_finite(leaves):
                continue
            before = itertools.repeat(None) if start is None else watched(self.session.groups(start)[i])
            if any(is_finite(old) and not is_finite(new) for old, new in zip(before, leaves)):
                return True
        states = [part.opt_state for part in parts if isinstance(part.opt_state, dict)]
        # At 1, 15 steps in a row had infinite gradients.
        return any(np.min(s["dynamic_scale"]) < 1 for s in states if "dynamic_scale" in s)

    # -- finding ------------------------------------------------------------------------------------------------------
    def _located(self, window: Window) -> tuple[Fault | None, TrainState | None]:
        """The first fault of a window, and the state before its step."""
        ts = window.start
        if ts is None:
            return self._remains(window.now), None
        for call in window.calls:
            if call.run is not None:
                ts = call.run(ts)
                continue
            call = self._with_order(call)
            after = self._run(ts, call.ref, call.steps, window.start)
            if after is None:
                first, ts = self._bisect(ts, call, window.start)
                return self._fault(ts, call, first), ts
            ts = after
        return None, None

    def _with_order(self, call: Call) -> Call:
        ref = call.ref
        assert ref is not None
        if not isinstance(ref.order, int):
            return call
        if self._order[0] != call.epoch:
            order = self.source.order(call.epoch)
            filled = np.pad(order, [(0, ref.order - len(order)), *[(0, 0)] * (order.ndim - 1)])
            self._order = call.epoch, self.session.where.whole(filled)
        return call._replace(ref=ref._replace(order=self._order[1]))

    def _run(self, ts: TrainState, ref: BatchRef | None, steps: int, start: Any) -> TrainState | None:
        """The state after steps; None if it is not finite."""
        assert ref is not None
        after, extras = self.step(copied(ts), self.step.start_extras(ts, ref), ref, steps)
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
        ref, step = call.ref.at(first), call.step + first
        after, extras = self.step(copied(ts), self.step.start_extras(ts, ref), ref, 1)

        def bad(group: int, row: int) -> bool:  # of several models
            if self.skips:
                return bool(extras["skipped"][group][row])
            pairs = zip(watched(session.groups(ts)[group]), watched(session.groups(after)[group]))
            return any(is_finite(old[row]) and not is_finite(new[row]) for old, new in pairs)

        with session.single(ts, bad) as (member, own):
            spec, batch = session.state_spec, session.batch_of(ref.batch(), member)
            if self._many:
                own, batch = jax.tree.map(lambda a: jnp.asarray(to_host(a)), (own, batch))
                spec = spec.on_one_device()
            fault = first_fault(session.model, spec, own, batch)
            fault = fault or first_fault(session.model, spec, own, batch, scaled=True)
        if fault is None:
            fault = Fault("forward", "output", detail="Run again step by step, all values were finite: the compiled "
                          "step overflows where single operations do not.")  # fmt: skip
        start = step * ref.size if ref.order is None else ref.start
        rows = self._rows_of_data(fault.rows, call.epoch, start, member)
        known = {"epoch": call.epoch, "step": step, "data_rows": rows, "member": member}
        return Fault(**{**vars(fault), **known})

    def _rows_of_data(self, rows: tuple[int, ...], epoch: int, start: int, member: int | None) -> tuple[int, ...]:
        source = self.source
        if not rows or not isinstance(source, ArraySource):
            return ()
        order = self.session.batch_of(source.order(epoch), member)
        positions = start + np.array(rows)
        return tuple((positions if order is None else order[positions]).tolist())

    def _remains(self, ts: TrainState) -> Fault | None:
        """What a state tells that was not kept from before."""
        detail = "The state before the step was too large to keep; callbacks.NonFinite(...) keeps it."
        variables = jax.tree.leaves(self.session.state_spec.variables.params, is_leaf=is_variable)
        values = [leaf for part in self.session.groups(ts) for leaf in jax.tree.leaves(part.params)]
        for v, value in zip(itertools.cycle(variables), values):
            if not is_finite(value):
                return Fault("optimizer", "weight", name=v.path, detail=detail, loss=float("nan"))
        return Fault("loss", "loss", detail=detail, loss=float("nan"))


def watched(ts: TrainState) -> list[Any]:
    """The values that must stay finite: the mean of the loss, weights and moments."""
    return jax.tree.leaves((ts.metrics.get("loss"), ts.params, ts.opt_state))


def _small_change(old: TrainState, new: TrainState) -> Callable[[TrainState], TrainState] | None:
    """What replaces the leaves in which two states differ; None if they are large."""
    leaves, treedef = jax.tree.flatten(new)
    changed = {i: leaf for i, (a, leaf) in enumerate(zip(jax.tree.leaves(old), leaves)) if a is not leaf}
    if sum(leaf.nbytes for leaf in changed.values()) > SMALL_BYTES:
        return None
    values = copied(changed)
    return lambda ts: treedef.unflatten([values.get(i, leaf) for i, leaf in enumerate(jax.tree.leaves(ts))])


def _skipped(extras: dict[str, Any]) -> np.ndarray:
    """How many steps each model left out."""
    return np.concatenate([np.atleast_1d(counts) for counts in jax.tree.leaves(extras["skipped"])])


def _losses(extras: dict[str, Any]) -> list[Any]:
    """The losses among the logs of an overridden step."""
    logs = extras["logs"] if isinstance(extras["logs"], tuple) else (extras["logs"],)
    return [value for group in logs for name, value in group.items() if "loss" in name]


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


class Size(NamedTuple):
    """How many bytes and leaves a pytree of arrays has."""

    nbytes: int
    leaves: int


def _size(tree: Any) -> Size:
    leaves = jax.tree.leaves(tree)
    return Size(sum(leaf.nbytes for leaf in leaves), len(leaves))
