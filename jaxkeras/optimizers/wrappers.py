"""Optimizers that wrap others: a dynamic loss scale, and one optimizer for each group of parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import initializers, registry
from jaxkeras.core.functional import leaf_paths
from jaxkeras.core.tracking import Path
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers import options
from jaxkeras.optimizers.base import Optimizer
from jaxkeras.optimizers.keras_api import OPTIONS, Tree
from jaxkeras.optimizers.rule import cast, scalar
from jaxkeras.optimizers.variables import State
from jaxkeras.registry import register

_DEFAULTS = {**dict.fromkeys(OPTIONS), "use_ema": False, "ema_momentum": 0.99}


@register("keras.optimizers")
class LossScaleOptimizer(Optimizer):
    """Scale the loss dynamically, so that half-precision gradients do not underflow.

    The loss is multiplied and the gradients are divided by `scale`. If a gradient is infinite or NaN, the step is
    skipped and `scale = scale / 2`; after `dynamic_growth_steps` finite steps in a row, `scale = scale * 2`.

    Args:
        inner_optimizer: the optimizer that takes the steps; its own `loss_scale_factor` is set to None.
        initial_scale: the initial scale, positive.
        dynamic_growth_steps: the number of consecutive finite steps after which the scale doubles.
        name: a name; made from the class name by default.
        **kwargs: options at their default values, which files written by Keras contain.

    Raises:
        ValueError: if an option is given; set it on `inner_optimizer`.

    Reference:
        - [Micikevicius et al., 2018, Mixed Precision Training](https://arxiv.org/abs/1710.03740)

    Example:

    >>> from jaxkeras.optimizers import SGD
    >>> optimizer = LossScaleOptimizer(SGD(0.5), initial_scale=4.0)
    >>> state = optimizer.init({"w": jnp.ones(2)})
    >>> float(optimizer.scale_loss(3.0, state))
    12.0
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer is always dynamic. For a fixed scale, set `loss_scale_factor` on the optimizer "
                "itself, such as Adam(loss_scale_factor=1024.0)."
            )
        # Old files contain the shared options with their default values.
        kwargs = {key: value for key, value in kwargs.items() if key not in _DEFAULTS or value != _DEFAULTS[key]}
        if kwargs:
            raise ValueError(
                f"LossScaleOptimizer does not take {', '.join(map(repr, kwargs))}; options belong on `inner_optimizer`."
            )
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def init(self, params: Tree) -> State:
        return {
            **self._counters(),
            "step_counter": scalar(0, "int32"),
            "dynamic_scale": scalar(self.initial_scale, "float32"),
            "inner": self.inner_optimizer.init(params),
        }

    def _update(self, grads: Tree, state: State, params: Tree, **extra: Any) -> tuple[Tree, State]:
        count, scale = state["step_counter"], state["dynamic_scale"]
        leaves = self._leaves(params)
        gs = leaves.flatten(grads)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(g)) for g in gs if g is not None]))

        def step() -> tuple[Tree, State]:
            as_is = [g is None or info.overwrite_with_gradient for g, info in zip(gs, leaves.infos)]
            unscaled = [g if keep else cast(g, scale.dtype) / scale for g, keep in zip(gs, as_is)]
            new_grads = leaves.treedef.unflatten(unscaled)
            new_params, inner = self.inner_optimizer.update(new_grads, state["inner"], params, **extra)
            grow = count == self.dynamic_growth_steps - 1
            counters = {
                "step_counter": jnp.where(grow, 0, count + 1),
                "dynamic_scale": jnp.where(grow, scale * 2.0, scale),
            }
            return new_params, {**state, **counters, "inner": inner}

        def skip() -> tuple[Tree, State]:
            return params, {**state, "step_counter": jnp.zeros_like(count), "dynamic_scale": scale * 0.5}

        return options.cond(finite, step, skip)

    def build(self, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        if self.built:
            return
        self._record(variables, paths)
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        scale = initializers.Constant(self.initial_scale)
        self.dynamic_scale = self.add_variable((), scale, "float32", name="dynamic_scale")
        self.inner_optimizer.build(variables, paths if paths is not None else self._paths)
        self.built = True

    @property
    def cells(self) -> State:
        """The structure of `init(params)`, with a `Variable` in place of each array."""
        return {**super().cells, "inner": self.inner_optimizer.cells}

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of the inner optimizer."""
        return [*super().variables, *self.inner_optimizer.variables]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The number of steps of the inner optimizer."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any, state: State | None = None) -> Any:
        if state is not None:
            return loss * state["dynamic_scale"]
        return loss * (self.dynamic_scale.value if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        inner = registry.deserialize(config["inner_optimizer"], custom_objects, kind="keras.optimizers")
        return cls(**{**config, "inner_optimizer": inner})


@register("keras.optimizers")
class OptimizerMap(MutableMapping):
    """A mapping from paths of variables to optimizers, with a default.

    A key is a path, or a regular expression that must match a whole path.

    Args:
        default_optimizer: the optimizer of variables that no key matches.
        optimizer_map: `{path or pattern: optimizer}`.

    Raises:
        TypeError: if `default_optimizer` is not an optimizer or `optimizer_map` is not a dict.
        ValueError: if more than one pattern matches a path, when it is looked up; if a key is already present or not
            a string, when it is set.

    Example:

    >>> from jaxkeras.optimizers import SGD, Adam
    >>> optimizers = OptimizerMap(SGD(), {"encoder/.*": Adam(name="adam")})
    >>> optimizers["encoder/dense/kernel"].name
    'adam'
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None) -> None:
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(f"`default_optimizer` must be an optimizer, such as Adam(); got {default_optimizer!r}.")
        if not isinstance(optimizer_map, (dict, type(None))):
            raise TypeError(f"`optimizer_map` must be a dict of paths to optimizers; got {optimizer_map!r}.")
        self.default_optimizer = default_optimizer
        self._optimizer_map = optimizer_map or {}

    def __getitem__(self, key: str) -> Optimizer:
        """The optimizer of a path: that of an equal key, of the one pattern that matches it, or the default."""
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matches = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matches) > 1:
            raise ValueError(f"More than one optimizer for the variable {key!r}: it matches {matches}.")
        return self._optimizer_map[matches[0]] if matches else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if key in self._optimizer_map:
            raise ValueError(f"There is an optimizer for {key!r} already: {self._optimizer_map[key]!r}.")
        if not isinstance(key, str):
            raise ValueError(f"A key must be a path or a pattern; got {key!r}.")
        self._optimizer_map[key] = _check_part(optimizer)

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Any) -> Optimizer:
        """The optimizer of a variable."""
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        return {
            "default_optimizer": registry.serialize(self.default_optimizer),
            "optimizer_map": registry.serialize(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> OptimizerMap:
        """The map with this config."""
        return cls(
            registry.deserialize(config["default_optimizer"], custom_objects, kind="keras.optimizers"),
            registry.deserialize(config["optimizer_map"], custom_objects),
        )


@register("keras.optimizers")
class MultiOptimizer(Optimizer):
    """Train groups of variables with different optimizers.

    Each part has its own learning rate: `[part.learning_rate for part in optimizer.optimizers]`.

    Args:
        optimizer_map: an `OptimizerMap`, or a function from a variable (or an object with the same path, name, shape
            and dtype) to an optimizer.
        loss_scale_factor: the loss scale of all parts, in place of their own.
        name: a name; made from the class name by default.

    Raises:
        ValueError: if a part is not an optimizer, or is itself a `MultiOptimizer` or a `LossScaleOptimizer`.

    Example:

    >>> from jaxkeras.optimizers import SGD, Adam
    >>> optimizer = MultiOptimizer(OptimizerMap(SGD(), {"encoder/.*": Adam()}))
    >>> len(optimizer.optimizers)
    2
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Any], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        self.optimizers: list[Optimizer] = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map: Any = optimizer_map
        self._var_to_optimizer_idx: dict[str, int] = {}  # the path of a parameter -> the index of its optimizer
        if isinstance(optimizer_map, OptimizerMap):
            for part in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._add_part(part)

    def _add_part(self, part: Optimizer) -> int:
        known = [id(p) for p in self.optimizers]
        if id(part) not in known:
            part.loss_scale_factor = self.loss_scale_factor
            self.optimizers.append(part)
            return len(known)
        return known.index(id(part))

    @property
    def loss_scale_factor(self) -> float | None:  # type: ignore[override]
        """The loss scale, the same for all parts."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for part in self.optimizers:
            part.loss_scale_factor = value

    def _positions(self, keys: Sequence[str], infos: Sequence[Any]) -> list[list[int]]:
        """For each optimizer, the indices of the parameters it trains."""
        for key, info in zip(keys, infos):
            if key not in self._var_to_optimizer_idx:
                self._var_to_optimizer_idx[key] = self._add_part(_check_part(self._optimizer_map(info)))
        owners = [self._var_to_optimizer_idx[key] for key in keys]
        return [[i for i, owner in enumerate(owners) if owner == part] for part in range(len(self.optimizers))]

    def init(self, params: Tree) -> State:
        keys, ps = _flat_keys(params), jax.tree.leaves(params)
        positions = self._positions(keys, self._leaves(params).infos)
        parts = [part.init({keys[i]: ps[i] for i in mine}) for part, mine in zip(self.optimizers, positions)]
        return {**self._counters(), "optimizers": {str(i): part for i, part in enumerate(parts)}}

    def _update(self, grads: Tree, state: State, params: Tree, **extra: Any) -> tuple[Tree, State]:
        leaves, keys = self._leaves(params), _flat_keys(params)
        ps, gs = leaves.flatten(params), leaves.flatten(grads)
        parts = dict(state["optimizers"])
        for n, (part, mine) in enumerate(zip(self.optimizers, self._positions(keys, leaves.infos))):
            if all(gs[i] is None for i in mine):
                continue
            own_grads, own_params = {keys[i]: gs[i] for i in mine}, {keys[i]: ps[i] for i in mine}
            new, parts[str(n)] = part.update(own_grads, parts[str(n)], own_params, **extra)
            for i in mine:
                ps[i] = new[keys[i]]
        return leaves.treedef.unflatten(ps), {**state, "iterations": state["iterations"] + 1, "optimizers": parts}

    def build(self, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        if self.built:
            return
        self._record(variables, paths)
        keys = ["/".join(path) for path in self._paths]
        for part, mine in zip(self.optimizers, self._positions(keys, self._trainable_variables)):
            if mine:
                part.build([self._trainable_variables[i] for i in mine], [(keys[i],) for i in mine])
        self.built = True

    @property
    def cells(self) -> State:
        """The structure of `init(params)`, with a `Variable` in place of each array."""
        return {**super().cells, "optimizers": {str(i): part.cells for i, part in enumerate(self.optimizers)}}

    @property
    def variables(self) -> list[Variable]:
        """Its own variables, then those of each part."""
        return [*super().variables, *(v for part in self.optimizers for v in part.variables)]

    @property
    def learning_rate(self) -> Any:
        """Not available: each part has its own."""
        raise _no_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        raise _no_rate()

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        for v in var_list:
            self.optimizers[self._var_to_optimizer_idx[self._var_key(v)]].finalize_variable_values([v])

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer_map": registry.serialize(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        optimizer_map = registry.deserialize(config["optimizer_map"], custom_objects, kind="keras.optimizers")
        return cls(**{**config, "optimizer_map": optimizer_map})


def _no_rate() -> AttributeError:
    return AttributeError(
        "A MultiOptimizer has no learning rate of its own. Read or set those of its parts: "
        "`for part in optimizer.optimizers: part.learning_rate = ...`."
    )


def _flat_keys(params: Tree) -> list[str]:
    return ["/".join(path) for path, _ in leaf_paths(params)]


def _check_part(part: Any) -> Optimizer:
    if not isinstance(part, Optimizer):
        raise ValueError(f"A part of a MultiOptimizer must be an optimizer, such as Adam(); got {part!r}.")
    if isinstance(part, (LossScaleOptimizer, MultiOptimizer)):
        raise ValueError(
            f"A {type(part).__name__} cannot be a part of a MultiOptimizer. Wrap the whole instead: "
            "LossScaleOptimizer(MultiOptimizer(...))."
        )
    return part
