"""The state of all members of a population, and which of them are in the arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from jaxkeras.core.variable import Variable
from jaxkeras.models.member_mesh import MemberMesh
from jaxkeras.models.shards import group_sizes, groups, joined, with_running
from jaxkeras.training.state import StateSpec, StateStore, TrainState

# The state of a population is a `TrainState` whose fields are tuples over groups of members (see `shards`). In a group,
# leaves have a leading member axis, and `state` is {"model": what one model has, "members": {"index": ..., "running":
# ..., "hyperparameters": {...}}}. Over several devices there is one group, whose member axis is split; rows at its end
# that belong to no member make it divisible.
NO_MEMBER = np.iinfo(np.int32).max  # the index of such a row


def model_state(ts: TrainState) -> TrainState:
    """The part of the state of a group that one model has, too, with the member axis."""
    return ts._replace(state=ts.state["model"])


class MemberStore(StateStore):
    """The owner of the arrays of all members, at rest as well. The cells of the model show those of one member.

    Args:
        spec: the variables of one model.
        stacked: their values in all members.
        hyperparameters: those that are set as attributes, one value a member.
        mesh: the devices, if there are several.

    Attributes:
        index: the member that the cells show.
        rows: the member in each row of the arrays; fewer than all while dropped members are kept elsewhere.
    """

    def __init__(
        self, spec: StateSpec, stacked: TrainState, hyperparameters: dict[str, np.ndarray], mesh: MemberMesh | None
    ):
        self.rows = np.arange(len(jax.tree.leaves(stacked)[0]))
        self._hyperparameters, self._mesh = hyperparameters, mesh
        super().__init__(spec, population_state(stacked, self.rows, hyperparameters, mesh))
        self.index = 0
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
            self._host[position] = np.concatenate([np.asarray(part) for part in parts])[: len(self.rows)]
        return self._host[position]

    def _structure(self) -> Any:
        return jax.tree.structure(model_state(groups(self.current)[0]))

    def _flush(self) -> None:
        if self._changed:
            states = groups(self.current)
            flat = [jax.tree.flatten(model_state(ts)) for ts in states]
            for i in self._changed:
                for (leaves, _), new in zip(flat, _like([leaves[i] for leaves, _ in flat], self._host[i])):
                    leaves[i] = new
            models = [treedef.unflatten(leaves) for leaves, treedef in flat]
            new = [m._replace(state={**old.state, "model": m.state}) for m, old in zip(models, states)]
            self.current = self._copied = joined(new)
            self._changed.clear()

    # -- all members --------------------------------------------------------------------------------------------
    def write_back(self) -> None:
        """The arrays stay here."""
        self.active = False

    def leaves(self) -> list[np.ndarray]:
        """Copies of the arrays of all members, in the order of the variables."""
        with self.lock:
            leaves = [np.array(self._leaf(i)) for i in range(self._structure().num_leaves)]
            return [self._with_dropped(i, leaf) for i, leaf in enumerate(leaves)] if self._dropped else leaves

    def _with_dropped(self, position: int, leaf: np.ndarray) -> np.ndarray:
        full = np.empty((len(self.rows) + len(self._dropped), *leaf.shape[1:]), leaf.dtype)
        full[self.rows] = leaf
        for member, values in self._dropped.items():
            full[member] = values[position]
        return full

    def by_variable(self) -> dict[Variable, np.ndarray]:
        """The stacked array of each variable."""
        return dict(zip(self._variables, self.leaves()))

    def running_members(self) -> np.ndarray:
        """The members that train."""
        members = [state["members"] for state in self.current.state]
        return np.concatenate([np.asarray(m["index"])[np.asarray(m["running"])] for m in members])

    def stop(self, members: Iterable[int]) -> None:
        """Let members stay as they are from now on."""
        self._run_only(np.setdiff1d(self.running_members(), [*members]))

    def _run_only(self, running: np.ndarray) -> None:
        with self.lock:
            rows = [np.asarray(state["members"]["index"]) for state in self.current.state]
            self.current = with_running(self.current, [np.isin(index, running) for index in rows])

    def drop(self, members: Iterable[int]) -> None:
        """Take members out of the arrays; `restore` brings them back as they are now."""
        with self.lock:
            running = np.setdiff1d(self.running_members(), [*members])
            self._keep(np.setdiff1d(self.rows, [*members]), self.leaves())
            self._run_only(running)

    def restore(self) -> None:
        """All members in the arrays again, ready to train."""
        with self.lock:
            if self._dropped:
                leaves = self.leaves()
                self._keep(np.arange(len(leaves[0])), leaves)
            self._run_only(self.rows)

    def _keep(self, rows: np.ndarray, leaves: list[np.ndarray]) -> None:
        """Have some members in the arrays, and the others elsewhere.

        Args:
            rows: the members to have there.
            leaves: the values of all members.
        """
        others = np.setdiff1d(np.arange(len(leaves[0])), rows)
        self._dropped = {int(i): [np.array(leaf[i]) for leaf in leaves] for i in others}
        self.rows = rows
        stacked = self._structure().unflatten([leaf[rows] for leaf in leaves])
        own = {name: values[rows] for name, values in self._hyperparameters.items()}
        self.current = population_state(stacked, rows, own, self._mesh)

    # -- backups, which know neither groups nor devices -----------------------------------------------------------
    def numbers(self) -> dict[str, Any]:
        paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(model_state(groups(self.current)[0]))[0]]
        leaves = self.leaves()
        members = np.arange(len(leaves[0]))
        numbers = {jax.tree_util.keystr(path): leaf for path, leaf in zip(paths, leaves)}
        return {**numbers, "kept": np.isin(members, self.rows), "running": np.isin(members, self.running_members())}

    def set_numbers(self, numbers: dict[str, Any]) -> None:
        *leaves, kept, running = numbers.values()
        with self.lock:
            self._keep(np.flatnonzero(kept), leaves)
            self._run_only(np.flatnonzero(running))


def _like(parts: list[jax.Array], values: np.ndarray) -> list[jax.Array]:
    """Values of all rows where arrays of the groups are; rows of no member repeat the last one."""
    starts = np.cumsum([0, *map(len, parts)])
    values = values[np.minimum(np.arange(starts[-1]), len(values) - 1)]
    return [_placed(values[start : start + len(part)], part) for start, part in zip(starts, parts)]


def _placed(value: np.ndarray, like: jax.Array) -> jax.Array:
    return jax.device_put(np.ascontiguousarray(value), like.sharding if like.committed else None)


def population_state(
    stacked: TrainState, index: np.ndarray, hyperparameters: dict[str, np.ndarray], mesh: MemberMesh | None
) -> TrainState:
    """The state of a population on its devices, from the stacked states of members.

    Args:
        stacked: leaves with a member axis.
        index: the members, int array of shape `(rows,)`.
        hyperparameters: one value for each of them.
        mesh: the devices to split the members over; None for one device, with the members in groups.
    """
    count = len(index)
    if mesh is None:
        sizes = group_sizes(count, sum(leaf[0].size for leaf in jax.tree.leaves(stacked.params)))
    else:
        sizes = [mesh.padded(count)]
    states, start = [], 0
    for size in sizes:
        real = np.arange(start, start + size) < count
        rows = np.where(real, np.arange(start, start + size), count - 1)
        own = jax.tree.map(lambda a: np.asarray(a)[rows], stacked)  # noqa: B023
        members = {
            "index": np.where(real, index[rows], NO_MEMBER).astype(np.int32), "running": real,
            "hyperparameters": {name: values[rows] for name, values in hyperparameters.items()},
        }  # fmt: skip
        states.append(own._replace(state={"model": own.state, "members": members}))
        start += size
    return jax.device_put(joined(states), None if mesh is None else mesh.members, may_alias=False)
