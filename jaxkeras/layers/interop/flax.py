"""A flax module as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jaxkeras import registry
from jaxkeras.layers.interop.jax import JaxLayer


def import_flax() -> Any:
    """The package flax.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    try:
        import flax
    except ImportError:
        raise ImportError("FlaxLayer needs flax: pip install flax") from None
    return flax


@registry.register("keras.layers")
class FlaxLayer(JaxLayer):
    """A module of `flax.linen` or `flax.nnx` as a layer: its parameters are weights, trained and saved like others.

    Keras's `FlaxLayer` takes linen modules only.

    The method takes `inputs` (an array, or a pytree of arrays for several inputs) and optionally `training`. For
    another signature, write a function `f(module, inputs, training)` and pass it as `method`.

    - A linen module: the collection `"params"` is trained, `"intermediates"` is dropped, all others are state. In
      training, `make_rng("dropout")` uses keys from the layer's seed.
    - An nnx module: every `nnx.Param` is trained, all other variables are state, including its random streams. The
      layer calls its `train()` or `eval()` first, depending on `training`.

    To be loaded from a file, the module must be made by a registered function: pass the function instead of the module,
    `make()` for a linen module or `make(rngs)` with `nnx.Rngs` for an nnx one, decorated by
    `@jaxkeras.saving.register_keras_serializable()`. A registered linen module with a `get_config` works too.

    Args:
        module: the module, or a function that makes it.
        method: the name of a method, the method, or a function that takes the module first; `__call__` by default.
        variables: initial variables of a linen module, as returned by its `init`.
        **kwargs: arguments of `JaxLayer`, such as `seed`, and of `Layer`.

    Raises:
        ImportError: if flax is not installed.
        TypeError: if it is not a flax module.

    Example:

    >>> import flax.linen as nn
    >>> FlaxLayer(nn.Dense(4))(jnp.ones((2, 3))).shape  # doctest: +SKIP
    (2, 4)
    """

    _functions = ()

    def __init__(self, module: Any, method: Any = None, variables: Any = None, **kwargs: Any):
        import_flax()
        from flax import linen, nnx

        self._make: Callable[..., Any] | None = None
        if inspect.isfunction(module) or inspect.isclass(module):
            make: Any = module
            self._make = make
            takes_rngs = bool(inspect.signature(module).parameters)
            # Only the structure is needed here; values are made when the layer is built.
            module = nnx.eval_shape(lambda: make(nnx.Rngs(0))) if takes_rngs else module()
        if isinstance(module, linen.Module):
            form: Any = _Linen(module, method, self)
        elif isinstance(module, nnx.Module):
            if variables is not None:
                raise ValueError("`variables` is for linen modules; set the variables of the nnx module itself.")
            form = _NNX(module, method, self._make)
        else:
            raise TypeError(
                f"FlaxLayer takes a flax.linen or flax.nnx module, or a function that makes one; got {module!r} of "
                f"type {type(module).__name__}."
            )
        self._form = form
        params, state = form.values(variables)
        super().__init__(call_fn=form.call, init_fn=form.init, params=params, state=state, **kwargs)
        self.module, self.method = module, method

    def _get_init_rng(self) -> Any:
        return {"params": self._get_init_seed(), "dropout": self._get_init_seed()}

    def _get_call_rng(self, training: bool) -> Any:
        return {"dropout": self._get_call_seed()} if training else {}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        method = self.method
        if getattr(method, "__self__", None) is self.module:
            method = method.__name__
        try:
            if self._make is None and isinstance(self._form, _NNX):
                raise ValueError("An nnx module has no config.")
            config["module"] = registry.serialize(self._make or self.module)
        except ValueError:
            raise ValueError(
                f"FlaxLayer '{self.name}' holds a module made elsewhere, which cannot be saved in a config. Give the "
                "layer a registered function that makes it:\n"
                "    @jaxkeras.saving.register_keras_serializable()\n"
                f"    def make_module({'rngs' if isinstance(self._form, _NNX) else ''}): ...\n"
                "    FlaxLayer(make_module)"
            ) from None
        return {**config, "method": registry.serialize(method)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        for key in ("module", "method"):
            if registry.is_config(config.get(key)):
                config[key] = registry.deserialize(config[key])
        return cls(**config)


def _checked_method(module: Any, method: Any, base: type) -> Any:
    """The function of a method name. A config may name one, so only public methods of the module itself are allowed."""
    if not isinstance(method, str):
        return method
    owner = next((c for c in type(module).__mro__ if method in vars(c)), None)
    own = owner is not None and (method == "__call__" or not method.startswith("_")) and owner not in base.__mro__
    if not own or not inspect.isfunction(vars(owner)[method]):
        raise registry.unknown(
            f"method of {type(module).__name__}", method,
            [n for n, f in vars(type(module)).items() if inspect.isfunction(f) and not n.startswith("_")],
        )  # fmt: skip
    return vars(owner)[method]


class _Linen:
    """`call` and `init` of a linen module, for `JaxLayer`."""

    _functions = ()

    def __init__(self, module: Any, method: Any, layer: FlaxLayer):
        from flax import linen

        method = _checked_method(module, method, linen.Module)
        training = "training" in inspect.signature(method or module.__call__).parameters
        mutable = linen.DenyList(["params", "intermediates"])

        def apply(params: Any, state: Any, rng: Any, inputs: Any, **extra: Any) -> Any:
            outputs, changed = module.apply(
                {**(params or {}), **(state or {})}, inputs, rngs=rng, method=method, mutable=mutable, **extra
            )
            return outputs, {name: changed.get(name, old) for name, old in (state or {}).items()}

        def start(rng: Any, inputs: Any, **extra: Any) -> Any:
            return self.split(module.init(rng, inputs, method=method, **extra))

        if training:
            self.call = lambda params, state, rng, inputs, training: apply(
                params, state, rng, inputs, training=training
            )
            self.init = lambda rng, inputs, training: start(rng, inputs, training=training)
        else:
            self.call = lambda params, state, rng, inputs: apply(params, state, rng, inputs)
            self.init = lambda rng, inputs: start(rng, inputs)

    def values(self, variables: Any) -> tuple[Any, Any]:
        """Initial `(params, state)`, or None for values that `init` makes."""
        return (None, None) if variables is None else self.split(variables)

    def split(self, variables: Any) -> tuple[Any, Any]:
        """`(params, state)`, each keyed by collection, in the order of Keras's files."""
        params = {"params": variables["params"]} if "params" in variables else {}
        return params, {k: v for k, v in variables.items() if k not in ("params", "intermediates")}


class _NNX:
    """`call` and `init` of an nnx module, for `JaxLayer`."""

    _functions = ()

    def __init__(self, module: Any, method: Any, make: Callable[..., Any] | None):
        from flax import nnx

        function = _checked_method(module, method, nnx.Module)
        if function is not None and getattr(function, "__self__", None) is not None:
            function = function.__func__
        function = function or type(module).__call__
        takes_training = "training" in inspect.signature(function).parameters
        graph, self.params, self.state = nnx.split(module, nnx.Param, ...)
        self.make = make

        def call(params: Any, state: Any, inputs: Any, training: bool) -> Any:
            own = nnx.merge(graph, params, state)
            (own.train if training else own.eval)()
            outputs = function(own, inputs, training=training) if takes_training else function(own, inputs)
            return outputs, nnx.split(own, nnx.Param, ...)[2]

        def init(rng: Any, inputs: Any) -> Any:
            assert make is not None
            return nnx.split(make(nnx.Rngs(**rng)), nnx.Param, ...)[1:]

        self.call, self.init = call, (init if make is not None else None)

    def values(self, variables: Any) -> tuple[Any, Any]:
        """Initial `(params, state)`, or None for values that `init` makes."""
        return (None, None) if self.make is not None else (self.params, self.state)
