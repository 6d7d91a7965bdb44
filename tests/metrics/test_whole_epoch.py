"""`WholeEpoch`: functions of all rows of an epoch, on every path of the data."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.metrics import WholeEpoch

sklearn_metrics = pytest.importorskip("sklearn.metrics")
draw = np.random.default_rng(0)
X = draw.normal(size=(90, 3)).astype("float32")
Y = (X @ np.ones((3, 1)) + draw.normal(size=(90, 1)) > 0).astype("int32")


def make(metrics, **options):
    jk.utils.set_random_seed(0)
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    model.compile(jk.optimizers.SGD(0.0), "binary_crossentropy", metrics=metrics, **options)
    return model


def expected(model, x=X, y=Y):
    return sklearn_metrics.roc_auc_score(y, model.predict(x, verbose=0))


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 2}], ids=str)
def test_fit_evaluate_and_validation_give_the_value_of_scikit_learn(options):
    model = make([WholeEpoch(sklearn_metrics.roc_auc_score), "accuracy"], **options)
    history = model.fit(X, Y, epochs=2, batch_size=16, validation_data=(X[:50], Y[:50]), verbose=0).history
    assert history["roc_auc_score"] == pytest.approx([expected(model)] * 2)  # the rate is 0
    assert history["val_roc_auc_score"] == pytest.approx([expected(model, X[:50], Y[:50])] * 2)
    loss, value, accuracy = model.evaluate(X, Y, verbose=0)
    assert value == pytest.approx(expected(model)) and 0 < accuracy < 1
    assert model.metrics[1].metrics[0].result() == pytest.approx(value)
    assert model.test_on_batch(X[:40], Y[:40])[1] == pytest.approx(expected(model, X[:40], Y[:40]))


def test_a_small_buffer_is_emptied_in_time():
    def order(y_true, y_pred):
        seen.append(y_true)
        return 0.0

    seen, metric, width = [], WholeEpoch(order), 2**15  # a quarter of a megabyte for each row
    model = jk.Sequential([jk.Input((1,)), jk.layers.Lambda(lambda x: jnp.broadcast_to(x, (len(x), width)))])
    model.compile(loss="mse", metrics=[metric])
    x = np.arange(100, dtype="float32")[:, None]
    model.evaluate(x, np.repeat(x, width, 1), batch_size=7, verbose=0)
    assert metric.capacity < 70
    np.testing.assert_array_equal(seen[0][:, -1], x[:, 0])


def test_streams_callbacks_and_hooks_of_batches():
    class Watch(jk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            names.append(sorted(logs))

        def on_epoch_end(self, epoch, logs=None):
            values.append(logs["roc_auc_score"])

    names, values = [], []
    model = make([WholeEpoch(sklearn_metrics.roc_auc_score)])
    stream = ((X[i : i + 30], Y[i : i + 30]) for i in (0, 30, 60))
    checks = jk.callbacks.ValidateEvery(2)
    model.fit(stream, validation_data=(X[:20], Y[:20]), callbacks=[Watch(), checks], verbose=0)
    assert names == [["loss"]] * 3
    assert values == pytest.approx([expected(model)])
    assert checks.history["val_roc_auc_score"] == pytest.approx([expected(model, X[:20], Y[:20])])


@pytest.mark.exhaustive
def test_weights_eager_use_and_errors():
    weight = draw.uniform(size=90).astype("float32")
    model = make([], weighted_metrics=[WholeEpoch(sklearn_metrics.roc_auc_score)])
    _, value = model.evaluate(X, Y, sample_weight=weight, verbose=0)
    scores = model.predict(X, verbose=0)
    assert value == pytest.approx(sklearn_metrics.roc_auc_score(Y, scores, sample_weight=weight))
    eager = make([WholeEpoch(sklearn_metrics.roc_auc_score)], run_eagerly=True)
    assert eager.evaluate(X[:9], Y[:9], batch_size=5, verbose=0)[1] == pytest.approx(expected(eager, X[:9], Y[:9]))
    metric = WholeEpoch(sklearn_metrics.accuracy_score, name="exact")
    assert np.isnan(metric.result())
    metric.update_state([0, 1, 1], [0, 1, 0])
    metric.update_state([1], [1])
    assert metric.result() == 0.75 and metric.name == "exact"
    metric.reset_state()
    assert np.isnan(metric.result())
    with pytest.raises(ValueError, match="takes no `sample_weight`"):
        WholeEpoch(lambda y_true, y_pred: 0.0)([1], [1], sample_weight=[2.0])
    with pytest.raises(ValueError, match="must be a function"):
        WholeEpoch("auc")
    with pytest.raises(ValueError, match="collects up to .* rows at a time"):
        small = make([WholeEpoch(lambda y_true, y_pred: 0.0)])
        small.fit(X[:4], Y[:4], verbose=0)
        small._session.compile_metrics.metrics[0].capacity = 8
        small.discard = small.make_test_function(force=True)
        small.evaluate(X, Y, verbose=0)


def test_a_registered_function_is_saved_with_the_model(tmp_path):
    @jk.saving.register_keras_serializable("tests")
    def spread(y_true, y_pred):
        return float(np.ptp(y_pred))

    model = make([WholeEpoch(spread)])
    before = model.evaluate(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    assert jk.saving.load_model(tmp_path / "model.keras").evaluate(X, Y, verbose=0) == before
