"""`model.compilations()`: every planted cause of a compilation is named, and the third one warned about."""

import contextlib
import warnings

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.functional import intercept_calls
from jaxkeras.training import compiled_function, session
from tests.cases import by_default

L = jk.layers
X, Y = np.ones((8, 6, 4), "float32"), np.ones((8, 6, 2), "float32")
ONES = np.ones((8, 1), "float32")


def new_model():
    model = jk.Sequential([L.Dense(3, name="first"), L.Dropout(0.1), L.Dense(2, name="last")])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def step(model, x=X, y=Y, weights=None):
    model.train_on_batch(x, y, sample_weight=weights)


def freeze(model):
    model.layers[0].trainable = False
    model.compile("sgd", "mse", metrics=["mae"])
    step(model)


def recompile(*args, **kwargs):
    def run(model):
        model.compile(*args, **kwargs)
        step(model)

    return run


def under(context):
    def run(model):
        with context():
            step(model)

    return run


def add_weight(model):
    model.layers[2].enable_lora(1)
    model.compile("sgd", "mse", metrics=["mae"])
    step(model)


def set_policy(model):
    model.layers[0].dtype_policy = "mixed_bfloat16"
    model.compile("sgd", "mse", metrics=["mae"])
    step(model)


def drop(model):
    model.make_train_function(force=True)
    step(model)


def assign_optimizer(model):
    model.optimizer = jk.optimizers.RMSprop()
    step(model)


def metric_of_layer(model):
    model.layers[0].added = jk.metrics.Mean(name="added")
    step(model)


@contextlib.contextmanager
def config(name, value):
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        yield
    finally:
        jax.config.update(name, before)


# name: (what is done after one training step on X and Y, what `why` must say)
CAUSES = {
    "shape of x": (lambda m: step(m, X[:, :5], Y[:, :1]), "new shape of x: (8, 5, 4) where (8, 6, 4) before"),
    "shape of y": (lambda m: step(m, y=Y[..., :1]), "new shape of y: (8, 6, 1) where (8, 6, 2) before"),
    "dtype of x": (lambda m: step(m, X.astype("int32")), "new dtype of x: int32 where float32 before"),
    "dtype of y": (lambda m: step(m, y=Y.astype("int32")), "new dtype of y: int32 where float32 before"),
    "sample weights": (lambda m: step(m, weights=ONES), "`sample_weight` is given now"),
    "batch size": (lambda m: step(m, X[:5], Y[:5]), "new batch size: 5 where 8 before"),
    "structure": (lambda m: step(m, [X]), "new structure of x: ([*]) where (*) before"),
    "frozen layer": (freeze, "`trainable` of 'sequential/first' is now False"),
    "optimizer": (recompile("adam", "mse", metrics=["mae"]), "new optimizer: Adam where SGD before"),
    "assigned optimizer": (assign_optimizer, "new optimizer: RMSprop where SGD before"),
    "loss": (recompile("sgd", "mae", metrics=["mae"]), "new loss: mae where mse before"),
    "new metric": (recompile("sgd", "mse", metrics=["mae", "mape"]), "new metric 'mape'"),
    "metric gone": (recompile("sgd", "mse"), "no metric 'mae' any more"),
    "compile": (recompile("sgd", "mse", metrics=["mae"]), "`compile` was called again"),
    "weights": (add_weight, "new weights of 'sequential/last'"),
    "policy": (set_policy, "policy of 'first': mixed_bfloat16 where float32 before"),
    "dropped": (drop, "the steps were made anew"),
    "metric of a layer": (metric_of_layer, "new metric 'added'"),
    "64 bits": (under(lambda: config("jax_enable_x64", True)), "64-bit types are on now"),
    "precision": (under(lambda: jax.default_matmul_precision("bfloat16")), "new matmul_precision: bfloat16 where none"),
    "promotion": (under(lambda: jax.numpy_dtype_promotion("strict")), "new dtype_promotion: strict where standard"),
    "random numbers": (under(lambda: jax.default_prng_impl("rbg")), "new prng: rbg where threefry2x32 before"),
    "device": (under(lambda: jax.default_device(jax.devices()[0])), "new device:"),
    "interceptor": (under(lambda: intercept_calls(lambda call, layer, args, kwargs: call(*args, **kwargs))),
                    "interceptors of layer calls are in force"),
}  # fmt: skip


@pytest.fixture
def traced_only(monkeypatch):
    """Programs are traced and not compiled, and no step runs."""
    monkeypatch.setattr(compiled_function, "_compile", lambda *args: None)

    def run_alone(self, mode, ts, batch):
        self._train_alone.prepare(ts, session.BatchRef(batch, 0, form="whole"), 1)
        return ts, {"results": {}, "logs": {}, "checks": np.zeros((), "uint32")}

    monkeypatch.setattr(session.Session, "run_alone", run_alone)


USUAL = ("shape of x", "sample weights", "structure", "frozen layer", "optimizer", "new metric", "precision")


@pytest.mark.parametrize("name", by_default(CAUSES, USUAL))
@pytest.mark.filterwarnings("ignore:.*")
def test_planted_cause_is_named(name, traced_only):
    jk.utils.clear_session()
    model = new_model()
    y = Y[:, :1] if name == "shape of x" else Y  # broadcast, so that only `x` changes
    step(model, y=y)
    step(model, y=y)
    run, said = CAUSES[name]
    run(model)
    entries = [entry for entry in model.compilations() if entry.program == "train_on_batch"]
    assert entries[0].why == "first use"
    assert len(entries) == 2
    assert said in entries[1].why
    assert ";" not in entries[1].why  # one cause, not what follows from it


def test_the_third_compilation_for_one_cause_is_warned_about_at_the_users_line():
    model = new_model()
    model.predict_on_batch(X)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for rows in (1, 2, 3, 4):
            model.predict_on_batch(X[:rows])  # this line
    (warning,) = caught
    assert "`predict` has now been compiled 3 times for the same cause: new batch size: 3" in str(warning.message)
    assert warning.filename == __file__
    with open(__file__) as file:
        assert "# this line" in file.readlines()[warning.lineno - 1]


def test_fit_evaluate_and_predict_list_their_programs():
    model = new_model()
    model.fit(X, Y, batch_size=3, epochs=2, verbose=0)
    model.predict(X, batch_size=3, verbose=0)
    listed = model.compilations()
    assert all(entry.seconds > 0 for entry in listed if entry.program != "evaluate")
    said = [(entry.program, entry.why) for entry in listed]
    assert said == [
        ("fit", "first use"), ("fit", "the last batch has 2 rows, not 3"), ("reset metrics", "first use"),
        ("read metrics", "first use"), ("predict", "first use"), ("predict", "the last batch has 2 rows, not 3"),
    ]  # fmt: skip
    model.fit(X, Y, batch_size=3, verbose=0)
    assert len(model.compilations()) == len(listed)
    model.fit(X[:7], Y[:7], batch_size=3, verbose=0)
    assert model.compilations()[-2].why == "new number of rows of the data: 7 where 8 before"
    assert "first use" in repr(listed) and listed._repr_html_().count("<tr>") == 1 + len(listed)
