"""fit, evaluate and predict: epochs, callbacks, synchronization. The only owner of side effects."""

from __future__ import annotations

import time
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from jaxkeras.data import Source, checks
from jaxkeras.training.agreement import agree_on_run, facts_of_data
from jaxkeras.training.collect import Collector
from jaxkeras.training.fault_watch import Call, FaultWatch
from jaxkeras.training.feed import Feed
from jaxkeras.training.fit_progress import FitProgress
from jaxkeras.training.interrupt import DeferSigint
from jaxkeras.training.logs import Logs
from jaxkeras.training.program import BatchRef, CompiledStep, with_written
from jaxkeras.training.session import Session
from jaxkeras.training.state import StateStore, StateView, TrainState

_LOST = (
    "Was another process lost? JAX names it and ends this one when its heartbeat is overdue, after 100 seconds if "
    "`heartbeat_timeout_seconds` of `distribution.initialize` is not set. A restart goes on from the last backup."
)
CALL_SECONDS = 0.15  # long enough to hide the overhead of a call, short enough for the progress bar and Ctrl-C


class StepsPerCallTuner:
    """Chooses how many steps run in one call from the duration of earlier calls.

    Args:
        fixed: a number of steps that callbacks rely on, or None.
    """

    def __init__(self, fixed: int | None):
        self.fixed = fixed
        self._steps = 1

    def steps(self) -> int:
        return self.fixed or self._steps

    def record(self, steps: int, seconds: float) -> None:
        """Learn from a finished call. Growth is bounded, since short calls mostly measure their own overhead."""
        if self.fixed is None and steps >= self._steps:
            wanted = int(steps * CALL_SECONDS / max(seconds, 1e-6))
            self._steps = max(1, min(wanted, 16 * self._steps))


def _unbounded() -> int:
    return 2**30


