"""Keras's methods of an optimizer: steps on variables and on lists of arrays, files and configs."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.core.functional import leaf_paths
from jaxkeras.core.tracking import nest
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers import options
from jaxkeras.optimizers.variables import OptimizerVariables, Rate, State, is_variable

Tree = Any

OPTIONS = ("weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema", "ema_momentum",
           "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps")  # fmt: skip


class KerasAPI(OptimizerVariables):
    """The stateful half of `Optimizer`; each step calls the pure half, `update`, on the values of variables."""

    hyperparameters: tuple[str, ...] = ()  # what a subclass adds to the config: names of arguments and attributes

    weight_decay: float | None

    def __init__(self, learning_rate: Rate, name: str | None) -> None:
        super().__init__(learning_rate, name)
        self._undecayed: list[Variable] = []
        self._undecayed_names: str | None = None

    def update(self, grads: Tree, state: State, params: Tree, **extra: Any) -> tuple[Tree, State]:
        raise NotImplementedError

    def _update(self, grads: Tree, state: State, params: Tree, **extra: Any) -> tuple[Tree, State]:
        raise NotImplementedError

    # -- steps -----------------------------------------------------------------------------------------------------
    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Take one step: update the variables and the optimizer's own state in place.

        Args:
            grads: a gradient for each variable, or None.
            trainable_variables: the variables; by default those the optimizer was built with. The first call builds
                the optimizer with them.

        Raises:
            ValueError: if there are no variables and the optimizer is not built; if it was not built with one of
                them; if the number of gradients differs from the number of variables; if all gradients are None.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None and not self.built:
            raise ValueError(
                f"Optimizer '{self.name}' does not know its variables yet: call `optimizer.build(variables)` first, or "
                "`optimizer.apply(grads, variables)`."
            )
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(variables)
        if len(grads) != len(variables):
            raise ValueError(f"Got {len(grads)} gradients for {len(variables)} variables.")
        given = {id(v): None if g is None else options.dense(g) for v, g in zip(variables, grads)}
        known = {id(v) for v in self._trainable_variables}
        unknown = [v.path for v in variables if id(v) not in known]
        if unknown:
            raise ValueError(
                f"Optimizer '{self.name}' was not built with the variable(s) {unknown}. Create a new optimizer for a "
                "new set of variables."
            )
        options.check_gradients(variables, [given[id(v)] for v in variables])
        everything = list(zip(self._paths, self._trainable_variables))
        params = nest({path: v.value for path, v in everything})
        cells, structure = jax.tree.flatten(self.cells, is_leaf=is_variable)
        state = structure.unflatten([c.value for c in cells])
        params, state = self._update(nest({path: given.get(id(v)) for path, v in everything}), state, params)
        by_path = dict(leaf_paths(params))
        for path, v in everything:
            self.assign(v, by_path[path])
        for c, value in zip(cells, structure.flatten_up_to(state)):
            self.assign(c, value)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """Take one step on `(gradient, variable)` pairs; returns the step counter. See `apply`."""
        grads, variables = zip(*grads_and_vars)
        self.apply(grads, variables)
        return self._iterations

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """`update` on lists of arrays in Keras's order.

        Args:
            optimizer_variables: an array for each of `self.variables`.
            grads: a gradient for each variable the optimizer was built with.
            trainable_variables: an array for each of those variables.

        Returns:
            `(new trainable_variables, new optimizer_variables)`.

        Raises:
            ValueError: if the optimizer is not built, or a list has the wrong length.
        """
        if not self.built:
            raise ValueError(
                f"Optimizer '{self.name}' must be built before `stateless_apply`: call "
                "`optimizer.build(trainable_variables)`."
            )
        for what, values, expected in (
            ("optimizer_variables", optimizer_variables, self.variables),
            ("grads", grads, self._trainable_variables),
            ("trainable_variables", trainable_variables, self._trainable_variables),
        ):
            if len(values) != len(expected):
                raise ValueError(f"`{what}` must have {len(expected)} elements, one for each variable; "
                                 f"got {len(values)}.")  # fmt: skip
        # `jax.jit` passes variables on as variables, since they are pytree nodes.
        optimizer_variables, grads, trainable_variables = (
            [v.value if is_variable(v) else v for v in values]
            for values in (optimizer_variables, grads, trainable_variables)
        )
        params = nest(dict(zip(self._paths, trainable_variables)))
        params, state = self.update(nest(dict(zip(self._paths, grads))), self._pack(optimizer_variables), params)
        by_path = dict(leaf_paths(params))
        return [by_path[path] for path in self._paths], self._unpack(state)

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable of the model or of the optimizer."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable of the model or of the optimizer."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable of the model or of the optimizer."""
        variable.assign_sub(value)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """With `use_ema`, replace variables by their moving averages; called when training ends.

        Args:
            var_list: variables the optimizer was built with.
        """
        if not self.use_ema:
            return
        averages = self._model_variables_moving_average
        for v in var_list:
            average = averages[self._get_variable_index(v)]
            if average is not None:
                self.assign(v, average.value)

    # -- weight decay ----------------------------------------------------------------------------------------------
    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Exclude parameters from weight decay; call it before training.

        Args:
            var_list: the variables to exclude.
            var_names: regular expressions such as `["bias"]`; variables whose name contains a match are excluded too.
        """
        self._undecayed = list(var_list or ())
        self._undecayed_names = "|".join(var_names) if var_names else None

    def _use_weight_decay(self, variable: Any) -> bool:
        """Whether a parameter is not excluded from weight decay."""
        if any(variable is v for v in self._undecayed):
            return False
        return self._undecayed_names is None or not re.search(self._undecayed_names, variable.name)

    def _weight_decay_of(self, variable: Any) -> float | None:
        """The weight decay of one parameter, if it is not excluded."""
        return self.weight_decay

    def _decay(self, params: Sequence[Any], infos: Sequence[Any], lr: Any) -> list[Any]:
        """Decayed parameters, given the `Variable` or `ParamInfo` of each, or None to leave one unchanged."""
        decays = [self._weight_decay_of(i) if i is not None and self._use_weight_decay(i) else None for i in infos]
        return [options.decay(p, rate, lr) for p, rate in zip(params, decays)]

    # -- lists of arrays, files, configs ---------------------------------------------------------------------------
    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all variables from a list of arrays in the order of `variables`.

        Args:
            weights: an array for each of `self.variables`.

        Raises:
            ValueError: if the optimizer is not built, or the number or the shape of an array is wrong.
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
        """Write all variables into a mapping, under the keys `"0"`, `"1"`, ..."""
        for i, v in enumerate(self.variables):
            store[str(i)] = v.numpy()

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` wrote; warns and loads nothing if the number of variables differs."""
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

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        rate = self._learning_rate
        rate = float(rate.cell()) if is_variable(rate) else registry.serialize(rate)
        own = (*OPTIONS, *self.hyperparameters)
        return {"name": self.name, "learning_rate": rate, **{key: getattr(self, key) for key in own}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """An optimizer with this config, not built.

        Args:
            config: what `get_config` returned.
            custom_objects: `{name: class}` for an unregistered schedule class.
        """
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            kind = "keras.optimizers.schedules"
            config["learning_rate"] = registry.deserialize(config["learning_rate"], custom_objects, kind=kind)
        return cls(**config)

    # -- private names of Keras that other packages read -------------------------------------------------------------
    def _var_key(self, variable: Variable) -> str:
        """The path of a parameter in the tree of parameters, as one string."""
        return "/".join(self._paths[self._get_variable_index(variable)])

    @property
    def _model_variables_moving_average(self) -> list[Variable | None]:
        return self._slots_by_parameter("average")

    @property
    def _accumulated_gradients(self) -> list[Variable | None]:
        return self._slots_by_parameter("gradient_accumulator")

    def _apply_weight_decay(self, variables: Sequence[Variable]) -> None:
        for v, value in zip(variables, self._decay([v.value for v in variables], variables, self.learning_rate)):
            v.assign(value)
