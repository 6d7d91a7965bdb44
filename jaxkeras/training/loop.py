"""fit, evaluate and predict: epochs, callbacks, synchronisation. The sole owner of side effects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxkeras.core import pure
from jaxkeras.data import ArraySource, Source
from jaxkeras.training.engine import Engine
from jaxkeras.training.feeds import Piece, SliceFeed, StreamFeed, head
from jaxkeras.training.interrupt import Guard
from jaxkeras.training.logs import Logs
from jaxkeras.training.program import Programs
from jaxkeras.training.state import Loan, View

PIECE_SECONDS = 0.15  # long enough to hide the call, short enough for the progress bar and Ctrl-C


class Pacer:
    """Decides how many steps run as one piece, from how long the last ones took.

    Args:
        fixed: a number of steps that callbacks were promised, or None.
    """

    def __init__(self, fixed: int | None):
        self.fixed = fixed
        self._length = 1

    def length(self) -> int:
        return self.fixed or self._length

    def record(self, steps: int, seconds: float) -> None:
        """Learn from a finished piece. Growth is bounded, since short pieces mostly measure their own overhead."""
        if self.fixed is None and steps >= self._length:
            wanted = int(steps * PIECE_SECONDS / max(seconds, 1e-6))
            self._length = max(1, min(wanted, 16 * self._length))


class Run:
    """Where a `fit` under way is. A callback that restores an interrupted run moves it in `on_train_begin`.

    Args:
        engine: the model, ready to run.
        sources: the data to train on, and those to validate on if there are any.
        epoch: the first epoch.
        epochs: the one after the last.

    Attributes:
        step: steps of `epoch` that are done.
        logs: of the epoch before.
        extras: what the last step returned besides the state.
    """

    def __init__(self, engine: Engine, sources: list[Source], epoch: int, epochs: int):
        self.engine, self.sources, self.epoch, self.epochs = engine, sources, epoch, epochs
        self.step = 0
        self.logs: dict[str, Any] = {}
        self.extras: dict[str, Any] | None = None


class Runner:
    """Runs the pieces of one epoch, or of one evaluation, and tells the callbacks."""

    def __init__(self, engine: Engine, programs: Programs, loan: Loan | View, guard: Guard, callbacks: Any, mode: str):
        self.engine, self.programs, self.loan, self.guard = engine, programs, loan, guard
        self.callbacks, self.mode = callbacks, mode
        model = engine.model
        every = callbacks.wants_batches(mode) or model.run_eagerly
        self.pacer = Pacer((1 if model.run_eagerly else model.steps_per_execution) if every else None)
        self.watched = callbacks.sees_batches(mode)

    def epoch(self, pieces: Iterator[Piece], run: Run | None = None) -> tuple[dict[str, Any], int]:
        """Run all pieces.

        Args:
            pieces: what is left of the epoch.
            run: what to keep up to date. Where it says that steps are done, the epoch goes on from there.

        Returns:
            The logs, and the number of steps that ran.
        """
        loan, engine = self.loan, self.engine
        done = run.step if run is not None else 0
        if not done:
            loan.current = engine.reset_metrics(loan.current)
        begin = getattr(self.callbacks, f"on_{self.mode}_batch_begin")
        end = getattr(self.callbacks, f"on_{self.mode}_batch_end")
        extras = run.extras if run is not None and done else None
        before: tuple[int, Any] | None = None
        since = time.perf_counter()
        if done and engine.model.stop_training:
            pieces = iter(())
        for piece in pieces:
            if extras is None or engine.model.run_eagerly:
                start = self.programs.extras(loan.current, piece.batch)
                extras = start if extras is None else {**start, "checks": extras["checks"]}
            if self.watched:
                begin(done)
            with self.guard.critical():
                loan.current, extras = piece.run(self.programs, loan.current, extras)
            if before is None:
                since = time.perf_counter()  # what came before was compiling
            done += piece.steps
            if before is not None:
                # The piece before has finished, or is waited for here; the one just started keeps the device busy.
                jax.block_until_ready(before[1]["checks"])
                now = time.perf_counter()
                self.pacer.record(before[0], now - since)
                since = now
                engine.raise_failed_checks(before[1])
            before = (piece.steps, extras)
            if run is not None:
                run.step, run.extras = done, extras
            if self.watched:
                end(done - 1, self._logs(extras))
                if self.mode == "train" and engine.model.stop_training:
                    break
        if extras is not None:
            jax.block_until_ready(extras["checks"])
            if before is not None:
                self.pacer.record(before[0], time.perf_counter() - since)
            engine.raise_failed_checks(extras)
        return dict(self._logs(extras)), done

    def _logs(self, extras: dict[str, Any] | None) -> Logs:
        dispatched = self.engine.results(self.loan.current, extras)
        return Logs(lambda: dispatched)


def fit(
    engine: Engine,
    feed: Any,
    source: Source,
    callbacks: Any,
    *,
    initial_epoch: int,
    epochs: int,
    validate: Any = None,
    validation_freq: Any = 1,
) -> None:
    """Train.

    Args:
        engine: the model, ready to run.
        feed: the data, as pieces.
        source: the data, for its epoch hooks.
        callbacks: a callback list.
        initial_epoch, epochs: the first epoch, and the one after the last.
        validate: called with a loan and a guard, returns logs; its `feed` is what it will read from its `source`. Or
            None.
        validation_freq: every how many epochs, or after which.
    """
    model = engine.model
    loan = engine.borrow()
    loan.active = True
    sources = [source] if validate is None else [source, validate.source]
    run = engine.run = Run(engine, sources, initial_epoch, epochs)
    with Guard() as guard:
        try:
            runner = Runner(engine, engine.train, loan, guard, callbacks, "train")
            engine.prepare(feed, engine.train, loan.current, initial_epoch)
            if validate is not None and any(_due(epoch, validation_freq) for epoch in range(initial_epoch, epochs)):
                engine.prepare(validate.feed, engine.test, loan.current)
            callbacks.on_train_begin()
            logs = run.logs
            for epoch in range(run.epoch, epochs):
                run.epoch = epoch
                source.on_epoch_begin()
                callbacks.on_epoch_begin(epoch)
                pieces = feed.pieces(epoch, runner.pacer.length, run.step, more=epoch + 1 < epochs)
                logs, done = runner.epoch(pieces, run)
                run.step, run.extras = 0, None
                if done == 0:
                    raise ValueError("The data gave no batch, so there is nothing to train on.")
                source.on_epoch_end()
                if validate is not None and _due(epoch, validation_freq):
                    logs.update({f"val_{k}": v for k, v in validate(loan, guard).items()})
                run.epoch, run.logs = epoch + 1, logs
                callbacks.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
            callbacks.on_train_end(logs)
        except BaseException:
            callbacks.release()
            raise
        finally:
            engine.run = None
            loan.active = False
            engine.settle()
    if model.optimizer is not None and epochs > initial_epoch:
        model.optimizer.finalize_variable_values(model.trainable_weights)  # moving averages, if it keeps any


def _due(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in list(frequency)


def evaluate(
    engine: Engine, feed: Any, source: Source, callbacks: Any, loan: Loan | View, guard: Guard
) -> dict[str, Any]:
    """Evaluate; returns logs."""
    runner = Runner(engine, engine.test, loan, guard, callbacks, "test")
    source.on_epoch_begin()
    callbacks.on_test_begin()
    logs, done = runner.epoch(feed.pieces(0, _unbounded if runner.pacer.fixed is None else runner.pacer.length))
    if done == 0:
        raise ValueError("The data gave no batch, so there is nothing to evaluate.")
    source.on_epoch_end()
    callbacks.on_test_end(logs)
    return logs


def _unbounded() -> int:
    return 2**30


def predict(engine: Engine, source: Source, callbacks: Any) -> Any:
    """Outputs for all rows of a source, as NumPy arrays in the structure that the model returns."""
    params, state = pure.cells(engine.tables.params), pure.cells(engine.tables.state)
    every = callbacks.wants_batches("predict") or engine.model.run_eagerly
    outputs: list[Any] = []
    done = 0
    callbacks.on_predict_begin()
    source.on_epoch_begin()
    ahead: Any = None
    for steps, call in _predict_pieces(engine, source, every):
        if callbacks.sees_batches("predict"):
            callbacks.on_predict_batch_begin(done)
        y = call(params, state)
        done += steps
        if ahead is not None:
            outputs.append(jax.tree.map(np.asarray, ahead))
        ahead = y
        if callbacks.sees_batches("predict"):
            callbacks.on_predict_batch_end(done - 1, {"outputs": y})
    if ahead is None:
        raise ValueError("The data gave no batch, so there is nothing to predict.")
    outputs.append(jax.tree.map(np.asarray, ahead))
    source.on_epoch_end()
    callbacks.on_predict_end()
    if len(outputs) == 1:
        return outputs[0]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)


def _chunks(whole: int, chunk: int) -> Iterator[int]:
    """How many batches to predict at once: the rest in smaller powers of two, each compiled once."""
    while whole:
        while chunk > whole:
            chunk //= 2
        yield chunk
        whole -= chunk


def prepare_predict(engine: Engine, source: ArraySource, ts: Any) -> list[Any]:
    """Have the programs that predict a source compiled; a future for each."""
    if engine.predict.eager or source.host_only:
        return []
    size, x = source.batch_size, source.arrays[0]
    whole, tail = divmod(source.num_rows, size)
    pieces = [(chunk * size, chunk) for chunk in sorted(set(_chunks(whole, SliceFeed(source).chunk)))]
    pieces += [(tail, 1)] if tail else []
    return [engine.predict.prepare(ts.params, ts.state, head(x, rows), size, count) for rows, count in pieces]


def _predict_pieces(engine: Engine, source: Source, every: bool) -> Iterator[tuple[int, Any]]:
    programs = engine.predict
    if isinstance(source, ArraySource) and not source.host_only and not every:
        size = source.batch_size
        rows = min(source.num_rows, source.steps * size)
        x = source.arrays[0]
        whole, tail = divmod(rows, size)
        start = 0
        for chunk in _chunks(whole, SliceFeed(source).chunk):

            def run(params: Any, state: Any, first: int = start, batches: int = chunk) -> Any:
                part = jax.tree.map(lambda a: a[first * size : (first + batches) * size], x)
                if batches == 1:
                    return programs.single(params, state, part)
                return programs.chunk(params, state, part, size, batches)

            yield chunk, run
            start += chunk
        if tail:
            part = jax.tree.map(lambda a: a[whole * size : rows], x)
            yield 1, lambda params, state: programs.single(params, state, part)
        return
    feed = StreamFeed(source, 1)
    batches = source.epoch(0) if hasattr(source, "epoch") else source.batches(0)  # type: ignore[attr-defined]
    for data, _, _ in feed._chunks(iter(batches)):
        yield 1, lambda params, state, x=data[0]: programs.single(params, state, x)
