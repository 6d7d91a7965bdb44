"""Ways of training besides the plain one: each gives the numbers of one device."""

import jax
import numpy as np

import jaxkeras as jk
from tests.distribution.models import difference

X = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
Y = X[:, :4]


class Custom(jk.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = jk.layers.Dense(16, activation="tanh"), jk.layers.Dense(4)

    def call(self, x):
        return self.out(self.hidden(x))

    def train_step(self, state, data):
        trainable, fixed, slots, metrics = state
        x, y, _ = jk.utils.unpack_x_y_sample_weight(data)

        def loss_of(trainable):
            y_pred, new = self.stateless_call(trainable, fixed, x, training=True)
            return self.compute_loss(x, y, y_pred), new

        (loss, new), grads = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
        return {"loss": loss}, (trainable, new, slots, metrics)


def plain(optimizer=None, policy=None, model=None, **how):
    model = model or jk.Sequential(
        [jk.Input((8,)), jk.layers.Dense(16, "relu", dtype=policy), jk.layers.Dense(4, dtype=policy)]
    )
    model.compile(optimizer or jk.optimizers.SGD(0.1), "mse", **how)
    return model


def fit(model, **how):
    model.fit(X, Y, 16, 2, 0, **how)


def single(model):
    for start in range(0, 60, 20):
        model.train_on_batch(X[start : start + 20], Y[start : start + 20])
    model.test_on_batch(X, Y)
    model.predict_on_batch(X[:3])


def stream(model):
    model.fit(((X[i : i + 12], Y[i : i + 12]) for i in range(0, 64, 12)), epochs=1, verbose=0)
    model.evaluate(((X[i : i + 12], Y[i : i + 12]) for i in range(0, 64, 12)), verbose=0)
    model.predict((X[i : i + 12] for i in range(0, 64, 12)), verbose=0)


CASES = {
    "eager": (lambda: plain(run_eagerly=True), fit, 1e-6),
    "custom step": (lambda: plain(model=Custom()), fit, 1e-6),
    "accumulation": (lambda: plain(jk.optimizers.Adam(1e-2, gradient_accumulation_steps=2, epsilon=1e-3)), fit, 1e-6),
    "moving average": (lambda: plain(jk.optimizers.SGD(0.1, use_ema=True)), fit, 1e-6),
    "factored": (lambda: plain("adafactor"), fit, 1e-5),
    "optax": (lambda: plain(__import__("optax").adamw(1e-2, eps=1e-3)), fit, 1e-6),
    "bfloat16": (lambda: plain(policy="mixed_bfloat16"), fit, 2e-2),
    "loss scale": (lambda: plain(jk.optimizers.LossScaleOptimizer(jk.optimizers.SGD(0.1))), fit, 1e-6),
    "stored order": (plain, lambda model: fit(model, shuffle=False), 1e-6),
    "single batches": (plain, single, 1e-6),
    "stream": (plain, stream, 1e-6),
}


def weights(make, run, way):
    jk.distribution.set_distribution(way)
    jk.utils.set_random_seed(0)
    model = make()
    run(model)
    return [np.asarray(w, "float32") for w in model.get_weights()]


for name, (make, run, tolerance) in CASES.items():
    expected = weights(make, run, None)
    for way in ("data", "fsdp", {"data": 2, "model": 2}):
        found = difference(expected, weights(make, run, way))
        print(name, way, found, flush=True)
        assert found < tolerance, (name, way, found)
