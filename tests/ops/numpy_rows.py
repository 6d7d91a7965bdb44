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


def _finite(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "bui" else np.where(np.isfinite(x), x, np.ones((), x.dtype))


def _no_nan(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "bui" else np.where(np.isnan(x), np.zeros((), x.dtype), x)


def _no_infinity(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "bui" else np.where(np.isinf(x), np.ones((), x.dtype), x)


def _small(x: np.ndarray) -> np.ndarray:
    return x % 100 if x.dtype.kind in "ui" else x


def _same(x: np.ndarray) -> np.ndarray:
    return x


class Row(NamedTuple):
    """What is special about an op.

    Attributes:
        dtypes: of its arguments.
        absolute: error allowed near zero, as a multiple of the relative tolerance of the result's dtype.
        scale: error allowed, as a multiple of that and of the largest argument.
        x: what is done to the values, to keep them where the op is defined.
        y: the same for the second argument of two.
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


# What is done to the arrays of `calls.py` once drawn, for those whose values mean something.
PREPARE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "D": lambda x: x % 5,
    "I": lambda x: x % 18 - 9,
    "J": lambda x: x % 5 + 1,
    "P": lambda x: np.nan_to_num(abs(x.astype("float64")), posinf=3).astype(x.dtype) + np.ones((), x.dtype),
    "Q": lambda x: x if x.dtype.kind in "bui" else x / 8 + 4 * np.eye(4, dtype=x.dtype),  # far from singular
    "S": lambda x: np.sort(x.astype("float64")).astype(x.dtype),  # NaN last, of bfloat16 too
}

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
add arctan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide divide_no_nan
equal float_power floor_divide fmax fmin fmod gcd greater greater_equal heaviside hypot isclose lcm left_shift less
less_equal logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum mod multiply nextafter not_equal
power right_shift subtract true_divide
""".split()

# Over an axis; `keepdims` goes to those that have it.
REDUCTIONS = """
all amax amin any argmax argmin count_nonzero max mean median min nanargmax nanargmin nanmax nanmean nanmedian nanmin
nanprod nanstd nansum nanvar prod ptp std sum var logsumexp cumprod cumsum nancumprod nancumsum average
""".split()
AXES = (
    ((3, 4), ""),
    ((), ""),
    ((0,), ""),
    ((3, 4), "axis=0"),
    ((2, 0), "axis=0"),
    ((2, 0), "axis=1"),
    ((2, 3, 2), "axis=-1, keepdims=True"),
    ((2, 3, 2), "axis=(0, 2), keepdims=True"),
)

# Ops of `calls.py` that are called as there, with its float arrays in every dtype; and more calls, some of an array
# without elements (E) or without axes (N).
CALLED = """
append argpartition argsort array_split average bincount broadcast_to clip column_stack concatenate corrcoef correlate
cov cross diag diagflat diagonal diff digitize dot dsplit dstack einsum expand_dims flip fliplr flipud get_item
histogram hsplit hstack inner isin kron ldexp matmul meshgrid moveaxis nonzero outer pad percentile quantile
nanpercentile nanquantile ravel repeat reshape roll rot90 round searchsorted select size ndim slogdet sort split squeeze
stack swapaxes take take_along_axis tensordot tile trace transpose trapezoid tri tril triu unique unravel_index vander
vdot vectorize vsplit view vstack where allclose nan_to_num isclose prod max min sum cumsum cumprod full_like arange
linspace logspace geomspace array eye full identity ones zeros bartlett blackman hamming hanning kaiser det inv solve
norm svd pinv matrix_rank softmax log_softmax celu elu leaky_relu hard_shrink soft_shrink squareplus threshold logsumexp
""".split()
MORE_CALLS = """
softmax(A)
softmax(E, axis=0)
softmax(E)
log_softmax(A)
log_softmax(E, axis=0)
append(A, B)
inner(A, B)
kron(A, B)
outer(V, W)
vdot(A, B)
isin(A, B)
allclose(A, B)
clip(A, -1, 1)
clip(A, 0, 300)
append(E, E)
take_along_axis(A, argpartition(A, 2), axis=1)[:, 2]
take(A, argpartition(A, 2, axis=None)[2])
pinv(Q)
svd(Q, compute_uv=False)
nanquantile(E, 0.3, axis=0)
nanpercentile(E, 10.0, axis=0, keepdims=True)
median(E, axis=[0])
corrcoef(A)
cov(A)
column_stack([A, B])
column_stack([V, W])
column_stack([E, E])
fliplr(A)
fliplr(E)
flipud(A)
flipud(E)
ndim(E)
ndim(N)
argsort(N)
array_split(E, 2, axis=1)
broadcast_to(E, (2, 0, 4))
clip(E, 0, 1)
clip(N, -1, 1)
concatenate([E, E], axis=0)
diag(ravel(E))
diff(E, axis=1)
dot(transpose(E), E)
dstack([E, E])
einsum("ij,kj->ik", E, A)
expand_dims(E, 1)
expand_dims(N, 0)
flip(E)
flip(N)
hstack([E, A[:0]])
inner(E, A)
isin(E, A)
isin(A, E)
kron(E, A)
matmul(E, transpose(A))
matmul(transpose(E), E)
meshgrid(ravel(E), V)
moveaxis(E, 0, 1)
nonzero(E)
outer(E, V)
pad(E, 1)
ravel(N)
repeat(E, 2, axis=1)
repeat(N, 3)
reshape(E, (4, 0))
reshape(N, (1, 1))
roll(E, 1)
roll(N, 1)
searchsorted(S, E)
searchsorted(E[:, 0], V)
size(E)
size(N)
sort(E)
sort(E, axis=0)
split(E, 2, axis=1)
squeeze(E[None])
stack([E, E])
stack([N, N])
take(A, I[:0])
take_along_axis(A, I[:0] % 3, axis=0)
tensordot(E, E, 2)
tensordot(N, A, 0)
tile(E, (2, 2))
tile(N, (2, 2))
trace(A[:0])
transpose(E)
transpose(N)
tril(E)
trapezoid(E)
trapezoid(E, axis=0)
unique(E)
vander(ravel(E), 3)
vdot(E, E)
vstack([E, A])
where(E > 0, E, 1.0)
where(M, N, A)
where(N > 0, A, B)
"""
BY_VALUE = ("bincount(", "histogram(", "nonzero(", "unique(", "where(Z)")  # the shape of the result depends on values
SKIPPED = {
    "bincount(J, minlength=6)": "Keras counts each row by itself",
    "argpartition(A, 2)[:, 2]": "which of equal elements is first is left open: their values are compared instead",
    "argpartition(A, 2, axis=None)[2]": "the same",
    "min(A, initial=-10.0)": "unsigned integers do not have it",
    "svd(A, compute_uv=False)": "singular",
    "pinv(A)": "singular",
}

_no_bool = Row((*INTEGERS, *FLOATS), why="Keras raises for booleans, too")
_quotient = Row((*INTEGERS, *FLOATS), why="XLA makes 0 of False divided by a scalar zero")
_bits = Row(("bool", *INTEGERS), why="floating-point numbers are refused")
_division = Row(y=_divisor, why="XLA leaves open what a whole number divided by zero is")

_sum = Row(x=_small, absolute=0.1, why="large integers cancel")
_matrix = Row(("float32",), absolute=1, x=_finite, why="solvers of LAPACK")
_quantile = Row(
    (*INTEGERS, *FLOATS), x=_no_infinity, scale=0.1, why="between two elements, and infinities, which NumPy subtracts"
)

ROWS: dict[str, Row] = {
    "average": _sum,
    "blackman": Row(absolute=0.1, why="its ends are zero"),
    "corrcoef": Row(("float32",), absolute=1, x=_finite, why="zero where rows are unrelated"),
    "correlate": Row(x=_finite, why="zeros are put around, and multiplied"),
    "cov": Row(("float32",), absolute=1, x=_finite, why="differences from the mean cancel"),
    "cross": _no_bool,
    "det": _matrix,
    "inv": _matrix,
    "log_softmax": Row(absolute=0.2, why="a logarithm near one"),
    "logsumexp": Row(absolute=0.2, why="a maximum and a logarithm cancel"),
    "matrix_rank": _matrix,
    "mean": _sum,
    "nanmean": _sum,
    "nanpercentile": _quantile,
    "nanquantile": _quantile,
    "nanstd": _sum,
    "nanvar": _sum,
    "percentile": _quantile,
    "pinv": _matrix,
    "quantile": _quantile,
    "slogdet": _matrix,
    "solve": _matrix,
    "std": _sum,
    "svd": _matrix,
    "tensordot": Row(x=_finite, why="the library behind NumPy leaves zeros out"),
    "trapezoid": Row(x=_finite, why="half of the ends is subtracted from the sum: infinite minus infinite"),
    "vander": _no_bool,
    "var": _sum,
    "view": Row((*INTEGERS, *FLOATS), native=True, why="reads bits"),
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
    "kron": _no_bool,
    "lcm": Row(INTEGERS, why="whole numbers only"),
    "left_shift": _bits,
    "logaddexp": Row(absolute=0.2, why="two logarithms cancel"),
    "logaddexp2": Row(absolute=0.2, why="two logarithms cancel"),
    "negative": _no_bool,
    "nextafter": Row(FLOATS, native=True, why="the neighbour depends on the dtype"),
    "power": Row(y=_exponent, why="whole numbers have no negative powers; beyond 63 all overflow"),
    "right_shift": _bits,
    "round": _no_bool,
    "sign": _no_bool,
    "saturate_cast": Row(x=_no_nan, why="no integer stands for NaN"),
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


def _log_softmax(x, axis=-1):
    x = x - x.max(axis, keepdims=True, initial=-np.inf)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def _multiply(x, y):
    """As `jax.numpy`: a boolean keeps or drops a floating-point number, even a NaN."""
    for flag, number in ((x, y), (y, x)):
        if flag.dtype == bool and number.dtype.kind == "f":
            return np.where(flag, number, 0.0)
    return x * y


def _nan_index(find, filler):
    """As `jax.numpy`: -1 where all are NaN; NumPy raises."""

    def call(x, axis=None, keepdims=False):
        missing = np.isnan(x)
        index = find(np.where(missing, filler, x), axis=axis, keepdims=keepdims)
        return np.where(missing.all(axis=axis, keepdims=keepdims), -1, index)

    return call


def _average(x, axis=None, weights=None):
    """Without NumPy's refusal of weights that sum to zero."""
    return np.mean(x, axis) if weights is None else (x * weights).sum(axis) / weights.sum()


def _saturated(x, dtype):
    if dtype == "bool":
        return x > 0
    limits = np.iinfo(dtype)
    return np.clip(np.trunc(x), limits.min, limits.max)


COUNTERPARTS = {
    "cast": lambda x, dtype: x != 0 if dtype == "bool" else x,
    "saturate_cast": _saturated,
    "argsort": lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
    "average": _average,
    "view": lambda x, dtype: x.view(dtype),
    "get_item": lambda x, key: x[key],
    "nan_to_num": lambda x, nan=0.0, posinf=None, neginf=None: np.nan_to_num(x, True, nan, posinf, neginf),
    "logsumexp": special.logsumexp,
    "nanargmax": _nan_index(np.argmax, -np.inf),
    "nanargmin": _nan_index(np.argmin, np.inf),
    "multiply": _multiply,
    "divide_no_nan": lambda x, y: np.where(y == 0, 0, np.divide(x, np.where(y == 0, 1, y))),
    "celu": lambda x, alpha=1.0: _elu(x / alpha, alpha=1.0) * alpha,
    "elu": _elu,
    "gelu": _gelu,
    "hard_shrink": lambda x, threshold=0.5: np.where(np.abs(x) > threshold, x, 0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x),
    "hard_swish": lambda x: x * _hard_sigmoid(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "leaky_relu": lambda x, negative_slope=0.2: np.where(x > 0, x, negative_slope * x),
    "softmax": lambda x, axis=-1: np.exp(_log_softmax(x, axis)),
    "log_softmax": _log_softmax,
    "threshold": lambda x, threshold, default: np.where(x > threshold, x, default),
    "log_sigmoid": special.log_expit,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "sigmoid": special.expit,
    "silu": lambda x: x * special.expit(x),
    "swish": lambda x: x * special.expit(x),
    "soft_shrink": lambda x, threshold=0.5: np.where(np.abs(x) > threshold, x - threshold * np.sign(x), 0),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, 0.25 * (x + 1) ** 2)),
    "sparse_sigmoid": lambda x: np.clip(0.5 * (x + 1), 0, 1),
    "squareplus": lambda x, b=4: (x + np.sqrt(x * x + b)) / 2,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}

# Ops of the NumPy namespace that the tables do not have.
LEFT_OUT = {
    "empty": "its values do not matter",
    "empty_like": "its values do not matter",
}
