"""Models of other libraries as layers."""

import equinox as eqx
import jax
import jax.numpy as jnp
from flax import linen, nnx

from jaxkeras import layers as L
from jaxkeras.registry import register_keras_serializable
from tests.contract.row import Row


@register_keras_serializable("contract")
def start(rng, inputs):
    return {"w": jax.random.normal(rng, (inputs.shape[-1], 4))}, {"count": jnp.zeros((), "int32")}


@register_keras_serializable("contract")
def scaled_product(params, state, rng, inputs, training):
    y = inputs @ params["w"]
    if not training:
        return y, state
    return y * jax.random.bernoulli(rng, 0.5, y.shape), {"count": state["count"] + 1}


@register_keras_serializable("contract")
class Linen(linen.Module):
    @linen.compact
    def __call__(self, inputs, training):
        x = linen.BatchNorm(use_running_average=not training)(linen.Dense(4)(inputs))
        self.sow("intermediates", "hidden", x)
        return linen.Dropout(0.5, deterministic=not training)(x)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@register_keras_serializable("contract")
class NNX(nnx.Module):
    def __init__(self, rngs):
        self.dense = nnx.Linear(3, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(self.norm(self.dense(x)))

    def get_config(self):  # required of a registered class; the layer uses only the class
        return {}


class Equinox(eqx.Module):
    dense: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout

    def __init__(self, key):
        self.dense = eqx.nn.Linear(3, 4, key=key)
        self.norm = eqx.nn.BatchNorm(4, "batch", mode="batch")
        self.dropout = eqx.nn.Dropout(0.5)

    def __call__(self, x, state, key):
        x, state = self.norm(self.dense(x), state)
        return self.dropout(x, key=key), state


@register_keras_serializable("contract")
def make_equinox(key):
    return eqx.nn.make_with_state(Equinox)(key)


# Keras has the first three on its JAX backend only; tests/layers/test_function_layers.py reads its files.
ROWS = [
    Row("JaxLayer", lambda: L.JaxLayer(scaled_product, start, seed=1), (2, 3), keras=False, keras_file=False),
    Row("FlaxLayer-linen", lambda: L.FlaxLayer(Linen()), (2, 3), keras=False, keras_file=False),
    Row("FlaxLayer-nnx", lambda: L.FlaxLayer(NNX), (2, 3), keras=False, keras_file=False),
    Row("EquinoxLayer", lambda: L.EquinoxLayer(make_equinox), (2, 3), keras=False, keras_file=False),
]
