"""Whether a function treats the rows of a batch independently of each other, found from its jaxpr.

The function is traced with a symbolic number of rows, so what depends on the batch has the symbol in its shape. Each
equation must keep rows apart: by the rule of its primitive in `_RULES`. What has no rule mixes rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax import export
from jax.interpreters import partial_eval as pe

# What indexing consists of.
_INDEXING = frozenset({
    "add", "and", "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "dynamic_slice", "gather", "ge",
    "iota", "jit", "lt", "mul", "or", "reduce_and", "reduce_or", "reshape", "rev", "select_n", "slice", "squeeze",
    "sub",
})  # fmt: skip


class _MixedRows(Exception):
    pass


def row_bytes(function: Callable[[Any], Any], x: Any) -> int | None:
    """The size of the largest array that a function computes, for a single row.

    Args:
        function: of a tree of arrays with a batch axis, to another one.
        x: such arrays, all with the same number of rows.

    Returns:
        Bytes, or None unless every row of the outputs is known to depend on the same row of `x` alone.
    """
    (symbol,) = export.symbolic_shape("rows")
    rows = jax.tree.leaves(x)[0].shape[0]
    try:
        general = _traced(function, x, symbol)
        largest = max((_check(jaxpr, symbol) for jaxpr in _nested(general)), default=0)
        if any(_axis(v.aval, symbol) != 0 for v in general.outvars):
            return None
        # Symbols are unequal to all numbers, so a function that compares its number of rows may differ for this one.
        if _arithmetic(general) != _arithmetic(_traced(function, x, rows)):
            return None
    except Exception:  # of functions that need a number: nothing is known of them
        return None
    return largest


def _traced(function: Callable[[Any], Any], x: Any, rows: Any) -> Any:
    specs = jax.tree.map(lambda a: jax.ShapeDtypeStruct((rows, *a.shape[1:]), a.dtype), x)
    jaxpr = jax.make_jaxpr(function)(specs).jaxpr
    return pe.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars), instantiate=True)[0]


def _jaxprs(eqn: Any) -> list[Any]:
    """The jaxprs among the parameters of an equation."""
    leaves = jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda p: hasattr(p, "eqns"))
    return [getattr(leaf, "jaxpr", leaf) for leaf in leaves if hasattr(leaf, "eqns")]


def _nested(jaxpr: Any) -> Iterator[Any]:
    """A jaxpr and all within it."""
    yield jaxpr
    for eqn in jaxpr.eqns:
        for inner in _jaxprs(eqn):
            yield from _nested(inner)


def _arithmetic(jaxpr: Any) -> Counter[str]:
    """How often a jaxpr does what. Indexing is left out, which JAX expresses otherwise for symbolic sizes."""
    names = (eqn.primitive.name for part in _nested(jaxpr) for eqn in part.eqns)
    return Counter(name for name in names if name not in _INDEXING)


def _axis(aval: Any, symbol: Any) -> int | None:
    """The axis of the rows, each of which may be several consecutive places of it; None without."""
    axes = [i for i, d in enumerate(aval.shape) if not isinstance(d, int)]
    if not axes:
        return None
    count = aval.shape[axes[0]] // symbol
    if len(axes) > 1 or not isinstance(count, int) or count * symbol != aval.shape[axes[0]]:
        raise _MixedRows
    return axes[0]


def _check(jaxpr: Any, symbol: Any) -> int:
    """Raise if an equation mixes rows; else the bytes of the largest array of a row."""
    if jaxpr.effects:
        raise _MixedRows
    largest = 0
    for eqn in jaxpr.eqns:
        ins, outs = ([_axis(v.aval, symbol) for v in vs] for vs in (eqn.invars, eqn.outvars))
        name = eqn.primitive.name
        if all(a is None for a in (*ins, *outs)) and name != "dim_as_value":
            continue
        rule = _RULES.get(name)
        if rule is None or not rule(eqn, ins, outs):
            raise _MixedRows
        for v, axis in zip(eqn.outvars, outs):
            if axis is not None:
                size = v.aval.size // symbol * v.aval.dtype.itemsize
                largest = max(largest, size)
    return largest


# -- rules: of an equation, and the axes of the rows in its inputs and outputs, of which at least one is not None ------
def _shape(v: Any) -> tuple[Any, ...]:
    return v.aval.shape


def _elementwise(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    axis, count = outs[0], _shape(eqn.outvars[0])[outs[0]]

    def fits(v: Any, a: int | None) -> bool:  # a number, an axis of size 1, or the same rows
        return not _shape(v) or (_shape(v)[axis] == 1 if a is None else a == axis and _shape(v)[a] == count)

    return all(map(fits, eqn.invars, ins))


def _without(*names: str) -> Callable[..., bool]:
    """The rule of operations along the axes in these parameters: none may be that of the rows."""

    def rule(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
        axes = [a for name in names for a in jax.tree.leaves(eqn.params[name])]
        return None not in (*ins, *outs) and len(set(ins)) == 1 and ins[0] not in axes

    return rule


def _whole(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    """The rule of slices: all places of the rows' axis, and none is chosen by data."""
    first, out = eqn.invars[0], eqn.outvars[0]
    return ins[0] is not None and outs[0] == ins[0] and _shape(first)[ins[0]] == _shape(out)[ins[0]] and not any(
        a is not None for a in ins[1:]
    )  # fmt: skip


