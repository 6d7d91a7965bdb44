"""The `Loss` base class, gradients, dtypes and error messages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import losses
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.core.variable import Variable
from jaxkeras.losses.loss import squeeze_or_expand_to_same_rank
from jaxkeras.registry import register_keras_serializable


class Quartic(losses.Loss):
    def call(self, y_true, y_pred):
        return jnp.mean((y_true - y_pred) ** 4, axis=-1)


def test_custom_loss():
    loss = Quartic()
    assert loss.name == "quartic" and loss.dtype == "float32"
    assert float(loss([[0, 0], [0, 0]], [[1.0, 1.0], [0.0, 0.0]])) == 0.5
    assert float(loss(jnp.zeros((2, 2)), Variable(np.ones((2, 2), "float32")), sample_weight=[1, 0])) == 0.5
    assert Quartic.from_config(loss.get_config()).get_config() == {
        "name": "quartic",
        "reduction": "sum_over_batch_size",
    }


def test_custom_function():
    @register_keras_serializable("tests")
    def cubic(y_true, y_pred, scale=1.0):
        return scale * jnp.mean(jnp.abs(y_true - y_pred) ** 3, axis=-1)

    loss = losses.LossFunctionWrapper(cubic, name="cubic", scale=2.0)
    back = losses.deserialize(losses.serialize(loss))
    assert back.fn is cubic and back.get_config() == loss.get_config()
    assert float(back(jnp.zeros((2, 1)), jnp.ones((2, 1)))) == 2.0


def test_computes_in_its_dtype():
    y_true, y_pred = jnp.zeros((2, 2), "int32"), jnp.ones((2, 2), "bfloat16")
    assert losses.MeanSquaredError()(y_true, y_pred).dtype == jnp.float32
    assert losses.MeanSquaredError(dtype="mixed_bfloat16")(y_true, y_pred).dtype == jnp.bfloat16
    assert losses.mean_squared_error(y_true, y_pred).dtype == jnp.bfloat16


def test_strict_promotion():
    """No loss relies on implicit promotion of dtypes or ranks."""
    y, p = jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([[0.25, 0.75], [0.5, 0.5]])
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for name in ("MeanSquaredError", "Huber", "LogCosh", "Hinge", "BinaryCrossentropy", "CategoricalCrossentropy",
                     "BinaryFocalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence", "Tversky"):  # fmt: skip
            jax.eval_shape(losses.get(name), y, p)
        jax.eval_shape(losses.SparseCategoricalCrossentropy(ignore_class=0), jnp.array([0, 1]), p)
        jax.eval_shape(losses.Circle(), jnp.array([0, 1]), p)
        jax.eval_shape(losses.CTC(), jnp.array([[1], [1]]), jnp.stack([p, p], 1))


def test_on_symbolic_tensors():
    y = losses.mean_squared_error(KerasTensor((None, 3)), KerasTensor((None, 3)))
    assert y.shape == (None,)


def test_behaviour_of_keras_3_16_that_3_15_does_not_have():
    y_true, y_pred = jnp.array([[1.0, 1.0, 0.0]]), jnp.array([[1.0, 0.0, 0.0]])  # one miss, no false alarm
    assert float(losses.tversky(y_true, y_pred, alpha=1.0, beta=0.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(losses.tversky(y_true, y_pred, alpha=0.0, beta=1.0)) == pytest.approx(0.5)
    labels, predictions = np.eye(2)[[0, 1, 1]].T, np.array([[0.6, 0.3, 0.2], [0.4, 0.7, 0.8]])
    for name in ("categorical_crossentropy", "categorical_focal_crossentropy"):
        loss = getattr(losses, name)
        by_rows = loss(labels.T, predictions.T, label_smoothing=0.2)
        np.testing.assert_allclose(loss(labels, predictions, label_smoothing=0.2, axis=0), by_rows, rtol=1e-6)
        with pytest.warns(SyntaxWarning, match="more than one class"):
            loss(np.ones((1, 3)), np.ones((1, 3)), axis=0)
    for delta in (0.0, -1.0):
        with pytest.raises(ValueError, match="positive"):
            losses.Huber(delta=delta)


def test_gradients_are_finite_at_singular_points():
    alone = jax.jit(jax.grad(losses.Circle(), argnums=1))(jnp.array([0, 1, 1]), jnp.eye(3))
    impossible = jax.jit(jax.grad(losses.CTC(), argnums=1))(jnp.array([[1, 1, 1]]), jnp.zeros((1, 2, 3)))
    sparse = jax.jit(jax.grad(losses.SparseCategoricalCrossentropy(ignore_class=0), argnums=1))
    ignored, all_ignored = (sparse(jnp.array(labels), jnp.full((2, 2), 0.5)) for labels in ([0, 1], [0, 0]))
    for gradient in (alone, impossible, ignored, all_ignored):
        assert np.isfinite(gradient).all()
    assert not all_ignored.any() and not ignored[0].any() and ignored[1].any()


def test_minus_infinity_logit_excludes_a_class():
    logits = jnp.array([[0.0, 0.0, -jnp.inf]])
    loss = losses.sparse_categorical_crossentropy([1], logits, from_logits=True)
    np.testing.assert_allclose(loss, np.log([2.0]), rtol=1e-6)


def test_ctc_sums_over_alignments():
    """Compare with a sum over all paths that collapse to the labels."""
    import itertools

    logits = np.random.default_rng(3).normal(size=(1, 4, 3)).astype("float32")
    probabilities = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
    for labels in ([1], [1, 2], [2, 2], []):
        total = 0.0
        for path in itertools.product(range(3), repeat=4):
            collapsed = [k for k, _ in itertools.groupby(path) if k != 0]
            total += np.prod(probabilities[range(4), path]) * (collapsed == labels)
        padded = np.array([labels + [0] * (3 - len(labels))])
        np.testing.assert_allclose(losses.ctc(padded, logits), [-np.log(total)], rtol=1e-5)


SPARSE = np.array([[0, 2, 1], [1, 1, 0]], "int32")
SCORES = np.random.default_rng(5).normal(size=(2, 3, 4)).astype("float32")


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("from_logits", [True, False])
def test_sparse_losses_equal_one_hot_losses(axis, from_logits):
    scores = np.moveaxis(SCORES, -1, axis)
    scores = scores if from_logits else np.abs(scores)
    one_hot = np.moveaxis(np.eye(4, dtype="float32")[SPARSE], -1, axis)
    kwargs = {"from_logits": from_logits, "axis": axis}
    smoothing = 0.3 if axis == -1 else 0.0
    np.testing.assert_allclose(
        losses.sparse_categorical_crossentropy(SPARSE, scores, label_smoothing=smoothing, **kwargs),
        losses.categorical_crossentropy(one_hot, scores, label_smoothing=smoothing, **kwargs),
        rtol=1e-5,
    )
    for alpha in (0.25, [0.1, 0.2, 0.3, 0.4]):
        weights = alpha if axis == -1 else np.reshape(alpha, (-1, 1))
        np.testing.assert_allclose(
            losses.sparse_categorical_focal_crossentropy(SPARSE, scores, alpha, gamma=1.5, **kwargs),
            losses.categorical_focal_crossentropy(one_hot, scores, weights, gamma=1.5, **kwargs),
            rtol=1e-5,
        )


@pytest.mark.parametrize(
    "loss", [losses.SparseCategoricalFocalCrossentropy(ignore_class=1, from_logits=True),
             losses.SparseCategoricalCrossentropy(ignore_class=1, from_logits=True, label_smoothing=0.1)],
    ids=["focal", "smoothed"],
)  # fmt: skip
def test_ignored_classes_are_excluded_from_the_average(loss):
    kept = SPARSE != 1
    config = {**loss.get_config(), "ignore_class": None}
    expected = type(loss).from_config(config)(SPARSE[kept], SCORES[kept])
    np.testing.assert_allclose(loss(SPARSE, SCORES), expected, rtol=1e-6)
    assert losses.deserialize(losses.serialize(loss)).get_config() == loss.get_config()
    gradient = jax.grad(lambda scores: loss(SPARSE, scores))(jnp.asarray(SCORES))
    assert not gradient[~kept].any() and gradient[kept].all() and np.isfinite(gradient).all()


@settings(max_examples=50, deadline=None)
@given(rank=st.integers(0, 3), tail=st.sampled_from([(), (1,), (3,)]), expand=st.booleans())
def test_squeeze_or_expand_keeps_all_elements(rank, tail, expand):
    a, b = np.zeros((2,) * rank), np.zeros((2,) * rank + tail)
    x, y = squeeze_or_expand_to_same_rank(a, b, expand)
    assert x.size == a.size and y.size == b.size
    assert x.ndim == y.ndim or tail == (3,)
    y2, x2 = squeeze_or_expand_to_same_rank(b, a, expand)
    assert (x.shape, y.shape) == (x2.shape, y2.shape)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: losses.get("mean_sqared_error"), "Did you mean 'mean_squared_error'"),
        (lambda: losses.get(3), "Cannot use 3 as a loss"),
        (lambda: losses.deserialize({"class_name": "Hubber", "config": {}}), "Did you mean 'Huber'"),
        (lambda: losses.MeanSquaredError(reduction="avg"), "Unknown reduction 'avg'.*'mean_with_sample_weight'"),
        (lambda: losses.categorical_crossentropy([1, 0], [[0.5, 0.5]]), "sparse_categorical_crossentropy"),
        (lambda: losses.sparse_categorical_crossentropy([[1, 0]], [[0.5, 0.5]]), r"y_true of shape \(1,\).*one-hot"),
        (lambda: losses.categorical_crossentropy([[1.0]], [[1.0]], axis=True), "boolean"),
        (lambda: losses.Huber()(jnp.ones((4, 3)), jnp.ones((4, 3)), jnp.ones(3)), r"each sample, shape \(4,\)"),
        (lambda: losses.ctc(jnp.ones(3), jnp.ones((1, 2, 3))), r"shape \(batch, max_labels\)"),
        (lambda: losses.ctc(jnp.ones((1, 3)), jnp.ones((1, 2))), r"shape \(batch, time, classes\)"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), "strictly between 0 and 1"),
        (lambda: losses.sparse_categorical_focal_crossentropy([[1, 0]], [[0.5, 0.5]]), "For one-hot.*`categorical_foc"),
        (lambda: losses.binary_crossentropy([1.0], [0.5], label_smoothing=2.0), r"must be in \[0, 1\]; got 2.0"),
        (lambda: losses.sparse_categorical_crossentropy([1], [[0.5, 0.5]], label_smoothing=-1), r"\[0, 1\]; got -1"),
    ],
)  # fmt: skip
def test_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_loss_without_call_raises():
    with pytest.raises(NotImplementedError, match="define `call"):
        losses.Loss()(1.0, 1.0)


def test_single_class_warns():
    with pytest.warns(SyntaxWarning, match="binary_crossentropy") as caught:
        losses.categorical_crossentropy([[1.0]], [[1.0]])
    assert caught[0].filename == __file__
