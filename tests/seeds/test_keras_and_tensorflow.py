"""The tutorial on Keras and TensorFlow: arrays, variables, a hand-written classifier, layers, models, training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as keras
from jaxkeras import layers


# -- tensors --------------------------------------------------------------------------------------------------------
def test_constant_tensors():
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    assert str(x) == "[[1. 2.]\n [3. 4.]]" and x.dtype == jnp.float32
    assert str(jnp.ones(shape=(2, 1))) == "[[1.]\n [1.]]"
    assert str(jnp.zeros(shape=(2, 1))) == "[[0.]\n [0.]]"


def test_random_tensors():
    x = keras.random.normal(shape=(3, 1), mean=0.0, stddev=1.0)
    assert x.shape == (3, 1) and x.dtype == jnp.float32
    x = keras.random.uniform(shape=(3, 1), minval=0.0, maxval=1.0)
    assert bool(jnp.all((x >= 0) & (x < 1)))
    with pytest.raises(TypeError, match="item assignment"):
        x[0, 0] = 1.0
    assert isinstance(x[0, 0], jax.Array)


def test_variables():
    v = keras.Variable(keras.random.normal(shape=(3, 1)))
    text = repr(v)
    assert "shape=(3, 1)" in text and "float32" in text and "value=" in text
    np.testing.assert_array_equal(v.assign(jnp.ones((3, 1))), [[1.0], [1.0], [1.0]])
    with pytest.raises(
        ValueError,
        match=r"Cannot assign to variable .*variable due to variable shape \(3, 1\) and value shape \(3, 2\) are "
        r"incompatible",
    ):
        v.assign(jnp.ones((3, 2)))
    np.testing.assert_array_equal(v[0, 0].assign(3.0), [[3.0], [1.0], [1.0]])
    np.testing.assert_array_equal(v.assign_sub(jnp.ones((3, 1))), [[2.0], [0.0], [0.0]])
    np.testing.assert_array_equal(v, [[2.0], [0.0], [0.0]])
    np.testing.assert_array_equal(v.assign_add(jnp.ones((3, 1))), [[3.0], [1.0], [1.0]])


def test_gradient():
    input_var = keras.Variable(3.0)
    assert float(jax.grad(jnp.square)(input_var.value)) == 6.0


# -- a hand-written linear classifier -------------------------------------------------------------------------------
def test_linear_classifier():
    num_samples_per_class = 1000
    random = np.random.default_rng(0)
    negative_samples = random.multivariate_normal(mean=[0, 3], cov=[[1, 0.5], [0.5, 1]], size=num_samples_per_class)
    positive_samples = random.multivariate_normal(mean=[3, 0], cov=[[1, 0.5], [0.5, 1]], size=num_samples_per_class)
    inputs = np.vstack((negative_samples, positive_samples)).astype(np.float32)
    targets = np.vstack(
        (
            np.zeros((num_samples_per_class, 1), dtype="float32"),
            np.ones((num_samples_per_class, 1), dtype="float32"),
        )
    )
    input_dim, output_dim, learning_rate = 2, 1, 0.1

    W = keras.Variable(keras.random.uniform(shape=(input_dim, output_dim)))
    b = keras.Variable(jnp.zeros(shape=(output_dim,)))
    assert (inputs @ W + b).shape == (2000, 1)

    def dense(inputs, W, b, activation=None):
        outputs = jnp.matmul(inputs, W) + b
        if activation is not None:
            return activation(outputs)
        return outputs

    def model(inputs, W, b):
        return dense(inputs, W, b)

    def square_loss(targets, predictions):
        per_sample_losses = jnp.square(targets - predictions)
        return jnp.mean(per_sample_losses)

    def training_step(inputs, targets):
        loss, (grad_loss_wrt_W, grad_loss_wrt_b) = jax.value_and_grad(
            lambda W, b: square_loss(targets, model(inputs, W, b)), argnums=(0, 1)
        )(W.value, b.value)
        W.assign_sub(grad_loss_wrt_W * learning_rate)
        b.assign_sub(grad_loss_wrt_b * learning_rate)
        return loss

    losses = [f"Loss at step {step}: {training_step(inputs, targets):.4f}" for step in range(40)]
    assert float(losses[-1].split()[-1]) < 0.05
    predictions = model(inputs, W, b)
    assert np.mean((predictions > 0.5) == targets) > 0.97
    x = np.linspace(-1, 4, 100)
    y = -W[0] / W[1] * x + (0.5 - b) / W[1]
    on_the_line = W[0] * x + W[1] * y + b
    np.testing.assert_allclose(on_the_line, 0.5, atol=1e-4)


# -- layers and models ----------------------------------------------------------------------------------------------
class SimpleDense(keras.layers.Layer):
    def __init__(self, units, activation=None):
        super().__init__()
        self.units = units
        self.activation = activation

    def build(self, input_shape):
        input_dim = input_shape[-1]
        self.W = self.add_weight(shape=(input_dim, self.units), initializer="random_normal")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, inputs):
        y = jnp.matmul(inputs, self.W) + self.b
        if self.activation is not None:
            y = self.activation(y)
        return y


class OwnLayers(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer_1 = SimpleDense(units=512, activation=jax.nn.relu)
        self.layer_2 = SimpleDense(units=10, activation=jax.nn.softmax)

    def call(self, inputs):
        features = self.layer_1(inputs)
        outputs = self.layer_2(features)
        return outputs


class KerasLayers(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer_1 = keras.layers.Dense(units=512, activation="relu")
        self.layer_2 = keras.layers.Dense(units=10, activation="softmax")

    def call(self, inputs):
        features = self.layer_1(inputs)
        outputs = self.layer_2(features)
        return outputs


def layers_in_a_row():
    return keras.Sequential([layers.Dense(512, activation="relu"), layers.Dense(10, activation="softmax")])


def test_simple_dense():
    my_dense = SimpleDense(units=512, activation=jax.nn.relu)
    input_tensor = jnp.ones(shape=(128, 784))
    output_tensor = my_dense(input_tensor)
    assert str(output_tensor.shape) == "(128, 512)"
    assert [w.shape for w in my_dense.weights] == [(784, 512), (512,)]
    np.testing.assert_array_equal(my_dense(input_tensor), output_tensor)


def test_layer_is_built_once_by_the_first_call():
    class Counting(SimpleDense):
        builds = 0

        def build(self, input_shape):
            Counting.builds += 1
            assert tuple(input_shape) == (4, 3)
            super().build(input_shape)

    layer = Counting(2)
    assert not layer.built
    layer(jnp.ones((4, 3)))
    layer(jnp.ones((4, 3)))
    assert layer.built and Counting.builds == 1


@pytest.mark.parametrize("make", [OwnLayers, KerasLayers, layers_in_a_row])
def test_mnist_models_train(make):
    random = np.random.default_rng(0)
    x, y = random.random((64, 784)).astype("float32"), random.integers(0, 10, 64)
    model = make()
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=3, batch_size=32, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.count_params() == 784 * 512 + 512 + 512 * 10 + 10


def test_model_used_as_a_layer():
    inputs = keras.Input((784,))
    model = keras.Model(inputs, layers.Dense(1)(KerasLayers()(inputs)))
    assert model(jnp.ones((2, 784))).shape == (2, 1)
    assert issubclass(keras.Model, keras.layers.Layer)


# -- compile and the training loop ----------------------------------------------------------------------------------
def line(rows=200):
    random = np.random.default_rng(0)
    inputs = random.random((rows, 2)).astype("float32")
    return inputs, (inputs[:, :1] > 0.5).astype("float32")


BY_NAME = {"optimizer": "rmsprop", "loss": "mean_squared_error", "metrics": ["accuracy"]}


def by_object():
    return {
        "optimizer": keras.optimizers.RMSprop(),
        "loss": keras.losses.MeanSquaredError(),
        "metrics": [keras.metrics.BinaryAccuracy()],
    }


def test_compile_by_name_and_by_object_are_equivalent():
    inputs, targets = line()
    histories = []
    for settings in (BY_NAME, by_object()):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(**settings)
        histories.append(model.fit(inputs, targets, epochs=5, batch_size=128, verbose=0).history)
    assert set(histories[0]) == {"loss", "accuracy"} and set(histories[1]) == {"loss", "binary_accuracy"}
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-6)
    np.testing.assert_allclose(histories[0]["accuracy"], histories[1]["binary_accuracy"], rtol=1e-6)
    assert all(type(v) is float for values in histories[1].values() for v in values)
    assert len(histories[1]["loss"]) == 5


def test_custom_loss_and_metrics():
    class MyLoss(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return jnp.mean(jnp.square(y_true - y_pred), axis=-1)

    class MyMetric(keras.metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.largest = self.add_weight(name="largest", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(jnp.maximum(self.largest, jnp.max(jnp.abs(y_true - y_pred))))

        def result(self):
            return self.largest.value

    def error(y_true, y_pred):
        return jnp.abs(y_true - y_pred)

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(keras.optimizers.RMSprop(learning_rate=1e-4), MyLoss(), metrics=[MyMetric(), error])
    history = model.fit(*line(), epochs=2, verbose=0).history
    assert sorted(history) == ["error", "largest", "loss"]
    assert history["largest"][0] >= history["error"][0]


OPTIMIZERS = [
    lambda: keras.optimizers.SGD(),
    lambda: keras.optimizers.SGD(momentum=0.9),
    lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True),
    lambda: keras.optimizers.RMSprop(),
    lambda: keras.optimizers.Adam(),
    lambda: keras.optimizers.AdamW(),
    lambda: keras.optimizers.Adagrad(),
    lambda: keras.optimizers.Adadelta(),
    lambda: keras.optimizers.Adamax(),
    lambda: keras.optimizers.Nadam(),
    lambda: keras.optimizers.Ftrl(),
]


@pytest.mark.parametrize("make", OPTIMIZERS, ids=range(len(OPTIMIZERS)))
def test_optimizers(make):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(make(), "mse")
    history = model.fit(*line(64), epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][1]  # the first step of Ftrl discards the initial weights


LOSSES = {
    "CategoricalCrossentropy": "one_hot", "SparseCategoricalCrossentropy": "class", "BinaryCrossentropy": "binary",
    "MeanSquaredError": "one_hot", "KLDivergence": "one_hot", "CosineSimilarity": "one_hot",
}  # fmt: skip
METRICS = {
    "CategoricalAccuracy": "one_hot", "SparseCategoricalAccuracy": "class", "BinaryAccuracy": "binary",
    "AUC": "binary", "Precision": "binary", "Recall": "binary",
}  # fmt: skip


def classes(kind):
    random = np.random.default_rng(0)
    x = random.random((60, 4)).astype("float32")
    label = x[:, :3].argmax(1)
    targets = {"one_hot": np.eye(3, dtype="float32")[label], "class": label, "binary": (label == 1)[:, None] * 1.0}
    return x, targets[kind]


def classifier(kind):
    last = layers.Dense(1, activation="sigmoid") if kind == "binary" else layers.Dense(3, activation="softmax")
    return keras.Sequential([last])


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    kind = LOSSES[name]
    model = classifier(kind)
    model.compile(keras.optimizers.SGD(0.1), getattr(keras.losses, name)())
    history = model.fit(*classes(kind), epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name):
    kind = METRICS[name]
    loss = {"one_hot": "categorical_crossentropy", "class": "sparse_categorical_crossentropy"}
    model = classifier(kind)
    metric = getattr(keras.metrics, name)()
    model.compile("sgd", loss.get(kind, "binary_crossentropy"), metrics=[metric])
    history = model.fit(*classes(kind), epochs=2, verbose=0).history
    assert 0 <= history[metric.name][-1] <= 1


def test_validation_evaluation_and_prediction():
    inputs, targets = line()
    order = np.random.default_rng(1).permutation(len(inputs))
    shuffled_inputs, shuffled_targets = inputs[order], targets[order]
    num_validation_samples = int(0.3 * len(inputs))
    val_inputs, val_targets = shuffled_inputs[:num_validation_samples], shuffled_targets[:num_validation_samples]
    training_inputs = shuffled_inputs[num_validation_samples:]
    training_targets = shuffled_targets[num_validation_samples:]

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(**by_object())
    training_history = model.fit(
        training_inputs, training_targets, epochs=5, batch_size=16, validation_data=(val_inputs, val_targets), verbose=0
    )
    assert set(training_history.history) == {"loss", "binary_accuracy", "val_loss", "val_binary_accuracy"}
    loss_and_metrics = model.evaluate(val_inputs, val_targets, batch_size=128, verbose=0)
    assert isinstance(loss_and_metrics, list) and all(type(v) is float for v in loss_and_metrics)
    expected = [training_history.history["val_loss"][-1], training_history.history["val_binary_accuracy"][-1]]
    np.testing.assert_allclose(loss_and_metrics, expected, rtol=1e-5)

    predictions = model.predict(val_inputs, batch_size=128, verbose=0)
    assert isinstance(predictions, np.ndarray) and predictions.shape == (num_validation_samples, 1)
    np.testing.assert_allclose(model(val_inputs), predictions, rtol=1e-5, atol=1e-6)
