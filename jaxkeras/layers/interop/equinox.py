"""An equinox module as a layer."""

from __future__ import annotations

import inspect
from typing import Any

import jax

from jaxkeras import registry
from jaxkeras.layers.interop.jax import JaxLayer


def import_equinox() -> Any:
    """The package equinox.

    Raises:
        ImportError: if it is not installed; the message says how to install it.
    """
    try:
        import equinox
    except ImportError:
        raise ImportError("EquinoxLayer needs equinox: pip install equinox") from None
    return equinox


@registry.register("keras.layers", module="jaxkeras.layers")
class EquinoxLayer(JaxLayer):
    """An equinox module as a layer: its floating-point arrays are weights, trained and saved like others.

    Keras has no such layer.

    An equinox module computes one example; the layer maps it over the batch axis. If its `__call__` has a parameter
    `key`, it is given a separate key for each example in training; if it has a parameter `state`, it is given the
    `equinox.nn.State` of a stateful module and must return `(output, state)`. Outside of training the module runs in
    `equinox.nn.inference_mode`.

    To be loaded from a file, the module must be made by a registered function: pass the function instead of the module,
    `make(key)`, decorated by `@jaxkeras.saving.register_keras_serializable()`.

    Args:
        module: the module; `(module, state)` as `equinox.nn.make_with_state` returns it; or a function of a JAX key
            that makes either.
        batched: whether the module takes a whole batch, so that the layer does not map it.
        axis_name: the name of the batch axis, for modules such as `equinox.nn.BatchNorm`.
        seed: the seed of the keys.

    Raises:
        ImportError: if equinox is not installed.
        TypeError: if it is not an equinox module.
        ValueError: for a stateful module without its state.

    Example:

    >>> import equinox as eqx
    >>> make = lambda key: eqx.nn.MLP(3, 4, width_size=8, depth=1, key=key)
    >>> EquinoxLayer(make)(jnp.ones((2, 3))).shape  # doctest: +SKIP
    (2, 4)
    """

    _functions = ()

    def __init__(
        self, module: Any, batched: bool = False, axis_name: str = "batch", seed: int | None = None, **kwargs: Any
    ):
        eqx = import_equinox()
        made = inspect.isfunction(module) or inspect.isclass(module)
        make: Any = module
        whole = eqx.filter_eval_shape(module, jax.random.key(0)) if made else module
        structure, state = whole if isinstance(whole, tuple) and len(whole) == 2 else (whole, None)
        if not isinstance(structure, eqx.Module):
            raise TypeError(
                "EquinoxLayer takes an equinox module, (module, state), or a function of a key that makes one; got "
                f"{structure!r} of type {type(structure).__name__}."
            )

        def split(module: Any, state: Any) -> tuple[Any, Any]:
            """The trained arrays, and the other arrays with the state."""
            weights, rest = eqx.partition(module, eqx.is_inexact_array)
            return weights, {"arrays": eqx.filter(rest, eqx.is_array), "state": state}

        def init(rng: jax.Array, inputs: Any) -> tuple[Any, Any]:
            made = make(jax.random.wrap_key_data(rng))
            return split(*(made if isinstance(made, tuple) else (made, None)))

        fixed = eqx.filter(structure, lambda leaf: not (eqx.is_array(leaf) or isinstance(leaf, jax.ShapeDtypeStruct)))
        takes = inspect.signature(type(structure).__call__).parameters
        if "state" in takes and state is None and takes["state"].default is inspect.Parameter.empty:
            raise ValueError(
                f"{type(structure).__name__} needs a `state` to be called; pass (module, state), as returned by "
                f"equinox.nn.make_with_state({type(structure).__name__})(...), or a function that returns them."
            )

        def call(params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> tuple[Any, Any]:
            own: Any = eqx.nn.inference_mode(eqx.combine(params, state["arrays"], fixed), value=not training)
            options: dict[str, Any] = {}
            axes: dict[str, Any] = {}
            if "key" in takes:
                key = None if rng is None else jax.random.wrap_key_data(rng)
                if key is not None and not batched:
                    key = jax.random.split(key, jax.tree.leaves(inputs)[0].shape[0])
                options["key"], axes["key"] = key, None if key is None else 0
            stateful = state["state"] is not None
            if stateful:
                options["state"], axes["state"] = state["state"], None

            def one(inputs: Any, options: dict[str, Any]) -> Any:
                outputs = own(inputs, **options)  # type: ignore[call-arg]
                return outputs if stateful else (outputs, None)

            if not batched:
                one = jax.vmap(one, in_axes=(0, axes), out_axes=(0, None), axis_name=axis_name)
            outputs, carried = one(inputs, options)
            return outputs, {**state, "state": carried}

        params, start = (None, None) if made else split(structure, state)
        super().__init__(
            call_fn=call, init_fn=init if made else None, params=params, state=start, seed=seed, **kwargs
        )
        self.module, self.batched, self.axis_name = module, batched, axis_name

    def get_config(self) -> dict[str, Any]:
        if self.init_fn is None:
            raise ValueError(
                f"EquinoxLayer '{self.name}' holds a module made elsewhere, which cannot be saved in a config. Give "
                "the layer a registered function that makes it:\n"
                "    @jaxkeras.saving.register_keras_serializable()\n"
                "    def make_module(key): ...\n"
                "    EquinoxLayer(make_module)"
            )
        return {**super().get_config(), "module": registry.serialize(self.module)}
