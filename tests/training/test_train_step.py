"""There is one training step; Keras's list form is an adapter around it."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class Adapted(jk.Sequential):
    def train_step(self, state, data):
        return super().train_step(state, data)

    def test_step(self, state, data):
        return super().test_step(state, data)

    def predict_step(self, state, data):
        return super().predict_step(state, data)


def layers():
    return [
        jk.Input((4,)), jk.layers.Dense(8, activation="tanh"), jk.layers.BatchNormalization(),
        jk.layers.Dropout(0.25, seed=1), jk.layers.Dense(1),
    ]  # fmt: skip


OPTIMIZERS = {
    "adam": lambda: "adam",
    "ema": lambda: jk.optimizers.SGD(0.1, momentum=0.9, use_ema=True),
    "accumulation": lambda: jk.optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "scaled": lambda: jk.optimizers.LossScaleOptimizer(jk.optimizers.SGD(0.1), 4.0, dynamic_growth_steps=2),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_steps_that_only_call_super_change_nothing(optimizer):
    runs = []
    for cls in (jk.Sequential, Adapted):
        jk.utils.set_random_seed(3)
        model = cls(layers())
        model.compile(OPTIMIZERS[optimizer](), "mse", metrics=["mae"])
        history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0, validation_data=(X, Y))
        runs.append((model, history.history, model.evaluate(X, Y, verbose=0), model.predict(X, verbose=0)))
    (one, *first), (two, *second) = runs
    for a, b in zip(first, second):
        np.testing.assert_allclose(list(a.values()) if isinstance(a, dict) else a,
                                   list(b.values()) if isinstance(b, dict) else b, rtol=1e-5)  # fmt: skip
    for v, w in zip(one.variables + one.optimizer.variables, two.variables + two.optimizer.variables, strict=True):
        np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-5, atol=1e-6, err_msg=v.path)


def test_loss_scaling_in_a_custom_step_trains_and_leaves_no_deleted_arrays():
    class Net(jk.Model):
        def __init__(self):
            super().__init__(dtype="mixed_float16")
            self.out = jk.layers.Dense(1, use_bias=False, kernel_initializer="zeros", dtype="mixed_float16")

        def call(self, x):
            return self.out(x)

        def train_step(self, state, data):
            return super().train_step(state, data)

    net = Net()
    net.compile(jk.optimizers.SGD(1.0), lambda y_true, y_pred: y_pred[..., 0].astype("float32"))
    assert isinstance(net.optimizer, jk.optimizers.LossScaleOptimizer)
    ones, kernels = np.ones((8, 1), "float32"), []
    for _ in range(4):
        net.fit(ones, ones, batch_size=8, verbose=0)
        kernels.append(float(net.out.kernel[0, 0]))
    assert kernels == [-1.0, -2.0, -3.0, -4.0]
    assert all(np.isfinite(v.numpy()).all() for v in net.variables + net.optimizer.variables)


def test_assigning_variables_in_train_step_raises():
    class Wrong(jk.Sequential):
        def train_step(self, state, data):
            self.layers[0].kernel.assign(jnp.zeros((4, 1)))
            return super().train_step(state, data)

    model = Wrong([jk.Input((4,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match=r"(?s)`train_step` of Wrong assigned variable .*kernel.*stateless_call"):
        model.fit(X, Y, verbose=0)


def test_calling_train_step_with_an_explicit_state():
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    lists = [[v.value for v in group] for group in (
        model.trainable_variables, model.non_trainable_variables, model.optimizer.variables, model.metrics_variables,
    )]  # fmt: skip
    logs, state = model.train_step(tuple(lists), (X, Y))
    assert set(logs) == {"loss"} and [len(s) for s in state] == [2, 0, 2, 2]
    with pytest.raises(ValueError, match=r"lists of \[2, 0, 2, 2\] values; got lists of \[1, 0, 2, 2\]"):
        model.train_step((lists[0][:1], *lists[1:]), (X, Y))


def test_checks_inside_super_train_step_stop_the_run():
    model = Adapted([jk.Input((4,)), jk.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")

    def batches():
        yield X, np.full((12,), 1)
        yield X, np.full((12,), 7)

    with pytest.raises(ValueError, match="`y` holds a class that output"):
        model.fit(batches(), verbose=0)
