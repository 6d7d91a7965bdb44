"""Values of the ops against NumPy in double precision: every dtype, broadcasting, empty arrays, NaN and infinities."""

from __future__ import annotations

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxkeras import ops
from tests.ops.calls import ARRAYS, OTHERS
from tests.ops.numpy_rows import (
    AXES,
    BINARY,
    BY_VALUE,
    CALLED,
    COUNTERPARTS,
    DTYPES,
    FLOATS,
    INTEGERS,
    LEFT_OUT,
    MIXED,
    MORE_CALLS,
    PREPARE,
    REDUCTIONS,
    ROWS,
    SKIPPED,
    UNARY,
    Row,
)

pytestmark = pytest.mark.filterwarnings("ignore")
few = settings(max_examples=12, deadline=None, derandomize=True, database=None)

OURS = {name: getattr(ops, name) for name in dir(ops)} | {"np": np}
NUMPY = {name: getattr(np, name, None) or getattr(np.linalg, name, None) for name in OURS} | COUNTERPARTS | {"np": np}
TOLERANCE = {"float16": 4e-3, "bfloat16": 2e-2, "float32": 1e-5}

# The arrays of `calls.py`: their shapes, and the dtypes of those that are no floating-point numbers. E has no elements.
SHAPE = {name: x.shape for name, x in ARRAYS.items()} | {"E": (0, 4), "N": ()}
FIXED = {name: x.dtype.name for name, x in ARRAYS.items() if x.dtype.kind != "f"}

# -- values ---------------------------------------------------------------------------------------------------------
COUNT = 12  # of the values that fill arrays of any shape
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-3, 100.0, -100.0, 3e4)
EXTREME = (0, 1, -1, 127, -128, 255, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31), 2**32 - 1)
wide_floats = st.one_of(st.floats(-4, 4, width=16), st.sampled_from(SPECIAL), st.floats(-100, 100, width=32))
wide_integers = st.one_of(st.integers(-9, 9), st.sampled_from(EXTREME), st.integers(-(2**31), 2**32 - 1))
eighths = st.integers(-32, 32).map(lambda k: k / 8)  # sums and products of a few are exact
plain_floats = st.one_of(*[eighths] * 12, st.sampled_from((np.inf, -np.inf, np.nan)))


def many(values):
    return st.lists(values, min_size=COUNT, max_size=COUNT)


def array(dtype, shape, floats, integers, shift=0):
    """The values in a dtype and shape. Numbers below the normal range become zero: XLA may do that to them."""
    dtype = jnp.dtype(dtype)
    if dtype.kind == "b":
        x = np.array(integers) % 2 == 1
    elif jnp.issubdtype(dtype, jnp.integer):
        x = np.array(integers, "int64").astype(dtype)
    else:
        x = np.array(floats).astype(dtype).astype("float64")
        x = np.where(abs(x) < float(jnp.finfo(dtype).tiny), np.copysign(0.0, x), x).astype(dtype)
    return np.resize(np.roll(x, shift), shape)


def prepare(name, row, x):
    """A drawn array made fit for an op, and for what its name means in `calls.py`."""
    x = (row.y if name == "y" else row.x)(x)
    return PREPARE[name](x) if name in PREPARE else x


# -- comparison -----------------------------------------------------------------------------------------------------
def is_float(x):
    return jnp.issubdtype(x.dtype, jnp.floating)


def exact(arrays, floating):
    """Arguments for NumPy: double precision, or exact integers, which wrap around when cast back."""
    to_float = floating and not any(is_float(x) for x in arrays.values())

    def convert(name, x):
        if is_float(x) or to_float and name not in FIXED:  # as in Keras, integers become float32 on the way to a float
            return x.astype("float32").astype("float64")
        return x if x.dtype == bool else x.astype("int64")

    return {name: convert(name, x) for name, x in arrays.items()}


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
    return max((x[np.isfinite(x)].max(initial=0) for x in sizes), default=0)


def numpy_value(call, arrays):
    with np.errstate(all="ignore"):
        return eval(call, NUMPY | arrays)


