"""Members in groups, one for each core: groups run on threads, since operations of small models use one core each."""

from __future__ import annotations

import concurrent.futures
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.models.member_mesh import MemberMesh
from jaxkeras.training.program import BatchRef, CompiledStep
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


class MemberStep(CompiledStep):
    """The step of a group of members as an executable. Its checks are one a member."""

    leading_axes = 1

    def _zeros(self, ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        return {**super()._zeros(ts, ref), "checks": np.zeros(len(ts.state["members"]["index"]), np.uint32)}

    def _program(self, changing: Any, fixed: Any, *args: Any, **static: Any) -> Any:
        new, extras = super()._program(changing, fixed, *args, **static)
        if self.stack:
            return new, extras
        # Members that do not run stay as they are. Once a call and not in each step, where it would cost as much as an
        # optimizer's update.
        running = changing[self.changes.index("state")]["members"]["running"]

        def chosen(old: Any, new: Any) -> Any:
            return jnp.where(running.reshape((-1, *[1] * (new.ndim - 1))), new, old)

        return jax.tree.map(chosen, changing, new), extras


class GroupedStep:
    """A step of a group of members as an executable for all groups, with the methods of `CompiledStep`.

    Args:
        step: the step of a group.
        mesh: the devices, if members are split over several.
    """

    def __init__(self, step: MemberStep, mesh: MemberMesh | None):
        self.step, self.mesh = step, mesh
        self.stack, self.eager = step.stack, step.eager

    def __call__(self, ts: TrainState, extras: Any, ref: BatchRef, steps: int) -> tuple[TrainState, Any]:
        running = None
        if ref.models is not None:
            running = [state["members"]["running"] for state in ts.state]
            running, ts = [np.array(part) for part in running], with_running(ts, [
                np.asarray(part) & ref.models.take(np.asarray(state["members"]["index"]), mode="clip")
                for part, state in zip(running, ts.state)
            ])  # fmt: skip
        states = groups(ts)
        befores = [None if extras is None else {k: v[i] for k, v in extras.items()} for i in range(len(states))]
        calls = [self.step.bind(state, old, self._own_rows(ref, state), steps) for state, old in zip(states, befores)]
        results = [call() for call in calls] if self.eager else _run(calls)
        new = joined([state for state, _ in results])
        if running is not None:
            new = with_running(new, running)
        if self.stack:
            return new, _stacked_extras(ts, [extras for _, extras in results])
        return new, {name: tuple(extras[name] for _, extras in results) for name in results[0][1]}

    def prepare(self, ts: TrainState, ref: BatchRef, steps: int) -> Any:
        return [self.step.prepare(state, self._own_rows(ref, state), steps) for state in groups(ts)][0]

    def start_extras(self, ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        all_extras = [self.step.start_extras(state, self._own_rows(ref, state)) for state in groups(ts)]
        return {name: tuple(extras[name] for extras in all_extras) for name in all_extras[0]}

    def resumed(self, extras: dict[str, Any], ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        return self.start_extras(ts, ref)  # the groups may be others now

    def _own_rows(self, ref: BatchRef, ts: TrainState) -> BatchRef:
        """The batches of a group; an order with a second axis has a column for each member."""
        if ref.order is None or ref.order.ndim == 1:
            return ref
        order = jnp.take(ref.order, np.asarray(ts.state["members"]["index"]), axis=1, mode="clip")
        return ref._replace(order=order if self.mesh is None else jax.device_put(order, self.mesh.columns))

    def take_compiled_under(self, interceptor: Any) -> list[Any]:
        return self.step.take_compiled_under(interceptor)

    @property
    def count(self) -> int:
        return self.step.count


def with_running(ts: TrainState, running: Sequence[np.ndarray]) -> TrainState:
    """The state of a population of which other members train.

    Args:
        ts: the state.
        running: whether each row does, an array a group.
    """
    states = []
    for state, new in zip(ts.state, running):
        old = state["members"]["running"]
        new = jax.device_put(np.array(new), old.sharding if old.committed else None)
        states.append({**state, "members": {**state["members"], "running": new}})
    return ts._replace(state=tuple(states))


def _stacked_extras(ts: TrainState, results: list[Any]) -> tuple[Any, dict[int, Any]]:
    """Outputs with the members of all groups side by side, and written leaves by position in the state of all."""
    outputs = jax.tree.map(lambda *parts: np.concatenate([*map(np.asarray, parts)], axis=1), *(y for y, _ in results))
    size = len(jax.tree.leaves(ts.state[0]))
    return outputs, {i * size + at: leaf for i, (_, wrote) in enumerate(results) for at, leaf in wrote.items()}
