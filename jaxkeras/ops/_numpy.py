"""Ops of Keras's NumPy namespace that differ from `jax.numpy` in more than names."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.core import config
from jaxkeras.core.dtypes import is_int_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.ops._row import as_array, tensor


def ndim(x: Any) -> int:
    """Number of axes.

    Args:
        x: array or KerasTensor.

    Example:

    >>> ndim([[1, 2]])
    2
    """
    return x.ndim if hasattr(x, "ndim") else jnp.ndim(tensor(x))


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: str | None = None) -> Callable[..., Any]:
    """Turn a function of scalars into one of arrays.

    Args:
        pyfunc: the function.
        excluded: positions or names of arguments that are passed as they are.
        signature: core dimensions such as `"(n),(n)->()"`; see `jax.numpy.vectorize`.

    Returns:
        A function of arrays that broadcast.

    Raises:
        ValueError: for something that cannot be called.
    """
    if not callable(pyfunc):
        raise ValueError(f"`pyfunc` must be a function, got {pyfunc!r}.")
    return jnp.vectorize(pyfunc, excluded=excluded or set(), signature=signature)


@op
def argpartition(x: Any, kth: int, axis: int | None = -1) -> jax.Array:
    """Indices that put the `kth` element in its sorted place, smaller ones before it and larger ones behind.

    Args:
        x: array.
        kth: place.
        axis: along which; None for all elements.
    """
    x = as_array(x)
    if x.dtype == bool:
        x = x.astype("uint8")
    elif jnp.issubdtype(x.dtype, jnp.signedinteger):  # JAX negates, and the most negative integer stays what it is
        x = (x ^ jnp.iinfo(x.dtype).min).view(f"u{x.dtype.name}")
    return jnp.argpartition(x.ravel(), kth) if axis is None else jnp.argpartition(x, kth, axis=axis)


@op
def argsort(x: Any, axis: int | None = -1) -> jax.Array:
    """Indices that sort.

    Args:
        x: array.
        axis: along which; None for all elements.
    """
    x = as_array(x)
    return jnp.argsort(x, axis=axis if x.ndim else None)


@op
def average(x: Any, axis: Any = None, weights: Any = None) -> jax.Array:
    """Mean of elements that count differently.

    Args:
        x: array.
        axis: along which; None for all elements.
        weights: array of the shape of `x`, or of its size along `axis`.
    """
    return jnp.average(as_array(x), axis=axis, weights=None if weights is None else as_array(weights))


@op
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> jax.Array:
    """How often each non-negative integer occurs.

    Args:
        x: integers of shape `(n,)`, or `(rows, n)` to count each row by itself.
        weights: what each occurrence counts; 1 by default.
        minlength: least length of the result. Under `jit`, where values are unknown, its length; larger values
            are not counted then.
        sparse: kept for compatibility; must be False.

    Returns:
        Counts of shape `(length,)` or `(rows, length)`.
    """
    if sparse:
        raise ValueError("Sparse arrays are not supported; use `sparse=False`.")
    x = as_array(x)
    traced = isinstance(x, Tracer)
    length = minlength if traced or not x.size else builtins.max(minlength, int(x.max()) + 1)
    if traced and not minlength:
        raise ValueError("Under jit the length of the result cannot depend on values: give `bincount` a `minlength`.")
    weights = None if weights is None else as_array(weights)
    if x.ndim == 1:
        return jnp.bincount(x, weights, length=length)
    return jax.vmap(lambda row, w: jnp.bincount(row, w, length=length))(x, weights)


def _within(limit: Any, dtype: Any) -> Any:
    """A limit, where it is a Python integer that the integers of a dtype do not reach: it would wrap around."""
    if not isinstance(limit, int) or not is_int_dtype(dtype):
        return tensor(limit)
    return builtins.min(builtins.max(limit, jnp.iinfo(dtype).min), jnp.iinfo(dtype).max)


@op
def clip(x: Any, x_min: Any, x_max: Any) -> jax.Array:
    """Limit values to an interval.

    Args:
        x: array.
        x_min: lower limit.
        x_max: upper limit.

    Example:

    >>> clip([1, 5, 9], 2, 6).tolist()
    [2, 5, 6]
    """
    x = as_array(x)
    x = x.astype("int32") if x.dtype == bool else x
    return jnp.clip(x, _within(x_min, x.dtype), _within(x_max, x.dtype))


@op
def divide_no_nan(x1: Any, x2: Any) -> jax.Array:
    """Quotient of two arrays, 0 where `x2` is 0.

    Args:
        x1: array.
        x2: array.
    """
    x1, x2 = as_array(x1), as_array(x2)
    return jnp.where(x2 == 0, 0, jnp.divide(x1, jnp.where(x2 == 0, 1, x2)))


def _accumulator(*operands: Any) -> str | None:
    """Products of 8-bit integers are summed in 32 bits."""
    return "int32" if builtins.all(getattr(x, "dtype", None) == "int8" for x in operands) else None


@op
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> jax.Array:
    """Sum of products in Einstein's notation.

    Args:
        subscripts: such as `"ij,jk->ik"`.
        *operands: arrays.
        **kwargs: passed to `jax.numpy.einsum`.

    Example:

    >>> einsum("i,i->", [1, 2], [3, 4])
    Array(11, dtype=int32)
    """
    operands = tuple(tensor(x) for x in operands)
    return jnp.einsum(subscripts, *operands, **{"preferred_element_type": _accumulator(*operands), **kwargs})


@op
def fabs(x: Any) -> jax.Array:
    """Absolute value as a floating-point number.

    Args:
        x: real array.

    Raises:
        TypeError: for complex numbers.
    """
    x = as_array(x)
    if jnp.iscomplexobj(x):
        raise TypeError(f"`fabs` takes real numbers, got dtype {x.dtype}. Use `abs`.")
    return jnp.fabs(x)


@op
def get_item(x: Any, key: Any) -> Any:
    """`x[key]`.

    Args:
        x: array.
        key: index, slice, array or a tuple of these.
    """
    return as_array(x)[key]


@op
def histogram(x: Any, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[jax.Array, jax.Array]:
    """Counts of values in bins of equal width.

    Args:
        x: vector.
        bins: number of bins.
        range: lower and upper end; smallest and largest value by default.

    Returns:
        `(counts, edges)`, of lengths `bins` and `bins + 1`.

    Raises:
        TypeError: for `bins` that is not an integer.
        ValueError: for a range that is not an interval, or `x` that is not a vector.
    """
    if not isinstance(bins, int):
        raise TypeError(f"`bins` must be an integer, got {bins!r}.")
    if bins < 0 or (range and (len(range) != 2 or range[1] < range[0])):
        raise ValueError(f"Expected bins >= 0 and range=(low, high), got bins={bins} and range={range}.")
    x = as_array(x)
    if x.ndim > 1:
        raise ValueError(f"`histogram` takes a vector, got shape {x.shape}.")
    return jnp.histogram(x, bins=bins, range=range)


@op
def ldexp(x1: Any, x2: Any) -> jax.Array:
    """`x1 * 2**x2`.

    Args:
        x1: array.
        x2: integers.

    Raises:
        TypeError: for `x2` that is not of an integer type.
    """
    x1, x2 = as_array(x1), as_array(x2)
    if not is_int_dtype(x2.dtype):
        raise TypeError(f"The exponent `x2` of `ldexp` must be of an integer dtype, got {x2.dtype}.")
    return jnp.ldexp(x1, x2)


@op
def matmul(x1: Any, x2: Any) -> jax.Array:
    """Matrix product over the last two axes, leading ones broadcasting.

    Args:
        x1: array of shape `(..., m, n)`.
        x2: array of shape `(..., n, k)`.

    Returns:
        Array of shape `(..., m, k)`.
    """
    x1, x2 = tensor(x1), tensor(x2)
    return jnp.matmul(x1, x2, preferred_element_type=_accumulator(x1, x2))


def meshgrid(*x: Any, indexing: str = "xy") -> list[jax.Array]:
    """Coordinate arrays of a grid.

    Args:
        *x: vectors.
        indexing: `"xy"` (the first two axes exchanged) or `"ij"`.
    """
    return _meshgrid(x, indexing)


@op(name="meshgrid")
def _meshgrid(x: Sequence[Any], indexing: str) -> list[jax.Array]:
    return jnp.meshgrid(*(tensor(v) for v in x), indexing=indexing)


@op
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> jax.Array:
    """Enlarge at the ends of axes.

    Args:
        x: array.
        pad_width: `((before, after), ...)` for each axis, one such pair, or one number, for all axes.
        mode: `"constant"`, `"reflect"`, `"symmetric"`, `"edge"`, `"wrap"` or another of `jax.numpy.pad`.
        constant_values: the value for `"constant"`; 0 by default.

    Raises:
        ValueError: for `constant_values` with another mode.
    """
    if constant_values is None:
        return jnp.pad(as_array(x), pad_width, mode=mode)
    if mode != "constant":
        raise ValueError(f"`constant_values` goes with mode='constant', got mode={mode!r}.")
    return jnp.pad(as_array(x), pad_width, mode=mode, constant_values=constant_values)


@op
def round(x: Any, decimals: int = 0) -> jax.Array:
    """Round to so many decimals, halves to even.

    Args:
        x: array.
        decimals: places behind the point; negative ones before it.
    """
    x = as_array(x)
    if decimals < 0 and is_int_dtype(x.dtype):
        step = 10.0**-decimals
        return (jnp.round(x.astype(config.floatx()) / step) * step).astype(x.dtype)
    return jnp.round(x, decimals)


@op
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> jax.Array:
    """Where values would have to be inserted to keep a vector sorted.

    Args:
        sorted_sequence: vector in increasing order.
        values: array.
        side: `"left"` or `"right"` of equal elements.

    Raises:
        ValueError: for a sequence of more than one axis.
    """
    sorted_sequence = as_array(sorted_sequence)
    if sorted_sequence.ndim != 1:
        raise ValueError(
            f"`searchsorted` searches a vector, got shape {sorted_sequence.shape}. For several use `vectorized_map`."
        )
    return jnp.searchsorted(sorted_sequence, tensor(values), side=side)


@op
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> jax.Array:
    """From each place the choice whose condition is the first true one.

    Args:
        condlist: boolean arrays.
        choicelist: as many arrays to choose from.
        default: where no condition is true.

    Raises:
        ValueError: for arguments that are not lists, or empty.
    """
    if not condlist or not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError("`select` takes two lists of the same, positive length: conditions and choices.")
    return jnp.select([as_array(c) for c in condlist], [as_array(c) for c in choicelist], default=default)


@op
def slogdet(x: Any) -> tuple[jax.Array, jax.Array]:
    """Sign of a determinant, and the logarithm of its absolute value.

    Args:
        x: array of shape `(..., n, n)`.

    Returns:
        `(sign, log)`, each of shape `(...)`.
    """
    return tuple(jnp.linalg.slogdet(tensor(x)))


@op
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> jax.Array:
    """Integral by the trapezoidal rule.

    Args:
        y: array.
        x: the points at which `y` was taken, a vector or an array of the shape of `y`; evenly spaced by default.
        dx: distance of the points where `x` is not given.
        axis: along which.

    Returns:
        Array without `axis`; zeros where there are less than two points.

    Example:

    >>> float(trapezoid([0.0, 2.0, 4.0]))
    4.0
    """
    y = as_array(y)
    if y.ndim and not y.shape[axis]:  # JAX looks at both ends
        shape = list(y.shape)
        shape[axis] = 1
        y, x = jnp.zeros(shape, y.dtype), None
    return jnp.trapezoid(y, None if x is None else as_array(x), dx=dx, axis=axis)


@op
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements, in increasing order.

    Args:
        x: array.
        sorted: whether the order matters.
        return_index: also return where each was met first.
        return_inverse: also return which of them stands at each place of `x`.
        return_counts: also return how often each occurs.
        axis: compare slices along this axis rather than elements.
        size: length of the result, needed under `jit`.
        fill_value: what fills it up to `size`.
    """
    return jnp.unique(
        as_array(x), return_index, return_inverse, return_counts, axis,
        equal_nan=False, size=size, fill_value=fill_value, sorted=sorted,
    )  # fmt: skip


@op
def view(x: Any, dtype: Any = None) -> jax.Array:
    """The same bits read as another dtype.

    Args:
        x: array.
        dtype: the other dtype.
    """
    return as_array(x).view(dtype)


@op
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """`x1` where a condition is true, `x2` elsewhere.

    Args:
        condition: boolean array.
        x1: array; both or none of `x1` and `x2` must be given.
        x2: array.

    Returns:
        Array; without `x1` and `x2` the indices where the condition is true, as from `nonzero`.

    Raises:
        ValueError: if one of `x1` and `x2` is missing.
    """
    if (x1 is None) != (x2 is None):
        raise ValueError("Give `where` both `x1` and `x2`, or neither.")
    return jnp.where(tensor(condition), tensor(x1), tensor(x2))
