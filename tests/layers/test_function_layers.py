"""JAX functions, flax modules and equinox modules as layers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import jaxkeras as jk
from jaxkeras.layers import EquinoxLayer, FlaxLayer, JaxLayer
from tests.contract.functions_table import NNX, Equinox, Linen, make_equinox, scaled_product, start

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)


def product(params, inputs):
    return inputs @ params["w"] + params["b"]


GIVEN = {"w": np.arange(6.0).reshape(3, 2), "b": np.ones(2)}


def test_given_params_become_weights_in_tree_order():
    layer = JaxLayer(product, params=GIVEN)
    np.testing.assert_allclose(layer(X), X @ GIVEN["w"] + 1, rtol=1e-6)
    assert [v.name for v in layer.trainable_weights] == ["b", "w"] and layer.built
    assert [w.shape for w in layer.get_weights()] == [(2,), (3, 2)]
    assert layer.weights[1].dtype == "float32"
    np.testing.assert_array_equal(layer.init(3)[0]["w"], GIVEN["w"])
    assert JaxLayer(product, params=GIVEN, dtype="bfloat16")(X).dtype == "bfloat16"


def test_non_numeric_leaves_are_passed_through():
    layer = JaxLayer(lambda params, inputs: params["f"](inputs) * params["by"], params={"f": jnp.tanh, "by": 2.0})
    np.testing.assert_allclose(layer(X), 2 * np.tanh(X), rtol=1e-5)
    assert [v.shape for v in layer.weights] == [()]


def test_state_is_updated_and_keys_are_passed_in_training():
    def call(state, rng, inputs, training):
        assert (rng is None) == (not training)
        noise = jax.random.normal(rng, inputs.shape) if training else 0.0
        return inputs + noise, {"calls": state["calls"] + 1}

    layer = JaxLayer(call, state={"calls": jnp.zeros((), "int32")}, seed=1)
    np.testing.assert_array_equal(layer(X), X)
    first, second = layer(X, training=True), layer(X, training=True)
    assert not np.allclose(first, second) and int(layer.weights[0]) == 3 and not layer.trainable_weights
    again = JaxLayer(call, state={"calls": jnp.zeros((), "int32")}, seed=1)
    np.testing.assert_array_equal(again(X, training=True), first)


def test_init_is_given_dtypes_and_shapes_of_nested_inputs():
    seen = {}

    def first(inputs, training):
        seen.update({k: (v.shape, v.dtype.name) for k, v in inputs.items()}, training=training)
        return jnp.ones((4, 2))

    layer = JaxLayer(lambda params, inputs: params[inputs["ids"]] + jnp.sum(inputs["x"], 1, keepdims=True), first)
    y = layer({"ids": jk.Input((5,), dtype="int32"), "x": jk.Input((None, 2))})
    assert seen == {"ids": ((1, 5), "int32"), "x": ((1, 1, 2), "float32"), "training": True}
    assert y.shape == (None, 5, 2)
    layer.init(0)  # runs `init_fn` again with the same shapes
    assert layer.get_build_config()["input_dtype"] == {"ids": "int32", "x": "float32"}


def test_init_depends_on_the_key():
    layer = JaxLayer(scaled_product, start)
    layer.build((None, 3))
    a, b, c = (layer.init(key)[0]["w"] for key in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)
    many = jax.vmap(lambda key: layer.init(key)[0]["w"])(jax.random.split(jax.random.key(0), 3))
    assert many.shape == (3, 3, 4) and not np.allclose(many[0], many[1])


def test_masks_are_passed_to_the_function_and_propagated():
    def mean(inputs, mask):
        return inputs * mask[..., None]

    ids = np.array([[1, 2, 0]])
    embedded = jk.layers.Embedding(4, 2, mask_zero=True)(ids)
    y = JaxLayer(mean)(embedded)
    np.testing.assert_array_equal(y[0, 2], [0, 0])
    np.testing.assert_array_equal(jk.layers.GlobalAveragePooling1D()(y), np.mean(embedded[:, :2], 1))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((lambda params, inputs: inputs,), r"Pass init_fn\(rng, inputs\), or params"),
        ((lambda x: x,), "`call_fn` has an argument 'x'"),
        ((lambda params: params, None, 1.0), "must have an argument named `inputs`"),
        ((lambda params, inputs: inputs, lambda key, inputs: 1.0), "`init_fn` has an argument 'key'"),
    ],
)
def test_functions_with_wrong_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        JaxLayer(*arguments)


def test_functions_with_wrong_results():
    state = {"a": jnp.zeros(2)}
    with pytest.raises(ValueError, match=r"must return \(outputs, new_state\)"):
        JaxLayer(lambda state, inputs: inputs, state=state)(X)
    with pytest.raises(ValueError, match="has another structure than the one it started with"):
        JaxLayer(lambda state, inputs: (inputs, {"b": state["a"]}), state=state)(X)
    with pytest.raises(ValueError, match=r"must return \(params, state\)"):
        JaxLayer(lambda state, inputs: (inputs, state), lambda inputs: 1.0)(X)


def test_flax_methods_and_variables():
    class Two(linen.Module):
        def setup(self):
            self.dense = linen.Dense(2)

        def __call__(self, inputs):
            return self.dense(inputs)

        def forward(self, a, b):
            return self.dense(a) - self.dense(b)

    module = Two()
    variables = module.init(jax.random.key(0), X)
    layer = FlaxLayer(module, variables=variables)
    np.testing.assert_allclose(layer(X), module.apply(variables, X), rtol=1e-5)
    assert layer.built and [v.name for v in layer.weights] == ["params.dense.bias", "params.dense.kernel"]
    pair = FlaxLayer(module, lambda module, inputs: module.forward(*inputs), variables=variables)
    np.testing.assert_allclose(pair((X, X)), np.zeros((8, 2)), atol=1e-6)
    np.testing.assert_allclose(FlaxLayer(module, "__call__", variables)(X), layer(X))
    with pytest.raises(ValueError, match="Unknown method of Two: 'init'"):  # a file may not name any attribute
        FlaxLayer(module, "init")
    with pytest.raises(TypeError, match="takes a flax.linen or flax.nnx module"):
        FlaxLayer(jk.layers.Dense(2))


def test_nnx_module_instance():
    module = NNX(nnx.Rngs(3))
    layer = FlaxLayer(module)
    module.eval()
    np.testing.assert_allclose(layer(X), module(X), rtol=1e-5)
    module.train()
    np.testing.assert_allclose(layer(X, training=True), module(X), rtol=1e-5)  # the same random stream
    module.eval()
    np.testing.assert_allclose(layer(X), module(X), rtol=1e-5)  # the same moving averages
    with pytest.raises(ValueError, match=r"(?s)made elsewhere.*def make_module\(rngs\)"):
        jk.layers.serialize(layer)


def test_equinox_modules():
    plain = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))
    np.testing.assert_allclose(EquinoxLayer(plain)(X), jax.vmap(plain)(X), rtol=1e-5)
    whole = EquinoxLayer(plain, batched=True)
    np.testing.assert_allclose(whole(X[0]), plain(X[0]), rtol=1e-5)
    layer = EquinoxLayer(make_equinox(jax.random.key(0)))
    module, state = make_equinox(jax.random.key(0))
    layer(X, training=True)
    y, state = jax.vmap(module, axis_name="batch", in_axes=(0, None, 0), out_axes=(0, None))(
        X, state, jax.random.split(jax.random.key(0), 8)
    )
    module = eqx.nn.inference_mode(module)
    expected = jax.vmap(module, axis_name="batch", in_axes=(0, None, None), out_axes=(0, None))(X, state, None)[0]
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"(?s)made elsewhere.*def make_module\(key\)"):
        jk.layers.serialize(layer)
    with pytest.raises(ValueError, match=r"needs a `state` .* equinox.nn.make_with_state\(Equinox\)"):
        EquinoxLayer(Equinox)  # its constructor does not make the state
    with pytest.raises(TypeError, match="takes an equinox module"):
        EquinoxLayer(lambda key: jnp.ones(3))


@pytest.mark.parametrize(
    "make",
    [lambda: JaxLayer(scaled_product, start), lambda: FlaxLayer(Linen()), lambda: FlaxLayer(NNX),
     lambda: EquinoxLayer(make_equinox)],
    ids=["jax", "linen", "nnx", "equinox"],
)  # fmt: skip
def test_saving_and_loading(make, tmp_path):
    model = jk.Sequential([jk.Input((3,)), make()])
    model(X, training=True)
    model.save(tmp_path / "m.keras")
    again = jk.models.load_model(tmp_path / "m.keras")
    for a, b in zip(model.variables, again.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    np.testing.assert_array_equal(again(X), model(X))


def test_training():
    model = jk.Sequential([jk.Input((3,)), JaxLayer(scaled_product, start)])
    model.compile("sgd", "mse")
    (before, _), x = model.get_weights(), np.tile(X, (3, 1))
    model.fit(x, np.ones((24, 4)), batch_size=8, verbose=0)
    after, count = model.get_weights()
    assert count == 3 and not np.allclose(before, after)
