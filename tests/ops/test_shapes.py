"""Shapes of symbolic calls with unknown sizes, against NumPy on arrays of every size."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import KerasTensor, ops

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


# Sizes that must be those of other arguments, or depend on values.
LIKE_KERAS = [
    lambda ops, x: ops.add(x(None, 3), x(2, None)),
    lambda ops, x: x(None, 3) * x(2, None),
    lambda ops, x: ops.matmul(x(None, 3, 4), x(3, None, 4, 5)),
    lambda ops, x: ops.dot(x(None, 3), x(None, None, 2)),
    lambda ops, x: ops.einsum("ijk,jkl->li", x(None, 3, 4), x(None, 4, 5)),
    lambda ops, x: ops.broadcast_to(x(None, 3), (2, 3, 3)),
    lambda ops, x: ops.take(x(None, 3, None, 5), x(6, 7), axis=2),
    lambda ops, x: ops.scatter_update(x(4, None), x(5, 2), x(5)),
    lambda ops, x: ops.reshape(x(None, 4, 5), (None, 20)),
    lambda ops, x: ops.reshape(x(None, 4, 5), (-1, 2, None)),
    lambda ops, x: ops.slice(x(3, 3), x(2), (-1, 2)),
    lambda ops, x: ops.segment_sum(x(None, 4), x(None)),
    lambda ops, x: ops.unstack(x(2, None, 3), 4, axis=1),
    lambda ops, x: ops.unique(x(None, 3), return_index=True, return_inverse=True, return_counts=True),
    lambda ops, x: ops.unique(x(None, 3), axis=1),
    lambda ops, x: ops.nonzero(x(None, 3)),
    lambda ops, x: ops.bincount(x(None)),
    lambda ops, x: ops.diag(x(None, 3)),
    lambda ops, x: ops.diagonal(x(None, 3, 2), axis2=2),
    lambda ops, x: x(None, 5, 16)[:5, 3:, 3:12:2],
    lambda ops, x: x(None, 5, 16)[[0, 1]],
    lambda ops, x: ops.get_item(x(2, None, 16), (..., slice(1, 2), None, 3)),
    lambda ops, x: round(x(None, 3)),
    lambda ops, x: ops.while_loop(lambda x: True, lambda x: (x,), [x(None, 3)])[0],
    lambda ops, x: ops.cond(x(), lambda: ops.ones((2,)), lambda: ops.zeros((2,))),
]


@pytest.mark.parametrize("call", LIKE_KERAS, ids=lambda call: f"line {call.__code__.co_firstlineno}")
def test_unknown_sizes_like_keras(call):
    keras = pytest.importorskip("keras")
    expected = jax.tree.leaves(call(keras.ops, lambda *shape: keras.KerasTensor(shape)))
    actual = jax.tree.leaves(call(ops, lambda *shape: KerasTensor(shape)))
    assert [x.shape for x in actual] == [x.shape for x in expected]


@pytest.mark.parametrize("call", [
    lambda x: ops.matmul(x(3, 4), x(5, 6)), lambda x: x(3, 4)[:, 7], lambda x: x(3, 4)[..., 1, ...],
    lambda x: ops.unstack(x(2, None), axis=1), lambda x: ops.swapaxes(x(3, 4), 5, 0), lambda x: ops.det(x(None, 3)),
    lambda x: ops.cond(x(), lambda: ops.ones((2,)), lambda: ops.zeros((3,))), lambda x: float(x()),
], ids=lambda call: f"line {call.__code__.co_firstlineno}")  # fmt: skip
def test_wrong_shapes_are_value_errors(call):
    with pytest.raises(ValueError):
        call(lambda *shape: KerasTensor(shape))


def test_symbolic_tensors_compare_by_identity():
    x, y = KerasTensor((2,)), KerasTensor((2,))
    assert y in [x, y] and (x == y) is False
    assert (x == 0).dtype == (x != y).dtype == "bool"
    with pytest.raises(NotImplementedError, match="unstack"):
        iter(x)


def test_reconstructed_patches_have_the_size_asked_for():
    last, first = KerasTensor((None, None, None, 75)), KerasTensor((None, 75, None, None))
    assert ops.image.reconstruct_patches(last, 5, (20, 18), padding="same").shape == (None, 20, 18, 3)
    result = ops.image.reconstruct_patches(first, 5, (20, 18), padding="same", data_format="channels_first")
    assert result.shape == (None, 3, 20, 18)
