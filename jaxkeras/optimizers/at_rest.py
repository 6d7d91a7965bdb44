"""The Keras face of an optimizer: cells in Keras's order, and methods over variables and lists of arrays."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import initializers, registry
from jaxkeras.core import config as global_config
from jaxkeras.core.names import auto_name, name_scope, unique
from jaxkeras.core.tracking import Path, nest
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.rule import Slot
from jaxkeras.optimizers.schedules import LearningRateSchedule

State = dict[str, Any]
Rate = float | LearningRateSchedule | Callable[..., Any]

OPTIONS = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum",
           "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps")  # fmt: skip


def is_cell(x: Any) -> bool:
    """Whether `x` is a variable; for `is_leaf`."""
    return isinstance(x, Variable)


def _takes_step(rate: Callable[..., Any]) -> bool:
    try:
        inspect.signature(rate).bind(0)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        pass
    return True


def with_paths(build: Callable[..., None]) -> Callable[..., None]:
    """Let a `build(self, variables)` of the user's be called with paths, and take in what it made."""
    if len(inspect.signature(build).parameters) > 2:
        return build

    @functools.wraps(build)
    def wrapper(self: AtRest, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        if paths is not None:
            self._given_paths = paths
        build(self, variables)
        self._adopt()

    return wrapper


class AtRest:
    """Cells, and what Keras does with them; `Optimizer` adds the functions that change their values."""

    hyperparameters: tuple[str, ...] = ()  # what a subclass adds to the config: names of arguments and attributes
    slot_groups: tuple[tuple[str, ...], ...] = ()  # slots whose cells alternate in Keras's order; () is all in one

    name: str
    use_ema: bool
    gradient_accumulation_steps: int | None
    built = False
    _given_paths: Sequence[Path] | None = None

    def __init__(self, learning_rate: Rate, name: str | None) -> None:
        self.name = name or auto_name(type(self).__name__)
        self.built = False
        self._trainable_variables: list[Variable] = []
        self._paths: list[Path] = []
        self._slots: dict[Path, Variable] = {}  # (slot, *path of the parameter) or (name,) -> cell, in Keras's order
        self._snapshots: dict[Path, np.ndarray] = {}  # first values that no initializer makes again
        self._undecayed: list[Variable] = []
        self._undecayed_names: str | None = None
        self._iterations = self._counter("iteration", 0, "int32")
        self._learning_rate: Any = self._as_rate(learning_rate)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = with_paths(cls.__dict__["build"])  # type: ignore[method-assign]

    # -- making cells ----------------------------------------------------------------------------------------------
    def build(self, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        """Make the cells that hold the state of training these variables; does nothing the second time.

        Args:
            variables: the trainable variables, in Keras's order.
            paths: where each is found in the tree of parameters; by default each lies flat under its own path.
        """
        if self.built:
            return
        self._record(variables, paths)
        specs = self._slot_specs(self._trainable_variables)
        own = dict.fromkeys(name for spec in specs for name in spec if name not in ("average", "gradient_accumulator"))
        for group in (("average",), ("gradient_accumulator",), *(self.slot_groups or (tuple(own),))):
            for path, v, spec in zip(self._paths, self._trainable_variables, specs):
                for slot in group:
                    if slot in spec:
                        self._slots[(slot, *path)] = self._slot_cell(v, slot, spec[slot])
        for key, value in self._shared(self._trainable_variables).items():
            dtype = self._shared_dtype(self._trainable_variables)
            self.add_variable((), initializers.Constant(value), dtype, name=key)
        self.built = True

    def _slot_specs(self, infos: Sequence[Any]) -> list[dict[str, Slot]]:
        raise NotImplementedError

    def _shared(self, infos: Sequence[Any]) -> Mapping[str, float]:
        raise NotImplementedError

    def _shared_dtype(self, infos: Sequence[Any]) -> Any:
        return infos[0].dtype if infos else global_config.floatx()

    def _record(self, variables: Sequence[Variable], paths: Sequence[Path] | None) -> None:
        self._check_initialized()
        self._trainable_variables = list(variables)
        paths = paths if paths is not None else self._given_paths
        if paths is None:
            used: dict[str, int] = {}
            paths = [(unique(v.path, used),) for v in self._trainable_variables]
        if len(paths) != len(self._trainable_variables):
            raise ValueError(f"build() got {len(self._trainable_variables)} variables but {len(paths)} paths.")
        self._paths = [tuple(path) for path in paths]

    def _check_initialized(self) -> None:
        if "_slots" not in self.__dict__:
            raise RuntimeError(
                f"Optimizer '{type(self).__name__}' has no state yet: call `super().__init__(learning_rate=..., "
                "name=...)` first in its `__init__`."
            )

    def _counter(self, name: str, value: Any, dtype: str) -> Variable:
        with name_scope(self.name):
            return Variable(value, dtype=dtype, trainable=False, aggregation="only_first_replica", name=name)

    def _slot_cell_name(self, variable: Variable, slot: str) -> str:
        return f"{variable.path.replace('/', '_')}_{slot}"

    def _slot_cell(self, v: Variable, slot: str, spec: Slot) -> Variable:
        with name_scope(self.name):
            return Variable(
                jnp.array(v.cell(), copy=True) if spec.fill is None else initializers.Constant(spec.fill),
                shape=v.shape if spec.shape is None else spec.shape,
                dtype=spec.dtype or v.dtype,
                trainable=False,
                name=self._slot_cell_name(v, slot),
                layout=v.layout if spec.shape is None else None,
            )

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a cell for state of the optimizer as a whole.

        Args:
            shape: its shape.
            initializer: what an initializer can be given as.
            dtype: its dtype; `floatx()` by default.
            aggregation: how copies on several devices combine; see `Variable`.
            layout: a sharding, or None.
            name: its name, also its key in the state.

        Returns:
            The variable.
        """
        return self._add((name or "variable",), shape, initializer, dtype, aggregation, layout, name)

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Make a slot: a cell of the shape and dtype of a parameter.

        Args:
            reference_variable: the parameter.
            name: the name of the slot, also its key in the state; `"var"` by default.
            initializer: what an initializer can be given as.

        Returns:
            The variable, named `<path of the parameter>_<name>`.
        """
        slot = name or "var"
        path = next((p for p, v in zip(self._paths, self._trainable_variables) if v is reference_variable), None)
        key = (slot,) if path is None else (slot, *path)
        v = reference_variable
        return self._add(key, v.shape, initializer, v.dtype, "none", v.layout, self._slot_cell_name(v, slot))

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Make one slot, or several, for each parameter.

        Args:
            trainable_variables: the parameters.
            name: the name of the slot, or a list of names.
            initializer: one initializer, or one for each name.

        Returns:
            A list of variables, or a tuple of lists for several names; None where a parameter is overwritten by its
            gradient and needs no slot.

        Raises:
            ValueError: for another number of initializers than of names.
        """
        slots = [name] if isinstance(name, str) else list(name)
        starts = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer] * len(slots)
        if len(starts) != len(slots):
            raise ValueError(f"Got {len(slots)} names {slots} but {len(starts)} initializers.")
        made: tuple[list[Any], ...] = tuple([] for _ in slots)
        for v in trainable_variables:
            for column, slot, start in zip(made, slots, starts):
                skip = v.overwrite_with_gradient
                column.append(None if skip else self.add_variable_from_reference(v, slot, start))
        return made[0] if isinstance(name, str) else made

    def _add(self, key: Path, shape: Any, initializer: Any, dtype: Any, aggregation: str, layout: Any, name: Any):
        self._check_initialized()
        with name_scope(self.name):
            cell = Variable(initializers.get(initializer), shape=shape, dtype=dtype, trainable=False,
                            aggregation=aggregation, layout=layout, name=name)  # fmt: skip
        self._slots[self._free_key(key)] = cell
        return cell

    def _free_key(self, key: Path) -> Path:
        """`key`, or with a number added when the state has such an entry."""
        slot, number = key[0], 0
        taken = {k[0] for k in self._slots if (len(k) > 1) != (len(key) > 1)} | {"iterations", "learning_rate"}
        while key[0] in taken or key in self._slots:
            number += 1
            key = (f"{slot}_{number}", *key[1:])
        return key

    def _adopt(self) -> None:
        """After a `build` of the user's: take in variables that are attributes, and keep values it assigned."""
        known = {id(v) for v in (*self.variables, *self._trainable_variables)}
        for name, value in list(vars(self).items()):
            found = [value] if is_cell(value) else value if isinstance(value, list) else []
            for v in found:
                if is_cell(v) and id(v) not in known:
                    known.add(id(v))
                    self._slots[self._free_key((name.lstrip("_"),))] = v
        for key, v in self._slots.items():
            if v.initializer is None or v.materialized:
                self._snapshots[key] = np.array(v.cell())

    # -- reading cells ---------------------------------------------------------------------------------------------
    @property
    def cells(self) -> State:
        """The state at rest: the structure of `init(params)` with a `Variable` for each array."""
        return {**nest(self._with_gaps(self._slots)), **self._counter_cells()}

    def _counter_cells(self) -> dict[str, Variable]:
        found = {"iterations": self._iterations}
        if is_cell(self._learning_rate):
            found["learning_rate"] = self._learning_rate
        return found

    def _with_gaps(self, flat: Mapping[Path, Any]) -> dict[Path, Any]:
        """Every slot gets an entry for every parameter, None where it has no cell."""
        slots = dict.fromkeys(key[0] for key in flat if len(key) > 1)
        return {**{(slot, *path): None for slot in slots for path in self._paths}, **flat}

    @property
    def variables(self) -> list[Variable]:
        """The cells in Keras's order, in which they are listed and saved."""
        return [*self._counter_cells().values(), *self._slots.values()]

    def _get_variable_index(self, variable: Variable) -> int:
        return next(i for i, v in enumerate(self._trainable_variables) if v is variable)

    @property
    def iterations(self) -> Any:
        """How many steps were taken: calls, divided by `gradient_accumulation_steps` if that is set."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The current learning rate: its variable, or the value of the schedule.

        Assign a number at any time: the rate is part of the state, so nothing is compiled again. Assign a schedule
        or a function to replace how it is found.
        """
        return self._learning_rate if is_cell(self._learning_rate) else self._evaluate_rate(self._iterations.value)

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if callable(learning_rate):
            self._learning_rate = learning_rate
        elif is_cell(self._learning_rate):
            self._learning_rate.assign(learning_rate)
        else:
            raise TypeError(
                f"The learning rate of optimizer '{self.name}' is {self._learning_rate!r}, a function of the step, so "
                "it cannot be set to a number. Create the optimizer with a float to be able to set its learning rate."
            )

    def _as_rate(self, rate: Any) -> Any:
        if callable(rate):
            return rate
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) and getattr(rate, "ndim", None) != 0:
            raise ValueError(
                "`learning_rate` must be a number, a LearningRateSchedule, or a function of the step that returns a "
                f"number; got {rate!r}."
            )
        return self._counter("learning_rate", rate, global_config.floatx())

    def _evaluate_rate(self, step: Any) -> Any:
        rate = self._learning_rate
        return rate(step) if _takes_step(rate) else rate()

    # -- lists of arrays, files, configs -----------------------------------------------------------------------------
    def _pack(self, values: Sequence[Any]) -> State:
        """Arrays in the order of `variables` -> the state tree."""
        cells, treedef = jax.tree.flatten(self.cells, is_leaf=is_cell)
        by_cell = {id(v): value for v, value in zip(self.variables, values)}
        return treedef.unflatten([by_cell[id(c)] for c in cells])

    def _unpack(self, state: State) -> list[Any]:
        """The state tree -> arrays in the order of `variables`."""
        cells, treedef = jax.tree.flatten(self.cells, is_leaf=is_cell)
        by_cell = {id(c): value for c, value in zip(cells, treedef.flatten_up_to(state))}
        return [by_cell[id(v)] for v in self.variables]

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable, of the model or of the optimizer."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable, of the model or of the optimizer."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable, of the model or of the optimizer."""
        variable.assign_sub(value)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all variables from a list of arrays in the order of `variables`.

        Raises:
            ValueError: before `build`, and for a wrong number or shape of arrays.
        """
        if not self.built:
            raise ValueError(
                f"Optimizer '{self.name}' has no weights to set yet. Call `optimizer.build(trainable_variables)` first."
            )
        if len(weights) != len(self.variables):
            raise ValueError(f"Optimizer '{self.name}' has {len(self.variables)} variables; got {len(weights)} arrays.")
        for v, value in zip(self.variables, weights):
            v.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Write all variables into a mapping as `store["0"]`, `store["1"]`, ..."""
        for i, v in enumerate(self.variables):
            store[str(i)] = v.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` wrote; with a warning, nothing if the number of variables differs."""
        if len(store.keys()) != len(self.variables):
            hint = "" if self.built else " It has not been built: call `optimizer.build(trainable_variables)` first."
            warnings.warn(
                f"The state of optimizer '{self.name}' was not loaded: it has {len(self.variables)} variables and the "
                f"file has {len(store.keys())}.{hint}",
                stacklevel=2,
            )
            return
        for i, v in enumerate(self.variables):
            v.assign(np.asarray(store[str(i)]))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """When training ends: with `use_ema`, replace parameters by their moving averages."""
        if not self.use_ema:
            return
        for v in var_list:
            average = self._slots.get(("average", *self._paths[self._get_variable_index(v)]))
            if average is not None:
                v.assign(average.value)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Keep parameters free of weight decay; call it before training.

        Args:
            var_list: these variables.
            var_names: variables whose name contains a match of one of these regular expressions, such as `["bias"]`.
        """
        self._undecayed = list(var_list or ())
        self._undecayed_names = "|".join(var_names) if var_names else None

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        rate = self._learning_rate
        rate = float(rate.cell()) if is_cell(rate) else registry.serialize(rate)
        own = (*OPTIONS, *self.hyperparameters)
        return {"name": self.name, "learning_rate": rate, **{key: getattr(self, key) for key in own}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The optimizer with this config, not built.

        Args:
            config: what `get_config` returned.
            custom_objects: `{name: class}` for a schedule of your own that is not registered.
        """
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            kind = "keras.optimizers.schedules"
            config["learning_rate"] = registry.deserialize(config["learning_rate"], custom_objects, kind=kind)
        return cls(**config)