class Runner:
    """Runs the calls of one epoch, or of one evaluation, and its batch hooks.

    Args:
        session: what the model runs with.
        step: what to run.
        store: holds the state.
        defer_sigint: keeps Ctrl-C from losing the state.
        callbacks: a callback list.
        mode: `"train"` or `"test"`.
        watch: looks for values that are not finite, or None.
    """

    def __init__(
        self, session: Session, step: CompiledStep, store: StateStore | StateView, defer_sigint: DeferSigint,
        callbacks: Any, mode: str, watch: FaultWatch | None = None,
    ):  # fmt: skip
        self.session, self.step, self.store, self.defer_sigint = session, step, store, defer_sigint
        self.callbacks, self.mode, self.watch = callbacks, mode, watch
        self.collector = Collector(session, store) if session.collects else None
        self.tuner = StepsPerCallTuner(steps_per_call(session.model, callbacks, mode))
        if session.where.processes > 1 and self.tuner.fixed is None:
            self.tuner.fixed = _unbounded()  # all processes must run the same calls, whatever their clocks say
        self.watched = callbacks.sees_batches(mode)
        self.exact = hooks_are_exact(session.model, callbacks, mode)
        self.pending = 0  # steps since the last begin hook

    def steps(self) -> int:
        """How many steps the next call should run; it ends where a hook is due."""
        steps = self.tuner.steps() - (self.pending if self.tuner.fixed else 0)
        due = self.callbacks.steps_until_due() if self.mode == "train" else None
        return steps if due is None else min(steps, due)

    def epoch(
        self, calls: Iterable[tuple[BatchRef, int]], progress: FitProgress | None = None
    ) -> tuple[dict[str, Any], int]:
        """Run an epoch.

        Args:
            calls: what is left of the epoch.
            progress: kept up to date. If it says that steps are done, the epoch continues from there.

        Returns:
            The logs, and the number of steps that ran.
        """
        store, session, model = self.store, self.session, self.session.model
        done = progress.step if progress is not None else 0
        if not done:
            self._run(lambda ts: (session.reset_metrics(ts), None), Call(session.reset_metrics))
        begin = getattr(self.callbacks, f"on_{self.mode}_batch_begin")
        end = getattr(self.callbacks, f"on_{self.mode}_batch_end")
        extras = progress.extras if progress is not None and done else None
        running: tuple[int, Any] | None = None  # steps and extras of the call that the device works on
        since = time.perf_counter()
        self.pending = 0
        if done and model.stop_training:
            calls = ()
        if self.collector is not None:
            self.collector = Collector(session, store)
            calls = self.collector.split(calls)
        for ref, steps in calls:
            if extras is None or not model.jit_compile:
                start = self.step.start_extras(store.current, ref)
                extras = start if extras is None else {**start, **extras, "logs": start["logs"]}
            elif running is None:
                extras = self.step.resumed(extras, store.current, ref)
            if self.watched and not self.pending:
                begin(done)
            before = extras
            epoch = progress.epoch if progress is not None else 0
            with self.defer_sigint.critical():
                extras = self._run(
                    lambda ts: self.step(ts, before, ref, steps),  # noqa: B023
                    Call(None, epoch, done, steps, ref),
                )
            if running is None:
                since = time.perf_counter()  # the time before includes compiling
            done += steps
            self.pending += steps
            if running is not None:
                # Wait for the call before this one; the new one keeps the device busy.
                jax.block_until_ready(running[1]["checks"])
                now = time.perf_counter()
                self.tuner.record(running[0], now - since)
                since = now
                session.raise_failed_checks(running[1])
            running = (steps, extras)
            if progress is not None:
                progress.step, progress.extras = done, extras
            if self.pending >= model.steps_per_execution:
                if self.watched:
                    end(self._last(done), self._logs(extras))
                    if stopped(model, self.mode):
                        self.pending = 0
                        break
                self.pending = 0
        if self.watched and self.pending:
            end(self._last(done), self._logs(extras))
        if extras is not None:
            jax.block_until_ready(extras["checks"])
            if running is not None:
                self.tuner.record(running[0], time.perf_counter() - since)
            session.raise_failed_checks(extras)
        logs = dict(self._logs(extras))
        if self.collector is not None:
            logs.update(self.collector.results())
        return logs, done

    def _run(self, run: Callable[[TrainState], tuple[TrainState, Any]], call: Call) -> Any:
        """Replace the state, seen by the watch."""
        if self.watch is None:
            return self.store.update(run)
        self.watch.begin(self.store.current)
        try:
            extras = self.store.update(run)
        except FloatingPointError as error:  # in the modes of JAX that look for NaN
            self.watch.explain(error, call)
            raise
        self.watch.ran(self.store.current, call, extras)
        return extras

    def _last(self, done: int) -> int:
        """The index that an end hook gets: as in Keras that of the last step of a full execution, though the data may
        have ended before it."""
        return done - self.pending + self.session.model.steps_per_execution - 1 if self.exact else done - 1

    def _logs(self, extras: dict[str, Any] | None) -> Logs:
        ts = self.store.current
        logs = Logs(lambda: self._results(ts, extras))
        self.store.logs = weakref.ref(logs)
        return logs

    def _results(self, ts: TrainState, extras: dict[str, Any] | None) -> dict[str, Any]:
        results = self.session.results(ts, extras)
        if self.mode == "train" and self.session.reported:
            results = {**results, **self.session.probe_values(ts)}
        if self.collector is not None:
            known_later = set(self.collector.labels.values())
            results = {name: value for name, value in results.items() if name not in known_later}
        return results


def steps_per_call(model: Any, callbacks: Any, mode: str) -> int | None:
    """The number of steps in a call if callbacks see every one of them, else None."""
    if not model.jit_compile:
        return 1
    return model.steps_per_execution if hooks_are_exact(model, callbacks, mode) else None