def check(name, calls, floats, integers):
    """Evaluate calls, all in one program, over arrays of `{name: (dtype, shape)}`, and compare with NumPy."""
    row = ROWS.get(name, Row())

    def program(inputs):
        return [jax.tree.leaves(eval(call, OURS | arrays)) for (call, _), arrays in zip(calls, inputs)]

    run = program if calls[0][0].startswith(BY_VALUE) else jax.jit(program)

    @few
    @given(st.tuples(many(floats), many(integers)), st.tuples(many(floats), many(integers)))
    def values(first, second):
        drawn = first, second
        inputs = [
            {n: prepare(n, row, array(*a, *drawn[k % 2], k // 2)) for k, (n, a) in enumerate(arrays.items())}
            for _, arrays in calls
        ]
        for (call, _), arrays, results in zip(calls, inputs, run(inputs)):
            assert results
            for k, result in enumerate(results):
                exactly = arrays if row.native else exact(arrays, is_float(result))
                expected = jax.tree.leaves(numpy_value(call, exactly))
                try:
                    assert len(results) == len(expected)
                    compare(result, expected[k], row, largest(arrays))
                except AssertionError as error:
                    raise AssertionError(f"{call} of {arrays}: {error}") from None

    values()


# -- elementwise ----------------------------------------------------------------------------------------------------
SHAPES = ((COUNT,), (), (0, 2), (2, 1, 3))
BROADCAST = (((2, 6), (2, 6)), ((2, 1), (1, 3)), ((3,), (2, 3)), ((), (0,)), ((2, 0), (1,)), ((2, 3), ()))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", UNARY)
def test_one_array(name):
    row = ROWS.get(name, Row())
    calls = [(f"{name}(x)", {"x": (dtype, shape)}) for dtype in row.dtypes for shape in SHAPES]
    check(name, calls, wide_floats, wide_integers)


@pytest.mark.exhaustive
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


@pytest.mark.parametrize("target", DTYPES)
def test_casts(target):
    """Integers wrap around. What an integer makes of a floating-point number beyond its range is left open."""
    sources = [dtype for dtype in DTYPES if target not in INTEGERS or dtype not in FLOATS]
    check("cast", [(f"cast(x, '{target}')", {"x": (dtype, (COUNT,))}) for dtype in sources], wide_floats, wide_integers)
    if target not in FLOATS:
        calls = [(f"saturate_cast(x, '{target}')", {"x": (dtype, (COUNT,))}) for dtype in DTYPES]
        check("saturate_cast", calls, st.one_of(wide_floats, st.floats(width=32)), wide_integers)


# -- reductions -----------------------------------------------------------------------------------------------------
def runs(name, call, arrays):
    """Whether NumPy takes the shapes. Where it refuses, so must we."""
    row = ROWS.get(name, Row())
    ones = {n: prepare(n, row, array(*a, [1.0] * COUNT, [1] * COUNT)) for n, a in arrays.items()}
    try:
        numpy_value(call, exact(ones, floating=False))
    except (ValueError, TypeError):
        with pytest.raises((ValueError, TypeError)):
            eval(call, OURS | ones)
        return False
    return True


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    keeps = "keepdims" in inspect.signature(OURS[name]).parameters
    axes = [(shape, settings if keeps else settings.split(", keepdims")[0]) for shape, settings in AXES]
    calls = [(f"{name}(x, {s})", {"x": (dtype, shape)}) for dtype in ROWS.get(name, Row()).dtypes for shape, s in axes]
    check(name, [c for c in calls if runs(name, *c)], plain_floats, wide_integers)


# -- the others -----------------------------------------------------------------------------------------------------
CALLS = [
    call
    for call in (OTHERS + MORE_CALLS).splitlines()
    if call.split("(")[0] in CALLED and call not in SKIPPED and "CX" not in call
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("call", CALLS)
def test_calls(call):
    name = call.split("(")[0]
    letters = sorted(set(re.findall(r"\b[A-Z]+\b", call)) & SHAPE.keys())
    dtypes = ROWS.get(name, Row()).dtypes if set(letters) - FIXED.keys() else ("float32",)
    calls = [(call, {letter: (FIXED.get(letter, dtype), SHAPE[letter]) for letter in letters}) for dtype in dtypes]
    check(name, calls, plain_floats, wide_integers)


def test_every_op_is_here():
    """A new op must get a line in the tables, or a reason why it has none; what is special has a reason too."""
    named = {name for name in dir(ops.numpy) if name[0] != "_" and callable(getattr(ops, name, None))}
    called = {name for call in CALLS for name in re.findall(r"\w+(?=\()", call)}
    assert named - called - {*UNARY, *BINARY, *REDUCTIONS} == LEFT_OUT.keys()
    assert SKIPPED.keys() <= set(OTHERS.splitlines())
    assert ROWS.keys() <= OURS.keys() and all(row.why for row in ROWS.values())
