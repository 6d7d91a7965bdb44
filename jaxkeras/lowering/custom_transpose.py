"""A linear function with a custom transpose, at every derivative order.

`jax.custom_vjp` would fix the gradient but rules out forward mode (`jax.jacfwd`, `jax.hessian`).
`jax.custom_derivatives.linear_call` allows both but supports neither `vmap` nor derivatives with respect to its
residuals, so second derivatives fail. The primitive here supports all of it: a `jax.custom_jvp` rule states its tangent
as a linear call, and reverse mode then runs the given transpose, which may itself contain linear calls.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core
from jax.interpreters import ad, batching, mlir

linear_p = core.Primitive("linear_with_transpose")
linear_p.multiple_results = True


def linear_call(
    fun: Callable[[Any, Any], Any], transpose: Callable[[Any, Any], Any], residuals: Any, linear: Any, result: Any
) -> Any:
    """Compute `fun(residuals, linear)`, whose transpose in `linear` is `transpose(residuals, cotangent)`.

    Both functions are traced when the program is lowered, so they must not close over traced values. Reverse mode
    never traces `fun` at all.

    Args:
        fun: Linear in its second argument. It must be differentiable in its first if higher derivatives are wanted.
        transpose: Takes a cotangent of fun's result and returns a pytree like `linear`.
        residuals: A pytree of arrays.
        linear: A pytree of arrays.
        result: A pytree of arrays with the shapes and dtypes that `fun` returns, such as the primal output.

    Returns:
        The result of fun, a pytree of arrays.
    """
    res, res_tree = jax.tree.flatten(residuals)
    lin, lin_tree = jax.tree.flatten(linear)
    out, out_tree = jax.tree.flatten(result)
    count = len(res)

    def flat_fun(*flat: jax.Array) -> list[jax.Array]:
        return out_tree.flatten_up_to(fun(res_tree.unflatten(flat[:count]), lin_tree.unflatten(flat[count:])))

    def flat_transpose(*flat: jax.Array) -> list[jax.Array]:
        return lin_tree.flatten_up_to(transpose(res_tree.unflatten(flat[:count]), out_tree.unflatten(flat[count:])))

    avals = tuple(map(jax.typeof, out))
    values = linear_p.bind(*res, *lin, fun=flat_fun, transpose=flat_transpose, residuals=count, avals=avals)
    return out_tree.unflatten(values)


def _run(*flat: jax.Array, fun: Callable, **_: Any) -> Sequence[jax.Array]:
    return fun(*flat)


def _abstract(*inputs: Any, fun: Callable, avals: tuple | None, **_: Any) -> Sequence[Any]:
    return jax.make_jaxpr(fun)(*inputs).out_avals if avals is None else avals


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, residuals: int, **params: Any) -> tuple[Any, Any]:
    params = {"residuals": residuals, **params}
    out = linear_p.bind(*primals, **params)
    parts = []
    if any(type(t) is not ad.Zero for t in tangents[residuals:]):
        parts.append(linear_p.bind(*primals[:residuals], *map(ad.instantiate_zeros, tangents[residuals:]), **params))
    moving = [i for i in range(residuals) if type(tangents[i]) is not ad.Zero]
    if moving:

        def of_moving(*values: Any) -> Any:
            replaced = dict(zip(moving, values))
            return params["fun"](*(replaced.get(i, p) for i, p in enumerate(primals)))

        parts.append(jax.jvp(of_moving, [primals[i] for i in moving], [tangents[i] for i in moving])[1])
    return out, [functools.reduce(ad.add_tangents, terms) for terms in zip(*parts)]


def _transpose(
    cotangents: Sequence[Any], *args: Any, fun: Callable, transpose: Callable, residuals: int, avals: Any
) -> Sequence[Any]:
    res, lin = args[:residuals], args[residuals:]
    cotangents = [ad.instantiate_zeros(c) for c in cotangents]
    avals = tuple(x.aval if ad.is_undefined_primal(x) else jax.typeof(x) for x in lin)
    result = linear_p.bind(*res, *cotangents, fun=transpose, transpose=fun, residuals=residuals, avals=avals)
    return [None] * residuals + [r if ad.is_undefined_primal(x) else None for r, x in zip(result, lin)]


def _batch(
    args: Sequence[Any], dims: Sequence[Any], *, fun: Callable, transpose: Callable, residuals: int, avals: Any
) -> tuple[Any, Any]:
    size = next(x.shape[d] for x, d in zip(args, dims) if d is not None)
    res, res_dims = args[:residuals], tuple(dims[:residuals])
    # Every linear argument gets the axis, so that the transpose of the batch is the batch of the transposes.
    lin = [batching.bdim_at_front(x, d, size) for x, d in zip(args[residuals:], dims[residuals:])]

    def batched(one: Callable) -> Callable:
        return lambda *flat: jax.vmap(one, (*res_dims, *(0,) * (len(flat) - residuals)), axis_size=size)(*flat)

    out = linear_p.bind(*res, *lin, fun=batched(fun), transpose=batched(transpose), residuals=residuals, avals=None)
    return out, [0] * len(out)


linear_p.def_impl(_run)
linear_p.def_abstract_eval(_abstract)
ad.primitive_jvps[linear_p] = _jvp
ad.primitive_transposes[linear_p] = _transpose
batching.primitive_batchers[linear_p] = _batch
mlir.register_lowering(linear_p, mlir.lower_fun(_run, multiple_results=True))