def hooks_are_exact(model: Any, callbacks: Any, mode: str) -> bool:
    """Whether batch hooks are for executions of a fixed number of steps; else they are for pieces of any length."""
    return callbacks.wants_batches(mode) and not model._hooks_by_piece


def stopped(model: Any, mode: str) -> bool:
    """Whether a callback asked to stop."""
    return {"train": model.stop_training, "test": model.stop_evaluating, "predict": model.stop_predicting}[mode]


def fit(
    session: Session,
    feed: Feed,
    source: Source,
    callbacks: Any,
    *,
    initial_epoch: int,
    epochs: int,
    watch: FaultWatch,
    validate: Any = None,
    validation_freq: Any = 1,
) -> None:
    """Train.

    Args:
        session: what the model runs with.
        feed: the data.
        source: the data, for its epoch hooks.
        callbacks: a callback list.
        initial_epoch, epochs: the first epoch, and the one after the last.
        watch: has the step to run, and looks for values that are not finite.
        validate: called with the state and a `DeferSigint`, returns logs; has a `feed` and a `source`. Or None.
        validation_freq: the number of epochs between validations, or a list of epochs.
    """
    model = session.model
    own_data = session.where.own_data
    agree_on_run(
        "fit", session, source, epochs=range(initial_epoch, epochs),
        seed=None if own_data else getattr(source, "seed", None),
        validation="none" if validate is None else facts_of_data(validate.source, own_data),
        validation_freq=validation_freq, steps_per_call=steps_per_call(model, callbacks, "train"),
    )  # fmt: skip
    store = watch.acquire()
    sources = [source] if validate is None else [source, validate.source]
    progress = session.progress = FitProgress(sources, initial_epoch, epochs)
    with DeferSigint() as defer_sigint:
        try:
            with store.running():
                runner = Runner(session, watch.step, store, defer_sigint, callbacks, "train", watch)
                session.prepare(feed, watch.step, store.current, initial_epoch)
                if validate is not None:
                    progress.validate = lambda: _validate_within_epoch(validate, store, defer_sigint)
                if validate is not None and any(_due(epoch, validation_freq) for epoch in range(initial_epoch, epochs)):
                    session.prepare(validate.feed, session.test, store.current)
                callbacks.on_train_begin()
                logs = progress.logs
                for epoch in range(progress.epoch, epochs):
                    progress.epoch = epoch
                    if source.used_up:
                        break
                    source.on_epoch_begin()
                    callbacks.on_epoch_begin(epoch)
                    calls = feed.refs(epoch, runner.steps, progress.step, more=epoch + 1 < epochs)
                    epoch_logs, done = runner.epoch(calls, progress)
                    progress.step, progress.extras = 0, None
                    if done == 0:
                        if source.used_up:
                            break
                        raise ValueError("The data gave no batch, so there is nothing to train on.")
                    logs = epoch_logs
                    watch.end_epoch(logs, done, last=epoch + 1 == epochs or model.stop_training)
                    if source.steps and done < source.steps and not (model.stop_training or source.tells_end):
                        warnings.warn(checks.ran_out(source.kind, done, source.steps), stacklevel=4)
                    source.on_epoch_end()
                    if validate is not None and _due(epoch, validation_freq):
                        logs.update(_named_val(validate(store, defer_sigint)))
                    progress.epoch, progress.logs = epoch + 1, logs
                    callbacks.on_epoch_end(epoch, logs)
                    if model.stop_training:
                        break
                if source.used_up and progress.epoch < epochs and not model.stop_training:
                    warnings.warn(
                        checks.used_up(source.kind, f"training ends after {progress.epoch} of {epochs} epochs"),
                        stacklevel=4,
                    )
                callbacks.on_train_end(logs)
        except BaseException as error:
            if isinstance(error, jax.errors.JaxRuntimeError) and session.where.processes > 1:
                error.add_note(_LOST)
            callbacks.release()
            raise
        finally:
            session.progress = None
            session.write_back()
    if model.optimizer is not None and epochs > initial_epoch:
        session.finalize()


