"""`Layer`: Keras's interface to a pair of pure functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxkeras import dtype_policies, registry
from jaxkeras.core.context import setting
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.functional import cells, functional_call, initial_values, layer_variables, set_cells
from jaxkeras.core.names import config_scope
from jaxkeras.core.policy import DTypePolicy
from jaxkeras.core.remat import current_mode
from jaxkeras.core.symbolic import KerasTensor, Operation, infer
from jaxkeras.core.tracking import Trackable
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.layer_call import Call
from jaxkeras.layers._base.tensor_structures import is_shape

_BASE_ARGUMENTS = ("self", "args", "kwargs", "name", "trainable", "dtype", "weights")


def _is_tree(value: Any) -> bool:
    """Whether a value is a dict of arrays."""
    leaves = jax.tree.leaves(value, is_leaf=lambda x: isinstance(x, Variable))
    return isinstance(value, Mapping) and all(hasattr(x, "shape") and not isinstance(x, Variable) for x in leaves)


class Layer(Call):
    """A transformation with weights. Subclass it and write `build` (create weights) and `call` (compute).

    A layer is a pair of pure functions over nested dicts of arrays: `init` creates weights, `apply` computes. Calling
    the layer itself reads and updates the weights it holds.

    Args:
        activity_regularizer: penalty on the output, or None.
        trainable: whether an optimizer updates its weights.
        dtype: a type or policy, such as `"mixed_bfloat16"`, or a `DTypePolicyMap`; defaults to the global policy.
        autocast: whether floating inputs are cast to the compute dtype.
        name: unique within a model; generated from the class name by default.

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
    #: Parameters of the constructor that `Layer.get_config` leaves out.
    _unwritten: frozenset[str] = frozenset()

    def __new__(cls, *args: Any, **kwargs: Any):
        instance = super().__new__(cls, *args, **kwargs)
        # Set before __init__, so that attributes can be assigned and weights listed at any time.
        vars(instance).update(_own=[], built=False, _losses=[], _signature=cls._call_signature())
        if (mode := current_mode()) is not None:
            vars(instance)["_remat_mode"] = mode
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
            # Used by Sequential; elsewhere the input has the shape.
            self._declared_input_shape = (None, *input_shape)
        self.activity_regularizer = registry.get("keras.regularizers", activity_regularizer)
        self._dtype_policy = dtype_policies.get(dtype)
        self.autocast = autocast
        self._trainable = trainable
        self._path: str | None = None
        self._called = False
        self._build_shapes: dict[str, Any] | None = None
        self._input_spec: Any = None
        self.supports_masking = type(self).compute_mask is not Layer.compute_mask
        if type(self).build is Layer.build:
            self.built = not self._has_unbuilt_parts()

    # -- the pure pair -------------------------------------------------------------------------------------------
    @property
    def params(self) -> dict[str, Any]:
        """Trainable weights: a nested dict of arrays, keyed by path as in a `.weights.h5` file."""
        return self._tree("params")

    @params.setter
    def params(self, tree: Any) -> None:
        self._set_tree("params", tree)

    @property
    def state(self) -> dict[str, Any]:
        """All other variables, such as moving statistics and seed states, in the same form."""
        return self._tree("state")

    @state.setter
    def state(self, tree: Any) -> None:
        self._set_tree("state", tree)

    def _tree(self, name: str) -> Any:
        own = vars(self)
        return own[name] if name in own else cells(layer_variables(self)[name])

    def _set_tree(self, name: str, tree: Any) -> None:
        # Layers written for Keras may have attributes of their own under these names, such as a weight or settings.
        if not registry.is_builtin(type(self)) and not _is_tree(tree):
            vars(self)[name] = tree
        else:
            set_cells({name: layer_variables(self)[name]}, {name: tree})

    def init(self, key: Any, *inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Fresh weights. Pure once the layer is built: jit it, or vmap it over keys for an ensemble.

        Args:
            key: a JAX key or an integer.
            *inputs: for a layer that is not built: its input shapes (None where unknown), arrays, or
                `jax.ShapeDtypeStruct`s.

        Returns:
            `(params, state)`, nested dicts of arrays. The layer's own weights do not change.

        Raises:
            ValueError: when the layer is not built and no shape is given.
        """
        self._ensure_built(*inputs)
        variables = layer_variables(self)
        return initial_values(variables["params"], key), initial_values(variables["state"], key)

    def apply(
        self, params: Any, state: Any, *args: Any, training: bool | None = None, rng: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The call as a pure function, for jit, grad, vmap and scan.

        Args:
            params, state: the trees that `init` returned.
            *args: the inputs of `call`.
            training: whether dropout is active and statistics are updated.
            rng: a JAX key for random layers; without one they use (and advance) the seeds in `state`.
            **kwargs: further arguments of `call`.

        Returns:
            `(outputs, new_state)`.

        Raises:
            ValueError: for trees of another structure, naming the path.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"apply(params, state, *inputs): `state` of layer '{self.name}' must be the dict that `init` returned "
                f"({{}} if it is empty); got {type(state).__name__}. Write y, state = layer.apply(params, state, x)."
            )
        self._ensure_built(*args, **kwargs)
        if training is not None:
            kwargs["training"] = training
        values = {"params": params, "state": state}
        result = functional_call(layer_variables(self), values, lambda: self(*args, **kwargs), rng=rng)
        return result.output, result.values["state"]

    def _ensure_built(self, *inputs: Any, **kwargs: Any) -> None:
        if self.built and (self._called or not self._has_unbuilt_parts()):
            return
        if not inputs and not kwargs:
            raise ValueError(
                f"Layer '{self.name}' is not built; give the shape of its input: init(key, (None, 784))."
            )

        with setting(frame=None):
            try:
                self._infer_from(inputs, kwargs, lambda shape: (None, *shape[1:]) if shape else shape)
            except ValueError:
                self._infer_from(inputs, kwargs, lambda shape: shape)  # a stateful layer needs the batch size

    def _infer_from(self, inputs: tuple, kwargs: dict[str, Any], declare: Callable[[tuple], tuple]) -> None:
        def symbolic(x: Any) -> Any:
            if is_shape(x):
                return KerasTensor(x)
            if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, KerasTensor):
                text = getattr(x.dtype, "kind", "-") in "USO"
                return KerasTensor(declare(tuple(x.shape)), "string" if text else standardize_dtype(x.dtype))
            return x

        def convert(value: Any) -> Any:
            return jax.tree.map(symbolic, value, is_leaf=is_shape)

        infer(self.__call__, tuple(map(convert, inputs)), {name: convert(value) for name, value in kwargs.items()})

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

        values = [list(trainable_variables), list(non_trainable_variables)]
        (outputs, losses), (_, fixed_values), _ = functional_call([trainable, fixed], values, call)
        return (outputs, fixed_values, losses) if return_losses else (outputs, fixed_values)

    # -- config --------------------------------------------------------------------------------------------------
    @property
    def input_spec(self) -> Any:
        """What the inputs must be like: an `InputSpec` or a structure of them."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    @property
    def path(self) -> str | None:
        """Its name, prefixed with those of the enclosing models; None until it is built."""
        return self._path

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data.

        Those of a built-in class are read from the attributes of the same names. Those of your class, if it has no
        `get_config`, are the ones that its constructor was given.
        """
        config: dict[str, Any] = {
            "name": self.name, "trainable": self._trainable, "dtype": registry.serialize(self._dtype_policy),
        }  # fmt: skip
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        for cls in reversed(type(self).__mro__):
            if registry.is_builtin(cls):
                for name in inspect.signature(cls.__init__).parameters:
                    if name not in (*_BASE_ARGUMENTS, *self._unwritten) and hasattr(self, name):
                        config[name] = registry.serialize_argument(getattr(self, name))
        return self._with_own_arguments(config) if type(self).get_config is Layer.get_config else config

    def _with_own_arguments(self, config: dict[str, Any]) -> dict[str, Any]:
        """The config of a user's class without a `get_config`."""
        if registry.is_builtin(type(self)):
            return config
        own = self._constructor_arguments().items()
        config |= {k: registry.serialize_argument(v) for k, v in own if k not in ("name", "trainable", "dtype")}
        parameters = inspect.signature(type(self).__init__).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return config
        return {k: v for k, v in config.items() if k in parameters}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from what `get_config` returned.

        Arguments that are configs of objects become these objects, but not those of a class of yours with its own
        `get_config`: its constructor gets them as they are.
        """
        config = dict(config)
        library = [base for base in cls.__mro__ if base is Layer or registry.is_builtin(base)]
        all_of_them = next(base for base in cls.__mro__ if "get_config" in vars(base)) in library
        known = {name for base in library for name in inspect.signature(base.__init__).parameters}
        with config_scope(config):
            for key, value in config.items():
                if registry.is_config(value) and (all_of_them or key in known):
                    config[key] = registry.deserialize(value)
        policy = config.get("dtype")
        if type(policy) is DTypePolicy:  # constructors of user's classes get the name, as in Keras
            config["dtype"] = policy.name
        try:
            return cls(**config)
        except Exception as error:
            raise TypeError(f"Cannot make a {cls.__name__} from config {config}: {error}") from error

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "Layer.add_metric does not exist in Keras 3: make the metric an attribute in __init__ "
            "(self.m = Mean(name='m')) and call self.m.update_state(value) in `call`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={getattr(self, 'name', '?')}, built={self.built}>"
