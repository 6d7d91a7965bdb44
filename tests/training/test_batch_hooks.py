"""Batch hooks with `steps_per_execution`, and other details of the trainer that code written for Keras relies on."""

import jax.experimental.sparse
import numpy as np
import pytest
import scipy.sparse

import jaxkeras as jk

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
    [(1, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]), (2, [0, 1, 2, 3, 4, 4]), (3, [0, 2, 3, 4]), (9, [0, 4])],
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


SPARSE = scipy.sparse.csr_matrix, scipy.sparse.coo_array, jax.experimental.sparse.BCOO.fromdense


@pytest.mark.parametrize("sparse", SPARSE)
@pytest.mark.parametrize("run_eagerly", [False, True])
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
