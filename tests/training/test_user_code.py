"""Overridden methods and callbacks as users write them for Keras on JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxkeras as jk

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class CustomStep(jk.Model):
    def __init__(self):
        super().__init__()
        self.dense = jk.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def compute_loss_and_updates_(self, trainable, fixed, x, y):
        y_pred, fixed = self.stateless_call(trainable, fixed, x, training=True)
        return self.compute_loss(x, y, y_pred), (y_pred, fixed)

    def train_step(self, state, data):
        trainable, fixed, optimizer_variables, metrics_variables = state
        x, y = data
        gradient = jax.value_and_grad(self.compute_loss_and_updates_, has_aux=True)
        (loss, (y_pred, fixed)), grads = gradient(trainable, fixed, x, y)
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
        new = []
        logs = {}
        for metric in self.metrics:
            own = metrics_variables[len(new) : len(new) + len(metric.variables)]
            if metric.name == "loss":
                own = metric.stateless_update_state(own, loss)
            else:
                own = metric.stateless_update_state(own, y, y_pred)
            logs[metric.name] = metric.stateless_result(own)
            new += own
        return logs, (trainable, fixed, optimizer_variables, new)


def plain():
    m = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile(jk.optimizers.SGD(0.05), "mse", metrics=["mae"])
    return m


def test_custom_train_step_equals_the_built_in_one():
    jk.utils.set_random_seed(3)
    a = plain()
    ha = a.fit(X, Y, epochs=3, verbose=0, shuffle=False, batch_size=8).history
    jk.utils.set_random_seed(3)
    b = CustomStep()
    b.compile(jk.optimizers.SGD(0.05), "mse", metrics=["mae"])
    hb = b.fit(X, Y, epochs=3, verbose=0, shuffle=False, batch_size=8).history
    for v, w in zip(a.get_weights(), b.get_weights()):
        np.testing.assert_allclose(v, w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ha["mae"], hb["mae"], rtol=1e-5)


def test_super_train_step_works():
    class Counting(jk.Sequential):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {**logs, "one": jnp.ones(())}, state

    m = Counting([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile("sgd", "mse", metrics=["mae"])
    h = m.fit(X, Y, epochs=2, verbose=0).history
    assert h["one"] == [1.0, 1.0] and set(h) == {"loss", "mae", "one"}


def test_tensorflow_style_train_step_error_shows_the_jax_form():
    class Old(jk.Sequential):
        def train_step(self, data):
            x, y = data

    m = Old([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"def train_step\(self, state, data\)"):
        m.fit(X, Y, verbose=0)


def test_compute_loss():
    class Half(jk.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 0.5 * jnp.mean((y - y_pred) ** 2)

    jk.utils.set_random_seed(0)
    m = Half([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile("sgd")
    got = m.fit(X, Y, verbose=0, batch_size=40).history["loss"]
    jk.utils.set_random_seed(0)
    n = plain()
    expected = n.fit(X, Y, verbose=0, batch_size=40).history["loss"]
    np.testing.assert_allclose(got, np.array(expected) / 2, rtol=1e-6)


def test_custom_metric_with_assign():
    class Largest(jk.metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.value = self.add_weight(shape=(), initializer="zeros", name="value")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.value.assign(jnp.maximum(self.value, jnp.max(y_true)))

        def result(self):
            return self.value

    m = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile("sgd", "mse", metrics=[Largest()])
    h = m.fit(X, Y, epochs=2, verbose=0, batch_size=7).history
    np.testing.assert_allclose(h["largest"], [Y.max()] * 2, rtol=1e-6)


def test_model_with_custom_trackers_and_metrics_property():
    class Tracked(jk.Model):
        def __init__(self):
            super().__init__()
            self.dense = jk.layers.Dense(1)
            self.tracker = jk.metrics.Mean(name="tracked")

        def call(self, x):
            return self.dense(x)

        @property
        def metrics(self):
            return [self.tracker]

        def train_step(self, state, data):
            trainable, fixed, optimizer_variables, metrics_variables = state
            x, y = data

            def loss(trainable):
                y_pred, _ = self.stateless_call(trainable, fixed, x)
                return jnp.mean((y_pred - y) ** 2)

            value, grads = jax.value_and_grad(loss)(trainable)
            trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
            metrics_variables = self.tracker.stateless_update_state(metrics_variables, value)
            return {"tracked": self.tracker.stateless_result(metrics_variables)}, (
                trainable, fixed, optimizer_variables, metrics_variables,
            )  # fmt: skip

    m = Tracked()
    m.compile("sgd")
    h = m.fit(X, Y, epochs=2, verbose=0, batch_size=40).history
    assert list(h) == ["tracked"] and h["tracked"][1] < h["tracked"][0]


def test_add_loss_and_regularizers_contribute_to_the_loss():
    class Penalty(jk.layers.Layer):
        def call(self, x):
            self.add_loss(3.0 * jnp.mean(x**2))
            return x

    i = jk.Input((4,))
    o = jk.layers.Dense(1, kernel_regularizer=jk.regularizers.L2(0.1))(Penalty()(i))
    m = jk.Model(i, o)
    m.compile(jk.optimizers.SGD(0.0), "mse")
    kernel = m.layers[-1].kernel.numpy()
    loss = m.evaluate(X, Y, verbose=0, batch_size=40)
    expected = np.mean((X @ kernel - Y) ** 2) + 3 * np.mean(X**2) + 0.1 * np.sum(kernel**2)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("optimizer", [optax.adam(1e-2), optax.chain(optax.clip(1.0), optax.sgd(1e-2)), "adabelief"])
def test_optax_transformation_as_optimizer(optimizer):
    m = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile(optimizer, "mse")
    h = m.fit(X, Y, epochs=3, verbose=0).history["loss"]
    assert h[-1] < h[0]


def test_plain_functions_as_loss_metric_and_schedule():
    def error(y_true, y_pred):
        return jnp.abs(y_true - y_pred)

    m = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    m.compile(jk.optimizers.SGD(optax.cosine_decay_schedule(0.1, 10)), error, metrics=[error])
    h = m.fit(X, Y, epochs=2, verbose=0).history
    np.testing.assert_allclose(h["loss"], h["error"], rtol=1e-6)


def test_callbacks_read_and_change_the_model_during_training():
    seen = []

    class Meddler(jk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"], float(self.model.optimizer.learning_rate)))
            self.model.optimizer.learning_rate = 0.1 / (batch + 2)

        def on_epoch_end(self, epoch, logs=None):
            self.weights = self.model.get_weights()
            self.prediction = self.model.predict(X[:3], verbose=0)
            self.model.layers[0].bias.assign([7.0])

    m = plain()
    callback = Meddler()
    m.fit(X, Y, batch_size=10, epochs=1, verbose=0, callbacks=[callback])
    assert [s[0] for s in seen] == [0, 1, 2, 3]
    np.testing.assert_allclose([s[2] for s in seen], [0.05, 0.05, 0.1 / 3, 0.025], rtol=1e-6)
    assert m.layers[0].bias.numpy() == [7.0]
    np.testing.assert_allclose(callback.prediction, X[:3] @ callback.weights[0] + callback.weights[1], rtol=1e-5)
    callback.weights[0] + 1  # returned arrays stay valid


class Looks(jk.callbacks.Callback):
    """Uses the model in every way except training."""

    def look(self):
        m = self.model
        before = m.get_weights()
        expected = X[:3] @ before[0] + before[1]
        np.testing.assert_allclose(m.predict(X[:3], verbose=0), expected, rtol=1e-5)
        np.testing.assert_allclose(m.predict_on_batch(X[:3]), expected, rtol=1e-5)
        np.testing.assert_allclose(m(X[:3]), expected, rtol=1e-5)
        loss = np.mean((X @ before[0] + before[1] - Y) ** 2)
        np.testing.assert_allclose(m.evaluate(X, Y, verbose=0)[0], loss, rtol=1e-4)
        np.testing.assert_allclose(m.test_on_batch(X, Y)[0], loss, rtol=1e-4)
        for one, other in zip(before, m.get_weights()):
            np.testing.assert_array_equal(one, other)

    def on_epoch_begin(self, epoch, logs=None):
        self.look()

    def on_epoch_end(self, epoch, logs=None):
        self.look()


class LooksAtBatches(Looks):
    def on_train_batch_end(self, batch, logs=None):
        self.model.predict(X[:3], verbose=0)


@pytest.mark.parametrize("callback", [Looks, LooksAtBatches])
def test_callbacks_predict_and_evaluate_during_training(callback):
    histories, weights = [], []
    for callbacks in ([], [callback()]):
        m = plain()
        m.set_weights([np.zeros((4, 1)), np.zeros(1)])
        options = {"batch_size": 10, "epochs": 3, "verbose": 0, "shuffle": False, "validation_data": (X, Y)}
        histories.append(m.fit(X, Y, callbacks=callbacks, **options).history)
        weights.append(m.get_weights())
        m.fit(X, Y, epochs=1, verbose=0)
    for name, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][name], rtol=1e-5)
    np.testing.assert_allclose(weights[0][0], weights[1][0], rtol=1e-5)


def test_run_eagerly_exposes_values_to_python(capsys):
    class Curious(jk.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(4, 1), name="w")

        def call(self, x):
            y = jnp.matmul(x, self.w)
            if jnp.sum(x) > 1e9:
                raise AssertionError
            print("largest input:", float(jnp.max(x)))
            return y

    m = jk.Sequential([Curious()])
    m.compile("sgd", "mse", run_eagerly=True)
    m.fit(X[:8], Y[:8], batch_size=4, epochs=1, verbose=0, shuffle=False)
    out = capsys.readouterr().out
    assert f"largest input: {float(X[:4].max())}" in out and "Traced" not in out


@pytest.mark.parametrize("eagerly", [False, True])
def test_on_batch_methods_report_that_batch_only(eagerly):
    m = plain()
    m.compile("sgd", "mse", metrics=["mae"], run_eagerly=eagerly)
    for method in (m.train_on_batch, m.test_on_batch, m.train_on_batch):
        for rows in (slice(0, 8), slice(8, 20)):
            error = m(X[rows]) - Y[rows]
            got = method(X[rows], Y[rows])
            np.testing.assert_allclose(got, [np.mean(error**2), np.mean(np.abs(error))], rtol=1e-4)


@pytest.mark.parametrize("targets", [Y, [Y], {"first": Y}], ids=["array", "list", "dict"])
def test_targets_for_a_single_output_with_a_loss(targets):
    inputs = jk.Input((4,))
    m = jk.Model(inputs, [jk.layers.Dense(1, name="first")(inputs), jk.layers.Dense(3, name="second")(inputs)])
    m.compile("sgd", ["mse", None])
    m.fit(X, targets, epochs=1, verbose=0)
    np.testing.assert_allclose(m.evaluate(X, targets, verbose=0), np.mean((m(X)[0] - Y) ** 2), rtol=1e-4)


def test_stop_training_and_initial_epoch():
    class Stop(jk.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 3

    m = plain()
    h = m.fit(X, Y, initial_epoch=2, epochs=10, verbose=0, callbacks=[Stop()])
    assert h.epoch == [2, 3]


def test_multi_output_losses_metrics_and_weights():
    i = jk.Input((4,), name="in")
    m = jk.Model(i, {"a": jk.layers.Dense(1, name="a")(i), "b": jk.layers.Dense(2, activation="softmax", name="b")(i)})
    m.compile("sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"}, loss_weights={"a": 0.5, "b": 2.0},
              metrics={"a": ["mae"], "b": ["accuracy"]})  # fmt: skip
    labels = (Y[:, 0] > 0).astype(int)
    h = m.fit({"in": X}, {"a": Y, "b": labels}, verbose=0, batch_size=40).history
    assert set(h) == {"loss", "a_loss", "b_loss", "a_mae", "b_accuracy"}
    np.testing.assert_allclose(h["loss"][0], 0.5 * h["a_loss"][0] + 2 * h["b_loss"][0], rtol=1e-5)
    d = m.evaluate({"in": X}, {"a": Y, "b": labels}, verbose=0, return_dict=True)
    assert set(d) == set(h)
    out = m.predict({"in": X}, verbose=0)
    assert out["a"].shape == (40, 1) and out["b"].shape == (40, 2)


def test_keyboard_interrupt_leaves_a_usable_model():
    class Interrupt(jk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    m = plain()
    with pytest.raises(KeyboardInterrupt):
        m.fit(X, Y, batch_size=4, verbose=0, callbacks=[Interrupt()])
    assert all(np.isfinite(w).all() for w in m.get_weights())
    assert int(m.optimizer.iterations) == 3
    m.fit(X, Y, verbose=0)


def test_deprecated_generator_names():
    def generator():
        while True:
            yield X[:8], Y[:8]

    m = plain()
    with pytest.warns(DeprecationWarning):
        h = m.fit_generator(generator(), steps_per_epoch=3, epochs=2, verbose=0, workers=1, max_queue_size=2)
    assert len(h.history["loss"]) == 2
    with pytest.warns(DeprecationWarning):
        assert len(m.evaluate_generator(generator(), steps=2, verbose=0)) == 2
    with pytest.warns(DeprecationWarning):
        assert m.predict_generator(generator(), steps=2, verbose=0).shape == (16, 1)
