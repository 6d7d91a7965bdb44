"""Models that fail, each in a known way: `FAULTS[name]()` returns a compiled model, the arguments of `fit`, and what a
`NonFiniteError` must say."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

import jaxkeras as jk
from jaxkeras import layers, ops

FAULTS: dict[str, Callable] = {}
ROWS = 8
X = np.linspace(0.1, 1, ROWS * 3, dtype="float32").reshape(ROWS, 3)
Y = np.ones((ROWS, 1), "float32")


def planted(function):
    FAULTS[function.__name__] = function
    return function


def dense(units=2, **kwargs):
    return layers.Dense(units, kernel_initializer="ones", **kwargs)


def stack(*parts, optimizer="sgd", loss="mse", shape=(3,), **kwargs):
    model = jk.Sequential([jk.Input(shape), *parts], name="m")
    model.compile(optimizer, loss, **kwargs)
    return model


def fit(x=X, y=Y, **kwargs):
    return {"x": x, "y": y, "batch_size": 4, "shuffle": False, **kwargs}


def with_nan(array, *where, value=np.nan):
    array = np.array(array)
    array[where] = value
    return array


class Custom(layers.Layer):
    """A layer without weights that computes `function`."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, x):
        return self.function(x)


# -- forward --------------------------------------------------------------------------------------------------------
@planted
def log_of_a_negative_number():
    model = stack(dense(), dense(activation=lambda x: jnp.log(x - 4), name="rate"), dense(1))
    return model, fit(), {"kind": "forward", "layer": "m/rate", "tensor": "output", "step": 0}


@planted
def division_by_zero():
    model = stack(dense(), Custom(lambda x: x / jnp.sum(0 * x, -1, keepdims=True), name="divide"), dense(1))
    return model, fit(), {"kind": "forward", "layer": "m/divide", "tensor": "output", "share": 1.0}


@planted
def a_row_that_divides_by_zero():
    x = with_nan(X, 6, slice(None), value=0.0)
    model = stack(Custom(lambda x: x / jnp.sum(x, -1, keepdims=True), name="share"), dense(1))
    expected = {"kind": "forward", "layer": "m/share", "tensor": "output", "step": 1, "rows": (2,), "data_rows": (6,)}
    return model, fit(x), expected


@planted
def exponential_overflow():
    model = stack(dense(), layers.Lambda(lambda x: jnp.exp(100 * x), name="exp"), dense(1))
    return model, fit(), {"kind": "forward", "layer": "m/exp", "tensor": "output", "nans": 0}


@planted
def exploding_rate():
    model = stack(dense(), dense(), dense(1), optimizer=jk.optimizers.SGD(10.0))
    return model, fit(epochs=20), {"detail": "learning rate"}


@planted
def overflow_in_float16():
    part = dense(300, dtype="float16", name="half")
    model = stack(part, dense(dtype="float16", name="wide"), optimizer="adam", auto_scale_loss=False)
    return model, fit(3000 * X, np.ones((ROWS, 2))), {"kind": "forward", "layer": "m/wide", "tensor": "output"}


@planted
def overflow_in_float16_with_loss_scaling():
    parts = dense(300, dtype="mixed_float16"), dense(1, dtype="mixed_float16", name="wide")
    model = stack(*parts, optimizer=jk.optimizers.LossScaleOptimizer(jk.optimizers.Adam()))
    return model, fit(3000 * X), {"kind": "forward", "layer": "m/wide", "tensor": "output"}


@planted
def a_fully_masked_row_of_attention():
    def attend(x):
        scores = jnp.where(x > 0, x @ jnp.swapaxes(x, 1, 2), -jnp.inf)
        return jnp.exp(scores - scores.max(-1, keepdims=True)) @ x

    x = np.ones((ROWS, 3, 3), "float32")
    x[5] = 0
    model = stack(Custom(attend, name="attend"), layers.Flatten(), dense(1), shape=(3, 3))
    return model, fit(x), {"kind": "forward", "layer": "m/attend", "tensor": "output", "step": 1, "rows": (1,)}


