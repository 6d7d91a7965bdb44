"""A step becomes an executable: one program runs any number of steps, compiled once for each shape of batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.training.step import Step


def take(data: Any, order: Any, i: Any, batch_size: int) -> Any:
    """Batch `i` of arrays on the device: rows as they lie, or in the order of a permutation."""
    start = i * batch_size
    if order is None:
        return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, batch_size), data)
    rows = lax.dynamic_slice_in_dim(order, start, batch_size)
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), data)


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The extras of consecutive steps: the last logs, and every check that ever failed."""
    return {"logs": new["logs"], "checks": old["checks"] | new["checks"]}


class Programs:
    """The executables of one step function.

    Args:
        step: pure, `TrainState, batch -> TrainState, extras`.
        eager: call the step bare, without compiling, so that `print` and `pdb` see values.
        has_logs: whether the step returns logs of its own, whose names only a trace tells.

    The state is donated: the caller must not use what it passed in.
    """

    def __init__(self, step: Step, eager: bool = False, has_logs: bool = False):
        self.step, self.eager, self.has_logs = step, eager, has_logs
        donate = {} if eager else {"donate_argnums": (0,)}
        jit = (lambda f, **_: f) if eager else jax.jit
        self._loop = jit(self._loop_body, static_argnames=("batch_size",), **donate)
        self._tail = jit(self._tail_body, static_argnames=("size",), **donate)
        self._single = jit(self._single_body, **donate)
        self._extras: dict[Any, Any] = {}
        self._no_checks = jax.device_put(np.zeros((), np.uint32))

    def extras(self, ts: Any, batch: Any) -> dict[str, Any]:
        """What a step returns besides the state, as zeros, to start a loop with."""
        if self.eager or not self.has_logs:
            return {"logs": {}, "checks": self._no_checks}
        key = jax.tree.structure(batch), tuple((x.shape, str(x.dtype)) for x in jax.tree.leaves(batch))
        if key not in self._extras:
            self._extras[key] = jax.eval_shape(self.step, ts, batch)[1]
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), self._extras[key])

    def loop(self, ts: Any, extras: Any, data: Any, order: Any, start: int, count: int, batch_size: int) -> Any:
        """Steps `start` to `start + count` over whole batches of arrays on the device."""
        if self.eager:
            for i in range(start, start + count):
                ts, extras = self._eager_step(ts, extras, take(data, order, i, batch_size))
            return ts, extras
        return self._loop(ts, extras, data, order, start, count, batch_size=batch_size)

    def tail(self, ts: Any, extras: Any, data: Any, order: Any, start: int, size: int) -> Any:
        """The last, smaller batch: `size` rows from position `start`."""
        if self.eager:
            return self._eager_step(ts, extras, _rows(data, order, start, size))
        return self._tail(ts, extras, data, order, start, size=size)

    def single(self, ts: Any, extras: Any, batch: Any) -> Any:
        """One step on one batch."""
        if self.eager:
            return self._eager_step(ts, extras, batch)
        return self._single(ts, extras, batch)

    def _eager_step(self, ts: Any, extras: Any, batch: Any) -> Any:
        with jax.disable_jit():
            ts, new = self.step(ts, batch)
        return ts, _merge(extras, new)

    def _loop_body(self, ts: Any, extras: Any, data: Any, order: Any, start: Any, count: Any, batch_size: int) -> Any:
        def body(i: Any, carry: Any) -> Any:
            ts, extras = carry
            ts, new = self.step(ts, take(data, order, i, batch_size))
            return ts, _merge(extras, new)

        return lax.fori_loop(start, start + count, body, (ts, extras))

    def _tail_body(self, ts: Any, extras: Any, data: Any, order: Any, start: Any, size: int) -> Any:
        ts, new = self.step(ts, _rows(data, order, start, size))
        return ts, _merge(extras, new)

    def _single_body(self, ts: Any, extras: Any, batch: Any) -> Any:
        ts, new = self.step(ts, batch)
        return ts, _merge(extras, new)


def _rows(data: Any, order: Any, start: Any, size: int) -> Any:
    if order is None:
        return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, size), data)
    rows = lax.dynamic_slice_in_dim(order, start, size)
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), data)


class PredictPrograms:
    """The executables of one predict step.

    Args:
        step: pure, `params, state, x -> outputs`.
        eager: call it bare.
    """

    def __init__(self, step: Callable[[Any, Any, Any], Any], eager: bool = False):
        self.step, self.eager = step, eager
        self._single = step if eager else jax.jit(step)
        self._chunk = None if eager else jax.jit(self._chunk_body, static_argnames=("batch_size", "batches"))

    def single(self, params: Any, state: Any, x: Any) -> Any:
        """Outputs for one batch."""
        if self.eager:
            with jax.disable_jit():
                return self.step(params, state, x)
        return self._single(params, state, x)

    def chunk(self, params: Any, state: Any, x: Any, batch_size: int, batches: int) -> Any:
        """Outputs for `batches` whole batches that lie one after another in `x`."""
        if self._chunk is None:
            parts = [
                self.single(params, state, jax.tree.map(lambda a: a[i * batch_size : (i + 1) * batch_size], x))  # noqa: B023
                for i in range(batches)
            ]
            return jax.tree.map(lambda *ys: jnp.concatenate(ys), *parts)
        return self._chunk(params, state, x, batch_size=batch_size, batches=batches)

    def _chunk_body(self, params: Any, state: Any, x: Any, batch_size: int, batches: int) -> Any:
        stacked = jax.tree.map(lambda a: a.reshape((batches, batch_size, *a.shape[1:])), x)
        outputs = lax.map(functools.partial(self.step, params, state), stacked)
        return jax.tree.map(lambda y: y.reshape((batches * y.shape[1], *y.shape[2:])), outputs)
