"""`run_eagerly=True`: values are concrete in calls, losses, metrics and callbacks, also inside the gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.core import Tracer

import jaxkeras as jk
from jaxkeras.training.eager import eager_step

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def read(h):
    """Read a value in every way that Python and NumPy offer."""
    mean = h.mean()
    return float(mean), float(np.asarray(h).mean()), mean.item(), float(np.mean(h.tolist())), int(mean), bool(mean > 0)


class Reading(jk.Model):
    def __init__(self, seen):
        super().__init__()
        self.hidden, self.out, self.seen = jk.layers.Dense(3), jk.layers.Dense(1), seen

    def call(self, x):
        h = self.hidden(x)
        self.seen.append(("call", read(h)))
        return self.out(h)


def test_values_are_concrete_everywhere():
    seen = []

    def loss(y_true, y_pred):
        seen.append(("loss", read(y_pred)))
        return jnp.mean((y_true - y_pred) ** 2)

    class Error(jk.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            seen.append(("metric", read(y_pred)))
            return super().update_state(jnp.abs(y_true - y_pred))

    class Look(jk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(("callback", read(self.model.hidden.kernel.value)))

    model = Reading(seen)
    model.compile("sgd", loss, metrics=[Error()], run_eagerly=True)
    model.fit(X, Y, batch_size=4, verbose=0, callbacks=[Look()])
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert {kind for kind, _ in seen} == {"call", "loss", "metric", "callback"}
    for _, (first, *others, whole, positive) in seen:
        np.testing.assert_allclose(others, first, rtol=1e-5)
        assert whole == int(first) and positive == (first > 0)


def test_eager_training_equals_compiled_training():
    weights = []
    for eagerly in (False, True):
        jk.utils.set_random_seed(0)
        model = Reading([]) if eagerly else jk.Sequential([jk.layers.Dense(3), jk.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eagerly)
        model.fit(X, Y, batch_size=4, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_tracers_are_unpatched_outside_eager_steps():
    before = Tracer.__float__, Tracer.__array__
    with eager_step():
        assert Tracer.__float__ is not before[0]
        assert jax.grad(lambda x: x * float(x))(3.0) == 3.0
        with pytest.raises(RuntimeError), eager_step():
            raise RuntimeError
        assert jax.grad(lambda x: x * float(np.asarray(x)))(3.0) == 3.0
    assert (Tracer.__float__, Tracer.__array__) == before
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.grad(lambda x: x * float(x))(3.0)


def test_no_hint_to_run_eagerly_when_already_eager():
    class Scanning(jk.Model):
        def __init__(self):
            super().__init__()
            self.out = jk.layers.Dense(1)

        def call(self, x):
            return jax.vmap(lambda row: row * float(row.sum()))(self.out(x))

    model = Scanning()
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(jax.errors.ConcretizationTypeError) as caught:
        model.fit(X, Y, verbose=0)
    text = str(caught.value)
    assert "run_eagerly=True" not in text and "Exception encountered when calling layer" in text
