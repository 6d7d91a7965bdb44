"""Constraints: weights and configs as in Keras."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import constraints

keras = pytest.importorskip("keras")

W = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
CASES = [
    ("MaxNorm", {"max_value": 0.8}),
    ("MaxNorm", {"max_value": 0.8, "axis": 1}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 0.9, "rate": 0.3, "axis": (0, 1)}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
]


@pytest.mark.parametrize("name, kwargs", CASES)
def test_values_and_configs_equal_keras(name, kwargs):
    ours, theirs = (getattr(m, name)(**kwargs) for m in (constraints, keras.constraints))
    np.testing.assert_allclose(ours(W), theirs(W), rtol=1e-5, atol=1e-7)
    assert ours(jnp.asarray(W, "bfloat16")).dtype == "bfloat16"
    if not isinstance(kwargs.get("axis"), tuple):
        assert constraints.serialize(ours) == keras.constraints.serialize(theirs)
    assert constraints.deserialize(constraints.serialize(ours))(W).shape == W.shape


def test_get():
    assert constraints.get(None) is None
    for name in ["max_norm", "MaxNorm", "min_max_norm", "non_neg", "unit_norm"]:
        assert isinstance(constraints.get(name), constraints.Constraint)
    assert constraints.get(jnp.abs) is jnp.abs
    with pytest.raises(ValueError, match="Did you mean .*'non_neg'"):
        constraints.get("nonneg_")
    with pytest.raises(ValueError, match="expected a name"):
        constraints.get(0.1)
