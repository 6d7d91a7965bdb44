"""Every op of the NumPy namespace, and every activation, beside what NumPy computes: the table of one test.

A call is a string over arrays, evaluated with our ops and with the functions here. Most ops have NumPy's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

INTEGERS = ("uint8", "int8", "int16", "int32", "uint32")
FLOATS = ("float16", "bfloat16", "float32")
DTYPES = ("bool", *INTEGERS, *FLOATS)
# Integers that the promoted dtype holds: Keras on JAX has no int64 to promote uint32 and int32 to, so they wrap around.
MIXED = (("bool", "int8"), ("int8", "uint8"), ("uint8", "bfloat16"), ("float16", "bfloat16"), ("bool", "float16"),
         ("int8", "float32"))  # fmt: skip


def _divisor(y: np.ndarray) -> np.ndarray:
    return np.where(y == 0, np.ones((), y.dtype), y) if y.dtype.kind in "bui" else y


def _exponent(y: np.ndarray) -> np.ndarray:
    return y % 64 if y.dtype.kind in "ui" else y


def _exponent_of_e(x: np.ndarray) -> np.ndarray:
    return np.where(abs(x) > (11 if x.dtype == "float16" else 88), np.zeros((), x.dtype), x)


def _same(x: np.ndarray) -> np.ndarray:
    return x


class Row(NamedTuple):
    """What is special about an op.

    Attributes:
        dtypes: of its arguments.
        absolute: error allowed near zero, as a multiple of the relative tolerance of the result's dtype.
        scale: error allowed, as a multiple of that and of the largest argument.
        x: what is done to the values of the first argument, to keep them where the op is defined.
        y: the same for the second one.
        native: whether NumPy computes in the dtype itself, and the results must be equal.
        why: the reason of all this.
    """

    dtypes: tuple[str, ...] = DTYPES
    absolute: float = 0.0
    scale: float = 0.0
    x: Callable[[np.ndarray], np.ndarray] = _same
    y: Callable[[np.ndarray], np.ndarray] = _same
    native: bool = False
    why: str = ""


UNARY = """
abs absolute angle arccos arccosh arcsin arcsinh arctan arctanh bitwise_invert bitwise_not cbrt ceil conj conjugate copy
cos cosh deg2rad exp exp2 expm1 fabs floor i0 imag isfinite isinf isnan isneginf isposinf isreal log log10 log1p log2
logical_not nan_to_num negative rad2deg real reciprocal round sign signbit sin sinc sinh sqrt square tan tanh trunc
ones_like zeros_like
celu elu gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid relu relu6 selu sigmoid
silu soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus swish tanh_shrink
erf erfc erfinv rsqrt
""".split()

BINARY = """
add arctan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor divide divide_no_nan equal
floor_divide fmax fmin fmod gcd greater greater_equal heaviside hypot isclose lcm left_shift less less_equal logaddexp
logaddexp2 logical_and logical_or logical_xor maximum minimum mod multiply nextafter not_equal power right_shift
subtract true_divide
""".split()

_no_bool = Row((*INTEGERS, *FLOATS), why="Keras raises for booleans, too")
_quotient = Row((*INTEGERS, *FLOATS), why="XLA makes 0 of False divided by a scalar zero")
_bits = Row(("bool", *INTEGERS), why="floating-point numbers are refused")
_division = Row(y=_divisor, why="XLA leaves open what a whole number divided by zero is")

ROWS: dict[str, Row] = {
    "bitwise_and": _bits,
    "bitwise_invert": _bits,
    "bitwise_left_shift": _bits,
    "bitwise_not": _bits,
    "bitwise_or": _bits,
    "bitwise_right_shift": _bits,
    "bitwise_xor": _bits,
    "divide": _quotient,
    "floor_divide": _division,
    "fmod": _division,
    "gcd": Row(INTEGERS, why="whole numbers only"),
    "gelu": Row(absolute=1, why="1 + tanh cancels"),
    "i0": Row(x=_exponent_of_e, why="exp(x) is a factor of it, and overflows first"),
    "lcm": Row(INTEGERS, why="whole numbers only"),
    "left_shift": _bits,
    "logaddexp": Row(absolute=0.2, why="two logarithms cancel"),
    "logaddexp2": Row(absolute=0.2, why="two logarithms cancel"),
    "negative": _no_bool,
    "nextafter": Row(FLOATS, native=True),
    "power": Row(y=_exponent, why="whole numbers have no negative powers; beyond 63 all overflow"),
    "right_shift": _bits,
    "round": _no_bool,
    "sign": _no_bool,
    "silu": Row(absolute=0.1, why="numbers below the normal range become zero in between"),
    "sinc": Row(absolute=0.1, why="near the zeros of the sine"),
    "squareplus": Row(absolute=1e-9, scale=0.1, why="x + sqrt(x^2 + 4) cancels below zero"),
    "subtract": _no_bool,
    "swish": Row(absolute=0.1, why="numbers below the normal range become zero in between"),
    "tanh_shrink": Row(scale=0.2, why="x - tanh(x) cancels near zero"),
    "true_divide": _quotient,
}


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _hard_sigmoid(x):
    return np.clip(x / 6 + 0.5, 0, 1)


def _multiply(x, y):
    """As `jax.numpy`: a boolean keeps or drops a floating-point number, even a NaN."""
    for flag, number in ((x, y), (y, x)):
        if flag.dtype == bool and number.dtype.kind == "f":
            return np.where(flag, number, 0.0)
    return x * y


COUNTERPARTS = {
    "multiply": _multiply,
    "divide_no_nan": lambda x, y: np.where(y == 0, 0, np.divide(x, np.where(y == 0, 1, y))),
    "celu": _elu,
    "elu": _elu,
    "gelu": _gelu,
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "hard_swish": lambda x: x * _hard_sigmoid(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "log_sigmoid": special.log_expit,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "sigmoid": special.expit,
    "silu": lambda x: x * special.expit(x),
    "swish": lambda x: x * special.expit(x),
    "soft_shrink": lambda x: np.where(np.abs(x) > 0.5, x - 0.5 * np.sign(x), 0),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, 0.25 * (x + 1) ** 2)),
    "sparse_sigmoid": lambda x: np.clip(0.5 * (x + 1), 0, 1),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
