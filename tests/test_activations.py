"""Activations: values as in Keras, lookup and serialization."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import activations, registry
from jaxkeras.core.symbolic import KerasTensor

keras = pytest.importorskip("keras")

X = np.linspace(-7, 7, 24, dtype="float32").reshape(4, 6)
WITH_ARGUMENTS = [
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 6}),
    ("relu", {"negative_slope": 0.3, "max_value": 2.5, "threshold": 1.0}),
    ("relu", {"threshold": -1.0}),
    ("leaky_relu", {"negative_slope": 0.5}),
    ("elu", {"alpha": 2.0}),
    ("celu", {"alpha": 0.5}),
    ("gelu", {"approximate": True}),
    ("glu", {"axis": 0}),
    ("softmax", {"axis": 0}),
    ("log_softmax", {"axis": 0}),
    ("sparsemax", {"axis": 0}),
    ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {"threshold": 1.0}),
    ("squareplus", {"b": 1}),
    ("threshold", {"threshold": 1.0, "default_value": -3.0}),
]
NAMES = sorted(set(vars(keras.activations)) - {"get", "serialize", "deserialize", "threshold"})
NAMES = [name for name in NAMES if not name.startswith("_")]


@pytest.mark.parametrize("name, kwargs", [(name, {}) for name in NAMES] + WITH_ARGUMENTS)
def test_values_equal_keras(name, kwargs):
    ours = getattr(activations, name)(X, **kwargs)
    theirs = getattr(keras.activations, name)(X, **kwargs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_shapes_and_names(name):
    function = activations.get(name)
    assert function(jnp.ones((2, 4), "bfloat16")).dtype == "bfloat16"
    symbolic = function(KerasTensor((None, 4)))
    assert symbolic.shape == (None, 2 if name == "glu" else 4) and symbolic.dtype == "float32"
    assert activations.serialize(function) == keras.activations.serialize(keras.activations.get(name))
    assert activations.deserialize(activations.serialize(function)) is function


def test_gradients_are_finite():
    def total(x):
        return sum(jnp.sum(activations.get(name)(x)) for name in NAMES)

    assert jnp.isfinite(jax.jit(jax.grad(total))(jnp.asarray(X))).all()


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get(jnp.tanh) is jnp.tanh
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="expected a name"):
        activations.get(3)


def test_custom_activations():
    @registry.register_keras_serializable("test_activations")
    def twice(x):
        return 2 * x

    config = activations.serialize(twice)
    assert config["config"] == "test_activations>twice"
    assert activations.deserialize(config) is twice
    with pytest.warns(UserWarning, match="is a lambda"):
        assert activations.serialize(lambda x: x)["class_name"] == "__lambda__"


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax"])
@pytest.mark.parametrize("shape, axis", [((4,), 1), ((4,), -2), ((), -1)])
def test_axis_out_of_bounds_raises(name, shape, axis):
    with pytest.raises(ValueError, match="out of bounds"):
        getattr(activations, name)(jnp.ones(shape), axis=axis)


def test_softmax_over_one_element_warns():
    with pytest.warns(UserWarning, match="sigmoid"):
        activations.softmax(np.zeros((2, 1), "float32"))


@pytest.mark.parametrize("kwargs, of_bool, of_int", [
    ({}, [1, 0, 1], [0, 0, 3]),
    ({"threshold": 0.5}, [0, 0, 0], [0, 0, 3]),
    ({"threshold": -1.5}, [0, 0, 0], [0, 0, 3]),
    ({"max_value": 1.0}, [1, 0, 1], [0, 0, 1]),
])  # fmt: skip
def test_relu_of_integers_and_booleans_casts_the_threshold(kwargs, of_bool, of_int):
    x = np.array([-2, 0, 3], "int32")
    for value, expected in ((x.astype(bool), of_bool), (x, of_int)):
        y = activations.relu(value, **kwargs)
        assert y.dtype == jnp.int32 and y.tolist() == expected
