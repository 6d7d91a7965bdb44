"""What a population runs with: the steps of one model, mapped over a member axis."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.functional import is_variable
from jaxkeras.core.variable import Variable
from jaxkeras.metrics.whole_epoch import WholeEpoch
from jaxkeras.models.member_mesh import MemberMesh
from jaxkeras.models.member_store import MemberStore, model_state
from jaxkeras.models.shards import GroupedStep, MemberStep, groups
from jaxkeras.training.compiled_function import CompiledFunction
from jaxkeras.training.placement import ONE_DEVICE
from jaxkeras.training.program import replace_written, written_leaves
from jaxkeras.training.session import Session, chosen_logs
from jaxkeras.training.state import StateView, TrainState
from jaxkeras.training.step import Step


class PopulationSession(Session):
    """The session of the model of a population.

    Args:
        population: the population.
        spec, arguments: those of `compile`; see `Session`.
        values: stacked arrays of variables that are known already.

    Attributes:
        known: stacked arrays of variables to start from.
        own_rows: whether batches have a member axis, after that of their rows.
        mesh: the devices over which members are split, if there are several.
    """

    store: MemberStore | None
    mesh: MemberMesh | None = None

    def __init__(self, population: Any, spec: Any, arguments: Any, values: dict[Variable, Any]):
        super().__init__(population.template, spec, arguments)
        self.owner = population
        self.own_rows = False
        self.known = values
        self._full = CompiledFunction(self._full_logs)

    # -- devices ------------------------------------------------------------------------------------------------
    def _distribution(self) -> None:
        """No member is split over devices."""
        self.mesh = MemberMesh.current() if self.model.jit_compile else None

    @property
    def where(self) -> Any:
        return self.mesh or ONE_DEVICE

    def _outs(self, *fields: str) -> dict[str, Any]:
        if self.mesh is None:
            return {}
        members = self.mesh.members
        extras = members if fields else (self.mesh.columns, members)
        return {"out_shardings": (tuple(members for _ in fields), extras)}

    def _metrics_out(self) -> Any:
        return None if self.mesh is None else self.mesh.members

    # -- steps --------------------------------------------------------------------------------------------------
    def compiled(self, step: Step, *fields: tuple[str, ...], **how: Any) -> Any:
        lifted = self._predicting(step) if how.get("stack") else self._training(step)
        return GroupedStep(MemberStep(lifted, *fields, **how), self.mesh)

    def _training(self, step: Step) -> Step:
        """The step of a group of members that trains or evaluates."""
        population = self.owner

        def one(members: Any, ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            with population.assigned(members["hyperparameters"]):
                return step(ts, batch)

        def run(ts: TrainState, batch: Any) -> tuple[TrainState, Any]:
            members = ts.state["members"]
            if not self.own_rows:
                batch, axes = _repeated(batch, len(members["index"]))
            else:
                axes = 1
            new, extras = self._over_members(one, (0, 0, axes), 0)(members, model_state(ts), batch)
            return new._replace(state={"model": new.state, "members": members}), extras

        return run

    def _over_members(self, one: Callable[..., Any], in_axes: Any, out_axes: Any) -> Callable[..., Any]:
        over_members = jax.vmap(one, in_axes=in_axes, out_axes=out_axes)
        return over_members if self.mesh is None else self.mesh.split(over_members, in_axes, out_axes)

    @contextlib.contextmanager
    def single(self, ts: TrainState, bad: Callable[[int, int], bool]) -> Iterator[tuple[int | None, TrainState]]:
        places = [(g, row) for g, part in enumerate(groups(ts)) for row in range(len(part.state["members"]["index"]))]
        group, row = next((place for place in places if bad(*place)), places[0])
        part = groups(ts)[group]
        members = part.state["members"]
        one = members["hyperparameters"], model_state(part)
        hyperparameters, own = jax.tree.map(lambda a: jax.device_put(np.asarray(a)[row]), one)
        with self.owner.assigned(hyperparameters):
            yield int(members["index"][row]), own

    def groups(self, ts: TrainState) -> list[TrainState]:
        return groups(ts)

    def batch_of(self, batch: Any, member: int | None) -> Any:
        return jax.tree.map(lambda a: a[:, member], batch) if self.own_rows else batch

    def metrics_of_models(self, ts: TrainState) -> Iterator[tuple[int | None, dict[Variable, Any]]]:
        variables = jax.tree.leaves(self.state_spec.variables.metrics, is_leaf=is_variable)
        for part in groups(ts):
            members = jax.tree.map(np.asarray, part.state["members"])
            leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(part.metrics)]
            for row in np.flatnonzero(members["running"]):
                yield int(members["index"][row]), {v: leaf[row] for v, leaf in zip(variables, leaves)}

    def of_models(self, values: dict[int | None, Any]) -> np.ndarray:
        return np.array([values.get(i, np.nan) for i in range(self.owner.count)])

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
            outputs, written = self._over_members(one, (0, 0, 0, None), (1, 0))(members, ts.params, state, batch)
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
        own = ({},) * len(ts.state) if extras is None or not extras["logs"] else extras["logs"]
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
        failed = [np.bitwise_or.reduce(np.atleast_1d(bits)) for bits in jax.tree.leaves(extras["checks"])]
        super().raise_failed_checks({"checks": np.bitwise_or.reduce(failed)})

    @staticmethod
    def results_alone(extras: dict[str, Any]) -> dict[str, Any]:
        logs = [chosen_logs(own, {"logs": logs}) for own, logs in zip(extras["results"], extras["logs"])]
        return jax.tree.map(lambda *parts: np.concatenate(parts), *logs)

    # -- state --------------------------------------------------------------------------------------------------
    def build(self, x: Any) -> None:
        self.owner.note_inputs(x)
        super().build(x)

    def bind(self, x: Any, y: Any, y_pred: Any = None) -> None:
        given = [self.arguments.get(name) for name in ("metrics", "weighted_metrics")]
        for metric in jax.tree.leaves(given):
            if isinstance(metric, WholeEpoch):
                metric.models = self.owner.count
        super().bind(x, y, y_pred)

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
            self.store = MemberStore(self.state_spec, self._stacked(), self.owner.injected(), self.mesh)
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

    def finalize(self) -> None:
        store = self.acquire()
        with store.batched():
            for i in range(self.owner.count):
                with self.owner.showing(i):
                    super().finalize()

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
        return TrainState(own["params"], own["state"], population.with_rates(spec, opt_state, known), metrics)


def _repeated(batch: Any, members: int) -> tuple[Any, Any]:
    """A batch for all members, and its axes of members.

    Rows of numbers are repeated: XLA would multiply rows in common by the kernels of all members side by side, which
    transposes these kernels and their gradients in every step.
    """
    leaves, treedef = jax.tree.flatten(batch)
    each = [leaf.ndim == 2 and jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    repeated = [
        jnp.broadcast_to(leaf, (members, *leaf.shape)) if repeat else leaf for leaf, repeat in zip(leaves, each)
    ]
    return treedef.unflatten(repeated), treedef.unflatten([0 if repeat else None for repeat in each])
