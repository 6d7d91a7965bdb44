"""Behavior of single layers beyond parity with Keras: functions, low-rank updates, dtypes, files, graphs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers


@jk.saving.register_keras_serializable("test_behaviour")
def scaled(x, factor=1.0, training=None):
    return x * factor if training else x


def test_lambda_round_trip():
    layer = layers.Lambda(scaled, arguments={"factor": 3.0}, name="it")
    assert layer(jnp.ones(2), training=True)[0] == 3 and layer(jnp.ones(2))[0] == 1
    again = jk.layers.deserialize(jk.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert again(jnp.ones(2), training=True)[0] == 3


def test_lambda_shapes_are_inferred():
    x = jk.Input((None, 4))
    assert layers.Lambda(lambda x: x[:, 0])(x).shape == (None, 4)
    a, b = layers.Lambda(lambda x: (x + 1, x.sum(-1)))(x)
    assert a.shape == (None, None, 4) and b.shape == (None, None)
    assert layers.Lambda(lambda xs: xs[0] * xs[1])([jnp.ones((2, 3)), jnp.full((2, 3), 2.0)])[0, 0] == 2


def test_the_code_of_python_lambdas_is_neither_saved_nor_loaded():
    layer = layers.Lambda(lambda x: x)
    with pytest.warns(UserWarning, match="register_keras_serializable"):
        config = jk.layers.serialize(layer)
    assert set(config["config"]["function"]["config"]) == {"value"}
    assert layers.Lambda.from_config(config["config"]).function is layer.function  # the same process
    config["config"]["function"]["config"]["value"] = "0" * 32  # another one
    with pytest.raises(ValueError, match="registered by @jaxkeras.saving.register_keras_serializable"):
        layers.Lambda.from_config(config["config"])
    config = {"name": "it", "function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}, "arguments": {}}
    with pytest.raises(ValueError, match="(?s)Python lambda.*register_keras_serializable"):
        layers.Lambda.from_config(config)


def test_embedding_with_initial_weights():
    table = np.arange(6.0, dtype="float32").reshape(3, 2)
    for weights in (table, [table]):
        layer = layers.Embedding(3, 2, weights=weights)
        np.testing.assert_array_equal(layer(jnp.array([2, 0])), table[[2, 0]])
    assert "weights" not in layer.get_config()
    np.testing.assert_array_equal(layer(jnp.array([2.0, 0.0])), table[[2, 0]])


def test_reversible_embedding():
    for tied in (True, False):
        layer = layers.ReversibleEmbedding(7, 3, tie_weights=tied, logit_soft_cap=0.01, reverse_dtype="float32")
        vectors = layer(jnp.array([[1, 2]]))
        scores = layer(vectors, reverse=True)
        kernel = layer.embeddings.value.T if tied else layer.reverse_embeddings.value
        np.testing.assert_allclose(scores, 0.01 * jnp.tanh(vectors @ kernel / 0.01), 1e-5)


LORA = [
    (lambda **k: layers.Dense(3, **k), jnp.ones((2, 3, 4))),
    (lambda **k: layers.Embedding(5, 4, **k), jnp.array([[1, 2, 3]])),
    (lambda **k: layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="e", **k), jnp.ones((2, 3, 4))),
    (lambda **k: layers.EinsumDense("...x,xy->...y", 3, **k), jnp.ones((2, 3, 4))),
    (lambda **k: layers.Conv1D(4, 3, groups=2, **k), jnp.ones((2, 5, 4))),
]


@pytest.mark.parametrize("make, x", LORA)
def test_low_rank_adaptation(make, x):
    layer = make()
    before = layer(x)
    name = layer.adapted
    layer.enable_lora(2, lora_alpha=4)
    np.testing.assert_array_equal(layer(x), before)  # the update is zero at first
    assert [v.name for v in layer.trainable_variables if v.name != "bias"] == [f"lora_{name}_a", f"lora_{name}_b"]
    with pytest.raises(ValueError, match="already"):
        layer.enable_lora(2)

    rng = np.random.default_rng(0)
    for factor in "ab":
        v = getattr(layer, f"lora_{name}_{factor}")
        v.assign(rng.normal(size=v.shape))
    after = layer(x)
    assert not np.allclose(after, before)
    plain = make()
    plain(x)
    store: dict = {}
    layer.save_own_variables(store)
    plain.load_own_variables(store)  # files hold the weight with its update
    np.testing.assert_allclose(plain(x), after, 1e-5, 1e-6)
    layer.load_own_variables(store)
    np.testing.assert_allclose(layer(x), after, 1e-5, 1e-6)
    assert layer.get_config()["lora_rank"] == 2 and layer.get_config()["lora_alpha"] == 4
    assert "lora_rank" not in make().get_config()
    born = make(lora_rank=3)
    born(x)
    assert len(born.trainable_variables) == len(layer.trainable_variables)


def test_training_updates_only_the_low_rank_factors():
    model = jk.Sequential([jk.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(2, lora_rank=2)])
    model.layers[0].enable_lora(2, lora_alpha=8)
    model.compile("sgd", "mse")
    before = {v.path: np.asarray(v) for v in model.weights}
    x = np.random.default_rng(0).normal(size=(32, 4))
    losses = model.fit(x, x[:, :2], epochs=5, verbose=0).history["loss"]
    moved = {v.path for v in model.weights if not np.array_equal(before[v.path], v)}
    assert moved == {path for path in before if not path.endswith("/kernel")} and losses[-1] < losses[0]


def test_average_pooling_of_integers_gives_floats():
    x = np.random.default_rng(0).integers(0, 9, (2, 7, 3))
    y = layers.AdaptiveAveragePooling1D(3)(x)
    np.testing.assert_allclose(y, layers.AdaptiveAveragePooling1D(3)(x.astype("float32")), 1e-6)


def test_convolution_op_can_be_overridden():
    class Doubled(layers.Conv1D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, 2 * kernel)

    x = jnp.arange(24.0).reshape(2, 4, 3)
    layer, plain = Doubled(2, 3, bias_initializer="ones"), layers.Conv1D(2, 3)
    y = layer(x)
    plain.build(x.shape)
    plain.kernel.assign(layer.kernel)
    np.testing.assert_allclose(y, 2 * plain(x) + 1, 1e-5)


def test_numpy_integers_are_integers_and_booleans_are_not():
    layer = layers.Conv2D(np.int64(4), np.int32(3), strides=(np.int64(2), 1))
    config = layer.get_config()
    assert (config["filters"], config["kernel_size"], config["strides"]) == (4, (3, 3), (2, 1))
    assert type(config["filters"]) is int and layers.Dense(np.int64(3)).units == 3
    for make in (lambda: layers.Dense(True), lambda: layers.Dense(2.0), lambda: layers.Conv2D(4, True)):
        with pytest.raises(ValueError, match="integer"):
            make()


def test_low_rank_adaptation_errors():
    with pytest.raises(ValueError, match="floating point only"):
        layers.Dense(2, quantization_config={"mode": "int8"})
    with pytest.raises(ValueError, match="not built"):
        layers.Embedding(5, 4).enable_lora(2)
    with pytest.raises(ValueError, match="kernel_constraint"):
        layers.Conv1D(2, 1, kernel_constraint="non_neg", lora_rank=1)(jnp.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="positive"):
        layers.Embedding(5, 4, lora_rank=0)


def test_normalization_of_16_bit_inputs_computes_in_float32():
    x = (1000 + np.arange(8.0)).reshape(4, 2)
    for layer in (layers.BatchNormalization(), layers.LayerNormalization(axis=0, center=False, scale=False)):
        expected = layer(jnp.asarray(x, jnp.float16).astype(jnp.float32), training=True)
        narrow = type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"})
        y = narrow(jnp.asarray(x, jnp.float16), training=True)
        assert y.dtype == jnp.float16
        np.testing.assert_allclose(y, expected, 2e-3, 2e-3)
        assert all(w.dtype == np.float32 for w in narrow.get_weights())


def test_batch_normalization_uses_batch_statistics_in_training_unless_frozen():
    layer = layers.BatchNormalization(momentum=0.5)
    x = jnp.array([[1.0], [3.0]])
    params, state = layer.init(0, (None, 1))
    y, moved = layer.apply(params, state, x, training=True)
    np.testing.assert_allclose(y, [[-0.9995], [0.9995]], 1e-4)
    np.testing.assert_allclose(moved["vars"]["moving_mean"] if "vars" in moved else moved["moving_mean"], [1.0])
    layer.trainable = False
    before = layer.get_weights()
    y = layer(x, training=True)
    np.testing.assert_allclose(y, x / np.sqrt(1.001), 1e-5)
    jax.tree.map(np.testing.assert_array_equal, before, layer.get_weights())


def test_spectral_normalization():
    kernel = np.diag([4.0, 1.0]).astype("float32")
    layer = layers.SpectralNormalization(layers.Dense(2, use_bias=False), power_iterations=20)
    x = jnp.eye(2)
    layer(x)
    layer.layer.kernel.assign(kernel)
    params, state = layer.init(0)
    state = {**layer.state}
    y, state = layer.apply(layer.params, state, x, training=True)
    np.testing.assert_allclose(y, kernel / 4, 1e-5)
    np.testing.assert_array_equal(layer(x), kernel)  # `apply` did not change the layer's own weights
    np.testing.assert_allclose(layer(x, training=True), kernel / 4, 1e-5)
    np.testing.assert_allclose(layer(x), kernel / 4, 1e-5)
    with pytest.raises(ValueError, match="neither"):
        layers.SpectralNormalization(layers.Flatten())(x)


def test_reshape_of_unknown_sizes():
    x = jk.Input((None, 3))
    assert layers.Reshape((-1, 9))(x).shape == (None, None, 9)
    assert layers.Reshape((-1, 2))(jk.Input((6,), dtype="int32")).dtype == "int32"
    assert layers.Flatten()(x).shape == (None, None)
    assert layers.Flatten()(jk.Input((2, 3))).shape == (None, 6)


def test_unknown_sizes():
    image = jk.Input((None, None, 3))
    assert layers.Conv2D(4, 3, strides=2)(image).shape == (None, None, None, 4)
    assert layers.GlobalAveragePooling2D()(image).shape == (None, 3)
    assert layers.MaxPooling2D()(image).shape == (None, None, None, 3)
    assert layers.AdaptiveMaxPooling2D((2, 3))(image).shape == (None, 2, 3, 3)
    assert layers.UpSampling2D(2)(jk.Input((None, 4, 3))).shape == (None, None, 8, 3)


def test_merging_functions():
    a, b = jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 5.0]])
    for name, expected in {
        "add": [[4, 7]], "subtract": [[-2, -3]], "multiply": [[3, 10]], "average": [[2, 3.5]], "maximum": [[3, 5]],
        "minimum": [[1, 2]], "concatenate": [[1, 2, 3, 5]], "dot": [[13]],
    }.items():  # fmt: skip
        np.testing.assert_allclose(getattr(layers, name)([a, b]), expected)
    assert layers.add([jk.Input((2,)), jk.Input((2,))]).shape == (None, 2)
    assert layers.dot([a, b], axes=1, normalize=True)[0, 0] < 1


def test_global_image_data_format():
    jk.config.set_image_data_format("channels_first")
    try:
        assert layers.Conv2D(4, 3)(jnp.ones((2, 3, 5, 5))).shape == (2, 4, 3, 3)
        assert layers.MaxPooling2D()(jnp.ones((2, 3, 4, 4))).shape == (2, 3, 2, 2)
    finally:
        jk.config.set_image_data_format("channels_last")


def test_a_variable_passed_to_a_jitted_function_during_shape_inference():
    class Rows(layers.Layer):
        def build(self, input_shape):
            self.table = self.add_weight((3, 2), "ones", name="table")

        def call(self, ids):
            return jnp.take(self.table, ids, axis=0)  # jnp.take is jitted and receives the variable itself

    layer = Rows()
    layer(jk.Input((4,), dtype="int32"))
    np.testing.assert_array_equal(layer(jnp.zeros((1, 4), jnp.int32)), np.ones((1, 4, 2)))


class SuperFirst(layers.Layer):
    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")

    def call(self, x):
        return x * self.scale


class SuperLast(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def build(this, shape):  # noqa: N805 (`self` may have any name)
        this.scale = this.add_weight((shape[-1],), "ones", name="scale")
        super().build(shape)

    def call(self, x):
        return self.dense(x * self.scale)


class SuperModel(jk.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def build(self, input_shape):
        super().build(input_shape)

    def call(self, x):
        return self.dense(x)


@pytest.mark.parametrize("cls, count", [(SuperFirst, 1), (SuperLast, 3), (SuperModel, 2)])
def test_build_that_calls_super_build(cls, count):
    for first in (jk.Input((4,)), np.ones((2, 4), "float32")):
        layer = cls()
        assert layer(first).shape[-1] == (4 if cls is SuperFirst else 3)
        assert len(layer.weights) == count
        assert layer.get_build_config() == {"input_shape": first.shape}
        jk.saving.serialize_keras_object(layer)
    layer = cls()
    layer.build((None, 4))
    assert layer.built and layer(np.ones((2, 4), "float32")).shape[0] == 2
    assert len(layer.weights) == count
