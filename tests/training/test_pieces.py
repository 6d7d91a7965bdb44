"""Large batches in pieces: which functions keep rows apart, and that pieces change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkeras as jk
from jaxkeras.training import pieces
from jaxkeras.training.rows import row_bytes

X = jax.ShapeDtypeStruct((12, 4, 6), "float32")
W = np.ones((6, 6), "float32")

INDEPENDENT = {
    "dense": lambda x: jnp.tanh(x @ W + 1.0),
    "merged axes": lambda x: (x.reshape(-1, 6) @ W).reshape(-1, 24),
    "products of rows with themselves": lambda x: jnp.einsum("bij,bkj->bik", x, x),
    "softmax": lambda x: jax.nn.softmax(x, axis=-1),
    "axes exchanged": lambda x: jnp.swapaxes(x, 0, 1)[::-1].sum(0),
    "sorted": lambda x: jnp.sort(x, axis=1),
    "running sums": lambda x: jnp.cumsum(x, axis=2),
    "places of a row": lambda x: x[:, 1:3, jnp.array([0, 2])],
    "places of a row chosen by data": lambda x: jnp.take_along_axis(x, jnp.argsort(x, -1)[..., :1], -1),
    "rows of a table": lambda x: jnp.take(W, x[:, :, 0].astype(int) % 6, axis=0),
    "constants": lambda x: jnp.concatenate([x, jnp.zeros((x.shape[0], 4, 1)) + jnp.arange(4.0)[:, None]], -1),
    "padding": lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0))),
    "max pooling": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 1), (1, 2, 1), "VALID"),
    "convolution": lambda x: lax.conv_general_dilated(x, np.ones((3, 6, 2), "f4"), (1,), "SAME", None, None,
                                                      ("NHC", "HIO", "NHC")),
}  # fmt: skip
MIXED = {
    "mean of the batch": lambda x: x - x.mean(0),
    "number of rows": lambda x: x / x.shape[0],
    "rows reversed": lambda x: x[::-1],
    "rows sorted": lambda x: jnp.sort(x, axis=0),
    "running sums": lambda x: jnp.cumsum(x, axis=0),
    "products of rows": lambda x: jnp.einsum("bij,cij->bc", x, x)[:, :1],
    "rows not first in a merged axis": lambda x: jnp.swapaxes(x, 0, 1).reshape(-1, 6),
    "a row for all": lambda x: x + x[:1],
    "position in the batch": lambda x: x + jnp.arange(x.shape[0])[:, None, None],
    "random numbers": lambda x: x + jax.random.normal(jax.random.key(0), x.shape),
    "fewer rows": lambda x: x[1:],
    "rows shifted": lambda x: jnp.roll(x, 1, axis=0),
    "padded rows": lambda x: jnp.pad(x, ((1, 0), (0, 0), (0, 0)))[:-1],
    "rows as windows": lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 1, 1), (1, 1, 1), "SAME"),
    "rows as channels": lambda x: lax.conv_general_dilated(x, x, (1,), "SAME", None, None, ("NHC", "OHI", "NHC")),
    "a decision on all": lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x),
    "rows chosen by data": lambda x: x[x[:, 0, 0].astype(int) % x.shape[0]],
    "other numbers of rows": lambda x: x - x.mean(0) if x.shape[0] == 12 else x,
    "a loop": lambda x: lax.fori_loop(0, 3, lambda i, y: jnp.sin(y), x),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_rows_are_found_independent(name):
    assert row_bytes(INDEPENDENT[name], X)


@pytest.mark.parametrize("name", MIXED)
def test_rows_that_are_mixed_are_noticed(name):
    assert row_bytes(MIXED[name], X) is None


def test_the_largest_array_is_counted_for_a_row():
    assert row_bytes(lambda x: jnp.concatenate([x] * 10, -1).sum((1, 2)), X) == 4 * 60 * 4


def _model(*more):
    layers = jk.layers
    inputs = jk.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    for layer in more:
        x = layer(x)
    model = jk.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", "mse", metrics=["mae"])
    return model


@pytest.fixture
def small_pieces(monkeypatch):
    sizes = []

    def recorded(form, x, rows):
        sizes.append(rows)
        return mapped(form, x, rows)

    mapped = pieces.mapped
    monkeypatch.setattr(pieces, "mapped", recorded)
    monkeypatch.setattr(pieces, "WHOLE", 0)
    monkeypatch.setattr(pieces, "PIECE", 16 * 6 * 6 * 4 * 4)
    return sizes


def test_pieces_give_the_same_predictions_and_metrics(small_pieces, monkeypatch):
    model = _model()
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(96, 8, 8, 2)).astype("f4"), draw.normal(size=(96, 3)).astype("f4")
    found = model.predict(x, batch_size=64, verbose=0), model.evaluate(x, y, batch_size=64, verbose=0)
    assert small_pieces == [16, 16]  # the last batch has less than 64 rows
    monkeypatch.setattr(pieces, "WHOLE", 2**40)
    model.make_train_function(force=True)
    whole = model.predict(x, batch_size=64, verbose=0), model.evaluate(x, y, batch_size=64, verbose=0)
    assert small_pieces[2:] == [64, 64]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, whole)


class _Keeps(jk.layers.Layer):
    def call(self, x):
        self.kept = x
        return x


class _Collects(jk.layers.Layer):
    def call(self, x):
        self.seen = {"inputs": [x]}
        return x


class _Centres(jk.layers.Layer):
    def call(self, x):
        return x - jk.ops.mean(x, axis=0)


class _AddsLoss(jk.layers.Layer):
    def call(self, x):
        self.add_loss(jk.ops.mean(x))
        return x


@pytest.mark.parametrize("layer", [_Keeps, _Collects, _Centres, _AddsLoss])
def test_layers_that_need_the_whole_batch_get_it(small_pieces, layer):
    assert _model(layer()).predict(np.zeros((64, 8, 8, 2), "f4"), batch_size=64, verbose=0).shape == (64, 3)
    assert not small_pieces
