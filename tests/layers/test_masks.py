"""Parity with Keras of layers on masked inputs: the outputs and their masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.masks import get_mask, set_mask
from tests.layers.parity import make_input, randomize, same_mask

keras = pytest.importorskip("keras")

MASKS = [np.array([[True, True, False], [True, False, False]]), np.array([[True, False, True], [False, True, False]])]


def masked(shapes, missing=()):
    """The same arrays for both libraries, with masks except for the indices in `missing`."""
    ours, theirs = [], []
    for i, shape in enumerate(shapes):
        x = make_input(shape)
        y, z = jnp.asarray(x), x.copy()
        if i not in missing:
            mask = MASKS[i % 2][:, : shape[1]]
            set_mask(y, jnp.asarray(mask))
            keras.src.backend.set_keras_mask(z, mask)
        ours.append(y)
        theirs.append(z)
    return ours, theirs


@pytest.mark.parametrize("missing", [(), (0,), (1,), (0, 1)])
@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_merging(name, missing):
    ours, theirs = masked([(2, 3, 4), (2, 3, 4)], missing)
    y, z = getattr(jk.layers, name)()(ours), getattr(keras.layers, name)()(theirs)
    np.testing.assert_allclose(y, z, 1e-6)
    same_mask(keras, y, z)


def test_concatenate_in_time():
    ours, theirs = masked([(2, 3, 4), (2, 2, 4)])
    y, z = jk.layers.Concatenate(axis=1)(ours), keras.layers.Concatenate(axis=1)(theirs)
    same_mask(keras, y, z)
    assert get_mask(y).shape == (2, 5)


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("Activation", {"activation": "tanh"}), ("Softmax", {"axis": 1}), ("PReLU", {}), ("Dropout", {"rate": 0.5}),
        ("BatchNormalization", {}), ("LayerNormalization", {}), ("GroupNormalization", {"groups": 2}),
        ("UnitNormalization", {}), ("GlobalAveragePooling1D", {}), ("Identity", {}), ("Masking", {}),
        ("ActivityRegularization", {}), ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 2)}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*does not support masking")
def test_one_input(name, kwargs):
    (ours,), (theirs,) = masked([(2, 3, 4)])
    if name == "Softmax":  # its mask must be broadcastable to the logits
        ours, theirs = jnp.asarray(theirs[:, :, 0]), theirs[:, :, 0].copy()
        set_mask(ours, jnp.asarray(MASKS[0]))
        keras.src.backend.set_keras_mask(theirs, MASKS[0])
    y, z = getattr(jk.layers, name)(**kwargs)(ours), getattr(keras.layers, name)(**kwargs)(theirs)
    if name not in ("EinsumDense",):
        np.testing.assert_allclose(y, z, 1e-5, 1e-6)
    same_mask(keras, y, z)


def test_batch_normalization_ignores_masked_steps():
    x, mask = make_input((2, 3, 4)), MASKS[0]
    ours, theirs = jk.layers.BatchNormalization(), keras.layers.BatchNormalization()
    theirs.build(x.shape)
    randomize(theirs)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    for training in (True, False):
        y, z = ours(x, training=training, mask=jnp.asarray(mask)), theirs(x, training=training, mask=mask)
        np.testing.assert_allclose(y, z, 1e-5, 1e-6)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 1e-5)
    with pytest.raises(ValueError, match="one axis less"):
        ours(x, mask=jnp.ones((2,), bool))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_softmax_mask(dtype):
    x, mask = make_input((2, 3)), np.array([[True, True, False], [False, False, False]])
    y = jk.layers.Softmax(dtype=dtype)(x, mask=jnp.asarray(mask))
    z = keras.layers.Softmax(dtype=dtype)(x, mask=mask)
    np.testing.assert_allclose(y, z, 1e-3 if dtype == "float16" else 1e-6)
    np.testing.assert_array_equal(y[1], 0)
    y = jk.layers.Softmax()(x, mask=jnp.asarray(mask, jnp.float32))
    np.testing.assert_array_equal(y[1], 0)
    with pytest.raises(ValueError, match="broadcastable"):
        jk.layers.Softmax()(x, mask=jnp.ones((2, 2), bool))


def test_masks_in_a_graph_and_in_apply():
    x = jk.Input((3,), dtype="int32")
    embedded = jk.layers.Embedding(5, 2, mask_zero=True)(x)
    assert get_mask(embedded).shape == (None, 3)
    doubled = jk.layers.Concatenate()([embedded, jk.layers.Dropout(0.5)(embedded)])
    model = jk.Model(x, jk.layers.GlobalAveragePooling1D()(doubled))
    ids = jnp.array([[1, 2, 0], [3, 0, 0]])
    table = model.get_weights()[0]
    expected = np.stack([table[[1, 2]].mean(0), table[3]])
    np.testing.assert_allclose(model(ids), np.concatenate([expected, expected], 1), 1e-6)
    y, _ = jax.jit(lambda p, s, x: model.apply(p, s, x))(model.params, model.state, ids)
    np.testing.assert_allclose(y, model(ids), 1e-6)


def test_lambda_masks():
    x = jnp.array([[[1.0], [0.0]]])
    y = jk.layers.Masking()(x)
    kept = jk.layers.Lambda(lambda x, mask: x + 0, mask=lambda x, mask: mask)(y)
    np.testing.assert_array_equal(get_mask(kept), [[True, False]])
    counted = jk.layers.Lambda(lambda x, mask=None: jnp.sum(mask), mask=jnp.array(True))(y)
    assert counted == 1
