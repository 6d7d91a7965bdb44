"""Arrays in and out, dtypes, control flow, indexing and gradients."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import op
from jaxkeras.core.variable import Variable
from jaxkeras.ops._row import as_array, tensor


def _values(tree: Any) -> Any:
    """A nested structure with its variables replaced by their values, so that they are not rebuilt by JAX."""
    return jax.tree.map(tensor, tree, is_leaf=lambda x: isinstance(x, Variable))


# -- arrays in and out ----------------------------------------------------------------------------------------------
@op
def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> jax.Array:
    """A JAX array of anything array-like.

    Args:
        x: array, variable, number or nested list.
        dtype: of the result; follows from `x` by default.
        sparse: kept for compatibility; must not be True.
        ragged: kept for compatibility; must not be True.

    Raises:
        ValueError: for a sparse or ragged array.

    Example:

    >>> convert_to_tensor([1, 2]).dtype
    dtype('int32')
    """
    if sparse or ragged:
        raise ValueError("Sparse and ragged arrays are not supported; use dense ones, with a mask where needed.")
    return as_array(x, None if dtype is None else standardize_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """A NumPy array of anything array-like.

    Args:
        x: array, variable, number or nested list.

    Returns:
        A NumPy array that may be changed.
    """
    return np.array(tensor(x))


def is_tensor(x: Any) -> bool:
    """Whether `x` is a JAX array (a variable or a NumPy array is not).

    Args:
        x: anything.
    """
    return isinstance(x, jax.Array)


def shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of an array, None where a KerasTensor's is unknown.

    Args:
        x: array or KerasTensor.

    Example:

    >>> shape([[1, 2, 3]])
    (1, 3)
    """
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(tensor(x))


def dtype(x: Any) -> str:
    """The name of an array's dtype.

    Args:
        x: array or KerasTensor.

    Example:

    >>> dtype(jnp.ones(3))
    'float32'
    """
    return standardize_dtype(x.dtype if hasattr(x, "dtype") else as_array(x).dtype)


@op
def cast(x: Any, dtype: Any) -> jax.Array:
    """The array in another dtype.

    Args:
        x: array.
        dtype: the dtype.

    Example:

    >>> cast([1.7, 2.2], "int32").tolist()
    [1, 2]
    """
    return as_array(x, standardize_dtype(dtype))


def _limits(dtype: Any) -> tuple[Any, Any]:
    if dtype == jnp.bool_:
        return 0, 1
    limits = jnp.iinfo(dtype) if jnp.issubdtype(dtype, jnp.integer) else jnp.finfo(dtype)
    return limits.min, limits.max


@op
def saturate_cast(x: Any, dtype: Any) -> jax.Array:
    """The array in another dtype, values beyond its range becoming its least or largest.

    Args:
        x: array.
        dtype: the dtype.

    Example:

    >>> saturate_cast([-5.0, 300.0], "uint8").tolist()
    [0, 255]
    """
    x, target = as_array(x), jnp.dtype(standardize_dtype(dtype))
    source = np.dtype("int32") if x.dtype == bool else x.dtype
    bounds = []
    for limit, own in zip(_limits(target), _limits(source)):
        # A limit may be rounded beyond itself in the source dtype: step back towards zero then.
        bound = np.asarray(min(float(own), float(limit)) if limit > 0 else max(float(own), float(limit))).astype(source)
        if abs(float(bound)) > abs(float(limit)):
            bound = np.nextafter(bound, np.zeros((), source))
        bounds.append(bound)
    result = jnp.clip(x.astype(source), *bounds).astype(target)
    if jnp.issubdtype(source, jnp.floating) and jnp.issubdtype(target, jnp.integer):
        # A limit that the source dtype has no number for: what is beyond the last one before it is beyond the limit.
        for limit, bound, beyond in zip(_limits(target), bounds, (jnp.less, jnp.greater)):
            if float(bound) != limit:
                result = jnp.where(beyond(x, bound), np.asarray(limit, target), result)
    return result


# -- control flow ---------------------------------------------------------------------------------------------------
@op
def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """One of two functions, by a condition.

    Args:
        pred: boolean scalar.
        true_fn: called without arguments if true.
        false_fn: called without arguments if false; returns the same shapes and dtypes.

    Returns:
        What the chosen function returned.
    """
    return jax.lax.cond(tensor(pred), lambda: _values(true_fn()), lambda: _values(false_fn()))


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """One of several functions, by an index.

    Args:
        index: integer scalar, limited to the branches there are.
        branches: functions of the operands, returning the same shapes and dtypes.
        *operands: arguments.

    Returns:
        What the chosen function returned.
    """
    return _switch(index, branches, operands)


