"""`Layer`: the Keras face of a pair of pure functions."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.core import pure
from jaxkeras.core.dtypes import is_float_dtype, standardize_dtype
from jaxkeras.core.frame import local, setting
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.core.policy import get_policy
from jaxkeras.core.symbolic import KerasTensor, Node, Operation, any_symbolic, infer, probe_shape
from jaxkeras.core.tracking import Trackable
from jaxkeras.core.variable import Variable, standardize_shape
from jaxkeras.layers.input_spec import check_inputs

_BASE_ARGUMENTS = ("self", "args", "kwargs", "name", "trainable", "dtype", "weights")


def _is_leaf(x: Any) -> bool:
    return x is None or isinstance(x, KerasTensor)


def _is_tensor(x: Any) -> bool:
    return isinstance(x, (jax.Array, np.ndarray, KerasTensor, jax.ShapeDtypeStruct))


def _wrap_build(build: Callable[..., Any]) -> Callable[..., Any]:
    """Mark the layer as built, remember the shapes and name its weights after it, however `build` was reached."""

    @functools.wraps(build)
    def wrapper(self, *args, **kwargs):
        if getattr(self, "_in_build", False):  # super().build(...)
            return build(self, *args, **kwargs)
        self._in_build = True
        try:
            with setting(stage="build", names=self._scope()):
                result = build(self, *args, **kwargs)
        finally:
            self._in_build = False
        self.built = True
        bound = inspect.signature(build).bind(self, *args, **kwargs).arguments
        bound.pop("self", None)
        self._build_shapes = {k: v for k, v in bound.items() if k not in ("args", "kwargs")}
        return result

    return wrapper


class Layer(Operation, Trackable):
    """A transformation with weights. Subclass it and write `build` (create weights) and `call` (compute).

    A layer is a pair of pure functions with Keras's face: `init` makes its weights and `apply` computes, over nested
    dicts of arrays; calling the layer itself reads and writes the weights it holds.

    Args:
        activity_regularizer: penalty on the output, or None.
        trainable: whether an optimizer updates its weights.
        dtype: a type or policy, such as `"mixed_bfloat16"`; defaults to the global policy.
        autocast: whether floating inputs are cast to the compute dtype.
        name: unique within a model; made up from the class name when not given.

    Example:

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> layer = Scale()
    >>> layer(jnp.ones((2, 3))).shape
    (2, 3)
    >>> params, state = layer.init(jax.random.key(0), (None, 3))
    >>> y, state = layer.apply(params, state, jnp.ones((2, 3)))
    """

    _untracked = Trackable._untracked | {"_build_shapes", "_losses", "_input_spec", "input_spec"}
    #: Whether arguments of `call` are turned into arrays and cast (preprocessing layers take strings).
    _convert_input_args = True
    #: Whether Python values may be passed to `call` by position.
    _allow_non_tensor_positional_args = False

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = _wrap_build(cls.build)

    def __new__(cls, *args: Any, **kwargs: Any):
        instance = super().__new__(cls, *args, **kwargs)
        # Set before __init__, so that attributes can be assigned and weights listed at any time.
        vars(instance).update(_own=[], built=False, _losses=[], _signature=cls._call_signature())
        return instance

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        input_shape = kwargs.pop("input_shape", None)
        if input_shape is None and "input_dim" in kwargs:
            input_shape = (kwargs.pop("input_dim"),)
        kwargs.pop("batch_size", None)
        if kwargs:
            raise registry.unknown(
                f"argument of {type(self).__name__}", next(iter(kwargs)), inspect.signature(type(self)).parameters
            )
        Operation.__init__(self, name=name)
        if not isinstance(trainable, bool):
            raise ValueError(f"`trainable` of layer '{self.name}' must be True or False; got {trainable!r}.")
        if input_shape is not None:
            # Taken by Sequential; elsewhere it says nothing that the input does not say.
            self._declared_input_shape = (None, *input_shape)
        self.activity_regularizer = registry.get("keras.regularizers", activity_regularizer)
        self._dtype_policy = get_policy(dtype)
        self.autocast = autocast
        self._trainable = trainable
        self._path: str | None = None
        self._called = False
        self._build_shapes: dict[str, Any] | None = None
        self._input_spec: Any = None
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        if type(self).build is Layer.build:
            self.built = not self._has_unbuilt_parts()

    # -- construction --------------------------------------------------------------------------------------------
    @classmethod
    @functools.cache
    def _call_signature(cls) -> inspect.Signature:
        parameters = list(inspect.signature(cls.call).parameters.values())[1:]
        return inspect.Signature(parameters)

    def _check_super_called(self) -> None:
        if "_dtype_policy" not in vars(self):
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the first statement in "
                "the `__init__()` method. Go add it!"
            )

    def _has_unbuilt_parts(self) -> bool:
        return any(not part.built for part in self.parts())

    def _scope(self) -> tuple[str, ...]:
        names = local.names if local.names and local.names[-1] == self.name else (*local.names, self.name)
        if self._path is None:
            self._path = "/".join(names)
        return names

    def build(self, input_shape: Any) -> None:
        """Create the weights, knowing the shape of the first input. Override it in a layer with weights."""
        if self._has_unbuilt_parts() or not self.built:
            tensors = jax.tree.map(KerasTensor, input_shape, is_leaf=_is_shape)
            infer(self.__call__, (tensors,), {})
        self._build_shapes = {"input_shape": input_shape}
        self.built = True

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes it was built with, for its config."""
        shapes = self._build_shapes
        if not shapes:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes that `get_build_config` returned."""
        if not config:
            return
        if "input_shape" in config:
            shape = config["input_shape"]
            if shape is not None:
                self.build(_tuples(shape))
        elif "shapes_dict" in config:
            self.build(**{k: _tuples(v) for k, v in config["shapes_dict"].items()})

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
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
            RuntimeError: when called from `call`.
        """
        self._check_super_called()
        if local.stage == "call" or (local.frame is not None and not local.frame.abstract):
            raise RuntimeError(
                f"Layer '{self.name}' creates a weight while values are in flight (inside `call` or `apply`), so "
                f"nobody could keep it. Create weights in `build`:\n"
                f"    class {type(self).__name__}(Layer):\n"
                f"        def build(self, input_shape):\n"
                f"            self.{name or 'w'} = self.add_weight(shape=..., name={name or 'w'!r})\n"
                "and sublayers in `__init__`; call the model once (or `model.build(shape)`) before `apply`."
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
        return self.add_weight(shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name)

    # -- variables -----------------------------------------------------------------------------------------------
    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        found: dict[int, Layer] = {}

        def visit(layer: Layer) -> None:
            if id(layer) not in found:
                found[id(layer)] = layer
                if recursive or layer is self:
                    for part in layer.parts():
                        visit(part)

        visit(self)
        return list(found.values())[0 if include_self else 1 :]

    @property
    def variables(self) -> list[Variable]:
        """Weights and seed states, its own first, then those of its parts; each once."""
        found: dict[int, Variable] = {}
        for layer in self._flatten_layers():
            for v in layer.own_variables():
                found.setdefault(id(v), v)
            for _, v in layer.own_states():
                found.setdefault(id(v), v)
        return list(found.values())

    @property
    def weights(self) -> list[Variable]:
        """Trainable and other weights, without seed states."""
        found: dict[int, Variable] = {}
        for layer in self._flatten_layers():
            for v in layer.own_variables():
                found.setdefault(id(v), v)
        return list(found.values())

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
        found: dict[int, Any] = {}
        for layer in self._flatten_layers():
            for metric in layer.parts("metric"):
                found.setdefault(id(metric), metric)
        return list(found.values())

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether its weights are updated; setting it sets that of all its parts."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self._trainable = value
        for v in self.own_variables():
            if getattr(v, "born_trainable", v.trainable):
                v.trainable = value
        for part in self.parts():
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

    # -- the pure pair -------------------------------------------------------------------------------------------
    @property
    def params(self) -> dict[str, Any]:
        """What training changes: a nested dict of arrays, keyed by path as in a `.weights.h5` file."""
        return pure.cells(pure.table(self).params)

    @params.setter
    def params(self, tree: Any) -> None:
        pure.set_cells(pure.table(self).params, tree, "params")

    @property
    def state(self) -> dict[str, Any]:
        """What a call changes: moving statistics, seed states."""
        return pure.cells(pure.table(self).state)

    @state.setter
    def state(self, tree: Any) -> None:
        pure.set_cells(pure.table(self).state, tree, "state")

    def init(self, key: Any, *inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fresh weights. Pure once the layer is built: jit it, or vmap it over keys for many models.

        Args:
            key: a JAX key or an integer.
            *inputs: for a layer that is not built: its input shapes (None where unknown), arrays, or
                `jax.ShapeDtypeStruct`s.

        Returns:
            `(params, state)`, nested dicts of arrays. The weights that the layer itself holds do not change.

        Raises:
            ValueError: when the layer is not built and no shape is given.
        """
        self._ensure_built(*inputs)
        tables = pure.table(self)
        return pure.initial_values(tables.params, key), pure.initial_values(tables.state, key)

    def apply(
        self, params: Any, state: Any, *args: Any, training: bool | None = None, rng: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Compute, as a pure function: jit, grad, vmap, scan it.

        Args:
            params, state: the trees that `init` returned.
            *args: the inputs of `call`.
            training: whether dropout drops and statistics move.
            rng: a JAX key for random layers; without one they draw from (and advance) the seeds in `state`.
            **kwargs: further arguments of `call`.

        Returns:
            `(outputs, new_state)`.

        Raises:
            ValueError: for trees of another structure, naming the path.
        """
        self._ensure_built(*args, **kwargs)
        if training is not None:
            kwargs["training"] = training
        outputs, state, _ = pure.run(pure.table(self), params, state, lambda: self(*args, **kwargs), rng)
        return outputs, state

    def _ensure_built(self, *inputs: Any, **kwargs: Any) -> None:
        if self.built and (self._called or not self._has_unbuilt_parts()):
            return
        if not inputs and not kwargs:
            raise ValueError(
                f"Layer '{self.name}' is not built; give the shape of its input: init(key, (None, 784))."
            )

        def symbolic(x: Any) -> Any:
            if _is_shape(x):
                return KerasTensor(x)
            if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, KerasTensor):
                shape = tuple(x.shape)
                text = getattr(x.dtype, "kind", "-") in "USO"
                dtype = "string" if text else standardize_dtype(x.dtype)
                return KerasTensor((None, *shape[1:]) if shape else shape, dtype)
            return x

        args, kwargs = jax.tree.map(symbolic, (inputs, kwargs), is_leaf=_is_shape)
        outer, local.frame = local.frame, None
        try:
            infer(self.__call__, args, kwargs)
        finally:
            local.frame = outer

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Keras's form of `apply`, over lists in the order of `trainable_variables` and `non_trainable_variables`.

        Returns:
            `(outputs, non_trainable_variables)`, and the list of losses third if `return_losses`.
        """
        if not self.built:
            raise ValueError(f"Layer '{self.name}' must be built before `stateless_call`: call it once on data.")
        trainable, fixed = self.trainable_variables, self.non_trainable_variables
        if len(trainable_variables) != len(trainable) or len(non_trainable_variables) != len(fixed):
            raise ValueError(
                f"stateless_call of layer '{self.name}' expects {len(trainable)} trainable and {len(fixed)} "
                f"non-trainable values; got {len(trainable_variables)} and {len(non_trainable_variables)}."
            )

        def call() -> tuple[Any, list[Any]]:
            outputs = self(*args, **kwargs)
            return outputs, self.losses if return_losses else []

        (outputs, losses), values, _ = pure.stateless(
            [*trainable, *fixed], [*trainable_variables, *non_trainable_variables], call
        )
        result = (outputs, values[len(trainable) :])
        return (*result, losses) if return_losses else result

    # -- calling -------------------------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        if any_symbolic(args, kwargs):
            return self._symbolic(args, kwargs)
        arguments = self._convert_arguments(args, kwargs)
        first = next(iter(arguments.values()), None)
        if self._input_spec is not None:
            check_inputs(self._input_spec, first, self.name)
        if not self.built or (self._build_shapes is None and type(self).build is Layer.build):
            self._maybe_build(arguments)
        return self._run(arguments, first)

    def _symbolic(self, args: tuple, kwargs: dict) -> Any:
        arguments = self._bind(args, kwargs)
        first = next(iter(arguments.values()), None)
        if self._input_spec is not None:
            check_inputs(self._input_spec, first, self.name)
        if not self.built or (self._build_shapes is None and type(self).build is Layer.build):
            self._maybe_build(arguments)
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """What a call returns, as KerasTensors, by tracing it abstractly. A `compute_output_shape` of yours wins."""
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            shapes = [
                jax.tree.map(lambda x: x.shape, value, is_leaf=_is_leaf)
                for value in self._bind(args, kwargs).values()
                if any_symbolic(value)
            ]
            count = len(inspect.signature(self.compute_output_shape).parameters)
            shape = self.compute_output_shape(*shapes[:count])
            return jax.tree.map(lambda s: KerasTensor(s, self.compute_dtype), _tuples(shape), is_leaf=_is_shape)
        return infer(self.__call__, args, kwargs)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for given shapes of the inputs, None where unknown."""

        def symbolic(shapes: Any) -> Any:
            return jax.tree.map(lambda s: KerasTensor(s, self.compute_dtype), shapes, is_leaf=_is_shape)

        named = {k: symbolic(v) for k, v in _without_suffix(kwargs).items()}
        outputs = Layer.compute_output_spec(self, *map(symbolic, args), **named)
        return jax.tree.map(lambda x: x.shape, outputs)

    def _bind(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        """Arguments by the names that `call` gives them; context arguments it does not take are left to `_run`."""
        if "training" in kwargs and "training" not in self._signature.parameters:
            kwargs = {k: v for k, v in kwargs.items() if k != "training"} if not self._takes_kwargs() else kwargs
        try:
            return dict(self._signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(
                f"Layer '{self.name}' was called with arguments its `call{self._signature}` does not take: {error}."
            ) from None

    def _takes_kwargs(self) -> bool:
        return any(p.kind is p.VAR_KEYWORD for p in self._signature.parameters.values())

    def _convert_arguments(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        training = kwargs.get("training")
        arguments = self._bind(args, kwargs)
        if self._convert_input_args:
            policy, autocast, dtype = self._dtype_policy, self.autocast, self.compute_dtype

            def convert(x: Any) -> Any:
                y = policy.convert_input(x, autocast, dtype)
                if y is not x:
                    mask = get_mask(x) if isinstance(x, jax.Array) else None
                    if mask is not None:
                        set_mask(y, mask)
                return y

            for name, value in arguments.items():
                if isinstance(value, jax.Array) and (value.dtype == dtype or not is_float_dtype(value.dtype)):
                    continue
                if name != "training" and value is not None and not isinstance(value, (bool, str, int, float)):
                    arguments[name] = jax.tree.map(convert, value, is_leaf=_is_convertible)
            if not self._allow_non_tensor_positional_args:
                self._check_positional(args)
        if training is not None:
            arguments.setdefault("training", training)
        return arguments

    def _check_positional(self, args: tuple) -> None:
        for x in jax.tree.leaves(args, is_leaf=_is_convertible):
            if not (_is_tensor(x) or hasattr(x, "__jax_array__")):
                raise ValueError(
                    f"Only tensors may be passed to layer '{self.name}' by position; got {x!r} of type "
                    f"{type(x).__name__}. Pass it by keyword, or convert lists with np.asarray(...)."
                )

    def _maybe_build(self, arguments: dict[str, Any]) -> None:
        shapes = {}
        for name, value in arguments.items():
            if name in ("mask", "args", "kwargs", "training") or value is None:
                continue
            leaves = jax.tree.leaves(value, is_leaf=_is_leaf)
            if leaves and all(x is None or _is_tensor(x) for x in leaves):
                shapes[f"{name}_shape"] = jax.tree.map(
                    lambda x: None if x is None else probe_shape(tuple(x.shape)), value, is_leaf=_is_leaf
                )
        if type(self).build is not Layer.build:
            names = [
                p.name for p in inspect.signature(self.build).parameters.values()
                if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY, p.KEYWORD_ONLY)
            ]  # fmt: skip
            if len(names) == 1:
                self.build(next(iter(shapes.values()), None))
            else:
                for name in names:
                    if not name.endswith("_shape") or name.removesuffix("_shape") not in self._signature.parameters:
                        raise ValueError(
                            f"`build` of layer '{type(self).__name__}' takes {name!r}. With more than one argument, "
                            "each must be named after an argument of `call` with the suffix `_shape`, such as "
                            "build(self, query_shape, value_shape) for call(self, query, value)."
                        )
                self.build(**{name: shapes[name] for name in names if name in shapes})
            if self._input_spec is not None:
                check_inputs(self._input_spec, next(iter(arguments.values()), None), self.name)
        else:
            self._build_shapes = shapes
            self.built = True

    def _run(self, arguments: dict[str, Any], first: Any) -> Any:
        parameters = self._signature.parameters
        outermost = local.stage is None
        # An explicit argument, else that of the layer around, else the default of `call`.
        training = arguments.get("training")
        if training is None:
            training = local.training
        if training is None and "training" in parameters:
            default = parameters["training"].default
            training = None if default is inspect.Parameter.empty else default
        arguments.pop("training", None)
        if "training" in parameters and training is not None:
            arguments["training"] = training

        previous_mask = self._populate_masks(arguments, first)
        if outermost and local.frame is None:
            self._clear_losses()
        autocast = local.autocast
        if not self.autocast or not is_float_dtype(self.compute_dtype):
            autocast = None
        elif autocast is not None or self.compute_dtype != self.variable_dtype:
            autocast = self.compute_dtype
        with setting(stage="call", training=training, autocast=autocast, names=self._scope()):
            outputs = self._compute(arguments)
            self._called = True
            self.built = True
            if self.activity_regularizer is not None:
                for y in jax.tree.leaves(outputs):
                    loss = self.activity_regularizer(y)
                    self.add_loss(loss / y.shape[0] if y.ndim > 0 else loss)
        if self.supports_masking:
            self._set_output_masks(first, outputs, previous_mask)
        elif previous_mask is not None and jax.tree.leaves(previous_mask):
            warnings.warn(
                f"Layer '{self.name}' ({type(self).__name__}) does not support masking, so the mask of its input ends "
                "here: later layers will see padded steps as data.",
                stacklevel=3,
            )
        return outputs

    def _compute(self, arguments: dict[str, Any]) -> Any:
        args, kwargs = [], dict(arguments)
        for name, parameter in self._signature.parameters.items():
            if name not in kwargs:
                break
            if parameter.kind is parameter.VAR_POSITIONAL:
                args.extend(kwargs.pop(name))
            elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                args.append(kwargs.pop(name))
            else:
                break
        kwargs.update(kwargs.pop("kwargs", {}) if self._takes_kwargs() else {})
        try:
            with jax.named_scope(self.name):
                return self.call(*args, **kwargs)
        except (TypeError, ValueError) as error:
            self._explain(error)
            raise

    def _explain(self, error: Exception) -> None:
        """Add to an error of JAX's, from the innermost layer, what to write instead."""
        note = None
        if isinstance(error, jax.errors.ConcretizationTypeError):
            note = _TRACED_VALUE
        elif "Triggering __jax_array__()" in str(error):
            note = _RAW_VARIABLE
        if note is not None and not any(n.startswith(_IN_CALL) for n in getattr(error, "__notes__", ())):
            error.add_note(f"{_IN_CALL} '{self.name}' ({type(self).__name__}): {note}")

    def _populate_masks(self, arguments: dict[str, Any], first: Any) -> Any:
        parameters = self._signature.parameters
        tensors = [
            name for name, value in arguments.items()
            if name not in ("mask", "training") and value is not None
            and any(_is_tensor(x) for x in jax.tree.leaves(value))
        ]  # fmt: skip
        if len(tensors) == 1:
            if "mask" in parameters and arguments.get("mask") is None:
                mask = _masks_of(arguments[tensors[0]])
                if mask is not None:
                    arguments["mask"] = mask
        else:
            for name in tensors:
                if f"{name}_mask" in parameters and arguments.get(f"{name}_mask") is None:
                    mask = _masks_of(arguments[name])
                    if mask is not None:
                        arguments[f"{name}_mask"] = mask
        mask = arguments.get("mask")
        return mask if mask is not None else _masks_of(first)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output, given the inputs and their mask; passes it on unless overridden."""
        return previous_mask

    def _set_output_masks(self, inputs: Any, outputs: Any, previous_mask: Any) -> None:
        leaves = jax.tree.leaves(outputs)
        if all(get_mask(y) is not None for y in leaves):
            return
        masks = self.compute_mask(inputs, previous_mask)
        if masks is None:
            return
        flat = masks if isinstance(masks, (list, tuple)) else [masks]
        for y, mask in zip(leaves, flat):
            if mask is not None and get_mask(y) is None:
                set_mask(y, mask)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Override it; write plain `jax.numpy` over inputs and `self.<weight>`."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} has no `call` method. Write `def call(self, inputs): ...` in the class."
        )

    # -- losses --------------------------------------------------------------------------------------------------
    def add_loss(self, loss: Any) -> None:
        """Add scalars (or arrays, which are summed) to the training loss. Call it inside `call`."""
        items = loss if isinstance(loss, (list, tuple)) else [loss]
        target = local.frame.losses if local.frame is not None else self._losses
        target.extend(items)

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` and activity regularizers recorded in the last call, then weight penalties."""
        if local.frame is not None:
            recorded = list(local.frame.losses)
        else:
            recorded = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return recorded + self._regularization_losses()

    def _regularization_losses(self) -> list[Any]:
        return [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            if layer._losses:
                layer._losses.clear()

    # -- types, config -------------------------------------------------------------------------------------------
    @property
    def dtype_policy(self) -> Any:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = get_policy(value)

    @property
    def dtype(self) -> str:
        """The type of its weights."""
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The type it computes in."""
        return self._dtype_policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        return self._dtype_policy.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        return self._dtype_policy.quantization_mode

    @property
    def input_spec(self) -> Any:
        """Demands on the inputs: an `InputSpec` or a structure of them."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    @property
    def path(self) -> str | None:
        """Its name with those of the models around it; None until it is built."""
        return self._path

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, as plain data.

        For a built-in class they are read from the attributes that its constructor's parameters are named after. For
        a class of yours without a `get_config` they are what its constructor was given.
        """
        config: dict[str, Any] = {
            "name": self.name, "trainable": self._trainable, "dtype": registry.serialize(self._dtype_policy),
        }  # fmt: skip
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        for cls in reversed(type(self).__mro__):
            if registry.is_builtin(cls):
                for name in inspect.signature(cls.__init__).parameters:
                    if name not in _BASE_ARGUMENTS and hasattr(self, name):
                        config[name] = registry.serialize_argument(getattr(self, name))
        return self._with_own_arguments(config) if type(self).get_config is Layer.get_config else config

    def _with_own_arguments(self, config: dict[str, Any]) -> dict[str, Any]:
        """The config of a class of the user's that has no `get_config`."""
        if registry.is_builtin(type(self)):
            return config
        config = {**config, **self._own_arguments()}
        parameters = inspect.signature(type(self).__init__).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return config
        return {k: v for k, v in config.items() if k in parameters}

    def _own_arguments(self) -> dict[str, Any]:
        args, kwargs = self._init_arguments
        signature = inspect.signature(type(self).__init__)
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
        for name, parameter in signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound.update(bound.pop(name, {}))
        bound.pop(next(iter(signature.parameters)), None)
        return {k: registry.serialize_argument(v) for k, v in bound.items() if k not in ("name", "trainable", "dtype")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from what `get_config` returned."""
        config = dict(config)
        for key, value in config.items():
            if registry.is_config(value):
                config[key] = registry.deserialize(value)
        return cls(**config)

    # -- files ---------------------------------------------------------------------------------------------------
    def save_own_variables(self, store: Any) -> None:
        """Write its own weights to a mapping `{"0": array, "1": array, ...}`."""
        for i, v in enumerate(self.own_variables()):
            store[str(i)] = np.asarray(v.cell())

    def load_own_variables(self, store: Any) -> None:
        """Read its own weights from the mapping that `save_own_variables` wrote.

        Raises:
            ValueError: for another number of arrays, or another shape.
        """
        mine = self.own_variables()
        if len(store.keys()) != len(mine):
            hint = "" if mine else " The layer is not built; build it, or call it on data, before loading."
            raise ValueError(
                f"Layer '{self.name}' ({type(self).__name__}) has {len(mine)} weights, but the file holds "
                f"{len(store.keys())} for it.{hint}"
            )
        for i, v in enumerate(mine):
            v.assign(store[str(i)])

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "Layer.add_metric does not exist in Keras 3: make the metric an attribute in __init__ "
            "(self.m = Mean(name='m')) and call self.m.update_state(value) in `call`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={getattr(self, 'name', '?')}, built={self.built}>"


_IN_CALL = "In `call` of layer"
_TRACED_VALUE = (
    "the compiled step has no values yet where Python needs one (`if`, `while`, `int()`, `float()`, `np.*`). Write "
    "jnp.where(condition, a, b) or jax.lax.cond(condition, f, g, x) in place of `if`, jax.lax.while_loop in place of "
    "`while`, jnp in place of np. To look at values, compile(..., run_eagerly=True)."
)
_RAW_VARIABLE = (
    "a function of jax.lax was given a Variable, which only jax.numpy and jax.nn take as it is. Write `.value`: "
    "jax.lax.exp(self.w.value)."
)


def _is_shape(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and all(s is None or isinstance(s, (int, np.integer)) for s in x)


def _tuples(shape: Any) -> Any:
    """Shapes read from JSON: innermost lists become tuples."""
    if _is_shape(shape):
        return tuple(shape)
    if isinstance(shape, dict):
        return {k: _tuples(v) for k, v in shape.items()}
    if isinstance(shape, (list, tuple)):
        return [_tuples(s) for s in shape]
    return shape


def _without_suffix(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {k.removesuffix("_shape"): v for k, v in kwargs.items()}


def _is_convertible(x: Any) -> bool:
    return hasattr(x, "__jax_array__") or _is_tensor(x)


def _masks_of(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        masks = [_masks_of(x) for x in value]
        return masks if any(m is not None for m in masks) else None
    if isinstance(value, dict):
        masks = {k: _masks_of(x) for k, x in value.items()}
        return masks if any(m is not None for m in masks.values()) else None
    return get_mask(value)

