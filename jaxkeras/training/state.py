"""The numbers of a training run: as one pytree, where each of them lives at rest, and who owns them while it runs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.deferred import make_in_parts
from jaxkeras.core.functional import is_variable, layer_variables, metric_variables
from jaxkeras.core.names import unique
from jaxkeras.core.tracking import variable_paths
from jaxkeras.core.variable import Variable
from jaxkeras.training.compiled_function import CompiledFunction, runs_op_by_op
from jaxkeras.training.logs import Logs
from jaxkeras.training.placement import Placement, put

Tree = TypeVar("Tree")


class TrainState(NamedTuple):
    """What a train step maps to its successor.

    Attributes:
        params: nested dict of the arrays that the optimizer updates.
        state: nested dict of moving statistics and seeds.
        opt_state: the optimizer's pytree.
        metrics: `{metric: {variable: array}}`.
    """

    params: Any
    state: Any
    opt_state: Any
    metrics: Any


class StateSpec:
    """Every leaf of a `TrainState`: its variable, hence its path, shape, dtype, layout and collection.

    Args:
        model: a built model; its optimizer, if it has one, is built here.
        metrics: metrics whose variables belong to the state.
        placement: where it lives on several devices; None for one.

    Attributes:
        variables: the variables in the structure of a `TrainState`.
        shardings: that of every leaf; None on one device.
        bindings: those that a forward pass and metrics read and write, by collection.
    """

    def __init__(self, model: Any, metrics: list[Any], placement: Placement | None = None):
        build_optimizer(model)
        own = layer_variables(model)
        opt_state = {} if model._optimizer is None else model._optimizer.cells
        used: dict[str, int] = {}
        of_metrics = {unique(metric.name, used): metric_variables(metric) for metric in metrics}
        self.variables = TrainState(own["params"], own["state"], opt_state, of_metrics)
        self.bindings = {**own, "metrics": of_metrics}
        self._flat = [jax.tree.flatten(tree, is_leaf=is_variable) for tree in self.variables]
        self.placement = placement
        self.shardings = None if placement is None else placement.of_state(self.variables)

    def shapes(self) -> TrainState:
        """`jax.ShapeDtypeStruct`s in the structure of a `TrainState`."""
        def shape(v: Variable, sharding: Any = None) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(v.shape, v.dtype, sharding=sharding)

        trees = (self.variables,) if self.shardings is None else (self.variables, self.shardings)
        return jax.tree.map(shape, *trees, is_leaf=is_variable)

    def values(self, *fields: str) -> TrainState:
        """The arrays at rest; with `fields`, those alone, and None for the others."""
        if self.shardings is not None:
            wanted = [i for i, name in enumerate(TrainState._fields) if not fields or name in fields]
            make_in_parts(
                [v for i in wanted for v in self._flat[i][0]],
                [sharding for i in wanted for sharding in jax.tree.leaves(self.shardings[i])],
            )
            return TrainState(*(
                jax.tree.map(Variable.place, variables, shardings, is_leaf=is_variable)
                if not fields or name in fields else None
                for name, variables, shardings in zip(TrainState._fields, self.variables, self.shardings)
            ))  # fmt: skip
        return TrainState(*(
            treedef.unflatten([v.cell() for v in leaves]) if not fields or name in fields else None
            for name, (leaves, treedef) in zip(TrainState._fields, self._flat)
        ))  # fmt: skip

    def gather(self, params: Any) -> Any:
        """Parameters as a step uses them: those split over the axis of the data are gathered."""
        if self.placement is None or self.shardings is None:
            return params
        return self.placement.gather(params, self.shardings.params)

    def on_one_device(self) -> StateSpec:
        """The same without shardings."""
        spec = copy.copy(self)
        spec.placement = spec.shardings = None
        return spec

    @property
    def trainable(self) -> list[Variable]:
        """The variables of the parameters."""
        return self._flat[0][0]

    def leaves(self) -> list[Variable]:
        """The variables in the order of the leaves of a `TrainState`."""
        return [v for leaves, _ in self._flat for v in leaves]

    # -- Keras's lists of values ------------------------------------------------------------------------------------
    def from_lists(self, groups: list[list[Variable]], lists: list[Any]) -> TrainState:
        """A `TrainState` from lists of values, in the order of lists of variables; others keep their present values.

        Raises:
            ValueError: for another number of lists or of values.
        """
        expected, came = [len(group) for group in groups], [len(values) for values in lists]
        if expected != came:
            raise ValueError(f"The state of a step must hold lists of {expected} values; got lists of {came}.")
        given = {v: value for group, values in zip(groups, lists) for v, value in zip(group, values)}

        def value_of(v: Variable) -> Any:
            value = given.get(v)
            return v._raw() if value is None else value.value if isinstance(value, Variable) else value

        return jax.tree.map(value_of, self.variables, is_leaf=is_variable)

    def to_lists(self, groups: list[list[Variable]], ts: TrainState) -> list[list[Any]]:
        """The values of lists of variables in a `TrainState`, of which some fields may be None."""
        values: dict[Variable, Any] = {}
        self.map(values.setdefault, ts)
        return [[values[v] if v in values else v._raw() for v in group] for group in groups]

    def map(self, function: Callable[[Variable, Any], Any], ts: TrainState) -> TrainState:
        """A `TrainState` of `function(variable, value)` for every leaf; fields that are None stay None."""
        return TrainState(*(
            None if values is None else jax.tree.map(function, variables, values, is_leaf=is_variable)
            for variables, values in zip(self.variables, ts)
        ))  # fmt: skip


def build_optimizer(model: Any, optimizer: Any = None) -> None:
    """Create the optimizer's variables for the trainable variables of a model, unless that was done before."""
    optimizer = optimizer or model._optimizer
    if optimizer is not None:
        paths = variable_paths(model)
        variables = [v for v in model.trainable_variables if v in paths]
        optimizer.build(variables, [paths[v] for v in variables])


