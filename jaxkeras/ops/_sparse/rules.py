"""What each op does with sparse arrays.

An op without an entry is called with them as it is, and JAX says that it cannot take them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxkeras.ops._sparse import axes, elementwise, products

Rule = Callable[..., Any]


def _same(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


#: op name -> `rule(function, *args, **kwargs)`, where `function` computes the op on dense arrays.
RULES: dict[str, Rule] = {
    **_same(elementwise.linear, "cast conjugate copy imag negative real stop_gradient"),
    **_same(
        elementwise.zero_preserving,
        "absolute arcsin arcsinh arctan arctanh ceil digitize expm1 floor isinf isnan log1p round sign signbit sin "
        "sinh sqrt square tan tanh",
    ),
    **_same(elementwise.densified, "arccos arccosh cos cosh exp exp2 isfinite log log10 log2 reciprocal saturate_cast"),
    **_same(elementwise.sum_like, "add subtract"),
    **_same(elementwise.union, "maximum minimum"),
    **_same(elementwise.quotient, "divide true_divide"),
    "multiply": elementwise.product,
    "matmul": products.matmul,
    "sum": axes.sum,
    "mean": axes.mean,
    "expand_dims": axes.expand_dims,
    "squeeze": axes.squeeze,
    "transpose": axes.transpose,
    "reshape": axes.reshape,
    "concatenate": axes.concatenate,
    **_same(axes.dense_indices, "take take_along_axis"),
}


def call(name: str, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """An op called with sparse arrays among its arguments.

    Args:
        name: the name of the op.
        function: the op on dense arrays.
        args, kwargs: the arguments.
    """
    rule = RULES.get(name)
    return function(*args, **kwargs) if rule is None else rule(function, *args, **kwargs)
