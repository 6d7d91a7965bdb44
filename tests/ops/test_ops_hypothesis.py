"""Values of the ops against NumPy in double precision: every dtype, broadcasting, empty arrays, NaN and infinities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import ops
from tests.ops.numpy_rows import BINARY, COUNTERPARTS, MIXED, ROWS, UNARY, Row

pytestmark = pytest.mark.filterwarnings("ignore")
few = settings(max_examples=12, deadline=None, derandomize=True, database=None)

OURS = {name: getattr(ops, name) for name in dir(ops)}
NUMPY = {name: getattr(np, name) for name in OURS if hasattr(np, name)} | COUNTERPARTS
TOLERANCE = {"float16": 4e-3, "bfloat16": 2e-2, "float32": 1e-5}

# -- values ---------------------------------------------------------------------------------------------------------
COUNT = 12  # of the values that fill arrays of any shape
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-3, 100.0, -100.0, 3e4)
EXTREME = (0, 1, -1, 127, -128, 255, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 2**32 - 1)
wide_floats = st.one_of(st.floats(-4, 4, width=16), st.sampled_from(SPECIAL), st.floats(-100, 100, width=32))
wide_integers = st.one_of(st.integers(-9, 9), st.sampled_from(EXTREME), st.integers(-(2**31), 2**32 - 1))


def many(values):
    return st.lists(values, min_size=COUNT, max_size=COUNT)


def array(dtype, shape, floats, integers):
    """The values in a dtype and shape. Numbers below the normal range become zero: XLA may do that to them."""
    dtype = jnp.dtype(dtype)
    if dtype.kind == "b":
        return np.resize(np.array(integers) % 2 == 1, shape)
    if jnp.issubdtype(dtype, jnp.integer):
        return np.resize(np.array(integers, "int64").astype(dtype), shape)
    x = np.array(floats).astype(dtype).astype("float64")
    x = np.where(abs(x) < float(jnp.finfo(dtype).tiny), np.copysign(0.0, x), x)
    return np.resize(x.astype(dtype), shape)


# -- comparison -----------------------------------------------------------------------------------------------------
def is_float(x):
    return jnp.issubdtype(x.dtype, jnp.floating)


def exact(arrays, floating):
    """Arguments for NumPy: double precision, or exact integers, which wrap around when cast back."""
    to_float = floating and not any(is_float(x) for x in arrays.values())

    def convert(x):
        if is_float(x) or to_float:  # as Keras does, integers become float32 where the result is no integer
            return x.astype("float32").astype("float64")
        return x if x.dtype == bool else x.astype("int64")

    return {name: convert(x) for name, x in arrays.items()}


def compare(result, expected, row, largest):
    result, expected = np.asarray(result), np.asarray(expected)
    assert result.shape == expected.shape
    if not is_float(result):
        np.testing.assert_array_equal(result, expected.astype(result.dtype))
        return
    a, b = result.astype("float64"), expected.astype("float64")
    if row.native:
        np.testing.assert_array_equal(a, b)
        return
    tolerance, limit = TOLERANCE[result.dtype.name], float(jnp.finfo(result.dtype).max)
    over = ~np.isnan(b) & (abs(b) > limit * (1 - tolerance))  # there infinite is right too
    a, b = (np.where(over, np.sign(x) * np.minimum(abs(x), limit), x) for x in (a, b))
    atol = float(jnp.finfo(result.dtype).tiny) + tolerance * (row.absolute + row.scale * largest)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=atol)


def largest(arrays):
    """The largest finite magnitude in some arrays."""
    sizes = [abs(x.astype("float64")) for x in arrays.values()]
    return max(x[np.isfinite(x)].max(initial=0) for x in sizes)


def check(name, calls, floats, integers):
    """Evaluate calls, all in one program, over arrays of `{name: (dtype, shape)}`, and compare with NumPy."""
    row = ROWS.get(name, Row())

    @jax.jit
    def program(inputs):
        return [eval(call, OURS | arrays) for (call, _), arrays in zip(calls, inputs)]

    @few
    @given(st.tuples(many(floats), many(integers)), st.tuples(many(floats), many(integers)))
    def values(first, second):
        drawn = {"x": (row.x, first), "y": (row.y, second)}
        inputs = [{n: drawn[n][0](array(*a, *drawn[n][1])) for n, a in arrays.items()} for _, arrays in calls]
        for (call, _), arrays, result in zip(calls, inputs, program(inputs)):
            with np.errstate(all="ignore"):
                expected = eval(call, NUMPY | (arrays if row.native else exact(arrays, is_float(result))))
            try:
                compare(result, expected, row, largest(arrays))
            except AssertionError as error:
                raise AssertionError(f"{call} of {arrays}: {error}") from None

    values()


# -- elementwise ----------------------------------------------------------------------------------------------------
SHAPES = ((COUNT,), (), (0, 2), (2, 1, 3))
BROADCAST = (((2, 6), (2, 6)), ((2, 1), (1, 3)), ((3,), (2, 3)), ((), (0,)), ((2, 0), (1,)), ((2, 3), ()))


@pytest.mark.parametrize("name", UNARY)
def test_one_array(name):
    row = ROWS.get(name, Row())
    calls = [(f"{name}(x)", {"x": (dtype, shape)}) for dtype in row.dtypes for shape in SHAPES]
    check(name, calls, wide_floats, wide_integers)


@pytest.mark.parametrize("name", BINARY)
def test_two_arrays(name):
    row = ROWS.get(name, Row())
    pairs = [(dtype, dtype) for dtype in row.dtypes] + [p for p in MIXED if set(p) <= set(row.dtypes)]
    calls = [
        (f"{name}(x, y)", {"x": (pair[0], shapes[0]), "y": (pair[1], shapes[1])})
        for number, pair in enumerate(pairs)
        for shapes in (BROADCAST[0], BROADCAST[1 + number % 5])
    ]
    check(name, calls, wide_floats, wide_integers)
