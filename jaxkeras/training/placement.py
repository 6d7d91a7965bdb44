"""Where the state and the batches of a compiled model live under a distribution.

The step knows nothing of it: the compiler splits the program of one device by the shardings of its arguments and
results, and numbers agree to rounding. This file says what these shardings are.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxkeras.core import placement
from jaxkeras.core.context import local, setting
from jaxkeras.core.functional import intercept_calls, is_variable
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.training.memory import free_bytes

put = placement.put
LARGE_ELEMENTS = 2**24  # of a variable that is worth a word if it is not split


class OneDevice:
    """How batches come to a single device. `Placement` has the same methods for several.

    Attributes:
        shards: the number of parts of a batch.
        in_one_memory: how many of the devices share one memory.
        processes: the number of processes.
        own_data: whether each process brings its own part of a batch.
        distribution: None.
        chunk_form: the form of a `BatchRef` to several batches.
    """

    shards = in_one_memory = 1
    processes = 1
    own_data = False
    distribution: Any = None
    chunk_form = "loop"

    def check_batch(self, size: int, rows: int) -> None:
        """Whether batches of a size can be split over the devices; see `Placement`."""

    def fits(self, arrays: Any) -> bool:
        """Whether arrays may stay on the devices beside a model."""
        return fits_on_device(arrays)

    def whole(self, order: Any) -> Any:
        """An order of rows on the devices."""
        return jax.device_put(order)

    def resident(self, arrays: Any) -> Any:
        """Arrays, of which every step gathers its rows."""
        return jax.device_put(arrays)

    def resident_spec(self, arrays: Any) -> Any:
        """`jax.ShapeDtypeStruct`s of what `resident` returns."""
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)), arrays)

    def batch(self, arrays: Any) -> Any:
        """One batch."""
        return jax.device_put(arrays)

    def batch_spec(self, specs: Any) -> Any:
        """`jax.ShapeDtypeStruct`s of what `batch` returns."""
        return specs

    def chunk(self, arrays: Any, size: int) -> Any:
        """Several batches of `size` rows, given one after the other."""
        return jax.device_put(arrays)

    def chunk_spec(self, specs: Any, size: int) -> Any:
        """`jax.ShapeDtypeStruct`s of what `chunk` returns."""
        return specs

    def used_once(self, arrays: Any, size: int | None) -> Any:
        """A chunk (or a batch, if `size` is None) for one call, which moves it to the device itself."""
        return arrays


ONE_DEVICE = OneDevice()


class Placement:
    """A distribution as the shardings of state and batches.

    Args:
        distribution: what `jaxkeras.distribution.distribution()` returns.

    Attributes:
        replicated: the sharding of an array that every device holds whole.
        shards: the number of parts of a batch.
        in_one_memory: how many of the devices share one memory.
        processes: the number of processes.
        places_outputs: whether the distribution has layouts for outputs of layers.
    """

    def __init__(self, distribution: Any):
        self.distribution = distribution
        self.mesh = distribution.device_mesh.backend_mesh
        self.replicated = NamedSharding(self.mesh, PartitionSpec())
        self._rows: dict[tuple[int, ...], NamedSharding] = {}
        self._padded_rows: dict[tuple[int, ...], NamedSharding] = {}
        self.shards = self._parts(self.rows((1,)).spec)
        self._has_copies = self.shards < self.mesh.size  # of batches, along other axes of the mesh
        self.places_outputs = getattr(distribution, "places_outputs", True)
        self.own_data = not getattr(distribution, "auto_shard_dataset", True)
        self.processes = len({device.process_index for device in self.mesh.devices.flat})
        self.in_one_memory = 1 if _have_memory_of_their_own() else self.mesh.size

    def _parts(self, spec: Any) -> int:
        """The number of parts that the first axis of an array is split into."""
        names = spec[0] if len(spec) else None
        return int(np.prod([self.mesh.shape[n] for n in (names if isinstance(names, tuple) else (names,)) if n]))

    # -- state ------------------------------------------------------------------------------------------------------
    def of_state(self, variables: Any) -> Any:
        """The sharding of every leaf of a `TrainState` of variables. An optimizer's slot lies as its parameter does."""
        own = {"params": variables.params, "state": variables.state, "metrics": variables.metrics}
        leaves, treedef = jax.tree.flatten(own, is_leaf=is_variable)
        weights = list(jax.tree.leaves((variables.params, variables.state), is_leaf=is_variable))
        layouts = dict(zip(weights, self.distribution.variable_layouts(weights)))
        shardings = treedef.unflatten([self._sharding(v, layouts) for v in leaves])
        by_path = {_keys(path): v for path, v in _with_paths(variables.params)}

        def of_slot(path: Any, v: Any) -> NamedSharding:
            keys = _keys(path)
            owners = (by_path.get(keys[i:]) for i in range(len(keys)))
            owner = next((owner for owner in owners if owner is not None), None)
            if owner is not None and owner.shape == v.shape:
                return self._sharding(owner, layouts)
            return self._sharding(v, {v: self.distribution.get_variable_layout(v)})

        self._warn_of_whole(layouts)
        slots, slots_def = jax.tree_util.tree_flatten_with_path(variables.opt_state, is_leaf=is_variable)
        opt_state = slots_def.unflatten([of_slot(path, v) for path, v in slots])
        return type(variables)(shardings["params"], shardings["state"], opt_state, shardings["metrics"])

    def _warn_of_whole(self, layouts: dict[Any, Any]) -> None:
        """Name large variables that every device holds whole while others are split."""
        whole = {v: self._sharding(v, layouts).is_fully_replicated for v in layouts}
        large = [v.path for v, is_whole in whole.items() if is_whole and v.size >= LARGE_ELEMENTS]
        if large and not all(whole.values()):
            warnings.warn(
                f"Large variables are whole on every device, since the mesh {dict(self.mesh.shape)} divides none of "
                f"their axes or no rule matches them: {', '.join(large[:5])}. See distribution.layouts(model).",
                stacklevel=2,
            )

    def _sharding(self, v: Any, layouts: dict[Any, Any]) -> NamedSharding:
        layout = layouts.get(v)
        sharding = self.replicated if layout is None else getattr(layout, "backend_layout", layout)
        try:
            sharding.shard_shape(v.shape)
        except ValueError:
            raise ValueError(
                f"Variable '{v.path}' of shape {v.shape} cannot be split as {tuple(sharding.spec)} over the mesh "
                f"{dict(self.mesh.shape)}: the axes of the mesh must divide those of the variable."
            ) from None
        return sharding

    def gather(self, values: Any, shardings: Any) -> Any:
        """Weights as a step uses them, inside a program: those split over the axis of the data are gathered, and their
        gradients are scattered."""
        return jax.tree.map(self._gather, values, shardings)

    def _gather(self, value: Any, sharding: NamedSharding) -> Any:
        used = self._while_used(sharding)
        return value if used == sharding else _gathered(value, used, sharding)

    def _while_used(self, sharding: NamedSharding) -> NamedSharding:
        """The sharding of a value within a step: whole along the axis of the data."""
        batch_axes = set(_flat(self.rows((1,)).spec))
        spec = [None if set(_flat([axis])) & batch_axes else axis for axis in sharding.spec]
        return NamedSharding(sharding.mesh, PartitionSpec(*spec))

    # -- batches ----------------------------------------------------------------------------------------------------
    def rows(self, shape: tuple[int, ...]) -> NamedSharding:
        """The sharding of a batch."""
        if shape not in self._rows:
            spec = PartitionSpec(*self.distribution.get_data_layout(shape).axes)
            self._rows[shape] = NamedSharding(self.mesh, spec)
        return self._rows[shape]

    def batch_sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        """The sharding of a batch at rest: split where it divides, else whole."""
        if not shape or not self._divides(shape):
            return self.replicated
        return self.rows(shape)

    def step_sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        """The sharding of a batch within a step. If it does not divide, the compiler pads the parts and masks the
        padding wherever rows meet, so that every result is that of the real rows.

        Such rows are split over all axes of the mesh: where an axis holds copies of them, the compiler (XLA of jax
        0.10.2) adds the padding to gradients of `x[ids]`, since it moves the ids, padded by zeros, to other devices.
        """
        if not shape or local.eager:  # without jit there is no compiler to pad
            return self.batch_sharding(shape)
        return self.rows(shape) if self._divides(shape) else self._over_all_axes(shape)

    def _divides(self, shape: tuple[int, ...]) -> bool:
        return shape[0] % self.shards == 0

    def _over_all_axes(self, shape: tuple[int, ...]) -> NamedSharding:
        """The sharding of a batch, with its rows split over the axes that hold copies, too."""
        if shape not in self._padded_rows:
            first, *rest = self.rows(shape).spec
            copies = [name for name in self.mesh.axis_names if name not in _flat([first, *rest])]
            self._padded_rows[shape] = NamedSharding(self.mesh, PartitionSpec((*_flat([first]), *copies), *rest))
        return self._padded_rows[shape]

    def steps_sharding(self, shape: tuple[int, ...]) -> NamedSharding:
        """The sharding of several batches, `[steps, rows, ...]`."""
        rows = self.batch_sharding(shape[1:])
        return rows if rows is self.replicated else NamedSharding(self.mesh, PartitionSpec(None, *rows.spec))

    def put(self, tree: Any, sharding: Callable[[tuple[int, ...]], NamedSharding]) -> Any:
        """Arrays on the devices, each under the sharding for its shape."""
        if self.own_data and self.processes > 1:
            return jax.tree.map(lambda a: _from_all(sharding, np.asarray(a), self.processes), tree)
        leaves, treedef = jax.tree.flatten(tree)
        shardings = [sharding(np.shape(a)) for a in leaves]
        if self.processes == 1:
            return treedef.unflatten(jax.device_put(leaves, shardings))  # one call, since each costs time
        return treedef.unflatten(map(put, leaves, shardings))

    def check_batch(self, size: int, rows: int) -> None:
        """Find batches that leave devices without work.

        Args:
            size: rows in a batch.
            rows: rows of the data.

        Raises:
            ValueError: for batches with fewer rows than there are parts.
        """
        if size < self.shards <= rows:
            raise ValueError(
                f"batch_size={size} is smaller than the {self.shards} parts that {self.distribution!r} splits a batch "
                f"into. Write batch_size={self.shards}, or a multiple of it."
            )

    # -- the ways of a feed: see `OneDevice` ------------------------------------------------------------------------
    chunk_form = "steps"

    def whole(self, order: Any) -> Any:
        return put(order, self.replicated)

    def fits(self, arrays: Any) -> bool:
        return self._fits_whole(arrays) or fits_on_device(arrays, self.in_one_memory / self.shards)

    def _fits_whole(self, arrays: Any) -> bool:
        return fits_on_device(arrays, self.in_one_memory)

    def resident(self, arrays: Any) -> Any:
        if self._fits_whole(arrays):
            return self.put(arrays, lambda shape: self.replicated)
        return jax.tree.map(lambda a: put(self._padded(a), self.rows(np.shape(a))), arrays)

    def _padded(self, array: Any) -> Any:
        missing = -array.shape[0] % self.shards
        return np.pad(array, [(0, missing), *[(0, 0)] * (array.ndim - 1)]) if missing else array

    def resident_spec(self, arrays: Any) -> Any:
        whole = self._fits_whole(arrays)

        def spec(a: Any) -> jax.ShapeDtypeStruct:
            rows = a.shape[0] if whole else a.shape[0] + -a.shape[0] % self.shards
            sharding = self.replicated if whole else self.rows(a.shape)
            dtype = jax.dtypes.canonicalize_dtype(a.dtype)
            return jax.ShapeDtypeStruct((rows, *a.shape[1:]), dtype, sharding=sharding)

        return jax.tree.map(spec, arrays)

    def batch(self, arrays: Any) -> Any:
        return self.put(arrays, self.batch_sharding)

    def batch_spec(self, specs: Any) -> Any:
        return _specs(specs, self.batch_sharding)

    def chunk(self, arrays: Any, size: int) -> Any:
        return self.put(_in_steps(arrays, size), self.steps_sharding)

    def chunk_spec(self, specs: Any, size: int) -> Any:
        steps = jax.tree.map(lambda s: s.update(shape=(s.shape[0] // size, size, *s.shape[1:])), specs)
        return _specs(steps, self.steps_sharding)

    def used_once(self, arrays: Any, size: int | None) -> Any:
        return self.batch(arrays) if size is None else self.chunk(arrays, size)

    # -- steps ------------------------------------------------------------------------------------------------------
    def constrain(self, step: Callable[..., Any], shardings: Any) -> Callable[..., Any]:
        """A step that splits its batch over the devices and leaves the state where it is.

        Args:
            step: `TrainState, batch -> TrainState, extras`.
            shardings: those of the state.
        """
        gathers = any(self._while_used(s) != s for s in jax.tree.leaves((shardings.params, shardings.state)))

        @functools.wraps(step)
        def run(ts: Any, batch: Any) -> Any:
            batch = jax.tree.map(lambda a: _constrain(a, self.step_sharding(a.shape)), batch)
            shapes = [a.shape for a in jax.tree.leaves(batch) if a.ndim]
            padded = self._has_copies and not all(map(self._divides, shapes))
            rows = {shape[0] for shape in shapes} if gathers or padded else set()
            held, layouts = ts.state, shardings.state
            used = None if held is None else self.gather(held, layouts)
            place = functools.partial(self._constrain_output, rows)
            placing = intercept_calls(place) if rows or self.places_outputs else contextlib.nullcontext()
            with placing, setting(split_rows=self.shards > 1, mesh=self.mesh):
                new, extras = step(ts._replace(state=used), batch)
            if held is not None and new.state is not None:
                new = new._replace(state=jax.tree.map(self._scatter, held, used, new.state, layouts))
            return type(ts)(*map(_keep, ts, new, shardings)), extras

        return run

    def _scatter(self, held: Any, used: Any, new: Any, sharding: NamedSharding) -> Any:
        """A value that a step wrote, whole before it is split, for the same reason as a gradient; or the one it did
        not write."""
        if new is used:
            return held
        return _constrain(new, self._while_used(sharding))

    def _constrain_output(self, rows: set[int], next_call: Any, layer: Any, args: Any, kwargs: Any) -> Any:
        """Give the output of a layer the layout that the distribution has for it.

        Without one, or for a batch that is padded, arrays with as many rows as the batch are split as the batch is. If
        weights are split over the same devices, the compiler might else split an output by features, and move
        activations between devices.
        """
        output = next_call(*args, **kwargs)
        layout = self.distribution.get_tensor_layout(f"{layer.path}/output")

        def place(array: Any) -> Any:
            of_batch = isinstance(array, jax.Array) and array.ndim and array.shape[0] in rows
            if layout is not None and not (of_batch and self._has_copies and not self._divides(array.shape)):
                return _with_mask(_constrain(array, layout.backend_layout), array)
            return _with_mask(_constrain(array, self.step_sharding(array.shape)), array) if of_batch else array

        return jax.tree.map(place, output)


def _keep(old: Any, new: Any, shardings: Any) -> Any:
    """A field of the state under its shardings; leaves that a step did not write stay the same objects."""
    if new is None:
        return None
    if old is None:
        return jax.tree.map(_constrain, new, shardings)
    return jax.tree.map(lambda a, b, sharding: b if b is a else _constrain(b, sharding), old, new, shardings)


def _constrain(value: Any, sharding: NamedSharding) -> Any:
    return jax.lax.with_sharding_constraint(value, sharding)


def _with_mask(array: Any, like: Any) -> Any:
    """An array with the mask of another one."""
    mask = get_mask(like)
    if mask is not None:
        set_mask(array, mask)
    return array


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _gathered(value: Any, used: NamedSharding, kept: NamedSharding) -> Any:
    return _constrain(value, used)


_gathered.defvjp(
    lambda value, used, kept: (_constrain(value, used), None),
    # Summed over the devices first: else the layout of the gradient spreads to the activations that it comes from.
    lambda used, kept, _, gradient: (_constrain(_constrain(gradient, used), kept),),
)


def _with_paths(tree: Any) -> list[tuple[Any, Any]]:
    return jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_variable)[0]


def _keys(path: Any) -> tuple[str, ...]:
    return tuple(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)


def _flat(spec: Any) -> list[str]:
    return [name for axis in spec for name in (axis if isinstance(axis, tuple) else (axis,)) if name is not None]


def _from_all(sharding: Callable[[tuple[int, ...]], NamedSharding], part: np.ndarray, processes: int) -> Any:
    """A batch of which every process has a part; the first axis of the parts, or the second of several batches."""
    for axis in range(min(2, part.ndim)):
        shape = tuple(n * processes if i == axis else n for i, n in enumerate(part.shape))
        if len(sharding(shape).spec) > axis and sharding(shape).spec[axis] is not None:
            return jax.make_array_from_process_local_data(sharding(shape), part, shape)
    raise ValueError(
        f"With auto_shard_dataset=False each process brings its own rows, but batches of {part.shape[0]} rows from "
        f"each of {processes} processes do not divide over the devices."
    )


def _in_steps(arrays: Any, size: int) -> Any:
    return jax.tree.map(lambda a: a.reshape((a.shape[0] // size, size, *a.shape[1:])), arrays)  # or `Rows`


def _specs(specs: Any, sharding: Callable[[tuple[int, ...]], NamedSharding]) -> Any:
    return jax.tree.map(lambda s: s.update(sharding=sharding(s.shape)), specs)


def _have_memory_of_their_own() -> bool:
    """Whether devices do not share the memory of the host."""
    return "bytes_limit" in (jax.local_devices()[0].memory_stats() or {})


def fits_on_device(arrays: Any, copies: float = 1) -> bool:
    """Whether arrays may stay on the device beside a model: at most half of the memory that is free there.

    Args:
        arrays: a pytree.
        copies: how many of them there will be in one memory; less than 1 for a part.
    """
    return nbytes(arrays) * copies <= free_bytes() / 2


def nbytes(tree: Any) -> int:
    """The size of a pytree of arrays."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
