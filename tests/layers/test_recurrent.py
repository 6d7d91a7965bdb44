"""Recurrent layers and wrappers: parity with Keras, custom cells, and purity of the loops."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.masks import set_mask
from jaxkeras.layers import GRU, LSTM, RNN, Bidirectional, Dense, Layer, SimpleRNN, TimeDistributed
from jaxkeras.layers.recurrent.dropout_cell import DropoutRNNCell
from tests.cases import by_default
from tests.layers.parity import make_input, randomize, same_signature

keras = pytest.importorskip("keras")

X = make_input((2, 5, 3))
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
L = jk.layers


def plain(config):
    """The config as JSON, without build shapes and without a key that Keras writes only sometimes."""

    def kept(d):
        return {k: v for k, v in d.items() if k != "build_config" and (k, v) != ("activity_regularizer", None)}

    return json.loads(json.dumps(config), object_hook=kept)


def same(ours, theirs, x=X, **kwargs):
    """Check that weights, config, and outputs with copied weights are equal to Keras's; return our outputs."""
    expected = theirs(x, **kwargs)
    randomize(theirs)
    if theirs.get_config().get("stateful"):
        theirs.reset_state()
    expected = theirs(x, **kwargs)
    ours(x, **kwargs)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, tuple(w.shape)) for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    config = plain(ours.get_config())
    kept = {k: v for k, v in config.items() if not (k == "seed" and isinstance(ours, SimpleRNN))}  # missing in Keras
    assert kept == plain(theirs.get_config())
    again = type(ours).from_config(config)
    assert plain(again.get_config()) == config
    if ours.get_config().get("stateful"):
        ours.reset_state()
    actual = ours(x, **kwargs)
    assert len(jax.tree.leaves(actual)) == len(jax.tree.leaves(expected))
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    return actual


def pair(name, **kwargs):
    return getattr(L, name)(**kwargs, name="it"), getattr(keras.layers, name)(**kwargs, name="it")


@pytest.mark.parametrize(
    "name",
    "RNN SimpleRNN LSTM GRU SimpleRNNCell LSTMCell GRUCell StackedRNNCells Bidirectional TimeDistributed".split(),
)
def test_signature(name):
    same_signature(keras, name)


