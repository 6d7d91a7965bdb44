"""A pair of JAX functions as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.core.context import setting
from jaxkeras.core.dtypes import is_float_dtype, standardize_dtype
from jaxkeras.core.functional import functional_call
from jaxkeras.core.seeds import SeedGenerator, draw_key
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers._base.tensor_structures import is_shape

_CALL_ARGUMENTS = ("params", "state", "rng", "inputs", "training", "mask")
_INIT_ARGUMENTS = ("rng", "inputs", "training")


class Slots:
    """A pytree whose arrays are kept in variables of a layer. Leaves that are not numeric are kept unchanged.

    Args:
        layer: the owner of the variables.
        tree: the pytree.
        trainable: whether an optimizer updates them.
        draw: a function that maps the index of a leaf to a newly drawn value; None for given values.
    """

    def __init__(self, layer: Layer, tree: Any, trainable: bool, draw: Callable[[int], Any] | None):
        leaves, self.structure = jax.tree_util.tree_flatten_with_path(tree)
        self.leaves: list[Any] = []
        self.implementations: dict[int, Any] = {}  # of typed keys, which are stored as raw key data
        for index, (path, leaf) in enumerate(leaves):
            if _is_key(leaf):
                self.implementations[index] = jax.random.key_impl(leaf)
                leaf = jax.random.key_data(leaf)
            if isinstance(leaf, (bool, int, float, np.ndarray, np.generic, jax.Array)):
                leaf = self._variable(layer, path, index, leaf, trainable, draw)
            self.leaves.append(leaf)

    def _variable(self, layer: Layer, path: Any, index: int, value: Any, trainable: bool, draw: Any) -> Variable:
        dtype = standardize_dtype(value.dtype if hasattr(value, "dtype") else type(value))
        name = jax.tree_util.keystr(path, simple=True, separator=".").replace("/", "_").removesuffix(".value")
        variable = layer.add_weight(
            np.shape(value), _Redraw(draw, index) if draw else _Given(value),
            dtype=None if is_float_dtype(dtype) else dtype, trainable=trainable, name=name or "value",
        )  # fmt: skip
        variable.set_cell(jnp.asarray(value, variable._dtype))
        if not draw:
            variable.initializer = None  # `init` keeps the given value
        return variable

    def read(self) -> tuple[Any, list[Any]]:
        """The tree with the current values, and a list of these values."""
        values = [leaf.value if isinstance(leaf, Variable) else leaf for leaf in self.leaves]
        for index, implementation in self.implementations.items():
            values[index] = jax.random.wrap_key_data(values[index], impl=implementation)
        return jax.tree.unflatten(self.structure, values), values

    def write(self, tree: Any, before: list[Any], where: str) -> None:
        """Assign the changed values of a tree.

        Args:
            tree: a tree of the same structure.
            before: the values returned by `read`, for comparison.
            where: names the function that returned the tree, for the error message.

        Raises:
            ValueError: if the structure differs.
        """
        values, structure = jax.tree.flatten(tree)
        if structure != self.structure:
            raise ValueError(
                f"The state that {where} returned has another structure than the one it started with: {structure}, "
                f"not {self.structure}. Return every part of the state, changed or not."
            )
        for leaf, value, old in zip(self.leaves, values, before):
            if isinstance(leaf, Variable) and value is not old:
                leaf.assign(jax.random.key_data(value) if _is_key(value) else value)


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


class _Given:
    """An initializer that returns a given value."""

    def __init__(self, value: Any):
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return self.value


class _Redraw:
    """An initializer that redraws one leaf: all of `init_fn` runs, and XLA removes what the leaf does not need."""

    user_seed = None

    def __init__(self, draw: Callable[[int], Any], index: int):
        self.draw_leaf, self.index = draw, index

    def draw(self, key: Any, shape: Any, dtype: Any) -> Any:
        # Every key that the function asks for is derived from this one.
        return jnp.asarray(functional_call({}, {}, lambda: self.draw_leaf(self.index), rng=key).output, dtype)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return jnp.asarray(self.draw_leaf(self.index), dtype)


@registry.register("keras.layers")
class JaxLayer(Layer):
    """A JAX model, given as functions, as a layer: its parameters are weights, trained and saved like others.

    `call_fn` computes the outputs. Its parameters are `inputs` and any of the others in this list, by these names:

    - `params`: the trainable parameters, a pytree of arrays.
    - `state`: non-trainable values, a pytree of arrays. A `call_fn` that takes it returns `(outputs, new_state)`; one
      that does not, only the outputs.
    - `rng`: a key, uint32 of shape (2,), in training; None otherwise.
    - `inputs`: an array, or a pytree of arrays for several inputs.
    - `training`: whether it is called in training.
    - `mask`: the mask of the inputs, or None. (Keras's `JaxLayer` does not pass it.)

    `init_fn(rng, inputs)`, optionally with `training` (which is True), returns initial `params`, or `(params, state)`
    for a `call_fn` that takes `state`. Its `inputs` are ones in the shapes of the first inputs, with 1 for unknown
    sizes.

    Leaves that are not numeric are passed to `call_fn` unchanged. Floating-point leaves take the dtype of the layer.
    To be loaded from a file, both functions must be registered by
    `@jaxkeras.saving.register_keras_serializable()`, or be given as `custom_objects`.

    Args:
        call_fn: the function that computes.
        init_fn: the function that makes the initial values; not needed if `params` or `state` are given.
        params: initial trainable parameters.
        state: initial state.
        seed: the seed of the keys.
        native_serialization_platforms: accepted for compatibility; only Keras's TensorFlow backend uses it.

    Raises:
        ValueError: for functions with other parameters, or if there is no way to make the initial values.

    Example:

    >>> def call(params, inputs):
    ...     return inputs @ params["w"] + params["b"]
    >>> def init(rng, inputs):
    ...     return {"w": jax.random.normal(rng, (inputs.shape[-1], 4)), "b": jnp.zeros(4)}
    >>> JaxLayer(call, init)(jnp.ones((2, 3))).shape
    (2, 4)
    """

    _unwritten = frozenset({"call_fn", "init_fn", "params", "state", "module", "method", "variables"})
    _functions: tuple[str, ...] = ("call_fn", "init_fn")  # attributes that the config holds by name

    def __init__(
        self,
        call_fn: Callable[..., Any],
        init_fn: Callable[..., Any] | None = None,
        params: Any = None,
        state: Any = None,
        seed: int | None = None,
        native_serialization_platforms: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._call_names = _names(call_fn, "call_fn", _CALL_ARGUMENTS)
        self._init_names = () if init_fn is None else _names(init_fn, "init_fn", _INIT_ARGUMENTS)
        self.call_fn, self.init_fn, self.seed = call_fn, init_fn, seed
        self.native_serialization_platforms = native_serialization_platforms
        self._needs_values = "params" in self._call_names or "state" in self._call_names
        if self._needs_values and init_fn is None and params is None and state is None:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' has a call_fn of params or state, but nothing that makes them. "
                "Pass init_fn(rng, inputs), or params=... (and state=...)."
            )
        if "rng" in self._call_names:
            self.seed_generator = SeedGenerator(seed)
        self._input_dtypes: Any = None
        self._params_slots: Slots | None = None
        self._state_slots: Slots | None = None
        self.supports_masking = "mask" in self._call_names
        if params is not None or state is not None:
            self._set_values(params, state, None)
            self.built = True

    # -- initial values ---------------------------------------------------------------------------------------
    def _set_values(self, params: Any, state: Any, shapes: Any) -> None:
        def draw(pick: int) -> Callable[[int], Any] | None:
            if shapes is None:
                return None

            def leaf(index: int) -> Any:
                value = jax.tree.leaves(self._first_values(shapes)[pick])[index]
                return jax.random.key_data(value) if _is_key(value) else value

            return leaf

        self._params_slots = Slots(self, params, True, draw(0))
        self._state_slots = Slots(self, state, False, draw(1))

    def _first_values(self, shapes: Any) -> tuple[Any, Any]:
        """`(params, state)` from `init_fn`, with keys from the current generator."""
        dtypes = self._input_dtypes
        if dtypes is None:
            dtypes = jax.tree.map(lambda _: self.compute_dtype, shapes, is_leaf=is_shape)
        inputs = jax.tree.map(
            lambda shape, dtype: jnp.ones([1 if size is None else size for size in shape], dtype),
            shapes, dtypes, is_leaf=is_shape,
        )  # fmt: skip
        given = {"inputs": inputs, "training": True}
        if "rng" in self._init_names:
            given["rng"] = self._get_init_rng()
        assert self.init_fn is not None
        result = self.init_fn(*(given[name] for name in self._init_names))
        if "state" not in self._call_names:
            return result, None
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"The call_fn of {type(self).__name__} '{self.name}' takes `state`, so its init_fn must return "
                f"(params, state); it returned {type(result).__name__}."
            )
        return result

    def _maybe_build(self, arguments: dict[str, Any]) -> None:
        if self._input_dtypes is None:
            self._input_dtypes = jax.tree.map(lambda x: standardize_dtype(x.dtype), arguments["inputs"])
        super()._maybe_build(arguments)

    def build(self, input_shape: Any) -> None:
        if self._params_slots is None and self._needs_values:
            # Compute concrete values, even while a graph is built or a step is traced: they belong to the layer.
            with setting(frame=None, autocast=None), jax.ensure_compile_time_eval():
                self._set_values(*self._first_values(input_shape), input_shape)

    def get_build_config(self) -> dict[str, Any] | None:
        config = super().get_build_config()
        return config and {**config, "input_dtype": self._input_dtypes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        self._input_dtypes = config.get("input_dtype")
        super().build_from_config(config)

    # -- keys: for subclasses to override ------------------------------------------------------------------------
    def _get_init_seed(self) -> jax.Array:
        return draw_key(None)

    def _get_init_rng(self) -> Any:
        """The `rng` of `init_fn`: a key, or in a subclass a structure of keys, each from `_get_init_seed()`."""
        return self._get_init_seed()

    def _get_call_seed(self) -> jax.Array:
        return self.seed_generator.next()

    def _get_call_rng(self, training: bool) -> Any:
        """The `rng` of `call_fn`: a key or a structure of keys from `_get_call_seed()`; None outside of training."""
        return self._get_call_seed() if training else None

    # -- calling -----------------------------------------------------------------------------------------------
    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        given: dict[str, Any] = {"inputs": inputs, "training": training, "mask": mask}
        before: list[Any] = []
        if self._params_slots is not None and self._state_slots is not None:
            given["params"], _ = self._params_slots.read()
            given["state"], before = self._state_slots.read()
        if "rng" in self._call_names:
            given["rng"] = self._get_call_rng(training)
        result = self.call_fn(*(given[name] for name in self._call_names))
        if "state" not in self._call_names:
            return result
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"The call_fn of {type(self).__name__} '{self.name}' takes `state`, so it must return "
                f"(outputs, new_state); it returned {type(result).__name__}."
            )
        outputs, state = result
        assert self._state_slots is not None
        where = f"the call_fn of {type(self).__name__} '{self.name}'"
        self._state_slots.write(state, before, where)
        return outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), **{name: registry.serialize(getattr(self, name)) for name in self._functions}
        }  # fmt: skip


def _names(function: Callable[..., Any], what: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(inspect.signature(function).parameters)
    for name in names:
        if name not in known:
            raise ValueError(
                f"`{what}` has an argument {name!r}; it may have {', '.join(known)}. Wrap it in a function that takes "
                "these, e.g. several inputs as one tuple `inputs`."
            )
    if "inputs" not in names:
        raise ValueError(f"`{what}` must have an argument named `inputs`; it has {', '.join(names) or 'none'}.")
    return names
