"""Members in groups, one for each core: groups run on threads, since operations of small models use one core each."""

from __future__ import annotations

import concurrent.futures
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras.training.program import NO_CHECKS, BatchRef, CompiledStep
from jaxkeras.training.state import TrainState

MIN_MEMBERS = 4  # of a group: fewer members run faster in one program
MIN_NUMBERS = 2**15  # in the parameters of all members: with fewer, threads take longer than they save

# The fields of the state of a population are tuples with one entry for each group, so that nothing is copied to run
# the groups apart. Extras of steps are split likewise.


def groups(ts: TrainState) -> list[TrainState]:
    """The states of the groups of members."""
    count = next(len(field) for field in ts if field is not None)
    return [TrainState(*(None if field is None else field[i] for field in ts)) for i in range(count)]


def joined(states: Sequence[TrainState]) -> TrainState:
    """The state of a population from those of its groups."""
    return TrainState(*(None if fields[0] is None else tuple(fields) for fields in zip(*states)))


def group_sizes(members: int, numbers: int) -> list[int]:
    """How many members each group has.

    Args:
        members: the number of members.
        numbers: the number of parameters of one member.
    """
    count = 1
    if jax.default_backend() == "cpu" and members * numbers >= MIN_NUMBERS:
        count = max(1, min(_cores(), members // MIN_MEMBERS))
    return [len(part) for part in np.array_split(np.arange(members), count)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _thread(index: int) -> concurrent.futures.ThreadPoolExecutor:
    """The thread of a group. JAX runs what one thread starts in order, and what several start at once."""
    return concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=f"jaxkeras-members-{index}")


def _run(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    others = [_thread(i).submit(call) for i, call in enumerate(calls[1:])]
    return [calls[0](), *(future.result() for future in others)]


class GroupedStep:
    """A step of a group of members as an executable for all groups, with the methods of `CompiledStep`."""

    def __init__(self, step: CompiledStep):
        self.step = step
        self.stack, self.eager = step.stack, step.eager

    def __call__(self, ts: TrainState, extras: Any, ref: BatchRef, steps: int) -> tuple[TrainState, Any]:
        states = groups(ts)
        befores = [_of_group(extras, i, len(states)) for i in range(len(states))]
        calls = [self.step.bind(ts, old, _own_rows(ref, ts), steps) for ts, old in zip(states, befores)]
        results = [call() for call in calls] if self.eager else _run(calls)
        new = joined([state for state, _ in results])
        if self.stack:
            return new, _stacked_extras(ts, [extras for _, extras in results])
        return new, {name: tuple(extras[name] for _, extras in results) for name in results[0][1]}

    def prepare(self, ts: TrainState, ref: BatchRef, steps: int) -> Any:
        return [self.step.prepare(state, _own_rows(ref, state), steps) for state in groups(ts)][0]

    def start_extras(self, ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        all_extras = [self.step.start_extras(state, _own_rows(ref, state)) for state in groups(ts)]
        return {name: tuple(extras[name] for extras in all_extras) for name in all_extras[0]}

    @property
    def count(self) -> int:
        return self.step.count


def _own_rows(ref: BatchRef, ts: TrainState) -> BatchRef:
    """The batches of a group; an order with a second axis has a column for each member."""
    if ref.order is None or ref.order.ndim == 1:
        return ref
    return ref._replace(order=ref.order[:, ts.state["members"]["index"]])


def _of_group(extras: Any, index: int, count: int) -> Any:
    """The extras of a group; those that a caller or a backup begins with need not be split."""
    if extras is None:
        return None
    split = {name: value[index] if isinstance(value, tuple) else value for name, value in extras.items()}
    return {**split, "checks": split.get("checks", NO_CHECKS)}


def _stacked_extras(ts: TrainState, results: list[Any]) -> tuple[Any, dict[int, Any]]:
    """Outputs with the members of all groups side by side, and written leaves by position in the state of all."""
    outputs = jax.tree.map(lambda *parts: np.concatenate([*map(np.asarray, parts)], axis=1), *(y for y, _ in results))
    size = len(jax.tree.leaves(ts.state[0]))
    return outputs, {i * size + at: leaf for i, (_, wrote) in enumerate(results) for at, leaf in wrote.items()}
