"""Keras's NumPy namespace: mostly `jax.numpy` under Keras's parameter names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.ops._activation import tanh as tanh
from jaxkeras.ops._numpy import _meshgrid as _meshgrid  # what a graph holds
from jaxkeras.ops._numpy import argpartition as argpartition
from jaxkeras.ops._numpy import argsort as argsort
from jaxkeras.ops._numpy import average as average
from jaxkeras.ops._numpy import bincount as bincount
from jaxkeras.ops._numpy import clip as clip
from jaxkeras.ops._numpy import divide_no_nan as divide_no_nan
from jaxkeras.ops._numpy import einsum as einsum
from jaxkeras.ops._numpy import fabs as fabs
from jaxkeras.ops._numpy import get_item as get_item
from jaxkeras.ops._numpy import histogram as histogram
from jaxkeras.ops._numpy import ldexp as ldexp
from jaxkeras.ops._numpy import matmul as matmul
from jaxkeras.ops._numpy import meshgrid as meshgrid
from jaxkeras.ops._numpy import ndim as ndim
from jaxkeras.ops._numpy import pad as pad
from jaxkeras.ops._numpy import round as round
from jaxkeras.ops._numpy import searchsorted as searchsorted
from jaxkeras.ops._numpy import select as select
from jaxkeras.ops._numpy import slogdet as slogdet
from jaxkeras.ops._numpy import trapezoid as trapezoid
from jaxkeras.ops._numpy import unique as unique
from jaxkeras.ops._numpy import vectorize as vectorize
from jaxkeras.ops._numpy import view as view
from jaxkeras.ops._numpy import where as where
from jaxkeras.ops._row import REQUIRED, as_array, floatx_by_default, in_float32, inexact, row, unsigned

# -- elementwise, one array -----------------------------------------------------------------------------------------
abs = absolute = row(jnp.absolute, "x", "Absolute value.")
angle = row(inexact(jnp.angle), "x", "Angle of a complex number, in radians.")
arccos = row(inexact(jnp.arccos), "x", "Inverse cosine.")
arccosh = row(inexact(jnp.arccosh), "x", "Inverse hyperbolic cosine.")
arcsin = row(inexact(jnp.arcsin), "x", "Inverse sine.")
arcsinh = row(inexact(jnp.arcsinh), "x", "Inverse hyperbolic sine.")
arctan = row(inexact(jnp.arctan), "x", "Inverse tangent.")
arctanh = row(inexact(jnp.arctanh), "x", "Inverse hyperbolic tangent.")
bitwise_invert = bitwise_not = row(jnp.bitwise_invert, "x", "Every bit flipped.")
cbrt = row(inexact(jnp.cbrt), "x", "Cube root.")
ceil = row(inexact(jnp.ceil), "x", "Smallest whole number that is not below.")
conj = conjugate = row(jnp.conjugate, "x", "Complex conjugate.")
copy = row(jnp.copy, "x", "A copy.")
cos = row(inexact(jnp.cos), "x", "Cosine.")
cosh = row(inexact(jnp.cosh), "x", "Hyperbolic cosine.")
deg2rad = row(inexact(jnp.deg2rad), "x", "Degrees as radians.")
exp = row(inexact(jnp.exp), "x", "Exponential function.")
exp2 = row(inexact(in_float32(jnp.exp2)), "x", "Two to the power of the elements.")
expm1 = row(inexact(jnp.expm1), "x", "`exp(x) - 1`, accurate near zero.")
floor = row(inexact(jnp.floor), "x", "Largest whole number that is not above.")
i0 = row(inexact(jnp.i0), "x", "Modified Bessel function of the first kind, order 0.")
imag = row(jnp.imag, "x", "Imaginary part.")
isfinite = row(jnp.isfinite, "x", "True where neither infinite nor NaN.")
isinf = row(jnp.isinf, "x", "True where infinite.")
isnan = row(jnp.isnan, "x", "True where NaN.")
isneginf = row(jnp.isneginf, "x", "True where minus infinity.")
isposinf = row(jnp.isposinf, "x", "True where plus infinity.")
isreal = row(jnp.isreal, "x", "True where the imaginary part is zero.")
log = row(inexact(jnp.log), "x", "Natural logarithm.")
log10 = row(inexact(jnp.log10), "x", "Logarithm to base 10.")
log1p = row(inexact(jnp.log1p), "x", "`log(1 + x)`, accurate near zero.")
log2 = row(inexact(jnp.log2), "x", "Logarithm to base 2.")
logical_not = row(jnp.logical_not, "x", "True where false.")
nan_to_num = row(
    jnp.nan_to_num, "x", "NaN and infinities replaced by finite numbers.", nan=0.0, posinf=None, neginf=None
)
negative = row(jnp.negative, "x", "The elements with their signs changed.")
rad2deg = row(inexact(jnp.rad2deg), "x", "Radians as degrees.")
real = row(jnp.real, "x", "Real part.")
reciprocal = row(jnp.reciprocal, "x", "One divided by the elements.")
sign = row(jnp.sign, "x", "-1, 0 or 1, by sign.")
signbit = row(jnp.signbit, "x", "True where the sign bit is set.")
sin = row(inexact(jnp.sin), "x", "Sine.")
sinc = row(inexact(in_float32(jnp.sinc)), "x", "`sin(pi x) / (pi x)`.")
sinh = row(inexact(jnp.sinh), "x", "Hyperbolic sine.")
sqrt = row(inexact(jnp.sqrt), "x", "Square root.")
square = row(jnp.square, "x", "The elements times themselves.")
tan = row(inexact(jnp.tan), "x", "Tangent.")
trunc = row(jnp.trunc, "x", "The whole part, rounding towards zero.")

# -- elementwise, two arrays ----------------------------------------------------------------------------------------
add = row(jnp.add, "x1 x2", "Sum of two arrays.")
arctan2 = row(jnp.arctan2, "x1 x2", "Angle of the point `(x2, x1)`, in radians.")
bitwise_and = row(jnp.bitwise_and, "x y", "Bitwise and.")
bitwise_left_shift = left_shift = row(jnp.left_shift, "x y", "Bits moved to the left by `y` places.")
bitwise_or = row(jnp.bitwise_or, "x y", "Bitwise or.")
bitwise_right_shift = right_shift = row(jnp.right_shift, "x y", "Bits moved to the right by `y` places.")
bitwise_xor = row(jnp.bitwise_xor, "x y", "Bitwise exclusive or.")
divide = true_divide = row(jnp.divide, "x1 x2", "Quotient of two arrays.")
equal = row(jnp.equal, "x1 x2", "True where equal.")
floor_divide = row(jnp.floor_divide, "x1 x2", "Quotient of two arrays, rounded down.")
fmax = row(jnp.fmax, "x1 x2", "The larger of two elements, the other one where one is NaN.")
fmin = row(jnp.fmin, "x1 x2", "The smaller of two elements, the other one where one is NaN.")
fmod = row(jnp.fmod, "x1 x2", "Remainder of a division, with the sign of `x1`.")
gcd = row(unsigned(jnp.gcd), "x1 x2", "Greatest common divisor.")
greater = row(jnp.greater, "x1 x2", "True where `x1 > x2`.")
greater_equal = row(jnp.greater_equal, "x1 x2", "True where `x1 >= x2`.")
heaviside = row(jnp.heaviside, "x1 x2", "0 where `x1` is negative, 1 where positive, `x2` where zero.")
hypot = row(jnp.hypot, "x1 x2", "Square root of the sum of the squares.")
isclose = row(jnp.isclose, "x1 x2", "True where equal within a tolerance.", rtol=1e-5, atol=1e-8, equal_nan=False)
lcm = row(unsigned(jnp.lcm), "x1 x2", "Least common multiple.")
less = row(jnp.less, "x1 x2", "True where `x1 < x2`.")
less_equal = row(jnp.less_equal, "x1 x2", "True where `x1 <= x2`.")
logaddexp = row(jnp.logaddexp, "x1 x2", "`log(exp(x1) + exp(x2))`, without overflow.")
logaddexp2 = row(jnp.logaddexp2, "x1 x2", "`log2(2**x1 + 2**x2)`, without overflow.")
logical_and = row(jnp.logical_and, "x1 x2", "True where both are true.")
logical_or = row(jnp.logical_or, "x1 x2", "True where at least one is true.")
logical_xor = row(jnp.logical_xor, "x1 x2", "True where exactly one is true.")
maximum = row(jnp.maximum, "x1 x2", "The larger of two elements.")
minimum = row(jnp.minimum, "x1 x2", "The smaller of two elements.")
mod = row(jnp.mod, "x1 x2", "Remainder of a division, with the sign of `x2`.")
multiply = row(jnp.multiply, "x1 x2", "Product of two arrays.")
nextafter = row(jnp.nextafter, "x1 x2", "The next floating-point number after `x1` towards `x2`.")
not_equal = row(jnp.not_equal, "x1 x2", "True where different.")
power = row(jnp.power, "x1 x2", "`x1` to the power of `x2`.")
subtract = row(jnp.subtract, "x1 x2", "Difference of two arrays.")

# -- reductions -----------------------------------------------------------------------------------------------------
all = row(jnp.all, "x", "Whether all elements are true.", axis=None, keepdims=False)
allclose = row(
    jnp.allclose, "x1 x2", "Whether all elements are equal within a tolerance.", rtol=1e-5, atol=1e-8, equal_nan=False
)
amax = row(jnp.amax, "x", "Largest element.", axis=None, keepdims=False)
amin = row(jnp.amin, "x", "Smallest element.", axis=None, keepdims=False)
any = row(jnp.any, "x", "Whether some element is true.", axis=None, keepdims=False)
argmax = row(jnp.argmax, "x", "Index of the largest element.", axis=None, keepdims=False)
argmin = row(jnp.argmin, "x", "Index of the smallest element.", axis=None, keepdims=False)
count_nonzero = row(jnp.count_nonzero, "x", "Number of elements that are not zero.", axis=None)
max = row(jnp.max, "x", "Largest element.", axis=None, keepdims=False, initial=None)
mean = row(jnp.mean, "x", "Arithmetic mean.", axis=None, keepdims=False)
min = row(jnp.min, "x", "Smallest element.", axis=None, keepdims=False, initial=None)
nanargmax = row(jnp.nanargmax, "x", "Index of the largest element that is not NaN.", axis=None, keepdims=False)
nanargmin = row(jnp.nanargmin, "x", "Index of the smallest element that is not NaN.", axis=None, keepdims=False)
nanmax = row(jnp.nanmax, "x", "Largest element that is not NaN.", axis=None, keepdims=False)
nanmean = row(jnp.nanmean, "x", "Mean of the elements that are not NaN.", axis=None, keepdims=False)
nanmin = row(jnp.nanmin, "x", "Smallest element that is not NaN.", axis=None, keepdims=False)
nanprod = row(jnp.nanprod, "x", "Product of the elements that are not NaN.", axis=None, keepdims=False)
nanstd = row(jnp.nanstd, "x", "Standard deviation of the elements that are not NaN.", axis=None, keepdims=False)
nansum = row(jnp.nansum, "x", "Sum of the elements that are not NaN.", axis=None, keepdims=False)
nanvar = row(jnp.nanvar, "x", "Variance of the elements that are not NaN.", axis=None, keepdims=False)
prod = row(jnp.prod, "x", "Product of the elements.", axis=None, keepdims=False, dtype=None)
ptp = row(jnp.ptp, "x", "Largest minus smallest element.", axis=None, keepdims=False)
size = row(jnp.size, "x", "Number of elements.")
std = row(jnp.std, "x", "Standard deviation.", axis=None, keepdims=False)
sum = row(jnp.sum, "x", "Sum of the elements.", axis=None, keepdims=False)
trace = row(jnp.trace, "x", "Sum of a diagonal.", offset=0, axis1=0, axis2=1)
var = row(jnp.var, "x", "Variance.", axis=None, keepdims=False)


def _order_statistic(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with a setting `axis` that may be a list, and NaN for what has no elements."""

    def call(x: Any, *args: Any, axis: Any = None, **kwargs: Any) -> Any:
        x, axis = as_array(x), tuple(axis) if isinstance(axis, list) else axis
        if not x.size:
            axes = np.atleast_1d(np.arange(x.ndim) if axis is None else axis) % x.ndim
            shape = [n or 1 if i in axes else n for i, n in enumerate(x.shape)]
            x = jnp.full(shape, jnp.nan, x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else config.floatx())
        return function(x, *args, axis=axis, **kwargs)

    call.__name__, call.__module__ = function.__name__, function.__module__
    return call