@planted
def batch_normalization_of_constants():
    model = stack(dense(), layers.BatchNormalization(epsilon=0.0, name="norm"), dense(1))
    return model, fit(np.zeros_like(X)), {"kind": "forward", "layer": "m/norm", "tensor": "output", "share": 1.0}


@planted
def layer_normalization_of_a_constant_row():
    x = with_nan(X, 1, slice(None), value=0.0)
    model = stack(layers.LayerNormalization(epsilon=0.0, name="norm"), dense(1))
    return model, fit(x), {"kind": "forward", "layer": "m/norm", "tensor": "output", "rows": (1,)}


@planted
def inside_a_recurrent_layer():
    class Cell(layers.Layer):
        state_size = output_size = 3

        def call(self, x, states):
            h = jnp.log(states[0] - x)
            return h, [h]

    model = stack(layers.RNN(Cell(), name="loop"), dense(1), shape=(4, 3))
    x = np.ones((ROWS, 4, 3), "float32")
    return model, fit(x), {"kind": "forward", "layer": "m/loop", "tensor": "output"}


@planted
def between_the_layers_of_a_graph():
    inputs = jk.Input((3,))
    outputs = dense(1, name="last")(ops.log(-dense()(inputs)))
    model = jk.Model(inputs, outputs, name="m")
    model.compile("sgd", "mse")
    return model, fit(), {"kind": "forward", "layer": "m/last", "tensor": "input"}


@planted
def between_the_layers_of_a_call():
    class Net(jk.Model):
        def __init__(self):
            super().__init__(name="m")
            self.first, self.last = dense(name="first"), dense(1, name="last")

        def call(self, x):
            return self.last(jnp.sqrt(-self.first(x)))

    model = Net()
    model.compile("sgd", "mse")
    return model, fit(), {"kind": "forward", "layer": "m/last", "tensor": "input"}


@planted
def in_a_nested_model():
    inner = jk.Sequential([dense(), dense(activation=lambda x: jnp.sqrt(-x), name="root")], name="block")
    return stack(dense(), inner, dense(1)), fit(), {"kind": "forward", "layer": "m/block/root", "tensor": "output"}


@planted
def in_the_second_call_of_a_shared_layer():
    inputs = jk.Input((3,))
    shared = Custom(lambda x: jnp.log(x), name="shared")
    model = jk.Model(inputs, dense(1)(shared(shared(inputs))), name="m")
    model.compile("sgd", "mse")
    return model, fit(X + 0.01), {"kind": "forward", "layer": "m/shared", "tensor": "output"}


# -- weights --------------------------------------------------------------------------------------------------------
@planted
def a_weight_that_is_nan():
    model = stack(dense(name="first"), dense(1, name="last"))
    model.layers[1].kernel.assign(with_nan(np.ones((2, 1)), 1, 0))
    return model, fit(), {"kind": "forward", "layer": "m/last", "tensor": "weight", "nans": 1, "name": "kernel"}


@planted
def an_initializer_that_makes_nan():
    def bad(shape, dtype=None):
        return jnp.log(jnp.full(shape, -1.0))

    model = stack(dense(), layers.Dense(1, bias_initializer=bad, name="last"))
    return model, fit(), {"kind": "forward", "layer": "m/last", "tensor": "weight", "name": "bias"}


@planted
def a_row_of_an_embedding():
    model = stack(layers.Embedding(5, 2, name="words"), layers.Flatten(), dense(1))
    model.layers[0].embeddings.assign(with_nan(np.ones((5, 2)), 3))
    x = np.array([[0, 1, 2]] * 7 + [[0, 1, 3]])
    return model, fit(x), {"kind": "forward", "layer": "m/words", "tensor": "weight", "step": 1, "nans": 2}


@planted
def a_weight_of_an_lstm():
    model = stack(layers.LSTM(2, name="lstm"), dense(1), shape=(4, 3))
    model.layers[0].cell.recurrent_kernel.assign(with_nan(np.ones((2, 8)), 0, 0))
    x = np.ones((ROWS, 4, 3), "float32")
    return model, fit(x), {"kind": "forward", "layer": "m/lstm", "tensor": "weight", "name": "recurrent_kernel"}


