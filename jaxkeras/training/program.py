"""A step becomes executables: one program runs any number of steps, compiled once for each shape of batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.core.signature import signature
from jaxkeras.training.executable import Executable
from jaxkeras.training.state import TrainState
from jaxkeras.training.step import Step

NO_CHECKS = np.zeros((), np.uint32)


def take(data: Any, order: Any, i: Any, batch_size: int) -> Any:
    """Batch `i` of arrays on the device: rows as they lie, or in the order of a permutation."""
    return _rows(data, order, i * batch_size, batch_size)


def _rows(data: Any, order: Any, start: Any, size: int) -> Any:
    if order is None:
        return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, size), data)
    rows = lax.dynamic_slice_in_dim(order, start, size)
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), data)


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The extras of consecutive steps: the last logs, and every check that ever failed."""
    return {"logs": new["logs"], "checks": old["checks"] | new["checks"]}


class Programs:
    """The executables of one step function.

    Args:
        step: pure, `TrainState, batch -> TrainState, extras`.
        training: whether the step may change everything. Then the state is donated, and the caller must not use what
            it passed in; otherwise parameters are only read, and nothing is consumed.
        eager: call the step bare, without compiling, so that `print` and `pdb` see values.
        has_logs: whether the step returns logs of its own, whose names only a trace tells.
        reset, read: from the state of the metrics to that at their start, and to their values, for `answer`.
    """

    def __init__(
        self,
        step: Step,
        training: bool,
        eager: bool = False,
        has_logs: bool = False,
        reset: Callable[[Any], Any] | None = None,
        read: Callable[[Any], dict[str, Any]] | None = None,
    ):
        self.step, self.training, self.eager, self.has_logs = step, training, eager, has_logs
        self.reset, self.read = reset, read
        donate = (0,) if training else ()
        self._loop = Executable(self._loop_body, donate, ("batch_size",))
        self._tail = Executable(self._tail_body, donate, ("size",))
        self._single = Executable(self._single_body, donate)
        self._answer = Executable(self._answer_body, donate)
        self._extras: dict[Any, Any] = {}

    def extras(self, ts: Any, batch: Any) -> dict[str, Any]:
        """What a step returns besides the state, as zeros, to start a loop with."""
        if self.eager or not self.has_logs:
            return {"logs": {}, "checks": NO_CHECKS}
        key = signature(batch)
        if key not in self._extras:
            self._extras[key] = jax.eval_shape(self.step, ts, batch)[1]
        return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), self._extras[key])

    # -- running -------------------------------------------------------------------------------------------------
    def loop(self, ts: Any, extras: Any, data: Any, order: Any, start: int, count: int, batch_size: int) -> Any:
        """Steps `start` to `start + count` over whole batches of arrays on the device."""
        if self.eager:
            for i in range(start, start + count):
                ts, extras = self._eager_step(ts, extras, take(data, order, i, batch_size))
            return ts, extras
        return self._run(self._loop, ts, extras, data, order, np.int32(start), np.int32(count), batch_size=batch_size)

    def tail(self, ts: Any, extras: Any, data: Any, order: Any, start: int, size: int) -> Any:
        """The last, smaller batch: `size` rows from position `start`."""
        if self.eager:
            return self._eager_step(ts, extras, _rows(data, order, start, size))
        return self._run(self._tail, ts, extras, data, order, np.int32(start), size=size)

    def single(self, ts: Any, extras: Any, batch: Any) -> Any:
        """One step on one batch."""
        if self.eager:
            return self._eager_step(ts, extras, batch)
        return self._run(self._single, ts, extras, batch)

    def answer(self, ts: Any, extras: Any, batch: Any) -> Any:
        """One step on one batch, and what the metrics are of it alone: `ts, (extras, values)`."""
        if self.eager:
            ts = ts._replace(metrics=self.reset(ts.metrics))  # type: ignore[misc]
            ts, extras = self._eager_step(ts, extras, batch)
            return ts, (extras, self.read(ts.metrics))  # type: ignore[misc]
        return self._run(self._answer, ts, extras, batch)

    def _run(self, program: Executable, ts: Any, *args: Any, **static: Any) -> Any:
        moving, fixed = self._split(ts)
        moving, extras = program(moving, fixed, *args, **static)
        return self._joined(moving, ts), extras

    def _split(self, ts: TrainState) -> tuple[Any, Any]:
        """What the step may change, and what it only reads."""
        if self.training:
            return ts, None
        return (ts.state, ts.metrics), ts.params

    def _joined(self, moving: Any, ts: Any) -> TrainState:
        return moving if self.training else ts._replace(state=moving[0], metrics=moving[1])

    def _eager_step(self, ts: Any, extras: Any, batch: Any) -> Any:
        with jax.disable_jit():
            ts, new = self.step(ts, batch)
        return ts, _merge(extras, new)

    # -- compiling before running ----------------------------------------------------------------------------------
    def prepare_loop(self, ts: Any, extras: Any, data: Any, order: Any, batch_size: int) -> Any:
        """Have `loop` compiled while the caller goes on. Arrays may be given as `jax.ShapeDtypeStruct`s."""
        return self._loop.prepare(*self._split(ts), extras, data, order, _INT, _INT, batch_size=batch_size)

    def prepare_tail(self, ts: Any, extras: Any, data: Any, order: Any, size: int) -> Any:
        """The same for `tail`."""
        return self._tail.prepare(*self._split(ts), extras, data, order, _INT, size=size)

    def prepare_single(self, ts: Any, extras: Any, batch: Any) -> Any:
        """The same for `single`."""
        return self._single.prepare(*self._split(ts), extras, batch)

    @property
    def count(self) -> int:
        """How many programs have been compiled."""
        return self._loop.count + self._tail.count + self._single.count

    # -- what is compiled ------------------------------------------------------------------------------------------
    def _step(self, moving: Any, fixed: Any, batch: Any) -> Any:
        ts, new = self.step(moving if self.training else TrainState(fixed, moving[0], None, moving[1]), batch)
        return self._split(ts)[0], new

    def _loop_body(
        self, moving: Any, fixed: Any, extras: Any, data: Any, order: Any, start: Any, count: Any, batch_size: int
    ) -> Any:
        def body(i: Any, carry: Any) -> Any:
            moving, extras = carry
            moving, new = self._step(moving, fixed, take(data, order, i, batch_size))
            return moving, _merge(extras, new)

        return lax.fori_loop(start, start + count, body, (moving, extras))

    def _tail_body(self, moving: Any, fixed: Any, extras: Any, data: Any, order: Any, start: Any, size: int) -> Any:
        moving, new = self._step(moving, fixed, _rows(data, order, start, size))
        return moving, _merge(extras, new)

    def _single_body(self, moving: Any, fixed: Any, extras: Any, batch: Any) -> Any:
        moving, new = self._step(moving, fixed, batch)
        return moving, _merge(extras, new)


    def _answer_body(self, moving: Any, fixed: Any, extras: Any, batch: Any) -> Any:
        if self.training:
            moving = moving._replace(metrics=self.reset(moving.metrics))  # type: ignore[misc]
        else:
            moving = (moving[0], self.reset(moving[1]))  # type: ignore[misc]
        moving, extras = self._single_body(moving, fixed, extras, batch)
        metrics = moving.metrics if self.training else moving[1]
        return moving, (extras, self.read(metrics))  # type: ignore[misc]


