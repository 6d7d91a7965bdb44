"""Regularizers: penalties and configs as in Keras."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import regularizers

keras = pytest.importorskip("keras")

W = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
CASES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.3, "l2": 0.2}),
    ("OrthogonalRegularizer", {"factor": 0.3}),
    ("OrthogonalRegularizer", {"mode": "columns"}),
]


@pytest.mark.parametrize("name, kwargs", CASES)
def test_penalties_and_configs_equal_keras(name, kwargs):
    ours, theirs = (getattr(m, name)(**kwargs) for m in (regularizers, keras.regularizers))
    if "mode" not in kwargs:  # Keras's NumPy backend cannot normalize columns
        np.testing.assert_allclose(ours(W), theirs(W), rtol=1e-5, atol=1e-7)
    assert ours(jnp.asarray(W, "bfloat16")).dtype == "bfloat16"
    assert regularizers.serialize(ours) == keras.regularizers.serialize(theirs)
    assert regularizers.deserialize(regularizers.serialize(ours)).get_config() == ours.get_config()


def test_zero_row_is_orthogonal_to_all_rows():
    w = np.stack([np.zeros(3), W[0, :3], W[1, :3]]).astype("float32")
    penalty = regularizers.OrthogonalRegularizer(0.3)
    np.testing.assert_allclose(penalty(w), keras.regularizers.OrthogonalRegularizer(0.3)(w), rtol=1e-6)


def test_column_mode_equals_row_mode_of_the_transpose():
    by_column = regularizers.OrthogonalRegularizer(mode="columns")(W)
    np.testing.assert_allclose(by_column, regularizers.OrthogonalRegularizer()(W.T), rtol=1e-6)


def test_get():
    assert regularizers.get(None) is None
    for name in ["l1", "L1", "l1_l2", "l1l2", "L1L2", "orthogonal_regularizer"]:
        assert isinstance(regularizers.get(name), regularizers.Regularizer)
    assert regularizers.get(jnp.sum) is jnp.sum
    with pytest.raises(ValueError, match="Did you mean 'l1l2'|Did you mean 'l1_l2'"):
        regularizers.get("l1-l2")
    with pytest.raises(ValueError, match="expected a name"):
        regularizers.get(0.1)


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="`l2`.*not negative"):
        regularizers.L2(-1.0)
    with pytest.raises(ValueError, match="rows"):
        regularizers.OrthogonalRegularizer(mode="both")
    with pytest.raises(ValueError, match="matrices"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
    with pytest.raises(NotImplementedError, match="get_config"):
        regularizers.Regularizer().get_config()