_QUANTILE: dict[str, Any] = {"axis": None, "method": "linear", "keepdims": False}
median = row(_order_statistic(jnp.median), "x", "Median.", axis=None, keepdims=False)
nanmedian = row(
    _order_statistic(jnp.nanmedian), "x", "Median of the elements that are not NaN.", axis=None, keepdims=False
)
nanpercentile = row(_order_statistic(jnp.nanpercentile), "x q", "Percentile of what is not NaN.", **_QUANTILE)
nanquantile = row(_order_statistic(jnp.nanquantile), "x q", "Quantile of what is not NaN.", **_QUANTILE)
percentile = row(_order_statistic(jnp.percentile), "x q", "Percentile: `q` between 0 and 100.", **_QUANTILE)
quantile = row(_order_statistic(jnp.quantile), "x q", "Quantile: `q` between 0 and 1.", **_QUANTILE)

# -- along an axis --------------------------------------------------------------------------------------------------
append = row(jnp.append, "x1 x2", "`x2` put behind `x1`.", axis=None)
array_split = row(jnp.array_split, "x", "Cut into parts of nearly equal size.", indices_or_sections=REQUIRED, axis=0)
concatenate = row(jnp.concatenate, "xs*", "Arrays put one behind another.", axis=0)
cumprod = row(jnp.cumprod, "x", "Product of all elements so far.", axis=None, dtype=None)
cumsum = row(jnp.cumsum, "x", "Sum of all elements so far.", axis=None, dtype=None)
diff = row(jnp.diff, "a", "Differences of neighbours, `n` times.", n=1, axis=-1)
dsplit = row(jnp.dsplit, "x", "Cut along the third axis.", indices_or_sections=REQUIRED)
dstack = row(jnp.dstack, "xs*", "Stack along the third axis.")
flip = row(jnp.flip, "x", "The elements in reverse order.", axis=None)
fliplr = row(jnp.fliplr, "x", "The second axis reversed.")
flipud = row(jnp.flipud, "x", "The first axis reversed.")
hsplit = row(jnp.hsplit, "x", "Cut along the second axis.", indices_or_sections=REQUIRED)
hstack = row(jnp.hstack, "xs*", "Put side by side, along the second axis.")
nancumprod = row(jnp.nancumprod, "x", "Product of all elements so far, NaN counting as 1.", axis=None, dtype=None)
nancumsum = row(jnp.nancumsum, "x", "Sum of all elements so far, NaN counting as 0.", axis=None, dtype=None)
repeat = row(jnp.repeat, "x", "Every element several times.", repeats=REQUIRED, axis=None)
roll = row(jnp.roll, "x", "Elements moved along, those pushed out coming back in front.", shift=REQUIRED, axis=None)
sort = row(jnp.sort, "x", "The elements in increasing order.", axis=-1)
split = row(jnp.split, "x", "Cut into parts.", indices_or_sections=REQUIRED, axis=0)
stack = row(jnp.stack, "x*", "Arrays put together along a new axis.", axis=0)
take = row(jnp.take, "x indices", "The elements at indices.", axis=None)
take_along_axis = row(jnp.take_along_axis, "x indices", "From each line of the array, its indices.", axis=None)
vsplit = row(jnp.vsplit, "x", "Cut along the first axis.", indices_or_sections=REQUIRED)
vstack = row(jnp.vstack, "xs*", "Put one below another, along the first axis.")