SETTINGS = [
    {},
    {"return_sequences": True},
    {"return_sequences": True, "return_state": True, "go_backwards": True},
    {"use_bias": False, "activation": "relu"},
    {"return_state": True, "unroll": True},
    {"return_sequences": True, "zero_output_for_mask": True},
    {"dropout": 0.3, "recurrent_dropout": 0.3, "return_sequences": True},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("masked", [False, True])
def test_parity(name, settings, masked):
    ours, theirs = pair(name, units=4, **settings)
    same(ours, theirs, **({"mask": MASK} if masked else {}))


@pytest.mark.parametrize("settings", [
    {"reset_after": False}, {"reset_after": False, "recurrent_dropout": 0.2}, {"recurrent_activation": "hard_sigmoid"},
    {"implementation": 1}, {"reset_after": False, "use_bias": False},
], ids=str)  # fmt: skip
def test_gru_variants(settings):
    same(*pair("GRU", units=4, return_sequences=True, **settings))


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_no_recurrent_activation_is_the_identity(name):
    same(*pair(name, units=4, recurrent_activation=None))


def test_lstm_forget_bias_is_initialized_to_one():
    layer = LSTM(2)
    layer.build((None, None, 3))
    np.testing.assert_array_equal(layer.cell.bias, [0, 0, 1, 1, 0, 0, 0, 0])
    layer = LSTM(2, bias_initializer=None)  # drawn from the default initializer
    layer.build((None, None, 3))
    bias = layer.cell.bias.numpy()
    assert (bias[2:4] == 1).all() and bias[:2].any() and bias[4:].any()


@pytest.mark.parametrize("name, count", [("SimpleRNN", 1), ("LSTM", 2), ("GRU", 1)])
def test_initial_state(name, count):
    states = [make_input((2, 4 + i))[:, :4] for i in range(count)]
    ours, theirs = pair(name, units=4, return_state=True)
    same(ours, theirs, initial_state=states, mask=MASK)


def test_input_mask_is_used_and_propagated():
    layer = LSTM(4, return_sequences=True)
    x = jnp.asarray(X)
    expected = layer(x, mask=MASK)
    set_mask(x, jnp.asarray(MASK))
    np.testing.assert_array_equal(layer(x), expected)
    assert jk.core.masks.get_mask(layer(x)) is not None


class Leaky(Layer):
    """A custom cell whose state and output differ in size."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size, self.output_size = units, units, 2
        self.out = Dense(2)

    def call(self, inputs, states):
        h = 0.5 * states[0] + inputs
        return self.out(h), [h]


def test_custom_cell_with_a_sublayer():
    layer = RNN(Leaky(), return_sequences=True)
    y = layer(X)
    h, expected = np.zeros((2, 3), np.float32), []
    for t in range(5):
        h = 0.5 * h + X[:, t]
        expected.append(layer.cell.out(h))
    np.testing.assert_allclose(y, np.stack(expected, 1), rtol=1e-5)
    assert layer.compute_output_shape((None, 5, 3)) == (None, 5, 2)
    masked = layer(X, mask=MASK)
    np.testing.assert_allclose(masked[0, 3:], np.stack([y[0, 2]] * 2), rtol=1e-6)
    assert plain(layer.get_config())["cell"]["class_name"] == "Leaky"


def test_cell_that_is_not_a_layer():
    class Counter:
        state_size = 1

        def call(self, inputs, states):
            return states[0] + 1, [states[0] + 1]

    np.testing.assert_array_equal(RNN(Counter())(X), [[5], [5]])


class Noisy(Layer):
    """A cell with dropout and a counter."""

    state_size = 3

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = L.Dropout(0.5, seed=1)

    def build(self, input_shape):
        self.steps = self.add_weight((), "zeros", name="steps", trainable=False)

    def call(self, inputs, states, training=False):
        self.steps.assign_add(1.0)
        self.add_loss(1.0)
        return self.drop(jnp.ones_like(states[0]), training=training), states


def test_variables_and_losses_of_a_cell_are_carried_through_the_loop():
    layer = RNN(Noisy(), return_sequences=True)
    y = layer(X, training=True)
    assert float(layer.cell.steps) == 5.0
    assert sum(layer.losses) == 5.0
    assert len({np.asarray(y)[:, t].tobytes() for t in range(5)}) > 2  # a new mask at each step
    params, state = layer.init(0)
    for rng in (None, jax.random.key(1)):
        y, new = jax.jit(functools.partial(layer.apply, training=True, rng=rng))(params, state, X)
        assert float(new["cell"]["steps"]) == 5.0
        assert len({np.asarray(y)[:, t].tobytes() for t in range(5)}) > 2


def test_invalid_cells():
    with pytest.raises(ValueError, match="state_size"):
        RNN(Dense(2))
    with pytest.raises(ValueError, match="call"):
        RNN(object())


def test_stacked_cells():
    def cells(module):
        return [
            module.LSTMCell(4, name="a"), module.GRUCell(3, name="b"), module.SimpleRNNCell(2, name="c"),
        ]  # fmt: skip

    for kwargs in ({}, {"return_sequences": True, "return_state": True}):
        ours = RNN(L.StackedRNNCells(cells(L), name="s"), **kwargs, name="it")
        theirs = keras.layers.RNN(keras.layers.StackedRNNCells(cells(keras.layers), name="s"), **kwargs, name="it")
        same(ours, theirs)
    same(ours, theirs, mask=np.array([[1, 1, 1, 0, 0], [1, 1, 0, 1, 1]], bool))


def test_stacked_cells_step_by_step_equal_the_sequence():
    cell = L.StackedRNNCells([L.LSTMCell(4), L.GRUCell(3)])
    layer = RNN(cell)
    expected, states = layer(X), cell.get_initial_state(batch_size=2)
    for t in range(5):
        y, states = cell(X[:, t], states)
    np.testing.assert_allclose(y, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_dropout_masks_are_the_same_at_each_step(name):
    # With equal inputs and no recurrence, steps differ only if their masks do.
    layer = getattr(L, name)(4, dropout=0.5, recurrent_initializer="zeros", return_sequences=True, seed=1)
    if name == "SimpleRNN":
        y = np.asarray(layer(jnp.ones((2, 5, 8)), training=True))
        np.testing.assert_allclose(y, np.repeat(y[:, :1], 5, 1), rtol=1e-6)
    x = jnp.ones((2, 5, 8))
    first, second = layer(x, training=True), layer(x, training=True)
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(layer(x), layer(x, training=False))
    again = getattr(L, name)(4, dropout=0.5, recurrent_dropout=0.5, implementation=1, seed=1)
    assert np.isfinite(again(x, training=True)).all()


class Masked(Layer, DropoutRNNCell):
    """A cell as packages for Keras write it: it outputs a mask of its input plus one of its state."""

    state_size = 3

    def __init__(self, rate=0.5):
        super().__init__()
        self.dropout = self.recurrent_dropout = rate
        self.seed_generator = jk.random.SeedGenerator(1)

    def call(self, inputs, states, training=False):
        if not (training and self.dropout):
            return states[0], states
        return 10 * self.get_dropout_mask(inputs)[:, :3] + self.get_recurrent_dropout_mask(states[0]), states


def test_dropout_masks_of_a_cell_of_another_package():
    layer = RNN(Masked(), return_sequences=True)
    assert len(layer.non_trainable_variables) == 1  # the seed
    first, second = (np.asarray(layer(X, training=True)) for _ in range(2))
    assert set(np.unique(first)) <= {0.0, 2.0, 20.0, 22.0} and not np.array_equal(first, second)
    for y in (first, second):
        np.testing.assert_array_equal(y, np.repeat(y[:, :1], 5, 1))
    params, state = layer.init(0)
    y, new = jax.jit(functools.partial(layer.apply, training=True))(params, state, X)
    np.testing.assert_array_equal(y, np.repeat(y[:, :1], 5, 1))
    assert not np.array_equal(jax.tree.leaves(new), jax.tree.leaves(state))
    assert not np.any(layer(X)) and layer.cell._dropout_mask is None
    assert not np.any(RNN(Masked(0.0))(X, training=True))


@pytest.mark.parametrize("name, states", [("SimpleRNN", 1), ("LSTM", 2), ("GRU", 1)])
def test_stateful(name, states):
    ours, theirs = pair(name, units=4, stateful=True)
    same(ours, theirs)
    ours.reset_state()
    whole = getattr(L, name)(4)
    whole(X)
    whole.set_weights(ours.get_weights())
    ours(X[:, :2])
    np.testing.assert_allclose(ours(X[:, 2:]), whole(X), rtol=1e-5)
    assert len(ours.weights) == len(whole.weights)
    assert len(ours.non_trainable_variables) == len(whole.non_trainable_variables) + states
    with pytest.raises(ValueError, match="stateful"):
        ours(X[:1])


def test_states_are_carried_through_apply():
    layer = LSTM(4, stateful=True)
    layer.build(X.shape)
    params, state = layer.init(jax.random.key(0))
    assert set(state) == {"cell", "rnn_state", "rnn_state_1"}
    step = jax.jit(layer.apply)
    _, middle = step(params, state, X[:, :2])
    y, _ = step(params, middle, X[:, 2:])
    expected, _ = step(params, state, X)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    assert not np.any(layer.states[0].numpy())


def test_stateful_needs_a_batch_size():
    with pytest.raises(ValueError, match="batch size"):
        LSTM(2, stateful=True).build((None, 5, 3))


def test_gradients_of_the_loop_equal_those_of_the_unrolled_loop():
    fast, slow = GRU(4, return_sequences=True), GRU(4, return_sequences=True, unroll=True)
    params, state = fast.init(0, (None, 5, 3))
    slow.init(0, (None, 5, 3))

    def loss(layer):
        return lambda p: jnp.sum(layer.apply(p, state, X, mask=MASK)[0] ** 2)

    a, b = jax.grad(loss(fast))(params), jax.grad(loss(slow))(params)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a, b)


@pytest.mark.parametrize("merge_mode", by_default(("concat", "sum", "ave", "mul", None), ("concat", "mul", None)))
@pytest.mark.parametrize("settings", by_default(
    ({}, {"return_sequences": True}, {"return_state": True}, {"return_sequences": True, "return_state": True}),
    lambda settings: len(settings) != 1,
), ids=str)  # fmt: skip
def test_bidirectional(merge_mode, settings):
    inner = pair("LSTM", units=4, **settings)
    ours = Bidirectional(inner[0], merge_mode=merge_mode, name="b")
    theirs = keras.layers.Bidirectional(inner[1], merge_mode=merge_mode, name="b")
    same(ours, theirs)
    if settings != {"return_state": True} or merge_mode is not None:
        same(ours, theirs, mask=MASK)


def test_bidirectional_with_a_backward_layer_and_states():
    def make(module):
        return module.Bidirectional(
            module.LSTM(4, name="f", return_state=True),
            backward_layer=module.LSTM(4, go_backwards=True, name="g", return_state=True, activation="relu"),
            name="b",
        )

    states = [make_input((2, 4)) * i for i in range(4)]
    same(make(L), make(keras.layers), initial_state=states)
    with pytest.raises(ValueError, match="go_backwards"):
        Bidirectional(LSTM(2), backward_layer=LSTM(2))
    with pytest.raises(ValueError, match="return_sequences"):
        Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_sequences=True))
    with pytest.raises(ValueError, match="merge_mode"):
        Bidirectional(LSTM(2), merge_mode="cat")


def test_bidirectional_with_a_custom_cell_and_initial_weights():
    layer = Bidirectional(RNN(Leaky()))
    assert layer(X).shape == (2, 4)
    weights = layer.get_weights()
    twin = Bidirectional(RNN(Leaky()), weights=weights)
    twin.build((None, 5, 3))
    for a, b in zip(twin.get_weights(), weights):
        np.testing.assert_array_equal(a, b)
    lstm = Bidirectional(LSTM(2, stateful=True))
    lstm(X)
    lstm.reset_states()
    assert len(lstm.states) == 4


def test_time_distributed():
    same(
        TimeDistributed(Dense(4, name="d"), name="t"),
        keras.layers.TimeDistributed(keras.layers.Dense(4, name="d"), name="t"),
    )
    image = make_input((2, 3, 4, 4, 2))
    same(
        TimeDistributed(L.Conv2D(3, 2, name="c"), name="t"),
        keras.layers.TimeDistributed(keras.layers.Conv2D(3, 2, name="c"), name="t"),
        image,
    )
    assert TimeDistributed(Dense(4)).compute_output_shape((None, None, 3)) == (None, None, 4)


def test_time_distributed_batch_norm_updates_once_per_step():
    ours = TimeDistributed(L.BatchNormalization(name="n", momentum=0.5), name="t")
    theirs = keras.layers.TimeDistributed(keras.layers.BatchNormalization(name="n", momentum=0.5), name="t")
    expected, actual = theirs(X, training=True), ours(X, training=True)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_time_distributed_draws_for_each_step():
    layer = TimeDistributed(L.Dropout(0.5, seed=1))
    y = np.asarray(layer(jnp.ones((2, 5, 8)), training=True))
    assert len({y[:, t].tobytes() for t in range(5)}) == 5
    params, state = layer.init(0, (None, 5, 8))
    y = np.asarray(layer.apply(params, state, jnp.ones((2, 5, 8)), training=True, rng=jax.random.key(0))[0])
    assert len({y[:, t].tobytes() for t in range(5)}) == 5


def test_time_distributed_passes_the_mask_to_the_layer():
    layer = TimeDistributed(LSTM(3))
    x, mask = make_input((2, 4, 5, 3)), np.arange(40).reshape(2, 4, 5) % 3 > 0
    y = layer(x, mask=mask)
    for t in range(4):
        np.testing.assert_allclose(y[:, t], layer.layer(x[:, t], mask=mask[:, t]), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="mask"):
        layer(x, mask=mask[:, :2])


def test_half_precision_is_preserved():
    for layer in (LSTM(4, dtype="bfloat16"), GRU(4, dtype="mixed_bfloat16"), RNN(Leaky(dtype="bfloat16"))):
        y, *_ = jax.tree.leaves(layer(X))
        assert y.dtype == (jnp.float32 if isinstance(layer.cell, Leaky) else jnp.bfloat16)


def test_regularizers_and_constraints_reach_the_cell():
    layer = SimpleRNN(2, kernel_regularizer="l2", activity_regularizer="l1", recurrent_constraint="non_neg")
    layer(X)
    assert len(layer.losses) == 2
    assert layer.cell.recurrent_kernel.constraint is not None
    assert layer.kernel_regularizer is layer.cell.kernel_regularizer


@pytest.mark.parametrize("rank", by_default((1, 2, 3), {1}))
@pytest.mark.parametrize("settings", [
    {}, {"strides": 2, "padding": "same", "return_sequences": True, "return_state": True},
    {"data_format": "channels_first", "use_bias": False}, {"dilation_rate": 2, "go_backwards": True, "dropout": 0.3},
], ids=str)  # fmt: skip
def test_convolutional(rank, settings):
    name = f"ConvLSTM{rank}D"
    same_signature(keras, name)
    first = settings.get("data_format") == "channels_first"
    if first and rank == 3:
        pytest.skip("the NumPy backend of Keras cannot")
    x = make_input((2, 3, 2, *(5,) * rank) if first else (2, 3, *(5,) * rank, 2))
    expected = same(*pair(name, filters=3, kernel_size=2, **settings), x)
    layer = getattr(L, name)(3, 2, **{**settings, "recurrent_dropout": 0.3})
    trained = layer(x, training=True)
    assert jax.tree.map(jnp.shape, trained) == jax.tree.map(jnp.shape, expected)
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)  # Keras's mask does not broadcast to frames
    if settings == {}:
        np.testing.assert_allclose(layer(x, mask=mask)[1], layer(x[:, :1])[1], rtol=1e-5)