@op(name="switch")
def _switch(index: Any, branches: Sequence[Callable[..., Any]], operands: Sequence[Any]) -> Any:
    return jax.lax.switch(tensor(index), branches, *_values(operands))


@op
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Call a function on its own result, as long as a condition holds.

    Args:
        cond: function of the loop variables; whether to go on.
        body: function of the loop variables; returns their new values.
        loop_vars: list or tuple of arrays, or one array.
        maximum_iterations: when to stop at the latest.

    Returns:
        The last loop variables: a tuple, or an array if one was given.

    Example:

    >>> int(while_loop(lambda i: i < 10, lambda i: i + 3, 0))
    12
    """
    several = isinstance(loop_vars, (tuple, list))
    start = tuple(_values(loop_vars)) if several else (_values(loop_vars),)

    def go_on(carry: tuple[Any, Any]) -> Any:
        count, values = carry
        wanted = cond(*values)
        return wanted if maximum_iterations is None else jnp.logical_and(wanted, count < maximum_iterations)

    def step(carry: tuple[Any, Any]) -> tuple[Any, Any]:
        count, values = carry
        result = body(*values)
        return count + 1, tuple(result) if several else (result,)

    _, values = jax.lax.while_loop(go_on, step, (0, start))
    return values if several else values[0]


@op
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Call a function on its own result, for each integer of a range.

    Args:
        lower: first integer.
        upper: one past the last integer.
        body_fun: function of the integer and the value; returns the new value.
        init_val: the first value.

    Returns:
        The last value.
    """
    return jax.lax.fori_loop(tensor(lower), tensor(upper), body_fun, _values(init_val))