def _named_val(logs: dict[str, Any]) -> dict[str, Any]:
    return {f"val_{name}": value for name, value in logs.items()}


def _validate_within_epoch(validate: Any, store: StateStore, defer_sigint: DeferSigint) -> dict[str, Any]:
    """Logs of a validation after which the metrics of training go on from where they are."""
    metrics = jax.block_until_ready(store.current.metrics)  # clocks of steps stop when validation begins
    logs = validate(store, defer_sigint)
    store.update(lambda ts: (ts._replace(metrics=metrics), None))
    return _named_val(logs)


def _due(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, (int, np.integer)):
        return (epoch + 1) % frequency == 0
    if isinstance(frequency, (str, bytes)) or not hasattr(frequency, "__iter__"):
        raise ValueError(f"`validation_freq` must be a whole number, or a list of epochs; got {frequency!r}.")
    return epoch + 1 in list(frequency)


def evaluate(
    session: Session, feed: Feed, source: Source, callbacks: Any, store: StateStore | StateView,
    defer_sigint: DeferSigint,
) -> dict[str, Any]:  # fmt: skip
    """Evaluate; returns logs."""
    runner = Runner(session, session.test, store, defer_sigint, callbacks, "test")
    agree_on_run("evaluate", session, source, steps_per_call=steps_per_call(session.model, callbacks, "test"))
    source.on_epoch_begin()
    callbacks.on_test_begin()
    logs, done = runner.epoch(feed.refs(0, _unbounded if runner.tuner.fixed is None else runner.steps))
    if done == 0:
        if not source.used_up:
            raise ValueError("The data gave no batch, so there is nothing to evaluate.")
        warnings.warn(checks.used_up(source.kind, "there is no validation"), stacklevel=4)
        logs = {}
    source.on_epoch_end()
    callbacks.on_test_end(logs)
    return logs


def predict(session: Session, feed: Feed, source: Source, callbacks: Any) -> Any:
    """Outputs for all rows of a source, as NumPy arrays in the structure that the model returns."""
    agree_on_run("predict", session, source)
    model, ts = session.model, session.view("params", "state").current
    watched = callbacks.sees_batches("predict")
    outputs: list[Any] = []
    written: dict[int, Any] = {}
    done = first = 0
    callbacks.on_predict_begin()
    source.on_epoch_begin()
    running: Any = None
    hooked: list[Any] = []  # outputs since the last begin hook
    exact = hooks_are_exact(model, callbacks, "predict")

    def last() -> int:  # see `Runner._last`
        return first + model.steps_per_execution - 1 if exact else done - 1

    for ref, steps in feed.refs(0, _unbounded):
        if watched and not hooked:
            callbacks.on_predict_batch_begin(done)
            first = done
        _, (y, wrote) = session.predict(ts, None, ref, steps)
        if wrote:
            ts = with_written(ts, wrote)
            written.update(wrote)
        done += steps
        if running is not None:
            outputs.append(jax.tree.map(np.asarray, running))
        running = y
        if watched:
            hooked.append(y)
            if done - first >= model.steps_per_execution:
                callbacks.on_predict_batch_end(last(), {"outputs": _joined(hooked)})
                hooked.clear()
                if stopped(model, "predict"):
                    break
    if hooked:
        callbacks.on_predict_batch_end(last(), {"outputs": _joined(hooked)})
    if running is None:
        raise ValueError("The data gave no batch, so there is nothing to predict.")
    outputs.append(jax.tree.map(np.asarray, running))
    session.keep_written(written)
    source.on_epoch_end()
    callbacks.on_predict_end()
    return _joined(outputs)


def _joined(outputs: list[Any]) -> Any:
    """Outputs of consecutive batches as one."""
    return outputs[0] if len(outputs) == 1 else jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)
