"""What a population runs with: the steps of one model, mapped over a member axis, and the state of all members."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import placement
from jaxkeras.core.functional import is_variable
from jaxkeras.core.variable import Variable
from jaxkeras.models.shards import GroupedStep, group_sizes, groups, joined
from jaxkeras.training.compiled_function import CompiledFunction
from jaxkeras.training.program import CompiledStep, replace_written, written_leaves
from jaxkeras.training.session import Session, chosen_logs
from jaxkeras.training.state import StateSpec, StateStore, StateView, TrainState
from jaxkeras.training.step import Step

# The state of a population is a `TrainState` whose fields are tuples over groups of members (see `shards`). In a group,
# leaves have a leading member axis, and `state` is {"model": what one model has, "members": {"index": ..., "running":
# ..., "hyperparameters": {...}}}.


def model_state(ts: TrainState) -> TrainState:
    """The part of the state of a group that one model has, too, with the member axis."""
    return ts._replace(state=ts.state["model"])


class MemberStore(StateStore):
    """The owner of the arrays of all members, at rest as well. The cells of the model show those of one member.

    Args:
        spec: the variables of one model.
        current: the state of all members.

    Attributes:
        index: the member that the cells show.
        rows: the member in each row of the arrays; fewer than all while dropped members are kept elsewhere.
    """

    def __init__(self, spec: StateSpec, current: TrainState):
        super().__init__(spec, current)
        self.index = 0
        self.rows = self._members("index")
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
            treedef = self._structure()
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
        """A view of the values of the shown member."""
        if self.index in self._dropped:
            return self._dropped[self.index][position]
        row = int(np.flatnonzero(self.rows == self.index)[0])
        whole = self._leaf(position)
        return whole[row : row + 1].reshape(whole.shape[1:])

    def _leaf(self, position: int) -> np.ndarray:
        """A copy of the values of all rows, the same until the state changes."""
        if self._copied is not self.current:
            self._host.clear()
            self._copied = self.current
        if position not in self._host:
            parts = [jax.tree.leaves(model_state(ts))[position] for ts in groups(self.current)]
            self._host[position] = np.concatenate([np.asarray(part) for part in parts])
        return self._host[position]

    def _structure(self) -> Any:
        return jax.tree.structure(model_state(groups(self.current)[0]))

    def _flush(self) -> None:
        if self._changed:
            states = []
            start = 0
            for ts in groups(self.current):
                leaves, treedef = jax.tree.flatten(model_state(ts))
                stop = start + len(ts.state["members"]["index"])
                for i in self._changed:
                    leaves[i] = _placed(self._host[i][start:stop], leaves[i])
                new = treedef.unflatten(leaves)
                states.append(new._replace(state={"model": new.state, "members": ts.state["members"]}))
                start = stop
            self.current = self._copied = joined(states)
            self._changed.clear()

    # -- all members --------------------------------------------------------------------------------------------
    def write_back(self) -> None:
        """The arrays stay here."""
        self.active = False

    def leaves(self) -> list[np.ndarray]:
        """Copies of the arrays of all members, in the order of the variables."""
        with self.lock:
            return [np.array(self._leaf(i)) for i in range(self._structure().num_leaves)]

    def by_variable(self) -> dict[Variable, np.ndarray]:
        """The stacked array of each variable."""
        return dict(zip(self._variables, self.leaves()))

    def _members(self, name: str) -> np.ndarray:
        return np.concatenate([np.asarray(state["members"][name]) for state in self.current.state])

    def running_members(self) -> np.ndarray:
        """The members that train."""
        return self.rows[self._members("running")]

    def stop(self, members: Iterable[int]) -> None:
        """Let members stay as they are from now on."""
        self._set_running(self._members("running") & ~np.isin(self.rows, [*members]))

    def _set_running(self, running: np.ndarray) -> None:
        with self.lock:
            states, start = [], 0
            for state in self.current.state:
                old = state["members"]["running"]
                new = _placed(running[start : start + len(old)], old)
                states.append({**state, "members": {**state["members"], "running": new}})
                start += len(old)
            self.current = self.current._replace(state=tuple(states))

    def drop(self, members: Iterable[int]) -> None:
        """Take members out of the arrays; `restore` brings them back as they are now."""
        with self.lock:
            for i in members:
                self._dropped[i] = jax.tree.leaves(self.member(i))
            keep = np.flatnonzero(~np.isin(self.rows, [*members]))
            names = self.current.state[0]["members"]["hyperparameters"]
            hyperparameters = {
                name: np.concatenate([np.asarray(s["members"]["hyperparameters"][name]) for s in self.current.state])
                for name in names
            }
            running = self._members("running")[keep]
            self.rows = self.rows[keep]
            self._replace([leaf[keep] for leaf in self.leaves()], {n: v[keep] for n, v in hyperparameters.items()})
            self._set_running(running)

    def restore(self, hyperparameters: dict[str, np.ndarray]) -> None:
        """All members in the arrays again, ready to train."""
        with self.lock:
            if self._dropped:
                total = len(self.rows) + len(self._dropped)
                leaves = []
                for i, leaf in enumerate(self.leaves()):
                    full = np.empty((total, *leaf.shape[1:]), leaf.dtype)
                    full[self.rows] = leaf
                    for member, values in self._dropped.items():
                        full[member] = values[i]
                    leaves.append(full)
                self._dropped.clear()
                self.rows = np.arange(total)
                self._replace(leaves, hyperparameters)
            self._set_running(np.ones(len(self.rows), bool))

    def _replace(self, leaves: list[np.ndarray], hyperparameters: dict[str, np.ndarray]) -> None:
        self.current = population_state(self._structure().unflatten(leaves), self.rows, hyperparameters)


def _placed(value: np.ndarray, like: jax.Array) -> jax.Array:
    return jax.device_put(np.ascontiguousarray(value), like.sharding if like.committed else None)


def population_state(ts: TrainState, index: np.ndarray, hyperparameters: dict[str, np.ndarray]) -> TrainState:
    """The state of a population, on the device and in groups, from the stacked states of its members."""
    numbers = sum(leaf[0].size for leaf in jax.tree.leaves(ts.params))
    states, start = [], 0
    for size in group_sizes(len(index), numbers):
        rows = slice(start, start + size)
        own = jax.tree.map(lambda a: np.asarray(a)[rows], ts)  # noqa: B023
        members = {
            "index": np.asarray(index[rows], np.int32), "running": np.ones(size, bool),
            "hyperparameters": {name: values[rows] for name, values in hyperparameters.items()},
        }  # fmt: skip
        states.append(own._replace(state={"model": own.state, "members": members}))
        start += size
    return jax.device_put(joined(states), may_alias=False)


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

    def _distribution(self) -> None:
        if placement.current() is not None:
            warnings.warn("A Population runs on one device: the distribution that was set is not used.", stacklevel=2)

    # -- steps --------------------------------------------------------------------------------------------------
    def compiled(self, step: Step, *fields: tuple[str, ...], **how: Any) -> Any:
        lifted = self._predicting(step) if how.get("stack") else self._training(step)
        return GroupedStep(CompiledStep(lifted, *fields, **how))

    def _training(self, step: Step) -> Step:
        """The step of a group of members that trains or evaluates."""
        population = self.owner

        def one(members: Any, ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            with population.assigned(members["hyperparameters"]):
                new, extras = step(ts, batch)
            # A member that does not run stays as it is; its metrics are not shown.
            kept = ts._replace(metrics=None), new._replace(metrics=None)
            chosen = jax.tree.map(lambda old, new: jnp.where(members["running"], new, old), *kept)
            return chosen._replace(metrics=new.metrics), extras

        def run(ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            members = ts.state["members"]
            over_members = jax.vmap(one, in_axes=(0, 0, 1 if self.own_rows else None))
            new, extras = over_members(members, model_state(ts), batch)
            checks = jax.lax.reduce(extras["checks"], np.uint32(0), jax.lax.bitwise_or, (0,))
            return new._replace(state={"model": new.state, "members": members}), {**extras, "checks": checks}

        return run

    @contextlib.contextmanager
    def single(self, ts: TrainState, bad: Callable[[int, int], bool]) -> Iterator[tuple[int | None, TrainState]]:
        places = [(g, row) for g, part in enumerate(groups(ts)) for row in range(len(part.state["members"]["index"]))]
        group, row = next((place for place in places if bad(*place)), places[0])
        part = groups(ts)[group]
        members = part.state["members"]
        hyperparameters, own = jax.tree.map(lambda a: a[row], (members["hyperparameters"], model_state(part)))
        with self.owner.assigned(hyperparameters):
            yield int(members["index"][row]), own

    def groups(self, ts: TrainState) -> list[TrainState]:
        return groups(ts)

    def batch_of(self, batch: Any, member: int | None) -> Any:
        return jax.tree.map(lambda a: a[:, member], batch) if self.own_rows else batch

    def at_rest(self) -> None:
        return None

    def _predicting(self, step: Step) -> Step:
        """The step of a group of members that predicts."""
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

    def of_metrics(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda metrics: tuple(jax.vmap(function)(group) for group in metrics)

    # -- logs ---------------------------------------------------------------------------------------------------
    def results(self, ts: TrainState, extras: dict[str, Any] | None) -> dict[str, Any]:
        own = ({},) * len(ts.state) if extras is None else extras["logs"]
        logs = tuple(chosen_logs(m, {"logs": logs}) for m, logs in zip(self._read(ts.metrics), own))
        return self._full(logs, tuple(state["members"] for state in ts.state))

    def probe_values(self, ts: TrainState) -> dict[str, Any]:
        if not self.reported:
            return {}
        values = self._full(self._read_probes(ts.metrics), tuple(state["members"] for state in ts.state))
        return {name: value for name, value in values.items() if name in self.reported}

    def _full_logs(self, logs: tuple[dict[str, Any], ...], members: tuple[Any, ...]) -> dict[str, Any]:
        """A value for every member: NaN for those that do not run."""
        running, index = (jnp.concatenate([group[name] for group in members]) for name in ("running", "index"))

        def full(*parts: Any) -> Any:
            values = jnp.concatenate(parts)
            values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
            values = jnp.where(running.reshape((-1, *[1] * (values.ndim - 1))), values, jnp.nan)
            return jnp.full((self.owner.count, *values.shape[1:]), jnp.nan, values.dtype).at[index].set(values)

        return jax.tree.map(full, *logs)

    def raise_failed_checks(self, extras: dict[str, Any]) -> None:
        failed = [int(bits) for bits in jax.tree.leaves(extras["checks"])]
        super().raise_failed_checks({"checks": functools.reduce(int.__or__, failed, 0)})

    @staticmethod
    def results_alone(extras: dict[str, Any]) -> dict[str, Any]:
        logs = [chosen_logs(own, {"logs": logs}) for own, logs in zip(extras["results"], extras["logs"])]
        return jax.tree.map(lambda *parts: np.concatenate(parts), *logs)

    # -- state --------------------------------------------------------------------------------------------------
    def build(self, x: Any) -> None:
        self.owner.note_inputs(x)
        super().build(x)

    def restart(self) -> None:
        """Give the members new weights and new states of the optimizer."""
        self.known, self.store = {}, None

    def _make_steps(self) -> None:
        super()._make_steps()
        if self.collects:
            raise ValueError(
                "A population has no `WholeEpoch` metrics. Compute them from its predictions, which have a leading "
                "member axis: population.predict(x)."
            )
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
        self._keep(view.current.state, view.current.metrics)

    def keep_written(self, written: dict[int, Any]) -> None:
        if written:
            self._keep(replace_written(self.acquire().current.state, written), None)

    def _keep(self, states: Any, metrics: Any) -> None:
        store = self.acquire()
        if not store.active:
            metrics = store.current.metrics if metrics is None else metrics
            store.current = store.current._replace(state=states, metrics=metrics)

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
        return population_state(ts, np.arange(population.count), population.injected())
