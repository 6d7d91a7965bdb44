"""Conditions, loops, scans and maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.symbolic import op
from jaxkeras.ops import _output_specs
from jaxkeras.ops._arrays import TensorLike, as_operand, values_of


@op(output_spec=_output_specs.cond)
def cond(pred: TensorLike, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Call one of two functions, by a condition.

    Args:
        pred: boolean scalar.
        true_fn: function without arguments, called if `pred` is true.
        false_fn: function without arguments, called if `pred` is false; returns the same shapes and dtypes.

    Returns:
        The result of the chosen function.

    Example:

    >>> cond(True, lambda: 1, lambda: 2).tolist()
    1
    """
    return jax.lax.cond(as_operand(pred), lambda: values_of(true_fn()), lambda: values_of(false_fn()))


def switch(index: TensorLike, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Call one of several functions, by an index.

    Args:
        index: integer scalar, clipped to the number of branches.
        branches: functions of the operands, returning the same shapes and dtypes.
        *operands: arguments of the branches.

    Returns:
        The result of the chosen function.

    Example:

    >>> switch(1, [lambda x: x + 1, lambda x: 10 * x], 3).tolist()
    30
    """
    return _switch(index, branches, operands)


@op(name="switch")
def _switch(index: TensorLike, branches: Sequence[Callable[..., Any]], operands: Sequence[Any]) -> Any:
    return jax.lax.switch(as_operand(index), branches, *values_of(operands))


@op(output_spec=_output_specs.while_loop)
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Update loop variables while a condition holds.

    Args:
        cond: function of the loop variables; returns whether to continue.
        body: function of the loop variables; returns their new values.
        loop_vars: list or tuple of arrays, or one array.
        maximum_iterations: maximum number of iterations; unlimited by default.

    Returns:
        The final loop variables: a tuple, or an array if one was given.

    Example:

    >>> int(while_loop(lambda i: i < 10, lambda i: i + 3, 0))
    12
    """
    several = isinstance(loop_vars, (tuple, list))
    start = tuple(values_of(loop_vars)) if several else (values_of(loop_vars),)

    def is_running(carry: tuple[Any, Any]) -> Any:
        count, values = carry
        running = cond(*values)
        return running if maximum_iterations is None else jnp.logical_and(running, count < maximum_iterations)

    def step(carry: tuple[Any, Any]) -> tuple[Any, Any]:
        count, values = carry
        result = body(*values)
        return count + 1, tuple(result) if several else (result,)

    _, values = jax.lax.while_loop(is_running, step, (0, start))
    return values if several else values[0]


@op
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """Update a value for each integer of a range.

    Args:
        lower: first integer of the range.
        upper: end of the range, excluded.
        body_fun: function of the integer and the value; returns the new value.
        init_val: the initial value, a nested structure of arrays.

    Returns:
        The final value.

    Example:

    >>> fori_loop(0, 4, lambda i, total: total + i, 0).tolist()
    6
    """
    return jax.lax.fori_loop(as_operand(lower), as_operand(upper), body_fun, values_of(init_val))


@op
def scan(
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> Any:
    """Apply a function along the leading axis of arrays while carrying a state.

    Args:
        f: function of the state and one element; returns the new state and an output.
        init: the initial state, a nested structure of arrays.
        xs: nested structure of arrays with equal leading axes, or None.
        length: number of steps; needed without `xs`.
        reverse: whether to start at the last element.
        unroll: number of steps in one iteration of the compiled loop; True for all.

    Returns:
        `(state, outputs)`: the final state, and the outputs stacked along a leading axis.

    Raises:
        ValueError: for an `unroll` that is neither a boolean nor a positive integer.

    Example:

    >>> total, sums = scan(lambda total, x: (total + x, total + x), 0, jnp.array([1, 2, 3]))
    >>> total.tolist(), sums.tolist()
    (6, [1, 3, 6])
    """
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise ValueError(f"`unroll` must be a positive integer or a boolean, got {unroll!r}.")
    return jax.lax.scan(f, values_of(init), values_of(xs), length=length, reverse=reverse, unroll=unroll)


@op
def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Scan with an associative function, computed in parallel.

    Args:
        f: function of two nested structures like `elems`, vectorized along `axis`.
        elems: nested structure of arrays.
        reverse: whether to start at the last element.
        axis: axis along which to scan.

    Returns:
        Structure like `elems`, the partial results.

    Example:

    >>> associative_scan(jnp.add, jnp.arange(4)).tolist()
    [0, 1, 3, 6]
    """
    return jax.lax.associative_scan(f, values_of(elems), reverse, axis)


@op
def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Apply a function to each element along the leading axis, sequentially.

    Args:
        f: function of one element.
        xs: nested structure of arrays with equal leading axes.

    Returns:
        The results, stacked along a leading axis.

    Example:

    >>> map(lambda x: x * x, jnp.arange(3)).tolist()
    [0, 1, 4]
    """
    return jax.lax.map(f, values_of(xs))


@op
def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Apply a function to each element along the leading axis, vectorized (`jax.vmap`).

    Args:
        function: function of one element.
        elements: nested structure of arrays with equal leading axes.

    Returns:
        The results, stacked along a leading axis.

    Example:

    >>> vectorized_map(lambda row: row.sum(), jnp.ones((2, 3))).tolist()
    [3.0, 3.0]
    """
    return jax.vmap(function)(values_of(elements))
