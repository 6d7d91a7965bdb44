"""Floating-point operations of a program, counted in its jaxpr.

Counted is the arithmetic that the program states, before the compiler rewrites it:

- a matrix product or a convolution: two operations for each term of its sums. A convolution has a term for each pair of
  an output and a tap of the window, padding included, as in the tables of papers; a transposed one, and so the gradient
  of a strided one, for each pair of an input and a tap;
- elementwise arithmetic, transcendental functions and comparisons of floating-point numbers: one for each element;
- a reduction: one for each element that enters it; pooling: one for each element of each window;
- moving, selecting and converting numbers, and integer arithmetic: none.

A loop counts as many times as it runs, `cond` as its most costly branch.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import partial_eval as pe

Array = jax.Array


class Place(NamedTuple):
    """Where an equation of a program comes from.

    Attributes:
        scopes: names of `jax.named_scope`s around it, outermost first. A layer call opens one of the layer's name.
        backward: whether reverse mode made it, recomputation of activations included.
    """

    scopes: tuple[str, ...] = ()
    backward: bool = False


@dataclasses.dataclass
class FlopCount:
    """The floating-point operations of a program.

    Attributes:
        by_place: operations by place.
        unknown_loops: places of loops that run until a condition on the data holds; they count as one round.
    """

    by_place: dict[Place, float]
    unknown_loops: list[Place]

    @property
    def total(self) -> float:
        """All operations."""
        return sum(self.by_place.values())


def count_flops(closed: Any) -> FlopCount:
    """Count the floating-point operations of a program.

    Args:
        closed: a `ClosedJaxpr`, from `jax.make_jaxpr`. What its results do not need is left out.

    Returns:
        The operations, by named scope.

    Example:

    >>> def f(x, w):
    ...     with jax.named_scope("layer"):
    ...         return x @ w
    >>> program = jax.make_jaxpr(f)(jnp.ones((8, 16)), jnp.ones((16, 4)))
    >>> count = count_flops(program)
    >>> count.total, list(count.by_place)  # 2 * 8 * 16 * 4
    (1024.0, [Place(scopes=('layer',), backward=False)])
    """
    jaxpr, _ = pe.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    counter = _Counter()
    counter.add(jaxpr, Place(), 1.0)
    return FlopCount({place: flops for place, flops in counter.flops.items() if flops}, counter.unknown_loops)


def place_of(eqn: Any, around: Place) -> Place:
    """The place of an equation in a jaxpr that is part of an equation at `around`."""
    stack = eqn.source_info.name_stack.stack
    scopes = tuple(part.name for part in stack if type(part).__name__ == "Scope")
    backward = any(type(part).__name__ == "Transform" and part.name == "transpose" for part in stack)
    return Place(around.scopes + scopes, around.backward or backward)


class _Counter:
    def __init__(self) -> None:
        self.flops: dict[Place, float] = defaultdict(float)
        self.unknown_loops: list[Place] = []

    def add(self, jaxpr: Any, around: Place, times: float) -> None:
        for eqn in jaxpr.eqns:
            place, name = place_of(eqn, around), eqn.primitive.name
            if name == "while":
                self._add_while(eqn, place, times)
            elif name == "cond":
                self._add_most_costly(eqn.params["branches"], place, times)
            elif name in _TRACED_LATE:
                self.add(_trace(eqn), place, times)
            else:
                inner = list(sub_jaxprs(eqn))
                for jaxpr, repeat in inner:
                    self.add(jaxpr, place, times * repeat)
                if not inner:
                    self.flops[place] += times * equation_flops(eqn)

    def _add_while(self, eqn: Any, place: Place, times: float) -> None:
        rounds = trip_count(eqn)
        if rounds is None:
            self.unknown_loops.append(place)
            rounds = 1
        self.add(eqn.params["body_jaxpr"].jaxpr, place, times * rounds)
        self.add(eqn.params["cond_jaxpr"].jaxpr, place, times * rounds)

    def _add_most_costly(self, branches: Any, place: Place, times: float) -> None:
        counters = [_Counter() for _ in branches]
        for counter, branch in zip(counters, branches):
            counter.add(branch.jaxpr, place, times)
        most = max(counters, key=lambda counter: sum(counter.flops.values()))
        for where, flops in most.flops.items():
            self.flops[where] += flops
        self.unknown_loops += most.unknown_loops


# -- equations that hold programs --------------------------------------------------------------------------------------
# The library's primitives whose functions are traced when a program is lowered: the reference is what is counted.
_TRACED_LATE: dict[str, Callable[[dict[str, Any]], Callable[..., Any]]] = {
    "by_platform": lambda params: params["forms"].default,
    "linear_with_transpose": lambda params: params["fun"],
}


def _trace(eqn: Any) -> Any:
    function = _TRACED_LATE[eqn.primitive.name](eqn.params)
    closed = jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in eqn.invars))
    return pe.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))[0]


def sub_jaxprs(eqn: Any) -> Iterator[tuple[Any, float]]:
    """The programs inside an equation, and how many times each runs."""
    params, repeat = eqn.params, 1.0
    if eqn.primitive.name == "scan":
        repeat = float(params["length"])
    elif eqn.primitive.name == "pallas_call":
        repeat = float(math.prod(size for size in params["grid_mapping"].grid if isinstance(size, int)))
    elif eqn.primitive.name == "shard_map":
        repeat = float(params["mesh"].size)  # its program is that of one device
    for value in params.values():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(part, core.ClosedJaxpr):
                yield part.jaxpr, repeat
            elif isinstance(part, core.Jaxpr):
                yield part, repeat


def trip_count(eqn: Any) -> int | None:
    """How often a `while` equation runs its body, if it counts in ones from a literal up to a literal."""
    condition, body = eqn.params["cond_jaxpr"].jaxpr, eqn.params["body_jaxpr"].jaxpr
    cond_consts, body_consts = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    if len(condition.eqns) != 1 or condition.eqns[0].primitive.name != "lt":
        return None
    counter, limit = condition.eqns[0].invars
    if counter not in condition.invars:
        return None
    outer_consts = eqn.invars[:cond_consts]
    if limit in condition.invars[:cond_consts]:
        limit = outer_consts[condition.invars.index(limit)]
    position = condition.invars.index(counter) - cond_consts
    start = eqn.invars[cond_consts + body_consts + position]
    step = next((e for e in body.eqns if body.outvars[position] in e.outvars), None)
    counts = step is not None and step.primitive.name == "add" and step.invars[0] is body.invars[body_consts + position]
    values = [start, limit, step.invars[1]] if step is not None and counts else []
    if not values or not all(isinstance(value, core.Literal) for value in values):
        return None
    first, last, stride = (int(value.val) for value in values)
    return max(0, -(-(last - first) // stride)) if stride > 0 else None


# -- equations of arithmetic -------------------------------------------------------------------------------------------
_FREE = frozenset(
    """all_gather all_to_all bitcast_convert_type broadcast_in_dim concatenate convert_element_type copy device_put
    dynamic_slice dynamic_update_slice gather imag is_finite layout_constraint optimization_barrier pad ppermute real
    reduce_precision reshape reshard rev scatter select_n sharding_constraint slice split squeeze stop_gradient
    transpose""".split()
)
_BY_INPUT = frozenset(
    "reduce_sum reduce_max reduce_min reduce_prod argmax argmin cumsum cumprod cummax cummin cumlogsumexp psum".split()
)


def equation_flops(eqn: Any) -> float:
    """The operations of an equation that holds no program."""
    name = eqn.primitive.name
    if name in _FREE or not _any_of(eqn, jnp.inexact):
        return 0.0
    rule = _RULES.get(name)
    flops = rule(eqn) if rule else _size(eqn.invars[0]) if name in _BY_INPUT else max(map(_size, eqn.outvars))
    return float(flops) * (4 if name in _PRODUCTS and _any_of(eqn, jnp.complexfloating) else 1)


_PRODUCTS = frozenset(["mul", "dot_general", "conv_general_dilated"])  # four real ones make a complex one


def _any_of(eqn: Any, kind: Any) -> bool:
    """Whether an argument of an equation is of a kind of numbers."""
    return any(jnp.issubdtype(v.aval.dtype, kind) for v in eqn.invars if hasattr(v.aval, "dtype"))


def _size(var: Any) -> int:
    return math.prod(getattr(var.aval, "shape", ()))


def _dot(eqn: Any) -> float:
    (contracted, _), _ = eqn.params["dimension_numbers"]
    return 2.0 * _size(eqn.outvars[0]) * math.prod(eqn.invars[0].aval.shape[i] for i in contracted)


def _conv(eqn: Any) -> float:
    numbers = eqn.params["dimension_numbers"]
    lhs, rhs, out = (v.aval.shape for v in (*eqn.invars, *eqn.outvars))
    inputs = rhs[numbers.rhs_spec[1]]  # of one group
    pairs = 1
    for place, tap, to, hole in zip(
        numbers.lhs_spec[2:], numbers.rhs_spec[2:], numbers.out_spec[2:], eqn.params["lhs_dilation"]
    ):
        # Of an input, a tap and an output that meet, any two determine the third. Holes between inputs meet nothing.
        counts = [rhs[tap] * min(lhs[place], out[to])] + [lhs[place] * out[to]] * (hole > 1)
        pairs *= min(counts)
    return 2.0 * out[numbers.out_spec[0]] * out[numbers.out_spec[1]] * inputs * pairs


def _ragged_dot(eqn: Any) -> float:
    rows, inputs = eqn.invars[0].aval.shape[-2:]
    return 2.0 * rows * inputs * eqn.invars[1].aval.shape[-1]


def _integer_pow(eqn: Any) -> float:
    power = abs(eqn.params["y"])
    return _size(eqn.outvars[0]) * max(1, power.bit_length() + power.bit_count() - 2)


def _windows(eqn: Any) -> float:
    return _size(eqn.outvars[0]) * math.prod(eqn.params["window_dimensions"])


def _scattered_windows(eqn: Any) -> float:
    return _size(eqn.invars[0]) * math.prod(eqn.params["window_dimensions"])


def _sort(eqn: Any) -> float:
    length = eqn.invars[0].aval.shape[eqn.params["dimension"]]
    return _size(eqn.invars[0]) * math.log2(max(2, length))


def _fft(eqn: Any) -> float:
    points = math.prod(eqn.params["fft_lengths"])
    return 5.0 * max(_size(eqn.invars[0]), _size(eqn.outvars[0])) * math.log2(max(2, points))


def _cubic(factor: float) -> Callable[[Any], float]:
    def rule(eqn: Any) -> float:
        *batch, m, n = eqn.invars[0].aval.shape
        return factor * math.prod(batch) * m * n * min(m, n)

    return rule


def _triangular_solve(eqn: Any) -> float:
    return _size(eqn.invars[1]) * eqn.invars[0].aval.shape[-1]


_RULES: dict[str, Callable[[Any], float]] = {
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "ragged_dot": _ragged_dot,
    "ragged_dot_general": _ragged_dot,
    "integer_pow": _integer_pow,
    "reduce_window_sum": _windows,
    "reduce_window_max": _windows,
    "reduce_window_min": _windows,
    "reduce_window": _windows,
    "select_and_scatter_add": _scattered_windows,
    "select_and_gather_add": _windows,
    "scatter-add": lambda eqn: _size(eqn.invars[2]),
    "scatter_add": lambda eqn: _size(eqn.invars[2]),
    "sort": _sort,
    "fft": _fft,
    "cholesky": _cubic(1 / 3),
    "lu": _cubic(2 / 3),
    "geqrf": _cubic(4 / 3),
    "householder_product": _cubic(4 / 3),
    "eigh": _cubic(9),
    "eig": _cubic(25),
    "svd": _cubic(22),
    "triangular_solve": _triangular_solve,
}