def _update_slice(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    operand, update = ins[:2]
    if operand is None or operand != update or set(ins[2:]) != {None}:
        return False
    return _shape(eqn.invars[0])[operand] == _shape(eqn.invars[1])[operand]


def _broadcast(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    places = eqn.params["broadcast_dimensions"]
    return outs[0] is not None and all(places[a] == outs[0] for a in ins if a is not None)


def _reshape(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    """Rows are consecutive if as many places come before their axis as before."""

    def before(v: Any, axis: int) -> int:
        product = 1
        for d in _shape(v)[:axis]:
            product *= d
        return product

    (axis,), (out,) = ins, outs
    if axis is None or out is None or eqn.params.get("dimensions"):
        return False
    return before(eqn.invars[0], axis) == before(eqn.outvars[0], out)


def _transpose(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    return eqn.params["permutation"][outs[0]] == ins[0]


def _dot(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    contracted, batched = eqn.params["dimension_numbers"]
    if outs[0] is None or any(a in axes for a, axes in zip(ins, contracted)):
        return False
    places = [axes.index(a) if a in axes else None for a, axes in zip(ins, batched)]
    return None in ins or (places[0] is not None and places[0] == places[1])


def _conv(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    lhs, _, out = eqn.params["dimension_numbers"]
    return ins == [lhs[0], None] and outs == [out[0]] and eqn.params["batch_group_count"] == 1


def _pad(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    return ins[0] is not None and ins[1] is None and eqn.params["padding_config"][ins[0]] == (0, 0, 0)


def _window(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    p, axis = eqn.params, ins[0]
    ones = ("window_dimensions", "window_strides", "base_dilation", "window_dilation")
    return axis is not None and all(p[name][axis] == 1 for name in ones) and tuple(p["padding"][axis]) == (0, 0)


def _gather(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    """Rows of indices into an array without rows; the same places of every row; or places of its own for every row."""
    (operand, indices), numbers = ins, eqn.params["dimension_numbers"]
    if outs[0] is None:
        return False
    if operand is None:
        return indices < len(_shape(eqn.invars[1])) - 1
    if indices is None:
        chosen = (*numbers.start_index_map, *numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
        return operand not in chosen and eqn.params["slice_sizes"][operand] == _shape(eqn.invars[0])[operand]
    pairs = zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims)
    return (operand, indices) in pairs


def _iota(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    return eqn.params["dimension"] != outs[0]


def _of_body(eqn: Any, ins: list[Any], outs: list[Any]) -> bool:
    """The jaxprs of the equation are checked as all are."""
    return True


_RULES: dict[str, Callable[[Any, list[Any], list[Any]], bool]] = {
    **dict.fromkeys(
        (
            "abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil",
            "clamp", "convert_element_type", "copy", "cos", "cosh", "digamma", "div", "eq", "erf", "erf_inv", "erfc",
            "exp", "exp2", "expm1", "floor", "ge", "gt", "integer_pow", "is_finite", "le", "lgamma", "log", "log1p",
            "logistic", "lt", "max", "min", "mul", "ne", "neg", "nextafter", "not", "or", "pow", "real",
            "reduce_precision", "rem", "round", "rsqrt", "select_n", "shift_left", "shift_right_arithmetic",
            "shift_right_logical", "sign", "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh",
            "xor",
        ),
        _elementwise,
    ),
    **dict.fromkeys(
        (
            "reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax", "argmin",
        ),
        _without("axes"),
    ),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp", "split", "top_k"), _without("axis")),
    **dict.fromkeys(("rev", "squeeze"), _without("dimensions")),
    **dict.fromkeys(("sort", "concatenate"), _without("dimension")),
    **dict.fromkeys(("slice", "dynamic_slice"), _whole),
    **dict.fromkeys(("reduce_window_sum", "reduce_window_max", "reduce_window_min"), _window),
    **dict.fromkeys(
        # No loops: a step of a recurrent layer is the faster the more rows it has.
        ("jit", "pjit", "closed_call", "checkpoint", "remat", "custom_jvp_call", "custom_vjp_call", "cond"),
        _of_body,
    ),
    "dynamic_update_slice": _update_slice,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "transpose": _transpose,
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "pad": _pad,
    "gather": _gather,
    "iota": _iota,
}  # fmt: skip