def check_optimizer(model: Any) -> None:
    """Check that the optimizer's state is for the weights that are trainable now.

    Raises:
        ValueError: if the optimizer keeps numbers for each weight, and those are others.
    """
    optimizer = model.optimizer
    built, now = ({id(v): v for v in variables} for variables in (
        getattr(optimizer, "_trainable_variables", ()), model.trainable_variables,
    ))  # fmt: skip
    changed = [*(built.keys() - now.keys()), *(now.keys() - built.keys())]
    if changed and getattr(optimizer, "_slots", None):
        raise ValueError(
            f"Optimizer '{optimizer.name}' has state for {len(built)} weights, but {len(now)} are trainable now: "
            f"`trainable` of '{(built | now)[changed[0]].path}' was changed after training began. Call `compile` again "
            "after changing `trainable`."
        )


class StateStore:
    """The owner of the arrays while a model trains; until then, and afterwards, they are in the cells.

    Cells point to the store. While it is active (a `fit` runs) a read gives a copy of the current value and a write
    changes the running state, so callbacks and other threads see and change the model as if steps ran one at a time.
    While it is not (between calls of `train_on_batch`), the first read writes all values back to the cells.

    Args:
        spec: the variables.
        current: their values; by default copies of those at rest, since programs may donate them while users hold the
            originals.

    Attributes:
        current: the present state, which steps may donate. Replace it under `lock`.
        active: whether the arrays stay here when somebody reads.
        released: whether they were written back, so that the store owns nothing any more.
        logs: the last `Logs` that are computed from the state, if somebody still holds them.
    """

    logs: Callable[[], Logs | None] = staticmethod(lambda: None)

    def __init__(self, spec: StateSpec, current: TrainState | None = None):
        self.active = self.released = False
        self.lock = threading.RLock()
        self._variables = spec.leaves()
        self._shardings = None if spec.shardings is None else jax.tree.leaves(spec.shardings)
        # Copies: a program may donate them while users hold the originals.
        self.current: TrainState = copied(spec.values()) if current is None else current
        self._positions = {v: i for i, v in enumerate(self._variables)}
        for v in self._variables:
            v.set_cell(self)

    def update(self, run: Callable[[TrainState], tuple[TrainState, Any]]) -> Any:
        """Replace the state by what `run` makes of it; returns what `run` returns besides."""
        with self.lock:
            if (logs := self.logs()) is not None:
                logs.dispatch()
            self.current, output = run(self.current)
        return output

    def snapshot(self) -> TrainState:
        """A copy of the present state that no step can donate."""
        with self.lock:
            return jax.block_until_ready(copied(self.current))

    def read(self, variable: Variable) -> jax.Array:
        """A copy of the current value of a variable."""
        if not self.active:
            self.write_back()
            return variable.cell()
        with self.lock, jax.ensure_compile_time_eval():
            return _copy(jax.tree.leaves(self.current)[self._positions[variable]])

    def write(self, variable: Variable, value: jax.Array) -> None:
        """Replace the current value of a variable."""
        if not self.active:
            self.write_back()
            variable.set_cell(value)
            return
        with self.lock:
            leaves, treedef = jax.tree.flatten(self.current)
            place = self._positions[variable]
            value = _copy(value)
            leaves[place] = value if self._shardings is None else put(value, self._shardings[place])
            self.current = jax.tree.unflatten(treedef, leaves)

    def numbers(self) -> dict[str, Any]:
        """All numbers by name, for a backup. Replace them under `lock`."""
        leaves, _ = jax.tree_util.tree_flatten_with_path(self.current)
        return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}

    def set_numbers(self, numbers: dict[str, Any]) -> None:
        """Replace all numbers by those of `numbers`, of the same names, shapes and types."""

        def placed(value: Any, old: jax.Array) -> jax.Array:
            return put(value, old.sharding) if old.committed else jax.device_put(value)

        with self.lock:
            leaves, treedef = jax.tree.flatten(self.current)
            self.current = treedef.unflatten(map(placed, numbers.values(), leaves))

    def write_back(self) -> None:
        """Put the arrays back into the cells."""
        with self.lock:
            self.active, self.released = False, True
            for v, value in zip(self._variables, jax.tree.leaves(self.current)):
                if v._cell is self:
                    v.set_cell(value)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep the arrays here for a `with` block, then write them back."""
        self.active = True
        try:
            yield
        finally:
            self.write_back()


class StateView:
    """A state that belongs to nobody else: what an evaluation runs on and changes, without donating it."""

    logs: Callable[[], Logs | None]

    def __init__(self, current: TrainState):
        self.current = current

    def update(self, run: Callable[[TrainState], tuple[TrainState, Any]]) -> Any:
        """Replace the state by what `run` makes of it; returns what `run` returns besides."""
        self.current, output = run(self.current)
        return output


class StateCopies:
    """Copies of the states of a session, as `copied` makes them.

    Array by array, a copy takes 20 us for each. Once `OFTEN` copies were needed, a program that copies all of them is
    compiled in the background.
    """

    OFTEN = 3

    def __init__(self) -> None:
        self._program = CompiledFunction(lambda ts: jax.tree.map(jnp.copy, ts))
        self._compiled: concurrent.futures.Future[Any] | None = None
        self._count = 0

    def __call__(self, ts: TrainState) -> TrainState:
        self._count += 1
        free = not any(getattr(leaf, "committed", True) for leaf in jax.tree.leaves(ts))  # whose copies are, too
        if self._count > self.OFTEN and free and jax.process_count() == 1 and not runs_op_by_op():
            if self._compiled is None:
                self._compiled = self._program.prepare(ts)
            elif self._compiled.done():
                try:
                    return self._compiled.result()(ts)
                except (TypeError, ValueError):  # of other shapes or types
                    pass
        return copied(ts)


def copied(ts: Tree) -> Tree:
    """A copy that lives on when a program takes the original."""
    if jax.process_count() == 1 or all(leaf.is_fully_addressable for leaf in jax.tree.leaves(ts)):
        return jax.device_put(ts, may_alias=False)
    return jax.tree.map(jnp.copy, ts)


def _copy(value: Any) -> jax.Array:
    """A copy by way of the host, for which nothing is compiled.

    It is committed to its devices if the original is, since programs depend on that.
    """
    if not value.is_fully_addressable:
        return jnp.copy(value)
    return jax.device_put(np.array(value), value.sharding if value.committed else None)