# -- shape ----------------------------------------------------------------------------------------------------------
broadcast_to = row(jnp.broadcast_to, "x", "Repeat along axes of size 1 up to a shape.", shape=REQUIRED)
diag = row(jnp.diag, "x", "The diagonal of a matrix, or the matrix with a diagonal.", k=0)
diagflat = row(jnp.diagflat, "x", "A matrix whose diagonal holds all elements.", k=0)
diagonal = row(jnp.diagonal, "x", "A diagonal.", offset=0, axis1=0, axis2=1)
expand_dims = row(jnp.expand_dims, "x", "Insert axes of size 1.", axis=REQUIRED)
moveaxis = row(jnp.moveaxis, "x", "Move axes to other places.", source=REQUIRED, destination=REQUIRED)
ravel = row(jnp.ravel, "x", "All elements in one axis.")
reshape = row(
    lambda x, newshape: jnp.reshape(x, newshape), "x", "The same elements in another shape.",
    name="reshape", newshape=REQUIRED,
)  # fmt: skip
rot90 = row(jnp.rot90, "array", "Turn by quarters in the plane of two axes.", k=1, axes=(0, 1))
squeeze = row(jnp.squeeze, "x", "Remove axes of size 1.", axis=None)
swapaxes = row(jnp.swapaxes, "x", "Exchange two axes.", axis1=REQUIRED, axis2=REQUIRED)
tile = row(lambda x, repeats: jnp.tile(x, repeats), "x", "The array repeated whole.", name="tile", repeats=REQUIRED)
transpose = row(jnp.transpose, "x", "Axes permuted, reversed by default.", axes=None)
tril = row(jnp.tril, "x", "The lower triangle, zeros above.", k=0)
triu = row(jnp.triu, "x", "The upper triangle, zeros below.", k=0)

