"""A linear function with a transpose of our own, at every derivative order.

`jax.custom_vjp` would fix the gradient but forbids forward mode (`jax.jacfwd`, `jax.hessian`).
`jax.custom_derivatives.linear_call` allows both but knows neither `vmap` nor a derivative in its residuals, so second
derivatives fail. The primitive here does all of it: inside a `jax.custom_jvp` rule it states the tangent as a linear
call, and reverse mode then runs the given transpose, which may itself be made of such functions.
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
    fun: Callable[[Any, Any], Any], transpose: Callable[[Any, Any], Any], residuals: Any, linear: Any
) -> Any:
    """fun(residuals, linear), whose transpose in `linear` is `transpose(residuals, cotangent)`.

    Args:
        fun: Linear in its second argument, and differentiable in its first if higher derivatives are wanted.
        transpose: Takes a cotangent of fun's result, returns one shaped like `linear`.
        residuals: A pytree of arrays.
        linear: A pytree of arrays.

    Returns:
        The result of fun, a pytree of arrays.
    """
    res, res_tree = jax.tree.flatten(residuals)
    lin, lin_tree = jax.tree.flatten(linear)
    count = len(res)  # the transpose outlives this trace and must not hold its values
    jaxpr, out_shape = jax.make_jaxpr(
        lambda *flat: fun(res_tree.unflatten(flat[:count]), lin_tree.unflatten(flat[count:])),
        return_shape=True,
    )(*res, *lin)
    out_tree = jax.tree.structure(out_shape)

    def flat_transpose(*flat: jax.Array) -> list[jax.Array]:
        result = transpose(res_tree.unflatten(flat[:count]), out_tree.unflatten(flat[count:]))
        return lin_tree.flatten_up_to(result)

    out = linear_p.bind(*res, *lin, fun=core.jaxpr_as_fun(jaxpr), transpose=flat_transpose, residuals=count)
    return out_tree.unflatten(out)


def _run(*flat: jax.Array, fun: Callable, transpose: Callable, residuals: int) -> Sequence[jax.Array]:
    return fun(*flat)


def _abstract(*avals: Any, fun: Callable, transpose: Callable, residuals: int) -> Sequence[Any]:
    return jax.make_jaxpr(fun)(*avals).out_avals


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, fun: Callable, transpose: Callable, residuals: int
) -> tuple[Any, Any]:
    params = {"fun": fun, "transpose": transpose, "residuals": residuals}
    out = linear_p.bind(*primals, **params)
    parts = []
    if any(type(t) is not ad.Zero for t in tangents[residuals:]):
        parts.append(linear_p.bind(*primals[:residuals], *map(ad.instantiate_zeros, tangents[residuals:]), **params))
    moving = [i for i in range(residuals) if type(tangents[i]) is not ad.Zero]
    if moving:

        def of_moving(*values: Any) -> Any:
            replaced = dict(zip(moving, values))
            return fun(*(replaced.get(i, p) for i, p in enumerate(primals)))

        parts.append(jax.jvp(of_moving, [primals[i] for i in moving], [tangents[i] for i in moving])[1])
    return out, [functools.reduce(ad.add_tangents, terms) for terms in zip(*parts)]


def _transpose(
    cotangents: Sequence[Any], *args: Any, fun: Callable, transpose: Callable, residuals: int
) -> Sequence[Any]:
    res, lin = args[:residuals], args[residuals:]
    cotangents = [ad.instantiate_zeros(c) for c in cotangents]
    result = linear_p.bind(*res, *cotangents, fun=transpose, transpose=fun, residuals=residuals)
    return [None] * residuals + [r if ad.is_undefined_primal(x) else None for r, x in zip(result, lin)]


def _batch(
    args: Sequence[Any], dims: Sequence[Any], *, fun: Callable, transpose: Callable, residuals: int
) -> tuple[Any, Any]:
    size = next(x.shape[d] for x, d in zip(args, dims) if d is not None)
    res, res_dims = args[:residuals], tuple(dims[:residuals])
    # Every linear argument gets the axis, so that the transpose of the batch is the batch of the transposes.
    lin = [batching.bdim_at_front(x, d, size) for x, d in zip(args[residuals:], dims[residuals:])]

    def batched(one: Callable) -> Callable:
        return lambda *flat: jax.vmap(one, (*res_dims, *(0,) * (len(flat) - residuals)), axis_size=size)(*flat)

    out = linear_p.bind(*res, *lin, fun=batched(fun), transpose=batched(transpose), residuals=residuals)
    return out, [0] * len(out)


linear_p.def_impl(_run)
linear_p.def_abstract_eval(_abstract)
ad.primitive_jvps[linear_p] = _jvp
ad.primitive_transposes[linear_p] = _transpose
batching.primitive_batchers[linear_p] = _batch
mlir.register_lowering(linear_p, mlir.lower_fun(_run, multiple_results=True))
