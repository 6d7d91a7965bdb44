"""The variables that hold an optimizer's state between steps: creating, naming and reading them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import initializers
from jaxkeras.core import config as global_config
from jaxkeras.core.names import auto_name, name_scope, unique
from jaxkeras.core.placement import to_host
from jaxkeras.core.tracking import Path, nest
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.rule import Slot
from jaxkeras.optimizers.schedules import LearningRateSchedule

State = dict[str, Any]
Rate = float | LearningRateSchedule | Callable[..., Any]


def is_variable(x: Any) -> bool:
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


def _accept_paths(build: Callable[..., None]) -> Callable[..., None]:
    """Let a user's `build(self, variables)` be called with paths, and register the variables it creates."""
    if len(inspect.signature(build).parameters) > 2:
        return build

    @functools.wraps(build)
    def wrapper(self: OptimizerVariables, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        if paths is not None:
            self._given_paths = paths
        build(self, variables)
        self._register_attributes()

    return wrapper


class OptimizerVariables:
    """The state of an optimizer as variables, in the order in which Keras lists and saves them."""

    slot_groups: tuple[tuple[str, ...], ...] = ()  # slots whose variables alternate in Keras's order; () is all in one

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
        # (slot, *path of the parameter) or (name,) -> variable, in Keras's order.
        self._slots: dict[Path, Variable] = {}
        self._snapshots: dict[Path, np.ndarray] = {}  # first values that no initializer reproduces
        self._iterations = self._counter("iteration", 0, "int32")
        self._learning_rate: Any = self._as_rate(learning_rate)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _accept_paths(cls.__dict__["build"])  # type: ignore[method-assign]

    # -- creating variables --------------------------------------------------------------------------------------------
    def build(self, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        """Create the variables that hold the optimizer's state; does nothing the second time.

        Args:
            variables: the trainable variables, in Keras's order.
            paths: the path of each in the tree of parameters; by default the tree is flat, keyed by `variable.path`.

        Raises:
            ValueError: if the number of paths differs from the number of variables.
            RuntimeError: if a subclass did not call `super().__init__`.
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
                        self._slots[(slot, *path)] = self._slot_variable(v, slot, spec[slot])
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

    def _slot_variable_name(self, variable: Variable, slot: str) -> str:
        return f"{variable.path.replace('/', '_')}_{slot}"

    def _slot_variable(self, v: Variable, slot: str, spec: Slot) -> Variable:
        with name_scope(self.name):
            return Variable(
                jnp.array(v.cell(), copy=True) if spec.fill is None else initializers.Constant(spec.fill),
                shape=v.shape if spec.shape is None else spec.shape,
                dtype=spec.dtype or v.dtype,
                trainable=False,
                name=self._slot_variable_name(v, slot),
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
        """Create a variable for state that belongs to the optimizer as a whole.

        Args:
            shape: its shape.
            initializer: an initializer, its name or its config.
            dtype: its dtype; `floatx()` by default.
            aggregation: how copies on several devices are combined; see `Variable`.
            layout: a sharding, or None.
            name: its name, which is also its key in the state.

        Returns:
            The variable.
        """
        return self._add((name or "variable",), shape, initializer, dtype, aggregation, layout, name)

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Create a slot: a variable with the shape and dtype of a parameter.

        Args:
            reference_variable: the parameter.
            name: the name of the slot, which is also its key in the state; `"var"` by default.
            initializer: an initializer, its name or its config.

        Returns:
            The variable, named `<path of the parameter>_<name>`.
        """
        slot = name or "var"
        path = next((p for p, v in zip(self._paths, self._trainable_variables) if v is reference_variable), None)
        key = (slot,) if path is None else (slot, *path)
        v = reference_variable
        return self._add(key, v.shape, initializer, v.dtype, "none", v.layout, self._slot_variable_name(v, slot))

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Create one or more slots for each parameter.

        Args:
            trainable_variables: the parameters.
            name: the name of the slot, or a list of names.
            initializer: one initializer, or one for each name.

        Returns:
            A list of variables, or a tuple of lists if `name` is a list. The entry of a parameter that its gradient
            overwrites is None, because it needs no slot.

        Raises:
            ValueError: if the number of initializers differs from the number of names.
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
            v = Variable(initializers.get(initializer), shape=shape, dtype=dtype, trainable=False,
                         aggregation=aggregation, layout=layout, name=name)  # fmt: skip
        self._slots[self._free_key(key)] = v
        return v

    def _free_key(self, key: Path) -> Path:
        """`key`, with a number appended to its first element if the state already has that key."""
        slot, number = key[0], 0
        taken = {k[0] for k in self._slots if (len(k) > 1) != (len(key) > 1)} | {"iterations", "learning_rate"}
        while key[0] in taken or key in self._slots:
            number += 1
            key = (f"{slot}_{number}", *key[1:])
        return key

    def _register_attributes(self) -> None:
        """After a user's `build`: register variables stored as attributes, and keep values that it assigned."""
        known = {id(v) for v in (*self.variables, *self._trainable_variables)}
        for name, value in list(vars(self).items()):
            found = [value] if is_variable(value) else value if isinstance(value, list) else []
            for v in found:
                if is_variable(v) and id(v) not in known:
                    known.add(id(v))
                    self._slots[self._free_key((name.lstrip("_"),))] = v
        for key, v in self._slots.items():
            if v.initializer is None or v.materialized:
                self._snapshots[key] = np.array(to_host(v.cell()))

    # -- reading variables ---------------------------------------------------------------------------------------------
    @property
    def cells(self) -> State:
        """The structure of `init(params)`, with a `Variable` in place of each array."""
        return {**nest(self._with_gaps(self._slots)), **self._counter_variables()}

    def _counter_variables(self) -> dict[str, Variable]:
        found = {"iterations": self._iterations}
        if is_variable(self._learning_rate):
            found["learning_rate"] = self._learning_rate
        return found

    def _with_gaps(self, flat: Mapping[Path, Any]) -> dict[Path, Any]:
        """`flat`, with None for each parameter that lacks one of the slots."""
        slots = dict.fromkeys(key[0] for key in flat if len(key) > 1)
        return {**{(slot, *path): None for slot in slots for path in self._paths}, **flat}

    def _slots_by_parameter(self, slot: str) -> list[Variable | None]:
        """The variables of one slot in the order of the parameters; None where there is none."""
        return [self._slots.get((slot, *path)) for path in self._paths]

    @property
    def variables(self) -> list[Variable]:
        """All variables, in the order in which Keras lists and saves them."""
        return [*self._counter_variables().values(), *self._slots.values()]

    def _get_variable_index(self, variable: Variable) -> int:
        return next(i for i, v in enumerate(self._trainable_variables) if v is variable)

    def _pack(self, values: Sequence[Any]) -> State:
        """Arrays in the order of `variables` -> the state tree."""
        cells, treedef = jax.tree.flatten(self.cells, is_leaf=is_variable)
        by_cell = {id(v): value for v, value in zip(self.variables, values)}
        return treedef.unflatten([by_cell[id(c)] for c in cells])

    def _unpack(self, state: State) -> list[Any]:
        """The state tree -> arrays in the order of `variables`."""
        cells, treedef = jax.tree.flatten(self.cells, is_leaf=is_variable)
        by_cell = {id(c): value for c, value in zip(cells, treedef.flatten_up_to(state))}
        return [by_cell[id(v)] for v in self.variables]

    @property
    def iterations(self) -> Any:
        """The number of steps taken: the number of calls, divided by `gradient_accumulation_steps` if that is set."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    # -- the learning rate ---------------------------------------------------------------------------------------------
    @property
    def learning_rate(self) -> Any:
        """The current learning rate: its variable, or the value of the schedule.

        A number can be assigned at any time: the rate is part of the state, so nothing is recompiled. Assign a
        schedule or a function of the step to replace the way the rate is computed.

        Raises:
            TypeError: when a number is assigned and the rate is a function of the step.
        """
        return self._learning_rate if is_variable(self._learning_rate) else self._evaluate_rate(self._iterations.value)

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if callable(learning_rate):
            self._learning_rate = learning_rate
        elif is_variable(self._learning_rate):
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
