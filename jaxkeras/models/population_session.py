"""What a population runs with: the steps of one model, mapped over a member axis, and the state of all members."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.functional import is_variable
from jaxkeras.core.variable import Variable
from jaxkeras.training.compiled_function import CompiledFunction
from jaxkeras.training.program import replace_written, written_leaves
from jaxkeras.training.session import Session
from jaxkeras.training.state import StateSpec, StateStore, StateView, TrainState
from jaxkeras.training.step import Step

# The state of a population is a `TrainState` whose leaves have a leading member axis, except that `state` is
# {"model": what one model has, "members": {"index": ..., "running": ..., "hyperparameters": {...}}}.


def model_state(ts: TrainState) -> TrainState:
    """The part of the state of a population that one model has, too, with the member axis."""
    return ts._replace(state=ts.state["model"])


class MemberStore(StateStore):
    """The owner of the arrays of all members, at rest as well. The cells of the model show those of one member.

    Args:
        spec: the variables of one model.
        current: the stacked state.

    Attributes:
        index: the member that the cells show.
        rows: the member in each row of the arrays; fewer than all while dropped members are kept elsewhere.
    """

    def __init__(self, spec: StateSpec, current: TrainState):
        super().__init__(spec, current)
        self.spec = spec
        self.index = 0
        self.rows = np.asarray(current.state["members"]["index"])
        self._dropped: dict[int, list[np.ndarray]] = {}  # leaves of members without a row
        self._host: dict[int, np.ndarray] = {}  # copies of leaves of `_copied`
        self._copied: TrainState | None = None
        self._changed: set[int] = set()  # leaves whose copies were written to
        self._batching = False

    # -- one member ---------------------------------------------------------------------------------------------
    def read(self, variable: Variable) -> jax.Array:
        with self.lock, jax.ensure_compile_time_eval():
            return jax.device_put(np.array(self._leaf_of_member(self._positions[variable])))

    def write(self, variable: Variable, value: jax.Array) -> None:
        with self.lock:
            position = self._positions[variable]
            self._leaf_of_member(position)[...] = np.asarray(value)
            if self.index not in self._dropped:
                self._changed.add(position)
            if not self._batching:
                self._flush()

    def member(self, index: int) -> TrainState:
        """The state of one member, in the structure of that of one model."""
        with self.lock, self.at(index):
            treedef = jax.tree.structure(model_state(self.current))
            return treedef.unflatten([np.array(self._leaf_of_member(i)) for i in range(treedef.num_leaves)])

    @contextlib.contextmanager
    def at(self, index: int) -> Iterator[None]:
        """Let the cells show another member for a `with` block."""
        before, self.index = self.index, index
        try:
            yield
        finally:
            self.index = before

    @contextlib.contextmanager
    def batched(self) -> Iterator[None]:
        """Collect what is written in a `with` block."""
        self._batching = True
        try:
            yield
        finally:
            self._batching = False
            with self.lock:
                self._flush()

    def _leaf_of_member(self, position: int) -> np.ndarray:
        if self.index in self._dropped:
            return self._dropped[self.index][position]
        row = int(np.flatnonzero(self.rows == self.index)[0])
        return self._copy_of_leaf(position)[row : row + 1].reshape(self._shape(position))

    def _copy_of_leaf(self, position: int) -> np.ndarray:
        if self._copied is not self.current:
            self._host.clear()
            self._copied = self.current
        if position not in self._host:
            self._host[position] = np.array(jax.tree.leaves(model_state(self.current))[position])
        return self._host[position]

    def _shape(self, position: int) -> tuple[int, ...]:
        return self._copy_of_leaf(position).shape[1:]

    def _flush(self) -> None:
        if self._changed:
            leaves, treedef = jax.tree.flatten(model_state(self.current))
            for i in self._changed:
                leaves[i] = _placed(self._host[i], leaves[i])
            new = treedef.unflatten(leaves)
            state = {"model": new.state, "members": self.current.state["members"]}
            self.current = self._copied = new._replace(state=state)
            self._changed.clear()

    # -- all members --------------------------------------------------------------------------------------------
    def write_back(self) -> None:
        """The arrays stay here."""
        self.active = False

    def by_variable(self) -> dict[Variable, Any]:
        """The stacked array of each variable."""
        return dict(zip(self._variables, jax.tree.leaves(model_state(self.current))))

    def running_members(self) -> np.ndarray:
        """The members that train."""
        return self.rows[np.asarray(self.current.state["members"]["running"])]

    def stop(self, members: Iterable[int]) -> None:
        """Let members stay as they are from now on."""
        self._set_running(np.isin(self.rows, [*self.running_members()]) & ~np.isin(self.rows, [*members]))

    def _set_running(self, running: np.ndarray) -> None:
        with self.lock:
            state = self.current.state
            members = {**state["members"], "running": _placed(running, state["members"]["running"])}
            self.current = self.current._replace(state={**state, "members": members})

    def drop(self, members: Iterable[int]) -> None:
        """Take members out of the arrays; `restore` brings them back as they are now."""
        with self.lock:
            for i in members:
                self._dropped[i] = jax.tree.leaves(self.member(i))
            keep = np.flatnonzero(~np.isin(self.rows, [*members]))
            self.rows = self.rows[keep]
            self.current = jax.tree.map(lambda a: _placed(np.asarray(a)[keep], a), self.current)

    def restore(self, hyperparameters: dict[str, np.ndarray]) -> None:
        """All members in the arrays again, ready to train."""
        with self.lock:
            if self._dropped:
                total = len(self.rows) + len(self._dropped)
                leaves, treedef = jax.tree.flatten(model_state(self.current))
                for i, leaf in enumerate(leaves):
                    full = np.empty((total, *leaf.shape[1:]), leaf.dtype)
                    full[self.rows] = np.asarray(leaf)
                    for member, values in self._dropped.items():
                        full[member] = values[i]
                    leaves[i] = _placed(full, leaf)
                self.current = with_members(treedef.unflatten(leaves), total, hyperparameters)
                self.rows = np.arange(total)
                self._dropped.clear()
            self._set_running(np.ones(len(self.rows), bool))


def _placed(value: np.ndarray, like: jax.Array) -> jax.Array:
    return jax.device_put(np.ascontiguousarray(value), like.sharding if like.committed else None)


def with_members(ts: TrainState, count: int, hyperparameters: dict[str, np.ndarray]) -> TrainState:
    """The state of a population from the stacked states of its members."""
    members = {
        "index": np.arange(count, dtype=np.int32), "running": np.ones(count, bool), "hyperparameters": hyperparameters,
    }  # fmt: skip
    return ts._replace(state={"model": ts.state, "members": jax.device_put(members)})


class PopulationSession(Session):
    """The session of the model of a population.

    Args:
        population: the population.
        spec, arguments: those of `compile`; see `Session`.
        values: stacked arrays of variables that are known already.

    Attributes:
        known: stacked arrays of variables to start from.
        own_rows: whether batches have a member axis, after that of their rows.
    """

    store: MemberStore | None

    def __init__(self, population: Any, spec: Any, arguments: Any, values: dict[Variable, Any]):
        super().__init__(population.template, spec, arguments)
        self.owner = population
        self.own_rows = False
        self.known = values
        self._full = CompiledFunction(self._full_logs)

    # -- steps --------------------------------------------------------------------------------------------------
    def lift(self, step: Step) -> Step:
        population = self.owner

        def one(members: Any, ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            with population.assigned(members["hyperparameters"]):
                new, extras = step(ts, batch)
            # A member that does not run stays as it is; its metrics are not shown.
            fields = (jax.tree.map(lambda a, b: jnp.where(members["running"], a, b), new[:3], ts[:3]))
            return TrainState(*fields, new.metrics), extras

        def run(ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            members = ts.state["members"]
            over_rows = jax.vmap(one, in_axes=(0, 0, 1 if self.own_rows else None))
            new, extras = over_rows(members, model_state(ts), batch)
            checks = jax.lax.reduce(extras["checks"], np.uint32(0), jax.lax.bitwise_or, (0,))
            return new._replace(state={"model": new.state, "members": members}), {**extras, "checks": checks}

        return run

    def lift_predict(self, step: Step) -> Step:
        population = self.owner

        def one(members: Any, params: Any, state: Any, batch: Any) -> tuple[Any, Any]:
            with population.assigned(members["hyperparameters"]):
                new, outputs = step(TrainState(params, state, None, None), batch)
            return outputs, written_leaves(state, new.state)

        def run(ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            members, state = ts.state["members"], ts.state["model"]
            # Rows stay the first axis, along which the outputs of batches are joined.
            over_members = jax.vmap(one, in_axes=(0, 0, 0, None), out_axes=(1, 0))
            outputs, written = over_members(members, ts.params, state, batch)
            state = {"model": replace_written(state, written), "members": members}
            return TrainState(None, state, None, None), outputs

        return run

    @functools.cached_property
    def _initial_optimizer(self) -> Callable[[Any], Any]:
        return CompiledFunction(jax.vmap(self.model.optimizer.init))

    def lift_metrics(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return jax.vmap(function)

    def results(self, ts: TrainState, extras: dict[str, Any] | None) -> dict[str, Any]:
        return self._full(super().results(ts, extras), ts.state["members"])

    def _full_logs(self, logs: dict[str, Any], members: Any) -> dict[str, Any]:
        """A value for every member: NaN for those that do not run."""

        def full(values: Any) -> Any:
            running = members["running"].reshape((-1, *[1] * (values.ndim - 1)))
            values = jnp.where(running, values.astype(jnp.promote_types(values.dtype, jnp.float32)), jnp.nan)
            start = jnp.full((self.owner.count, *values.shape[1:]), jnp.nan, values.dtype)
            return start.at[members["index"]].set(values)

        return jax.tree.map(full, logs)

    # -- state --------------------------------------------------------------------------------------------------
    def build(self, x: Any) -> None:
        self.owner.note_inputs(x)
        super().build(x)

    def restart(self) -> None:
        """Give the members new weights and new states of the optimizer."""
        self.known, self.store = {}, None

    def _make_steps(self) -> None:
        super()._make_steps()
        if self.store is not None:  # the variables are others now, such as those of new metrics
            self.known = self.store.by_variable()
            self.store = None

    def acquire(self) -> MemberStore:
        if self.store is None:
            self.store = MemberStore(self.state_spec, self._stacked())
        return self.store

    def view(self, *fields: str) -> StateView:
        store = self.acquire()
        ts = store.snapshot() if store.active else store.current
        return StateView(TrainState(*(v if name in fields else None for name, v in zip(TrainState._fields, ts))))

    def keep_statistics(self, view: StateView) -> None:
        self._keep(view.current.state["model"], view.current.metrics)

    def keep_written(self, written: dict[int, Any]) -> None:
        if written:
            self._keep(replace_written(self.acquire().current.state, written)["model"], None)

    def _keep(self, state: Any, metrics: Any) -> None:
        store = self.acquire()
        if not store.active:
            old = store.current
            state = {**old.state, "model": state}
            store.current = old._replace(state=state, metrics=old.metrics if metrics is None else metrics)

    def write_back(self) -> None:
        if self.store is not None:
            self.store.write_back()

    def _stacked(self) -> TrainState:
        """The state of all members: known values, and else initial ones."""
        population, spec, known = self.owner, self.state_spec, self.known

        def values(variables: Any, initial: Callable[[], Any]) -> Any:
            leaves, treedef = jax.tree.flatten(variables, is_leaf=is_variable)
            if all(v in known for v in leaves):
                return treedef.unflatten([known[v] for v in leaves])
            return initial()

        own = {"params": spec.variables.params, "state": spec.variables.state}
        own = values(own, population.initial_weights)
        opt_state = values(spec.variables.opt_state, lambda: self._initial_optimizer(own["params"]))
        metrics = jax.tree.map(
            lambda v: np.broadcast_to(np.asarray(v.cell()), (population.count, *v.shape)),
            spec.variables.metrics, is_leaf=is_variable,
        )  # fmt: skip
        ts = TrainState(own["params"], own["state"], population.with_rates(spec, opt_state, known), metrics)
        ts = with_members(ts, population.count, population.injected())
        return jax.device_put(ts, may_alias=False)
