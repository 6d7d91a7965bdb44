"""A function written in several forms, of which one is taken when the platform of the program is known.

JAX traces a program before it knows the platform, and may lower one trace for several. `jax.lax.platform_dependent`
handles this with a `cond` and traces every branch for every transformation, which makes tracing a transformer's train
step twice as slow. The primitive here holds the forms as functions and traces the chosen one when it is lowered, by a
lowering rule for each platform. Its derivatives:

- where the function is multilinear (a convolution), the tangent and the transpose are again functions with one form for
  each platform, and nothing is traced before lowering;
- else every form is linearized. The primitive then also returns the residuals of all forms. Those of the forms that
  are not taken are zeros, which XLA removes because the chosen form's tangent does not read them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import ad, batching, mlir
from jax.interpreters import partial_eval as pe

from jaxkeras.core.context import setting
from jaxkeras.lowering.custom_transpose import linear_call

Array = jax.Array
Flat = Callable[..., Sequence[Array]]  # arrays to a list of arrays


class Forms(NamedTuple):
    """One function of flat arrays: for the platforms named in `special`, and for all others."""

    default: Flat
    special: tuple[tuple[str, Flat], ...]

    def on(self, platform: str) -> Flat:
        return dict(self.special).get(platform, self.default)

    def map(self, transform: Callable[[Flat], Flat]) -> Forms:
        return Forms(transform(self.default), tuple((name, transform(form)) for name, form in self.special))


by_platform_p = core.Primitive("by_platform")
by_platform_p.multiple_results = True


def by_platform(
    forms: Forms, *args: Any, linear: Sequence[int] = (), avals: Sequence[Any] | None = None
) -> list[Array]:
    """Call the form of the platform that the program is lowered for, or of the default backend when not traced.

    Args:
        forms: Functions of the same meaning. They must not close over traced values.
        *args: Arrays.
        linear: Indices of arguments in each of which the function is linear while the others are fixed.
        avals: Shapes and dtypes of the results; found by tracing the default form where None.

    Returns:
        The results.
    """
    return list(by_platform_p.bind(*args, forms=forms, linear=tuple(linear), avals=avals and tuple(avals)))


def register_platform(platform: str) -> None:
    """Make `special` forms for a platform ("cpu", "cuda", "tpu", or "gpu" for CUDA and ROCm) known to the compiler."""

    def run(*args: Array, forms: Forms, **_: Any) -> Sequence[Array]:
        return forms.on(platform)(*args)

    mlir.register_lowering(by_platform_p, mlir.lower_fun(run, multiple_results=True), platform=platform)


@by_platform_p.def_impl
def _impl(*args: Array, forms: Forms, **_: Any) -> Sequence[Array]:
    devices = (device.platform for x in args if isinstance(x, jax.Array) for device in x.devices())
    return forms.on(next(devices, jax.default_backend()))(*args)


@by_platform_p.def_abstract_eval
def _abstract(*inputs: Any, forms: Forms, avals: Sequence[Any] | None, **_: Any) -> Sequence[Any]:
    return jax.make_jaxpr(forms.default)(*inputs).out_avals if avals is None else avals


def _batch(args: Sequence[Any], dims: Sequence[Any], *, forms: Forms, linear: Sequence[int], **_: Any) -> tuple:
    size = next(x.shape[d] for x, d in zip(args, dims) if d is not None)
    out = by_platform(forms.map(lambda form: jax.vmap(form, dims, axis_size=size)), *args, linear=linear)
    return out, [0] * len(out)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], *, forms: Forms, linear: Sequence[int], avals: Any) -> tuple:
    moving = [i for i, t in enumerate(tangents) if type(t) is not ad.Zero]
    if not set(moving) <= set(linear):
        return _linearized_jvp(primals, moving, [tangents[i] for i in moving], forms)
    forms = forms.map(_differentiated)
    out = by_platform(forms, *primals, linear=linear, avals=avals)
    terms = [_term(primals, i, tangents[i], out, forms, linear) for i in moving]
    return out, [sum(parts[1:], parts[0]) for parts in zip(*terms)]


def _differentiated(form: Flat) -> Flat:
    """The form, which may ask `local.differentiated` whether its value is part of a derivative."""

    def run(*args: Array) -> Sequence[Array]:
        with setting(differentiated=True):
            return form(*args)

    return run


def _term(primals: Sequence[Any], i: int, tangent: Any, out: Any, forms: Forms, linear: Sequence[int]) -> list[Array]:
    """The tangent of a multilinear function due to that of argument `i`."""
    others, aval = [p for j, p in enumerate(primals) if j != i], jax.typeof(tangent)
    count = len(others)
    # The transpose is linear in the other arguments too, and in the cotangent where that is one array.
    kept = [j - (j > i) for j in linear if j != i] + [count] * (len(out) == 1)

    def fun(others: Sequence[Array], tangent: Array) -> list[Array]:
        return by_platform(forms, *_inserted(others, i, tangent), linear=linear)

    def transposed(form: Flat) -> Flat:
        def run(*args: Array) -> Sequence[Array]:
            def tangent_of(t: Array) -> Sequence[Array]:  # by the derivative rules of the form
                return jax.jvp(lambda a: form(*_inserted(args[:count], i, a)), (jnp.zeros_like(t),), (t,))[1]

            return jax.linear_transpose(tangent_of, jax.ShapeDtypeStruct(aval.shape, aval.dtype))(list(args[count:]))

        return _without_dead_code(run)

    def transpose(others: Sequence[Array], cotangents: Sequence[Array]) -> Array:
        return by_platform(forms.map(transposed), *others, *cotangents, linear=kept, avals=[aval])[0]

    return linear_call(fun, transpose, others, tangent, out)


def _inserted(others: Sequence[Any], i: int, value: Any) -> list[Any]:
    return [*others[:i], value, *others[i:]]


def _without_dead_code(form: Flat) -> Flat:
    """The form without what its results do not need: the primal value behind a tangent."""

    def run(*args: Array) -> Sequence[Array]:
        closed = jax.make_jaxpr(lambda *flat: jax.tree.leaves(form(*flat)))(*args)
        jaxpr, _ = pe.dce_jaxpr(closed.jaxpr, [True] * len(closed.out_avals), instantiate=True)
        return core.jaxpr_as_fun(core.ClosedJaxpr(jaxpr, closed.consts))(*args)

    return run


class _Linearized(NamedTuple):
    """A form that returns its outputs and residuals, and its tangent as a function of the residuals."""

    forward: Any  # ClosedJaxpr: primals to outputs, then the residuals that are computed
    outputs: int
    tangent: Callable[[Sequence[Array]], Callable]  # residuals to the linear function of the moving primals
    sources: list[int | None]  # of each residual: the primal that it is, or None where it is computed


def _linearize(form: Flat, primals: Sequence[Any], moving: Sequence[int]) -> _Linearized:
    trees: list[Any] = []

    def forward(*values: Array) -> tuple[list[Array], list[Array]]:
        def of_moving(*moved: Array) -> tuple[list[Array], list[Array]]:
            replaced = dict(zip(moving, moved))
            out = list(form(*(replaced.get(i, v) for i, v in enumerate(values))))
            return list(filter(_is_differentiable, out)), out

        _, tangent, out = jax.linearize(of_moving, *(values[i] for i in moving), has_aux=True)
        residuals, tree = jax.tree.flatten(tangent)
        trees.append(tree)
        return out, residuals

    closed, (out, _) = jax.make_jaxpr(forward, return_shape=True)(*map(jax.typeof, primals))
    inputs = {id(var): i for i, var in enumerate(closed.jaxpr.invars)}
    sources = [inputs.get(id(var)) for var in closed.jaxpr.outvars[len(out) :]]
    kept = [True] * len(out) + [source is None for source in sources]
    jaxpr, _ = pe.dce_jaxpr(closed.jaxpr, kept, instantiate=True)
    return _Linearized(core.ClosedJaxpr(jaxpr, closed.consts), len(out), trees[0].unflatten, sources)


def _is_differentiable(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _linearized_jvp(primals: Sequence[Any], moving: Sequence[int], tangents: Sequence[Any], forms: Forms) -> tuple:
    variants = [_linearize(form, primals, moving) for form in (forms.default, *dict(forms.special).values())]
    outputs = variants[0].outputs
    shared = sorted({s for v in variants for s in v.sources if s is not None})
    avals = list(variants[0].forward.out_avals[:outputs])
    starts = []
    for variant in variants:
        starts.append(len(avals) - outputs)
        avals += variant.forward.out_avals[outputs:]

    def forward(variant: _Linearized, start: int) -> Flat:
        def run(*args: Array) -> list[Array]:
            out = core.jaxpr_as_fun(variant.forward)(*args)
            computed = [None] * start + out[outputs:]
            computed += [None] * (len(avals) - outputs - len(computed))
            zeros = [jnp.zeros(a.shape, a.dtype) if c is None else c for c, a in zip(computed, avals[outputs:])]
            return [*out[:outputs], *zeros]

        return run

    def residuals_of(variant: _Linearized, start: int, residuals: Sequence[Array]) -> list[Array]:
        computed = iter(residuals[len(shared) + start :])
        return [next(computed) if s is None else residuals[shared.index(s)] for s in variant.sources]

    count = len(shared) + len(avals) - outputs

    def tangent(variant: _Linearized, start: int) -> Flat:
        return lambda *args: variant.tangent(residuals_of(variant, start, args))(*args[count:])

    def cotangent(variant: _Linearized, start: int) -> Flat:
        def run(*args: Array) -> Sequence[Array]:
            linear = variant.tangent(residuals_of(variant, start, args))
            return jax.linear_transpose(linear, *structs)(list(args[count:]))

        return run

    def all_forms(build: Callable[[_Linearized, int], Flat]) -> Forms:
        default, *special = map(build, variants, starts)
        return Forms(default, tuple(zip(dict(forms.special), special)))

    back_avals = [jax.typeof(t) for t in tangents]
    structs = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in back_avals]
    out = by_platform(all_forms(forward), *primals, avals=avals)
    tangents_out = linear_call(
        lambda res, lin: by_platform(all_forms(tangent), *res, *lin),
        lambda res, cts: by_platform(all_forms(cotangent), *res, *cts, avals=back_avals),
        [*(primals[s] for s in shared), *out[outputs:]],
        list(tangents),
        list(filter(_is_differentiable, out[:outputs])),
    )
    moved = iter(tangents_out)
    out = out[:outputs]
    return out, [next(moved) if _is_differentiable(o) else ad.Zero(jax.typeof(o).to_tangent_aval()) for o in out]


def _remat(policy: Callable, unknown: Sequence[bool], instantiated: Sequence[bool], eqn: Any) -> tuple:
    """Save the results in `jax.checkpoint` if its policy would save a step of the default form, else recompute them."""
    count = len(eqn.outvars)
    needed = [v for v, ready in zip(eqn.invars, instantiated) if isinstance(v, core.Var) and not ready]
    if any(unknown):
        return None, eqn, [True] * count, [True] * count, needed
    steps = jax.make_jaxpr(eqn.params["forms"].default)(*(v.aval for v in eqn.invars)).eqns
    if any(policy(step.primitive, *(v.aval for v in step.invars), **step.params) is True for step in steps):
        return eqn, None, [False] * count, [False] * count, []
    return eqn, eqn, [False] * count, [True] * count, needed


ad.primitive_jvps[by_platform_p] = _jvp
pe.partial_eval_jaxpr_custom_rules[by_platform_p] = _remat
batching.primitive_batchers[by_platform_p] = _batch
mlir.register_lowering(by_platform_p, mlir.lower_fun(lambda *args, forms, **_: forms.default(*args)))