# -- products -------------------------------------------------------------------------------------------------------
correlate = row(jnp.correlate, "x1 x2", "Cross-correlation of two vectors.", mode="valid")
corrcoef = row(jnp.corrcoef, "x", "Correlation coefficients of the rows.")
cross = row(jnp.cross, "x1 x2", "Vector product.", axisa=-1, axisb=-1, axisc=-1, axis=None)
dot = row(jnp.dot, "x1 x2", "Sum of products over the last axis of `x1` and the last but one of `x2`.")
inner = row(jnp.inner, "x1 x2", "Sum of products over the last axes.")
kron = row(jnp.kron, "x1 x2", "Kronecker product.")
outer = row(jnp.outer, "x1 x2", "All products of an element of one and an element of the other.")
tensordot = row(jnp.tensordot, "x1 x2", "Sum of products over given axes.", axes=2)
vander = row(jnp.vander, "x", "Matrix of the powers of a vector.", N=None, increasing=False)
vdot = row(jnp.vdot, "x1 x2", "Sum of the products of all elements, the first conjugated.")

# -- making arrays --------------------------------------------------------------------------------------------------
arange = row(jnp.arange, "", "Evenly spaced values from a step.", start=REQUIRED, stop=None, step=None, dtype=None)
array = row(as_array, "x", "An array of anything array-like.", name="array", dtype=None)
empty = row(floatx_by_default(jnp.empty), "", "An array whose values do not matter.", shape=REQUIRED, dtype=None)
empty_like = row(jnp.empty_like, "x", "An array like another, whose values do not matter.", dtype=None)
eye = row(floatx_by_default(jnp.eye), "", "Ones on a diagonal, zeros elsewhere.", N=REQUIRED, M=None, k=0, dtype=None)
full = row(floatx_by_default(jnp.full), "", "One value everywhere.", shape=REQUIRED, fill_value=REQUIRED, dtype=None)
full_like = row(jnp.full_like, "x", "One value everywhere, shaped like another array.", fill_value=REQUIRED, dtype=None)
geomspace = row(
    jnp.geomspace, "start stop", "Values spaced evenly on a log scale.", num=50, endpoint=True, dtype=None, axis=0
)
identity = row(floatx_by_default(jnp.identity), "", "The identity matrix.", n=REQUIRED, dtype=None)
linspace = row(
    jnp.linspace, "start stop", "Evenly spaced values from a count.",
    num=50, endpoint=True, retstep=False, dtype=None, axis=0,
)  # fmt: skip
logspace = row(
    jnp.logspace, "start stop", "Powers of a base at evenly spaced exponents.",
    num=50, endpoint=True, base=10, dtype=None, axis=0,
)  # fmt: skip
ones = row(floatx_by_default(jnp.ones), "", "All ones.", shape=REQUIRED, dtype=None)
ones_like = row(jnp.ones_like, "x", "Ones shaped like another array.", dtype=None)
tri = row(
    floatx_by_default(jnp.tri), "", "Ones on and below a diagonal, zeros above.", N=REQUIRED, M=None, k=0, dtype=None
)
zeros = row(floatx_by_default(jnp.zeros), "", "All zeros.", shape=REQUIRED, dtype=None)
zeros_like = row(jnp.zeros_like, "x", "Zeros shaped like another array.", dtype=None)


def _window(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    def call(x: Any, **settings: Any) -> jax.Array:
        return function(int(x), **settings).astype(config.floatx())

    call.__name__, call.__module__ = function.__name__, function.__module__
    return call


bartlett = row(_window(jnp.bartlett), "x", "Bartlett window of `x` points.")
blackman = row(_window(jnp.blackman), "x", "Blackman window of `x` points.")
hamming = row(_window(jnp.hamming), "x", "Hamming window of `x` points.")
hanning = row(_window(jnp.hanning), "x", "Hann window of `x` points.")
kaiser = row(_window(jnp.kaiser), "x", "Kaiser window of `x` points.", beta=REQUIRED)

# -- searching ------------------------------------------------------------------------------------------------------
digitize = row(jnp.digitize, "x bins", "Index of the bin that an element falls into.")
isin = row(jnp.isin, "x1 x2", "True where an element of `x1` is in `x2`.", assume_unique=False, invert=False)
nonzero = row(jnp.nonzero, "x", "Indices of the elements that are not zero, one array for each axis.")
unravel_index = row(jnp.unravel_index, "indices", "Flat indices as one index for each axis.", shape=REQUIRED)