# -- data -----------------------------------------------------------------------------------------------------------
@planted
def an_input_that_is_nan():
    expected = {"kind": "data", "tensor": "input", "step": 1, "rows": (1,), "data_rows": (5,), "columns": (2,)}
    return stack(dense(), dense(1)), fit(with_nan(X, 5, 2)), expected


@planted
def one_of_two_inputs():
    a, b = jk.Input((3,), name="a"), jk.Input((3,), name="b")
    model = jk.Model({"a": a, "b": b}, dense(1)(layers.concatenate([a, b])), name="m")
    model.compile("sgd", "mse")
    x = {"a": X, "b": with_nan(X, 2, 0, value=np.inf)}
    return model, fit(x), {"kind": "data", "tensor": "input", "name": "x['b']", "rows": (2,), "infs": 1}


@planted
def a_target_that_is_nan():
    return stack(dense(1)), fit(y=with_nan(Y, 6)), {"kind": "data", "tensor": "target", "step": 1, "rows": (2,)}


@planted
def a_sample_weight_that_is_infinite():
    weight = with_nan(np.ones(ROWS), 3, value=np.inf)
    expected = {"kind": "data", "tensor": "sample_weight", "step": 0, "rows": (3,)}
    return stack(dense(1)), fit(sample_weight=weight), expected


@planted
def a_later_batch_of_a_stream():
    def batches():
        for i in range(7):
            yield (with_nan(X[:4], 1, 0) if i == 5 else X[:4]), Y[:4]

    expected = {"kind": "data", "tensor": "input", "step": 5, "rows": (1,), "columns": (0,)}
    return stack(dense(1)), {"x": batches(), "steps_per_epoch": 7}, expected


# -- loss -----------------------------------------------------------------------------------------------------------
@planted
def a_loss_that_overflows():
    return stack(dense(1)), fit(y=with_nan(Y, 2, value=1e30)), {"kind": "loss", "tensor": "loss", "rows": (2,)}


@planted
def a_loss_with_the_logarithm_of_zero():
    def surprise(y_true, y_pred):
        return -jnp.log(jnp.maximum(y_true - y_pred, 0))

    model = stack(dense(1, name="last"), loss=surprise)
    return model, fit(), {"kind": "loss", "tensor": "loss", "name": "'surprise'", "layer": "m/last"}


@planted
def one_of_two_losses():
    inputs = jk.Input((3,))
    outputs = {"a": dense(1, name="a")(inputs), "b": dense(1, name="b")(inputs)}
    model = jk.Model(inputs, outputs, name="m")
    model.compile("sgd", {"a": "mse", "b": lambda y_true, y_pred: jnp.log(-y_pred * y_true)})
    return model, fit(y={"a": Y, "b": Y}), {"kind": "loss", "tensor": "loss", "name": "lambda"}


@planted
def a_loss_that_a_layer_adds():
    class Adds(layers.Layer):
        def call(self, x):
            self.add_loss(jnp.log(0 * x.sum()))
            return x

    return stack(dense(), Adds(name="adds"), dense(1)), fit(), {"kind": "loss", "layer": "m/adds", "infs": 1}


@planted
def an_activity_regularizer():
    part = dense(activity_regularizer=lambda x: jnp.sqrt(-x.sum()), name="active")
    return stack(part, dense(1)), fit(), {"kind": "loss", "layer": "m/active", "tensor": "loss"}


