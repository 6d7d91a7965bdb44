"""Errors in user code: one exception that ends at the user's line and names the place, the shapes and the fix."""

import re
import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk

L = jk.layers
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class Net(jk.Model):
    def __init__(self):
        super().__init__(name="net")
        self.hidden, self.out = L.Dense(3), L.Dense(1)


class KeepsState(Net):
    def call(self, x):
        self.mean = getattr(self, "mean", 0.0) + x.mean()
        return self.out(x)


class Branches(Net):
    def call(self, x):
        return self.out(x) if x.mean() > 0 else self.out(-x)


class ReturnsNothing(Net):
    def call(self, x):
        self.out(x)


class WrongShapes(Net):
    def call(self, x):
        return self.hidden(x) @ self.out(x)


class Plain(Net):
    def call(self, x):
        return self.out(x)


def branching_loss(y_true, y_pred):
    return jnp.mean(y_pred) if jnp.mean(y_pred) > 0 else jnp.mean((y_true - y_pred) ** 2)


def float_loss(y_true, y_pred):
    return float(jnp.mean(y_pred)) * jnp.mean(y_true)


def no_loss(y_true, y_pred):
    jnp.mean((y_true - y_pred) ** 2)


def wrong_loss(y_true, y_pred):
    return jnp.concatenate([y_true, y_pred], 0) + jnp.ones((5, 5))


class FloatMetric(jk.metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.last = float(y_pred.mean())

    def result(self):
        return 0.0


CASES = {
    "state on self": (KeepsState, "mse", [], RuntimeError, r"`KeepsState.mean` holds an array.*add_weight"),
    "if in call": (Branches, "mse", [], jax.errors.TracerBoolConversionError,
                   r"calling layer 'net' \(Branches\), given x=float32\[None, 4\]: .*jnp.where"),
    "call returns None": (ReturnsNothing, "mse", [], ValueError,
                          r"`call` of model 'net' \(ReturnsNothing\) returned None"),
    "shapes in call": (WrongShapes, "mse", [], TypeError,
                       r"calling layer 'net' \(WrongShapes\), given x=float32\[None, 4\]"),
    "if in loss": (Plain, branching_loss, [], jax.errors.TracerBoolConversionError,
                   r"calling loss 'branching_loss', given y_true=float32\[16, 1\], y_pred=.*jnp.where"),
    "float in loss": (Plain, float_loss, [], jax.errors.ConcretizationTypeError,
                      r"calling loss 'float_loss', given .*run_eagerly"),
    "loss returns None": (Plain, no_loss, [], ValueError, r"Loss 'no_loss' returned None.*`return`"),
    "shapes in loss": (Plain, wrong_loss, [], (TypeError, ValueError), r"calling loss 'wrong_loss', given y_true"),
    "float in metric": (Plain, "mse", [FloatMetric(name="last")], jax.errors.ConcretizationTypeError,
                        r"calling metric 'last', given y_true=.*run_eagerly"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_error_names_the_place_and_the_fix(case):
    model, loss, metrics, kind, message = CASES[case]
    net = model()
    net.compile("sgd", loss, metrics=metrics)
    with pytest.raises(kind) as caught:
        net.fit(X, Y, verbose=0)
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert re.search(message, text, re.DOTALL), text
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert set(files) == {__file__}, files  # no library or JAX frames


def test_all_frames_are_kept_without_filtering():
    net = WrongShapes()
    net.compile("sgd", "mse")
    jk.config.disable_traceback_filtering()
    try:
        with pytest.raises(TypeError) as caught:
            net.fit(X, Y, verbose=0)
    finally:
        jk.config.enable_traceback_filtering()
    assert any("jaxkeras" in frame.filename for frame in traceback.extract_tb(caught.value.__traceback__))


def test_messages_are_extended_and_other_exceptions_keep_their_type_and_attributes():
    class Problem(Exception):
        def __init__(self, message, code):
            super().__init__(message, code)
            self.code = code

    class Fails(jk.Operation):
        def call(self, x, error):
            raise error

    place = "Exception encountered when calling Fails.call(), given x=float32[2]"
    for error in (ValueError("bad"), Problem("bad", 7), KeyError("bad")):
        with pytest.raises(type(error)) as caught:
            Fails()(jnp.ones(2), error=error)
        assert caught.value is error
        plain = type(error) is ValueError
        assert (str(error) if plain else error.__notes__[0]).count(place) == 1
        assert error.args == {ValueError: error.args, Problem: ("bad", 7), KeyError: ("bad",)}[type(error)]


def test_a_model_that_is_not_compiled_has_no_optimizer():
    model = Plain()
    assert not hasattr(model, "optimizer")
    with pytest.raises(AttributeError, match="not compiled"):
        model.optimizer.learning_rate = 0.1
    model.compile("sgd", "mse")
    assert isinstance(model.optimizer, jk.optimizers.SGD)


def test_layer_attributes_can_be_read_in_the_same_trace():
    class Keeps(Net):
        def call(self, x):
            self.mean = x.mean()
            return self.out(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return jnp.mean((y - y_pred) ** 2) + 0.0 * self.mean

    net = Keeps()
    net.compile("sgd")
    net.fit(X, Y, epochs=2, verbose=0)
    net.fit(X[:5], Y[:5], verbose=0)


SMALL = {
    "Sequential without brackets": (
        lambda: jk.Sequential(L.Dense(3), L.Dense(1)), r"a list of layers: write Sequential\(\[",
    ),
    "add_weight with the name first": (
        lambda: L.Dense(1).add_weight("kernel", (3, 4)),
        r"first argument of `add_weight` of layer 'dense\w*' is the shape; got the string 'kernel'. "
        r"Write self.add_weight\(shape=\(3, 4\), name='kernel'\)",
    ),
    "Input with a batch axis": (
        lambda: jk.Sequential([jk.Input((None, 4)), L.Dense(1)]).predict(X, verbose=0),
        r"`Input` adds the batch axis itself: for rows of shape \(4,\) write Input\(\(4,\)\), without None",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SMALL)
def test_api_misuse_raises(case):
    make, message = SMALL[case]
    with pytest.raises(ValueError, match=message):
        make()
