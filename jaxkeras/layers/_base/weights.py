"""The variables of a layer and of its parts, and its dtype policy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from jaxkeras import dtype_policies, registry
from jaxkeras.core import placement
from jaxkeras.core.context import local, setting
from jaxkeras.core.dtypes import is_float_dtype, standardize_dtype, stored_dtype
from jaxkeras.core.symbolic import Operation
from jaxkeras.core.tracking import Trackable
from jaxkeras.core.variable import Variable, standardize_shape
from jaxkeras.dtype_policies import DTypePolicyMap

P = ParamSpec("P")
R = TypeVar("R")


def _born_trainable(v: Variable) -> bool:
    """Whether a variable was created trainable, whether or not its layer is frozen."""
    return getattr(v, "born_trainable", v.trainable)


def _shape_once(add_weight: Callable[P, R]) -> Callable[P, R]:
    """Raise Keras's error where Python's would be a TypeError: for a shape by keyword after a positional argument."""

    @functools.wraps(add_weight)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if len(args) > 1 and "shape" in kwargs:
            raise ValueError(
                f"add_weight takes the shape first, and was given {args[1]!r} there and shape={kwargs['shape']}. A "
                "name is a keyword argument: add_weight(shape=..., name='kernel')."
            )
        return add_weight(*args, **kwargs)

    return wrapper


class OwnParts:
    """A list under the private name that it has in Keras; an attribute of that name on an instance takes its place."""

    def __init__(self, function: Callable[[Any], list[Any]]):
        self.function = function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self.function(instance)


class Weights(Operation, Trackable):
    """The part of `Layer` that creates, lists, reads and writes weights."""

    built: bool
    _trainable: bool
    _path: str | None
    _losses: list[Any]
    _dtype_policy: Any

    _layers: Any = OwnParts(lambda self: self._children())
    _metrics: Any = OwnParts(lambda self: self._children("metric"))
    _seed_generators: Any = OwnParts(lambda self: [generator for _, generator in self._own_seeds()])
    _trainable_variables: Any = OwnParts(lambda self: [v for v in self._own_variables() if _born_trainable(v)])
    _non_trainable_variables: Any = OwnParts(lambda self: [v for v in self._own_variables() if not _born_trainable(v)])

    def _check_super_called(self) -> None:
        if "_dtype_policy" not in vars(self):
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the first statement in "
                "the `__init__()` method. Go add it!"
            )

    def _has_unbuilt_parts(self) -> bool:
        return any(not part.built for part in self._children())

    def _scope(self) -> tuple[str, ...]:
        names = local.names if local.names and local.names[-1] == self.name else (*local.names, self.name)
        if self._path is None:
            self._path = "/".join(names)
        return names

    @_shape_once
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        *,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Create a weight. Call it in `build` or `__init__`.

        Args:
            shape: the shape; scalar when not given.
            initializer: a name, an initializer or a callable; defaults to Glorot uniform for floating types and
                zeros for others.
            dtype: the type; defaults to the layer's variable dtype.
            trainable: whether an optimizer updates it.
            autocast: whether it is read in the compute dtype inside `call`.
            regularizer: penalty added to the loss.
            constraint: applied to the value after each update.
            aggregation: how copies on several devices combine.
            overwrite_with_gradient: whether an update replaces the value by its gradient.
            name: the last element of its path, and its key in the params tree.

        Returns:
            The variable.

        Raises:
            ValueError: when called from `call`.
        """
        self._check_super_called()
        if local.stage == "call" or (local.frame is not None and not local.frame.abstract):
            raise ValueError(
                f"Layer '{self.name}' creates a weight inside `call` or `apply`, where it would be lost when the call "
                f"returns. Create weights in `build`:\n"
                f"    class {type(self).__name__}(Layer):\n"
                f"        def build(self, input_shape):\n"
                f"            self.{name or 'w'} = self.add_weight(shape=..., name={name or 'w'!r})\n"
                "and sublayers in `__init__`; call the model once (or `model.build(shape)`) before `apply`."
            )
        if isinstance(shape, str):
            given = initializer if isinstance(initializer, (tuple, list)) else "(...)"
            raise ValueError(
                f"The first argument of `add_weight` of layer '{self.name}' is the shape; got the string {shape!r}. "
                f"Write self.add_weight(shape={given}, name={shape!r})."
            )
        shape = () if shape is None else standardize_shape(shape)
        dtype = self.variable_dtype if dtype is None else standardize_dtype(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if is_float_dtype(dtype) else "zeros"
        initializer = registry.get("keras.initializers", initializer)
        with setting(names=self._scope()):
            variable = Variable(
                initializer, shape=shape, dtype=dtype, trainable=trainable, autocast=autocast,
                aggregation=aggregation, name=name,
            )  # fmt: skip
        variable.regularizer = registry.get("keras.regularizers", regularizer)
        variable.constraint = registry.get("keras.constraints", constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        variable.born_trainable = trainable  # type: ignore[attr-defined]
        if trainable and not self._trainable:
            variable.trainable = False
        self._own.append(variable)
        return variable

    def _untrack_variable(self, variable: Variable) -> None:
        """Take a weight out of the layer, as long as no attribute holds it; returns None, to be assigned to that."""
        self._own = [v for v in self._own if v is not variable]

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """The same as `add_weight`, with Keras's other order of arguments."""
        return self.add_weight(
            shape, initializer, dtype, trainable=trainable, autocast=autocast, regularizer=regularizer,
            constraint=constraint, name=name,
        )  # fmt: skip

    # -- variables -----------------------------------------------------------------------------------------------
    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Weights]:
        found: dict[int, Weights] = {}

        def visit(layer: Weights) -> None:
            if id(layer) not in found:
                found[id(layer)] = layer
                if recursive or layer is self:
                    for part in layer._children():
                        visit(part)

        visit(self)
        return list(found.values())[0 if include_self else 1 :]

    @property
    def variables(self) -> list[Variable]:
        """Weights and seed states, its own first, then those of its parts; each once."""
        found: dict[Variable, None] = {}
        for layer in self._flatten_layers():
            found.update(dict.fromkeys(layer._own_variables()))
            found.update(dict.fromkeys(v for _, v in layer._own_states()))
        return list(found)

    @property
    def weights(self) -> list[Variable]:
        """Trainable and other weights, without seed states."""
        return list(dict.fromkeys(v for layer in self._flatten_layers() for v in layer._own_variables()))

    @property
    def trainable_variables(self) -> list[Variable]:
        """What an optimizer updates."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """All variables that an optimizer leaves alone, seed states included."""
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Any]:
        """Metrics that are attributes of the layer or of its parts."""
        return list({id(m): m for layer in self._flatten_layers() for m in layer._children("metric")}.values())

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether its weights are updated; setting it also sets that of all its parts."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self._trainable = value
        for v in self._own_variables():
            if _born_trainable(v):
                v.trainable = value
        for part in self._children():
            part.trainable = value

    def get_weights(self) -> list[np.ndarray]:
        """The weights as NumPy arrays."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Set the weights from arrays in the order of `get_weights`.

        Raises:
            ValueError: for another number of arrays, or an array of another shape.
        """
        mine, weights = self.weights, list(weights)
        if len(mine) != len(weights):
            raise ValueError(
                f"set_weights of layer '{self.name}' got {len(weights)} arrays, but the layer has {len(mine)} weights"
                + (": " + ", ".join(v.path for v in mine[:6]) if mine else " (is it built?)")
                + "."
            )
        for v, value in zip(mine, weights):
            if tuple(np.shape(value)) != v.shape:
                raise ValueError(f"Weight '{v.path}' has shape {v.shape}; got an array of shape {np.shape(value)}.")
        for v, value in zip(mine, weights):
            v.assign(value)

    def count_params(self) -> int:
        """The number of scalars in its weights.

        Raises:
            ValueError: while the layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"Layer '{self.name}' has no weights yet because it is not built: call it on data, or "
                "`build(input_shape)`, first."
            )
        return sum(v.size for v in self.weights)

    # -- files ---------------------------------------------------------------------------------------------------
    def save_own_variables(self, store: Any) -> None:
        """Write its own weights to a mapping `{"0": array, "1": array, ...}`."""
        for i, v in enumerate(self._own_variables()):
            store[str(i)] = placement.to_host(v.cell())

    def load_own_variables(self, store: Any) -> None:
        """Read its own weights from the mapping that `save_own_variables` wrote.

        Raises:
            ValueError: for another number of arrays, or another shape.
        """
        mine = self._own_variables()
        if len(store.keys()) != len(mine):
            hint = "" if mine else " The layer is not built; build it, or call it on data, before loading."
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) has {len(mine)} weights, but the file holds "
                f"{len(store.keys())} for it.{hint}"
            )
        for i, v in enumerate(mine):
            v.assign(store[str(i)])

    # -- types ---------------------------------------------------------------------------------------------------
    @property
    def dtype_policy(self) -> Any:
        """Its policy or `DTypePolicyMap`; setting a policy changes the entry of its path in such a map."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        policy, policies = dtype_policies.get(value), self._dtype_policy
        if not self._path or not isinstance(policies, DTypePolicyMap) or isinstance(policy, DTypePolicyMap):
            self._dtype_policy = policy
            return
        if self._path in policies:
            del policies[self._path]
        policies[self._path] = policy

    def _policy_here(self) -> Any:
        """The policy of this layer: the entry of its path if there is a map."""
        policy = self._dtype_policy
        if not isinstance(policy, DTypePolicyMap):
            return policy
        return policy[self._path] if self._path else policy.default_policy

    @property
    def dtype(self) -> str:
        """The type of its weights."""
        return stored_dtype(self._policy_here().variable_dtype)

    @property
    def variable_dtype(self) -> str:
        return stored_dtype(self._policy_here().variable_dtype)

    @property
    def compute_dtype(self) -> str:
        """The type it computes in."""
        return stored_dtype(self._policy_here().compute_dtype)

    @property
    def input_dtype(self) -> str:
        return stored_dtype(self._policy_here().compute_dtype)

    @property
    def quantization_mode(self) -> str | None:
        return self._policy_here().quantization_mode
