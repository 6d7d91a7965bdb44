"""`TrainState`: all numbers of a training run as one pytree, and who owns them while it runs."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkeras.core import pure
from jaxkeras.core.names import unique
from jaxkeras.core.tracking import Path, flatten, nest, variable_paths
from jaxkeras.core.variable import Variable


class TrainState(NamedTuple):
    """What a train step maps to its successor.

    Attributes:
        params: nested dict of the arrays an optimizer updates.
        state: nested dict of moving statistics and seeds.
        opt_state: the optimizer's pytree.
        metrics: `{metric: {variable: array}}`.
    """

    params: Any
    state: Any
    opt_state: Any
    metrics: Any


class Tables(NamedTuple):
    """The variables behind a TrainState: three by path, and the optimizer's in the structure of its state."""

    params: dict[Path, Variable]
    state: dict[Path, Variable]
    opt: Any
    metrics: dict[Path, Variable]

    def variables(self) -> TrainState:
        """Variables in the structure of a TrainState."""
        return TrainState(nest(dict(self.params)), nest(dict(self.state)), self.opt, nest(dict(self.metrics)))

    def shapes(self) -> TrainState:
        """`jax.ShapeDtypeStruct`s in the structure of a TrainState."""
        return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, v.dtype), self.variables(), is_leaf=_is_variable)

    @property
    def model(self) -> pure.Table:
        return pure.Table(self.params, self.state)


def _is_variable(x: Any) -> bool:
    return isinstance(x, Variable)


def metric_table(metrics: list[Any]) -> dict[Path, Variable]:
    """The variables of metrics by path, `{("accuracy", "total"): ...}`."""
    table: dict[Path, Variable] = {}
    used: dict[str, int] = {}
    for metric in metrics:
        name = unique(metric.name, used)
        for path, v in _paths_of(metric).items():
            table[(name, *path)] = v
    return table


def _paths_of(metric: Any) -> dict[Path, Variable]:
    own = list(metric.variables)
    known = {}
    if hasattr(metric, "own_variables"):
        known = variable_paths(metric, kind="metric")
    result: dict[Path, Variable] = {}
    for i, v in enumerate(own):
        path = known.get(id(v), (v.name,))
        result[path if path not in result else (*path[:-1], f"{path[-1]}_{i}")] = v
    return result


def _copy(value: Any) -> jax.Array:
    """A copy made through the host, for which nothing is compiled; as committed to its devices as the original,
    since programs are compiled anew for arguments that differ in that."""
    return jax.device_put(np.array(value), value.sharding if value.committed else None)


def collect(tables: Tables) -> TrainState:
    """The arrays at rest. They are copies: a program may consume (donate) them while users hold the originals."""
    values = jax.tree.map(lambda v: v.cell(), tables.variables(), is_leaf=_is_variable)
    return jax.device_put(values, may_alias=False)


class View:
    """The numbers at rest, for runs that change only metrics and statistics; `settle` writes those back."""

    def __init__(self, tables: Tables):
        self.tables = tables
        params, state, metrics = map(pure.cells, (tables.params, tables.state, tables.metrics))
        self.current = TrainState(params, state, None, metrics)

    def settle(self) -> None:
        for table, tree in ((self.tables.state, self.current.state), (self.tables.metrics, self.current.metrics)):
            for v, value in zip(table.values(), leaves_in_order(table, tree)):
                if isinstance(v._cell, Loan):  # a callback of `fit` evaluates
                    v._cell.write(v, value)
                else:
                    v.set_cell(value)


def leaves_in_order(table: dict[Path, Variable], tree: Any) -> list[Any]:
    """The leaves of a nested dict in the order of a table of paths."""
    flat = flatten(tree)
    return [flat[path] for path in table]


class Loan:
    """While training runs, cells hold this marker and the numbers live here.

    While it is active (a `fit` runs), a read gives a copy of the current value and a write changes the running state,
    so callbacks see and change the model as if one step at a time had run. Otherwise (between two calls of
    `train_on_batch`) the first read brings everything home.
    """

    def __init__(self, tables: Tables):
        self.tables = tables
        self.active = False
        self.settled = False
        self._cells = jax.tree.leaves(tables.variables(), is_leaf=_is_variable)
        for v in self._cells:
            if isinstance(v._cell, Loan):
                v._cell.settle()
        self.current = collect(tables)
        self._positions = {id(v): i for i, v in enumerate(self._cells)}
        for v in self._cells:
            v.set_cell(self)

    def read(self, variable: Variable) -> jax.Array:
        if not self.active:
            self.settle()
            return variable.cell()
        with jax.ensure_compile_time_eval():
            return _copy(jax.tree.leaves(self.current)[self._positions[id(variable)]])

    def write(self, variable: Variable, value: jax.Array) -> None:
        if not self.active:
            self.settle()
            variable.set_cell(value)
            return
        leaves, treedef = jax.tree.flatten(self.current)
        leaves[self._positions[id(variable)]] = _copy(value)
        self.current = jax.tree.unflatten(treedef, leaves)

    def settle(self) -> None:
        """Put the arrays back into the cells; the loan is over."""
        self.active, self.settled = False, True
        for v, value in zip(self._cells, jax.tree.leaves(self.current)):
            if v._cell is self:
                v.set_cell(value)