@planted
def an_overridden_loss():
    class Own(jk.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return jnp.log(-jnp.mean(y_pred))

    model = Own([jk.Input((3,)), dense(1)], name="m")
    model.compile("sgd")
    return model, fit(), {"kind": "loss", "tensor": "loss", "name": "compute_loss"}


# -- gradient -------------------------------------------------------------------------------------------------------
@planted
def a_square_root_at_zero_in_the_loss():
    def distance(y_true, y_pred):
        return jnp.sqrt(jnp.sum((y_true - y_pred) ** 2, -1))

    model = stack(dense(1, use_bias=False, name="last"), loss=distance)
    y = X.sum(-1, keepdims=True)
    return model, fit(y=y), {"kind": "gradient", "tensor": "gradient", "layer": "m/last", "name": "outputs"}


@planted
def a_branch_that_where_does_not_choose():
    model = stack(dense(), Custom(lambda x: jnp.where(x > 0, 1.0, jnp.sqrt(x - x)), name="where"), dense(1))
    expected = {"kind": "gradient", "tensor": "gradient", "layer": "m/where", "name": "inputs"}
    return model, fit(), expected


@planted
def a_regularizer_at_zero():
    part = layers.Dense(
        1, kernel_initializer="zeros", kernel_regularizer=lambda w: jnp.sqrt(jnp.sum(w**2)), name="zero"
    )
    return stack(part), fit(), {"kind": "gradient", "tensor": "gradient", "layer": "m/zero", "name": "kernel"}


@planted
def a_weight_of_a_first_layer():
    class Norm(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight((shape[-1],), initializer="zeros", name="scale")

        def call(self, x):
            return x * jnp.abs(self.scale) ** 0.5

    expected = {"kind": "gradient", "tensor": "gradient", "layer": "m/first", "name": "scale"}
    return stack(Norm(name="first"), dense(1)), fit(), expected


@planted
def gradients_that_overflow_float16():
    parts = dense(dtype="mixed_float16", name="first"), dense(1, dtype="mixed_float16", name="last")
    model = stack(*parts, loss=lambda y, p: 1e6 * jnp.mean(p - y), auto_scale_loss=False)
    return model, fit(), {"kind": "gradient", "tensor": "gradient", "layer": "m/last"}


@planted
def gradients_that_no_loss_scale_helps():
    part = Custom(lambda x: jnp.where(x > 0, 1.0, jnp.sqrt(x - x)), name="where")
    model = stack(dense(), part, dense(1), optimizer=jk.optimizers.LossScaleOptimizer(jk.optimizers.SGD()))
    return model, fit(epochs=12), {"kind": "gradient", "tensor": "gradient", "layer": "m/where"}


@planted
def gradients_that_are_accumulated():
    x = with_nan(X, 6, slice(None), value=0.0)
    optimizer = jk.optimizers.SGD(gradient_accumulation_steps=8)
    model = stack(dense(), Custom(lambda x: jnp.sqrt(x), name="root"), dense(1), optimizer=optimizer)
    return model, fit(x), {"kind": "gradient", "layer": "m/root", "step": 1, "rows": (2,)}


# -- optimizer ------------------------------------------------------------------------------------------------------
@planted
def an_optimizer_without_epsilon():
    model = stack(dense(name="first"), dense(1), optimizer=jk.optimizers.Adam(epsilon=0.0))
    return model, fit(np.zeros_like(X)), {"kind": "optimizer", "tensor": "weight", "layer": "m/first", "name": "kernel"}


@planted
def a_learning_rate_that_is_nan():
    optimizer = jk.optimizers.SGD(jk.optimizers.schedules.PiecewiseConstantDecay([2], [0.01, float("nan")]))
    return stack(dense(1), optimizer=optimizer), fit(epochs=3), {"kind": "optimizer", "tensor": "weight", "epoch": 1}


@planted
def moments_that_overflow():
    model = stack(dense(1), loss=lambda y, p: 1e25 * jnp.mean(p), optimizer="adam")
    return model, fit(), {"kind": "optimizer", "tensor": "slot", "infs": 1}


# -- steps of your own ----------------------------------------------------------------------------------------------
@planted
def an_overridden_train_step():
    class Own(jk.Sequential):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            return logs, state

    model = Own([jk.Input((3,)), dense(), dense(1, activation=lambda x: jnp.log(-x), name="last")], name="m")
    model.compile("sgd", "mse")
    return model, fit(), {"kind": "forward", "layer": "m/last", "tensor": "output"}
