"""Batch hooks with `steps_per_execution`, and other details of the trainer that code written for Keras relies on."""

import jax.experimental.sparse
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import jaxkeras as jk
from tests.cases import by_default

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class Hooks(jk.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen, self.rows = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(batch)

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(batch)

    on_test_batch_end = on_train_batch_end

    def on_predict_batch_end(self, batch, logs=None):
        self.seen.append(batch)
        self.rows.append(len(logs["outputs"]))


def compiled(**options):
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    "steps, expected",
    [(1, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]), (2, [0, 1, 2, 3, 4, 5]), (3, [0, 2, 3, 5]), (9, [0, 8])],
)
def test_hooks_are_called_once_an_execution(steps, expected, run_eagerly):
    model = compiled(steps_per_execution=steps, run_eagerly=run_eagerly)
    for run in (model.fit, model.evaluate):
        hooks = Hooks()
        run(X[:18], Y[:18], batch_size=4, callbacks=[hooks], verbose=0)  # the last batch is smaller
        assert hooks.seen == expected
    hooks = Hooks()
    outputs = model.predict(X[:18], batch_size=4, callbacks=[hooks], verbose=0)
    assert hooks.seen == expected and len(outputs) == sum(hooks.rows) == 18


def test_a_loss_without_training_argument():
    class Own(jk.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return 2 * super().compute_loss(x, y, y_pred, sample_weight)

    model = Own([jk.Input((4,)), jk.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    expected = 2 * np.mean(np.square(Y))
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.fit(X, Y, batch_size=20, verbose=0).history["loss"] == pytest.approx([expected], rel=1e-5)


def test_jit_compile_can_be_set_without_compile():
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    assert model.jit_compile
    model.jit_compile = False
    assert not model.jit_compile
    model.compile("sgd", "mse")
    assert model.jit_compile


@pytest.mark.parametrize("jit_compile", [False, True])
def test_steps_without_jit_compile_run_as_python(jit_compile):
    calls = []

    class Own(jk.layers.Layer):
        def call(self, x):
            calls.append(x)
            return jax.lax.fori_loop(0, 2, lambda i, y: y + 1, x)

    model = jk.Sequential([jk.Input((4,)), Own(), jk.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=jit_compile)
    model.train_on_batch(X, Y)
    calls.clear()
    model.train_on_batch(X, Y)
    assert len(calls) == (0 if jit_compile else 1) and not model.run_eagerly


SPARSE = scipy.sparse.csr_matrix, scipy.sparse.dok_array, jax.experimental.sparse.BCOO.fromdense


@pytest.mark.parametrize("sparse", SPARSE)
@pytest.mark.parametrize("run_eagerly", by_default((False, True), {False}))
def test_streams_of_sparse_batches(sparse, run_eagerly):
    model = compiled(run_eagerly=run_eagerly)
    x = X * (X > 0)

    def stream():
        for i in range(0, 20, 5):
            yield sparse(x[i : i + 5]), Y[i : i + 5]

    assert model.evaluate(stream(), verbose=0) == pytest.approx(model.evaluate(x, Y, batch_size=5, verbose=0), rel=1e-5)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(model.predict(stream(), verbose=0), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(sparse(x), verbose=0), expected, rtol=1e-5)
    np.testing.assert_allclose(model.predict(sparse(x), batch_size=6, verbose=0), expected, rtol=1e-5)


def test_sparse_arrays_become_dense_tensors():
    dense = np.eye(3, dtype="float32")
    for sparse in (scipy.sparse.csr_matrix(dense), jax.experimental.sparse.BCOO.fromdense(dense)):
        x = jk.ops.convert_to_tensor(sparse, sparse=False)
        assert isinstance(x, jax.Array)
        np.testing.assert_array_equal(x, dense)


def test_the_array_of_a_variable_under_keras_name():
    v = jk.Variable(np.ones(2), dtype="float32")
    v.assign([1.0, 2.0])
    assert v._value is v.cell()


def batches(count):
    for _ in range(count):
        yield X[:4], Y[:4]


def fit_with_hooks(*data, steps_per_execution=1, run_eagerly=False, **how):
    seen = []
    hooks = jk.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(f"epoch {epoch}"),
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_batch_end=lambda batch, logs: seen.append(batch),
    )
    model = compiled(steps_per_execution=steps_per_execution, run_eagerly=run_eagerly)
    history = model.fit(*data, verbose=0, callbacks=[hooks], **how)
    return seen, history.history["loss"]


# What Keras does with 5 batches; it runs whole executions of steps.
@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    ("steps_per_execution", "steps", "expected"),
    [
        (1, 9, ["epoch 0", 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, "epoch 1", 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        (1, 3, ["epoch 0", 0, 0, 1, 1, 2, 2, "epoch 1", 0, 0, 1, 1]),
        (2, 3, ["epoch 0", 0, 1, 2, 3, "epoch 1", 0, 1]),
        (3, 2, ["epoch 0", 0, 2, "epoch 1", 0, 2]),
    ],
)
def test_steps_that_do_not_fit_the_data(steps_per_execution, steps, expected, run_eagerly):
    how = {"steps_per_execution": steps_per_execution, "run_eagerly": run_eagerly}
    with pytest.warns(UserWarning, match="epochs end after 5|ran out of data after"):
        seen, losses = fit_with_hooks(X, Y, batch_size=4, steps_per_epoch=steps, epochs=2, **how)
    assert seen == expected and len(losses) == 2


def test_training_ends_with_a_generator_that_is_used_up():
    with pytest.warns(UserWarning, match="training ends after 1 of 3 epochs"):
        seen, losses = fit_with_hooks(batches(2), epochs=3)
    assert seen == ["epoch 0", 0, 0, 1, 1] and len(losses) == 1
    with pytest.warns(UserWarning, match="training ends after 2 of 5 epochs"):
        assert len(fit_with_hooks(batches(4), epochs=5, steps_per_epoch=2)[1]) == 2


def test_validation_ends_with_a_generator_that_is_used_up():
    with pytest.warns(UserWarning, match="there is no validation"):
        history = compiled().fit(X, Y, epochs=3, verbose=0, validation_data=batches(3))
    assert [len(history.history[name]) for name in ("loss", "val_loss")] == [3, 1]


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_predictions_advance_seeds(run_eagerly):
    class Noise(jk.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed = jk.random.SeedGenerator(1)

        def call(self, x):
            return x + jk.random.normal((1, 5), seed=self.seed)

    rows = np.ones((6, 5), "float32")
    model = jk.Sequential([jk.Input((5,)), Noise()])
    model.run_eagerly = run_eagerly
    drawn = np.concatenate([model.predict(rows, batch_size=2, verbose=0), model.predict_on_batch(rows[:2])])[::2]
    assert len(np.unique(drawn, axis=0)) == 4
    again = jk.Sequential([jk.Input((5,)), Noise()])
    np.testing.assert_array_equal(np.concatenate([again.predict_on_batch(rows[:1]) for _ in range(4)]), drawn)


def test_a_predict_step_is_traced_once():
    traced = []

    class Own(jk.Sequential):
        def predict_step(self, state, data):
            traced.append(data)
            return super().predict_step(state, data)

    model = Own([jk.Input((4,)), jk.layers.Dense(1)])
    assert len(model.predict(X, batch_size=1, verbose=0)) == 20  # in calls of 16 and 4 batches
    assert len(traced) == 1


def test_inputs_of_one_batch_may_differ_in_their_rows():
    class Pool(jk.layers.Layer):
        def call(self, x):
            return x["nodes"] + jnp.sum(x["edges"])

    model = jk.Sequential([Pool()])
    outputs = model.predict_on_batch({"nodes": np.ones((4, 1)), "edges": np.ones((7, 1))})
    np.testing.assert_array_equal(outputs, np.full((4, 1), 8.0))


def test_class_weights_of_one_batch():
    model, labels = compiled(), np.array([[0.0], [1.0]], "float32")
    weighted = model.test_on_batch(X[:2], labels, sample_weight=np.array([2.0, 1.0]))
    assert model.train_on_batch(X[:2], labels, class_weight={"0": 2.0}) == pytest.approx(weighted)


def test_an_invalid_validation_frequency_raises():
    with pytest.raises(ValueError, match="validation_freq"):
        compiled().fit(X, Y, verbose=0, validation_data=(X, Y), validation_freq="2")
