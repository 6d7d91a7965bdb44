"""`StepStats`, and `compile(steps_per_execution="auto")`."""

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import Callback, StepStats, ValidateEvery
from tests.callbacks.test_callbacks_in_fit import X, Y, make
from tests.compilations import counting


def mean_norm(model):
    """The mean over the batches of the norm of the gradients, while the weights do not change."""
    values = [v.value for v in model.trainable_variables]

    def loss(values, x, y):
        return ((model.stateless_call(values, [], x)[0] - y) ** 2).mean()

    norms = [
        np.sqrt(sum((np.asarray(g) ** 2).sum() for g in jax.grad(loss)(values, X[i : i + 8], Y[i : i + 8])))
        for i in range(0, 32, 8)
    ]
    return np.mean(norms)


OPTIMIZERS = {
    "plain": lambda: jk.optimizers.SGD(0.0, clipnorm=0.01),
    "dynamic scale": lambda: jk.optimizers.LossScaleOptimizer(jk.optimizers.SGD(0.0)),
    "fixed scale": lambda: jk.optimizers.SGD(0.0, loss_scale_factor=8.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradient_norm_learning_rate_and_step_time(name):
    model = make(OPTIMIZERS[name]())
    options = {"batch_size": 8, "shuffle": False, "verbose": 0, "validation_data": (X, Y)}
    history = model.fit(X, Y, epochs=2, callbacks=[StepStats()], **options).history
    assert history["gradient_norm"] == pytest.approx([mean_norm(model)] * 2, rel=1e-4)
    assert history["learning_rate"] == [0.0, 0.0] and 0 < history["step_time"][1] < 10
    assert not {"val_gradient_norm", "val_step_time"} & set(history)
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["loss"]
    assert isinstance(model.train_on_batch(X, Y), float)


def test_programs_are_kept_without_the_callback_and_own_steps_are_refused():
    model = make()
    model.fit(X, Y, callbacks=[StepStats(step_time=False)], verbose=0)
    with counting() as count:
        history = model.fit(X, Y, verbose=0).history
        again = model.fit(X, Y, callbacks=[StepStats(learning_rate=False)], verbose=0).history
    assert set(history) == {"loss"} and set(again) == {"gradient_norm", "loss", "step_time"}
    assert count.value == 0

    class Own(jk.Model):
        def call(self, x):
            return x

        def train_step(self, state, data):
            return super().train_step(state, data)

    own = Own()
    own.compile("sgd", "mse")
    with pytest.raises(ValueError, match="`train_step` of its own"):
        own.fit(X, X, callbacks=[StepStats()], verbose=0)


def test_members_of_a_population():
    population = jk.Population(jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)]), seeds=[1, 2])
    population.compile(jk.optimizers.SGD(0.0), "mse")
    checks = ValidateEvery(2)
    options = {"batch_size": 8, "shuffle": False, "validation_data": (X, Y), "verbose": 0}
    history = population.fit(X, Y, callbacks=[StepStats(), checks], **options).history
    assert checks.history["val_loss"][0] == pytest.approx(history["val_loss"][0])
    norms = [mean_norm(population.member(i)) for i in range(2)]
    assert history["gradient_norm"][0] == pytest.approx(norms, rel=1e-4)
    assert history["step_time"].shape == (1, 2)  # one number for both
    assert population.member(1).history.history["step_time"] == [history["step_time"][0, 1]]
    np.testing.assert_array_equal(history["learning_rate"], [[0.0, 0.0]])


def test_steps_per_execution_auto_calls_hooks_by_piece():
    class Count(Callback):
        def __init__(self):
            super().__init__()
            self.batches = []

        def on_train_batch_end(self, batch, logs=None):
            self.batches.append(batch)

        def on_predict_batch_end(self, batch, logs=None):
            self.batches.append(batch)

    model, count = make(steps_per_execution="auto"), Count()
    x = np.zeros((4096, 2), "float32")
    model.fit(x, x[:, :1], batch_size=1, callbacks=[count], verbose=0)
    assert count.batches[-1] == 4095 and len(count.batches) < 400 and count.batches == sorted(set(count.batches))
    count.batches.clear()
    assert model.predict(x, batch_size=1, callbacks=[count], verbose=0).shape == (4096, 1)
    assert count.batches[-1] == 4095 and len(count.batches) < 400
    again = jk.models.clone_model(model)
    again.compile_from_config(model.get_compile_config())
    assert again._hooks_by_piece
    with pytest.raises(ValueError, match="or 'auto'"):
        make(steps_per_execution="fast")