_INT = np.int32(0)


class PredictPrograms:
    """The executables of one predict step.

    Args:
        step: pure, `params, state, x -> outputs`.
        eager: call it bare.
    """

    def __init__(self, step: Callable[[Any, Any, Any], Any], eager: bool = False):
        self.step, self.eager = step, eager
        self._single = Executable(step)
        self._chunk = Executable(self._chunk_body, (), ("batch_size", "batches"))

    def single(self, params: Any, state: Any, x: Any) -> Any:
        """Outputs for one batch."""
        if self.eager:
            with jax.disable_jit():
                return self.step(params, state, x)
        return self._single(params, state, x)

    def chunk(self, params: Any, state: Any, x: Any, batch_size: int, batches: int) -> Any:
        """Outputs for `batches` whole batches that lie one after another in `x`."""
        if self.eager:
            parts = [
                self.single(params, state, jax.tree.map(lambda a: a[i * batch_size : (i + 1) * batch_size], x))  # noqa: B023
                for i in range(batches)
            ]
            return jax.tree.map(lambda *ys: jnp.concatenate(ys), *parts)
        return self._chunk(params, state, x, batch_size=batch_size, batches=batches)

    def prepare(self, params: Any, state: Any, x: Any, batch_size: int, batches: int) -> Any:
        """Have `chunk` compiled, or `single` if it is one batch, while the caller goes on."""
        if batches == 1:
            return self._single.prepare(params, state, x)
        return self._chunk.prepare(params, state, x, batch_size=batch_size, batches=batches)

    def _chunk_body(self, params: Any, state: Any, x: Any, batch_size: int, batches: int) -> Any:
        stacked = jax.tree.map(lambda a: a.reshape((batches, batch_size, *a.shape[1:])), x)
        outputs = lax.map(functools.partial(self.step, params, state), stacked)
        return jax.tree.map(lambda y: y.reshape((batches * y.shape[1], *y.shape[2:])), outputs)
