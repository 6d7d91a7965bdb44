"""Conversions between optax and Keras: an `optax.GradientTransformation` as an `Optimizer`, and the reverse."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeGuard

import jax
import jax.numpy as jnp

from jaxkeras.core.functional import key_name
from jaxkeras.core.names import name_scope
from jaxkeras.core.tracking import Path, nest
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.base import Leaves, Optimizer
from jaxkeras.optimizers.keras_api import Tree
from jaxkeras.optimizers.rule import scalar
from jaxkeras.optimizers.variables import State, is_variable
from jaxkeras.registry import register

if TYPE_CHECKING:  # imported where it is used: with optax.contrib, it takes a fifth of the import time of JAX
    import optax

_DEFAULT_RATE = 0.001  # where optax has no default
_DEFAULTS: dict[str, dict[str, Any]] = {
    # A line search would need the loss as a function.
    "lbfgs": {"learning_rate": _DEFAULT_RATE, "linesearch": None},
    "noisy_sgd": {"seed": 0},
    "adadelta": {"learning_rate": _DEFAULT_RATE},  # without a rate, optax does not negate the gradient
}


@functools.cache
def aliases() -> dict[str, Any]:
    """The optimizers of `optax` and `optax.contrib`, by name, that require no argument except a learning rate."""
    import optax.contrib

    found = {}
    for module in (optax.contrib, optax):
        for name, factory in vars(module).items():
            if name.startswith(("_", "scale_by_")) or not isinstance(factory, (FunctionType, functools.partial)):
                continue
            parameters = inspect.signature(factory).parameters
            required = {p.name for p in parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD}
            if required <= {"learning_rate"} and {"learning_rate", "max_learning_rate"} & set(parameters):
                found[name] = factory
    return found


def is_transformation(thing: Any) -> TypeGuard[optax.GradientTransformation]:
    """Whether something is an `optax.GradientTransformation`; it cannot be if optax has not been imported."""
    optax = sys.modules.get("optax")
    return optax is not None and isinstance(thing, optax.GradientTransformation)


@register("keras.optimizers", module="jaxkeras.optimizers")
class OptaxOptimizer(Optimizer):
    """A gradient transformation of optax as a Keras optimizer.

    `p = p + u`, where the transformation computes `u` from the gradients. The state is
    `{"iterations": ..., "tx_state": tx.init(params)}`. If `tx` comes from `optax.inject_hyperparams`, its
    `learning_rate` can be read and set like that of any other optimizer, without recompilation.

    Args:
        tx: an `optax.GradientTransformation`.
        name: a name; made from the class name by default.

    Raises:
        TypeError: if `tx` is not a gradient transformation.

    Reference:
        - [DeepMind, 2020, The DeepMind JAX Ecosystem](https://github.com/google-deepmind/optax)

    Example:

    >>> import optax
    >>> optimizer = OptaxOptimizer(optax.sgd(0.5))
    >>> params = {"w": jnp.ones(2)}
    >>> params, _ = optimizer.update({"w": jnp.ones(2)}, optimizer.init(params), params)
    >>> params["w"].tolist()
    [0.5, 0.5]
    """

    def __init__(self, tx: optax.GradientTransformation, name: str | None = None) -> None:
        if not is_transformation(tx):
            raise TypeError(f"OptaxOptimizer needs a gradient transformation, such as optax.adam(1e-3); got {tx!r}.")
        import optax

        super().__init__(0.0, name=name)
        self._tx = optax.with_extra_args_support(tx)
        self._alias: str | None = None
        self._arguments: dict[str, Any] = {}
        self._state_cells: Any = None
        self._learning_rate = self._find_rate()

    @classmethod
    def from_alias(cls, alias: str, name: str | None = None, **arguments: Any) -> OptaxOptimizer:
        """An optimizer of optax by name, with its learning rate injected so that it can be changed.

        Args:
            alias: its name in `optax` or `optax.contrib`.
            name: a name; the alias by default.
            **arguments: its arguments; `learning_rate` is 0.001 where optax has no default.

        Returns:
            The optimizer.

        Raises:
            KeyError: if there is no such optimizer.

        Example:

        >>> float(OptaxOptimizer.from_alias("adabelief", learning_rate=0.5).learning_rate)
        0.5
        """
        import optax

        factory = aliases()[alias]
        parameters = inspect.signature(factory).parameters
        arguments = {**_DEFAULTS.get(alias, {}), **arguments}
        rate = parameters.get("learning_rate")
        if rate is not None and "learning_rate" not in arguments and rate.default is not None:
            arguments["learning_rate"] = _DEFAULT_RATE if rate.default is rate.empty else rate.default
        if "learning_rate" in arguments:
            # Only the rate is injected: optax uses some other arguments as Python numbers.
            factory = optax.inject_hyperparams(factory, static_args=set(parameters) - {"learning_rate"})
        optimizer = cls(factory(**arguments), name=name or alias)
        optimizer._alias, optimizer._arguments = alias, arguments
        return optimizer

    # -- pure functions ------------------------------------------------------------------------------------------------
    def init(self, params: Tree) -> State:
        tx_state = self._tx.init(params)
        if is_variable(self._learning_rate):
            rate = self._learning_rate.cell()
            tx_state = _map_rate(lambda leaf: scalar(rate, leaf.dtype), tx_state)
        return {"iterations": scalar(0, "int32"), "tx_state": tx_state}

    def _descend(
        self, ps: list[Any], gs: list[Any], state: State, leaves: Leaves, count: Any, extra: Any
    ) -> tuple[list[Any], State]:
        import optax

        params = leaves.treedef.unflatten(ps)
        grads = leaves.treedef.unflatten([jnp.zeros_like(p) if g is None else g for p, g in zip(ps, gs)])
        updates, tx_state = self._tx.update(grads, state["tx_state"], params, **extra)
        moved = leaves.flatten(optax.apply_updates(params, updates))
        return [p if g is None else new for p, g, new in zip(ps, gs, moved)], {**state, "tx_state": tx_state}

    # -- variables -----------------------------------------------------------------------------------------------------
    def build(self, variables: Sequence[Variable], paths: Sequence[Path] | None = None) -> None:
        if self.built:
            return
        self._record(variables, paths)
        state = self.init(nest({path: v.cell() for path, v in zip(self._paths, self._trainable_variables)}))
        with name_scope(self.name):
            self._state_cells = jax.tree_util.tree_map_with_path(_cell, state["tx_state"])
        if is_variable(self._learning_rate):
            self._state_cells = _map_rate(lambda cell: self._learning_rate, self._state_cells)
        self.built = True

    @property
    def cells(self) -> State:
        """The structure of the state with a variable in place of each array, once built."""
        return {"iterations": self._iterations, "tx_state": self._state_cells}

    @property
    def variables(self) -> list[Variable]:
        """The step counter, then the variables of the transformation's state in the order of its leaves."""
        return [self._iterations, *jax.tree.leaves(self._state_cells, is_leaf=is_variable)]

    @property
    def learning_rate(self) -> Any:
        """The injected learning rate.

        Raises:
            AttributeError: if the transformation has no injected learning rate.
        """
        if self._learning_rate is None:
            raise AttributeError(
                f"Optimizer '{self.name}' wraps an optax transformation whose learning rate cannot be seen. Build it "
                "with injected hyperparameters: optax.inject_hyperparams(optax.adam)(learning_rate=1e-3)."
            )
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.learning_rate.assign(learning_rate)

    def _find_rate(self) -> Variable | None:
        try:
            state = self._tx.init({})
        except Exception:  # a transformation that does not support an empty tree may raise anything
            return None
        found: list[Any] = []
        _map_rate(found.append, state)
        return self._counter("learning_rate", found[0], found[0].dtype) if found else None

    def get_config(self) -> dict[str, Any]:
        """The name and arguments of an optimizer that was created by name.

        Raises:
            ValueError: for any other transformation, because it consists of functions, which no config can hold.
        """
        if self._alias is None:
            raise ValueError(
                f"Optimizer '{self.name}' wraps an optax transformation, which cannot be written into a config. To "
                'save the optimizer with the model, compile with a name of optax, such as "adabelief", or with '
                'OptaxOptimizer.from_alias("adabelief", ...); or compile the loaded model again.'
            )
        arguments = dict(self._arguments)
        if is_variable(self._learning_rate):
            arguments["learning_rate"] = float(self._learning_rate.cell())
        return {"name": self.name, "alias": self._alias, **arguments}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        return cls.from_alias(**config)


def _map_rate(function: Any, state: Any) -> Any:
    """Apply a function to the injected learning rates in the state of a transformation."""

    def visit(keys: Any, leaf: Any) -> Any:
        found = [key_name(key) for key in keys[-2:]] == ["hyperparams", "learning_rate"]
        return function(leaf) if found else leaf

    return jax.tree_util.tree_map_with_path(visit, state, is_leaf=is_variable)


def _cell(keys: Any, leaf: Any) -> Variable:
    name = "_".join(key_name(key) for key in keys).replace("/", "_")
    return Variable(jnp.array(leaf, copy=True), trainable=False, name=name or "state")


def to_optax(optimizer: Optimizer) -> optax.GradientTransformationExtraArgs:
    """Convert an optimizer to a gradient transformation of optax, to chain it or to use it in a custom loop.

    Args:
        optimizer: an optimizer; its options, such as clipping and weight decay, are included.

    Returns:
        A transformation whose `update` needs `params`.

    Example:

    >>> from jaxkeras.optimizers import SGD
    >>> tx = to_optax(SGD(0.5))
    >>> params = {"w": jnp.ones(2)}
    >>> updates, _ = tx.update({"w": jnp.ones(2)}, tx.init(params), params)
    >>> updates["w"].tolist()
    [-0.5, -0.5]
    """
    import optax

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        new, state = optimizer.update(updates, state, params, **extra)
        return jax.tree.map(lambda q, p: q - p, new, params), state

    return optax.GradientTransformationExtraArgs(optimizer.init, update)
