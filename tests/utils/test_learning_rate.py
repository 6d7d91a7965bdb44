"""`find_learning_rate`: sweeps on problems whose best rates are known."""

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import optimizers

X = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5], [3.0]], "float32")


def linear(optimizer, **options):
    jk.utils.set_random_seed(0)
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dropout(0.1), jk.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"], **options)
    return model


CASES = {
    "rate in the state": lambda: optimizers.SGD(0.1),
    "schedule": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
    "loss scale": lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.1)),
    "several optimizers": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.SGD(0.1), {".*bias": optimizers.SGD(0.2)})
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_suggestion_is_stable_and_the_model_is_unchanged(case):
    model = linear(CASES[case]())
    model.fit(X, Y, batch_size=32, verbose=0)
    before = jax.tree.map(np.array, model.get_state_tree("numpy_array"))
    seeds = [np.array(v) for v in model.non_trainable_variables]
    sweep = jk.utils.find_learning_rate(model, X, Y, steps=60)
    # Gradient descent on the mean of the squares of a linear model is stable up to about 0.8.
    assert 0.01 < sweep.suggestion < 0.77
    assert len(sweep.rates) == len(sweep.losses) == len(sweep.smoothed) < 60 and sweep.rates[0] == np.float32(1e-6)
    assert np.isfinite(sweep.losses).all() and sweep.smoothed.min() < 0.5 * sweep.smoothed[0]
    after = jax.tree.map(np.array, model.get_state_tree("numpy_array"))
    jax.tree.map(np.testing.assert_array_equal, before, after)
    assert all(np.array_equal(a, b) for a, b in zip(seeds, model.non_trainable_variables))
    model.fit(X, Y, batch_size=32, verbose=0)  # the schedule is back, and nothing was donated


def test_later_training_is_the_same_as_without_a_sweep():
    curves = []
    for swept in (False, True):
        model = linear("adam")
        if swept:
            jk.utils.find_learning_rate(model, X, Y, steps=20)
        curves.append(model.fit(X, Y, epochs=2, verbose=0).history)
    assert curves[0] == curves[1]


@pytest.mark.exhaustive
def test_streams_eager_runs_and_own_steps():
    def batches():
        while True:
            yield X[:16], Y[:16]

    class Own(jk.Model):
        def __init__(self):
            super().__init__()
            self.out = jk.layers.Dense(1, kernel_initializer="zeros")

        def call(self, x):
            return self.out(x)

        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return {**logs, "more": logs["loss"]}, state

    own = Own()
    own.compile(optimizers.SGD(), "mse")
    eager = linear(optimizers.SGD(), run_eagerly=True)
    for model, data in ((own, (batches(),)), (eager, (X, Y))):
        sweep = jk.utils.find_learning_rate(model, *data, steps=12, lowest=1e-3, highest=0.1)
        assert len(sweep.losses) == 12 and 1e-3 <= sweep.suggestion < 0.11


def test_errors_and_the_plot():
    model = linear("sgd")
    for arguments in ({"lowest": 1.0, "highest": 0.1}, {"steps": 3}):
        with pytest.raises(ValueError, match="lowest < highest"):
            jk.utils.find_learning_rate(model, X, Y, **arguments)
    with pytest.raises(ValueError, match="must be compiled"):
        jk.utils.find_learning_rate(jk.Sequential([jk.layers.Dense(1)]), X, Y)
    with pytest.warns(UserWarning, match="fell at no learning rate"):
        sweep = jk.utils.find_learning_rate(model, X, Y, steps=10, lowest=50.0, highest=100.0)
    with pytest.raises(ValueError, match="inject_hyperparams"):
        optax = pytest.importorskip("optax")
        jk.utils.find_learning_rate(linear(optax.sgd(0.1)), X, Y)
    figure = sweep.plot()
    assert figure.axes[0].get_xscale() == "log"
    assert sweep.plot(axes=figure.axes[0]) is figure