@op
def scan(
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> Any:
    """Go along the leading axis of arrays, carrying a state.

    Args:
        f: function of the state and one element; returns the new state and an output.
        init: the first state.
        xs: arrays with equal leading axes, or None.
        length: number of steps; needed without `xs`.
        reverse: whether to start at the end.
        unroll: how many steps to write out in one turn of the compiled loop; True for all.

    Returns:
        `(last state, outputs)`, the outputs stacked along a leading axis.

    Raises:
        ValueError: for an `unroll` that is neither a boolean nor a positive integer.
    """
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ValueError(f"`unroll` must be a positive integer or a boolean, got {unroll!r}.")
    return jax.lax.scan(f, _values(init), _values(xs), length=length, reverse=reverse, unroll=unroll)


@op
def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All partial results of an associative function, in parallel.

    Args:
        f: function of two nested structures like `elems`, vectorised along `axis`.
        elems: nested structure of arrays.
        reverse: whether to start at the end.
        axis: along which.

    Returns:
        Structure like `elems`.

    Example:

    >>> associative_scan(jnp.add, jnp.arange(4)).tolist()
    [0, 1, 3, 6]
    """
    return jax.lax.associative_scan(f, _values(elems), reverse, axis)


@op
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """A function applied to each element along the leading axis, one after another.

    Args:
        f: function of one element.
        xs: nested structure of arrays with equal leading axes.

    Returns:
        The results, stacked along a leading axis.
    """
    return jax.lax.map(f, _values(xs))


@op
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """A function applied to each element along the leading axis, all at once.

    Args:
        function: of one element.
        elements: nested structure of arrays with equal leading axes.

    Returns:
        The results, stacked along a leading axis.
    """
    return jax.vmap(function)(_values(elements))


# -- indexing -------------------------------------------------------------------------------------------------------
@op
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> jax.Array:
    """Zeros with values added at indices.

    Args:
        indices: integers of shape `(..., n)`, each the first `n` coordinates of a place.
        values: array of shape `(..., *shape[n:])`.
        shape: of the result.

    Example:

    >>> scatter([[0], [2]], jnp.array([5, 7]), (4,)).tolist()
    [5, 0, 7, 0]
    """
    indices, values = as_array(indices), as_array(values)
    return jnp.zeros(tuple(shape), values.dtype).at[tuple(jnp.moveaxis(indices, -1, 0))].add(values)


_REDUCTIONS = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


@op
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> jax.Array:
    """An array with the values at indices replaced, or combined with others.

    Args:
        inputs: array.
        indices: integers of shape `(k, n)`, each row the first `n` coordinates of a place.
        updates: array of shape `(k, *inputs.shape[n:])`.
        reduction: None to replace, or `"add"`, `"max"`, `"min"`, `"mul"`.

    Raises:
        ValueError: for another reduction.
    """
    reduction = reduction.lower() if isinstance(reduction, str) else reduction
    if reduction not in _REDUCTIONS:
        raise ValueError(f"`reduction` must be None, 'add', 'max', 'min' or 'mul', got {reduction!r}.")
    x = as_array(inputs)
    place = x.at[tuple(jnp.transpose(as_array(indices)))]
    return getattr(place, _REDUCTIONS[reduction])(as_array(updates).astype(x.dtype))


@op
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> jax.Array:
    """A block of an array, from a start that may depend on values.

    Args:
        inputs: array.
        start_indices: one integer for each axis.
        shape: of the block; -1 goes to the end of the axis.
    """
    x = as_array(inputs)
    sizes = [x.shape[i] - int(start_indices[i]) if size == -1 else size for i, size in enumerate(shape)]
    return jax.lax.dynamic_slice(x, [tensor(s) for s in start_indices], sizes)


@op
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> jax.Array:
    """An array with a block replaced, at a start that may depend on values.

    Args:
        inputs: array.
        start_indices: one integer for each axis.
        updates: the block.
    """
    x = as_array(inputs)
    return jax.lax.dynamic_update_slice(x, as_array(updates).astype(x.dtype), [tensor(s) for s in start_indices])


@op
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The slices along an axis, as a list.

    Args:
        x: array.
        num: kept for compatibility: how many there are.
        axis: along which.
    """
    x = as_array(x)
    return [jax.lax.index_in_dim(x, i, axis, keepdims=False) for i in range(x.shape[axis])]


def _axes(side: str) -> list[list[str]]:
    """`"b (h w) c"` as `[["b"], ["h", "w"], ["c"]]`."""
    return [re.findall(r"\w+", part) for part in re.findall(r"\w+|\([\w\s]*\)", side)]


@op
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> jax.Array:
    """Split, permute and merge axes by a pattern of names.

    Args:
        tensor: array.
        pattern: the axes before and after, merged ones in brackets: `"b (h w) c -> b h (w c)"`.
        **axes_lengths: sizes of named axes; one in each bracket on the left may be left out.

    Raises:
        ValueError: for a pattern that does not fit.

    Example:

    >>> rearrange(jnp.zeros((2, 12, 3)), "b (h w) c -> b c h w", h=4).shape
    (2, 3, 4, 3)
    """
    x = as_array(tensor)
    left, arrow, right = pattern.partition("->")
    before, after = _axes(left), _axes(right)
    names, wanted = sum(before, []), sum(after, [])
    if not arrow or len(before) != x.ndim or sorted(names) != sorted(wanted) or len(set(names)) < len(names):
        raise ValueError(f"The pattern {pattern!r} does not fit an array of shape {x.shape}, or names axes unequally.")
    sizes: dict[str, int] = {}
    for group, total in zip(before, x.shape):
        known = math.prod(axes_lengths.get(name, 1) for name in group)
        unknown = [name for name in group if name not in axes_lengths]
        if len(unknown) > 1 or total % known or (not unknown and total != known):
            raise ValueError(f"An axis of size {total} cannot be split into {group} with the sizes {axes_lengths}.")
        for name in group:
            sizes[name] = axes_lengths[name] if name in axes_lengths else total // known
    x = jnp.transpose(jnp.reshape(x, [sizes[name] for name in names]), [names.index(name) for name in wanted])
    return jnp.reshape(x, [math.prod(sizes[name] for name in group) for group in after])


# -- gradients ------------------------------------------------------------------------------------------------------
@op
def stop_gradient(variable: Any) -> jax.Array:
    """The same array, as a constant for differentiation.

    Args:
        variable: array.
    """
    return jax.lax.stop_gradient(as_array(variable))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function define its own gradient.

    Args:
        f: function of arrays; returns its value and a function from the gradient with respect to the value to those
            with respect to the arguments.

    Returns:
        The function, returning the value alone.

    Example:

    >>> @custom_gradient
    ... def straight_through(x):
    ...     return jnp.round(x), lambda upstream: upstream
    >>> float(jax.grad(straight_through)(0.3))
    1.0
    """
    inner = jax.custom_gradient(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        return inner(*_values(args), **_values(kwargs))

    call.__name__, call.__doc__ = getattr(f, "__name__", "custom_gradient"), f.__doc__
    return call
