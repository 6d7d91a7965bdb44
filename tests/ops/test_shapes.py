"""Shapes of symbolic calls with unknown sizes, against NumPy on arrays of every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import ops
from jaxkeras.core.symbolic import KerasTensor

pytestmark = pytest.mark.filterwarnings("ignore")
fast = settings(max_examples=12, deadline=None, derandomize=True)
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def check(symbolic_call, numpy_call, *known):
    """With the first size unknown, the result is NumPy's except where that size shows."""
    expected = np.asarray(numpy_call(*(np.zeros(s, "float32") for s in known)))
    fixed = symbolic_call(*(KerasTensor(s) for s in known))
    assert fixed.shape == expected.shape
    unknown = symbolic_call(*(KerasTensor((None, *s[1:])) for s in known))
    assert len(unknown.shape) == expected.ndim
    assert all(a is None or a == b for a, b in zip(unknown.shape, expected.shape))


@fast
@given(shapes, st.sampled_from(["add", "maximum", "subtract", "logical_and"]))
def test_elementwise(shape, name):
    check(getattr(ops, name), getattr(np, name), shape, shape)


@fast
@given(shapes, st.booleans(), st.sampled_from(["sum", "mean", "max", "any"]))
def test_reductions(shape, keepdims, name):
    axis = len(shape) - 1
    check(
        lambda x: getattr(ops, name)(x, axis=axis, keepdims=keepdims),
        lambda x: getattr(np, name)(x, axis=axis, keepdims=keepdims),
        shape,
    )


@fast
@given(shapes, st.integers(1, 4))
def test_matmul(shape, columns):
    if len(shape) > 1:
        check(
            lambda x: ops.matmul(x, np.ones((shape[-1], columns), "float32")),
            lambda x: x @ np.ones((shape[-1], columns)),
            shape,
        )


@fast
@given(shapes)
def test_transpose_and_reshape(shape):
    check(ops.transpose, np.transpose, shape)
    check(lambda x: ops.reshape(x, (-1, *shape[1:])), lambda x: np.reshape(x, (-1, *shape[1:])), shape)
    check(lambda x: ops.reshape(x, (-1,)), np.ravel, shape)


@fast
@given(shapes, st.integers(0, 2))
def test_concatenate_and_stack(shape, axis):
    axis = min(axis, len(shape) - 1)
    check(lambda x, y: ops.concatenate([x, y], axis=axis), lambda x, y: np.concatenate([x, y], axis=axis), shape, shape)
    check(lambda x, y: ops.stack([x, y], axis=axis), lambda x, y: np.stack([x, y], axis=axis), shape, shape)


@fast
@given(shapes, st.integers(0, 3))
def test_expand_and_squeeze(shape, axis):
    axis = min(axis, len(shape))
    check(lambda x: ops.expand_dims(x, axis), lambda x: np.expand_dims(x, axis), shape)
    check(lambda x: ops.squeeze(ops.expand_dims(x, axis), axis), lambda x: x, shape)


@fast
@given(shapes, st.integers(1, 3))
def test_repeat_tile_and_pad(shape, times):
    axis = len(shape) - 1
    check(lambda x: ops.repeat(x, times, axis=axis), lambda x: np.repeat(x, times, axis=axis), shape)
    check(lambda x: ops.tile(x, times), lambda x: np.tile(x, times), shape)
    check(lambda x: ops.pad(x, times), lambda x: np.pad(x, times), shape)


@fast
@given(shapes, st.lists(st.integers(0, 0), min_size=1, max_size=3))
def test_take(shape, indices):
    axis = len(shape) - 1
    check(lambda x: ops.take(x, indices, axis=axis), lambda x: np.take(x, indices, axis=axis), shape)
