"""Runs an optimizer written as in Keras as a pure function, by binding its variables to arrays.

Used only for subclasses that override `build`, `update_step` or `apply`; the optimizers of this package are rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.core.functional import functional_call, leaf_paths
from jaxkeras.core.tracking import Path, nest
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.variables import State, is_variable

Tree = Any


def run(
    owner: Any, grads: Tree, state: State, params: Tree, body: Callable[[list[Any], list[Variable]], None]
) -> tuple[Tree, State]:
    """Call `body(grads, variables)` with the variables of a built optimizer bound to trees.

    Args:
        owner: a built optimizer.
        grads: a tree like `params`, None where there is no gradient.
        state: its state, or some entries of it.
        params: the parameters, in the structure the optimizer was built for.
        body: the function to run; it assigns variables of the model and of the optimizer.

    Returns:
        `(new params, new state)`: the values of the variables after the call.
    """
    cells, structure = jax.tree.flatten({k: v for k, v in owner.cells.items() if k in state}, is_leaf=is_variable)
    by_path = dict(zip(owner._paths, owner._trainable_variables))
    variables = [by_path[path] for path, _ in leaf_paths(params)]
    treedef = jax.tree.structure(params)
    values = [jax.tree.leaves(params), structure.flatten_up_to(state)]
    gs = treedef.flatten_up_to(grads)
    new_params, new_state = functional_call([variables, cells], values, lambda: body(gs, variables)).values
    return treedef.unflatten(new_params), structure.unflatten(new_state)


def built_for(optimizer: Any, params: Tree, infos: Sequence[Any], fresh: bool = False) -> Any:
    """The optimizer itself if it is built, else a copy that is built on placeholder variables for `params`.

    Args:
        optimizer: an optimizer.
        params: the parameters.
        infos: the `ParamInfo` of each.
        fresh: build a new copy even if there is one for these parameters, because its first values are needed.
    """
    if optimizer.built:
        return optimizer
    paths = [path for path, _ in leaf_paths(params)]
    known = optimizer._built_copy
    if known is not None and not fresh and known._paths == paths and all(
        v.shape == info.shape and v.dtype == jnp.dtype(info.dtype).name
        for v, info in zip(known._trainable_variables, infos)
    ):
        return known
    optimizer._built_copy = None  # not to be copied itself
    with jax.ensure_compile_time_eval():
        built = copy.deepcopy(optimizer)
        variables = [_placeholder(info, p) for info, p in zip(infos, jax.tree.leaves(params))]
        built.build(variables, paths)
    optimizer._built_copy = built
    return built


def _placeholder(info: Any, p: Any) -> Variable:
    concrete = isinstance(p, jax.Array) and not isinstance(p, Tracer)
    v = Variable(p if concrete else jnp.zeros, shape=info.shape, dtype=info.dtype, name=info.name or None)
    v.path = info.path or v.path
    return v


def initial_state(owner: Any) -> State:
    """The state that a built optimizer had right after `build`."""

    def first(key: Path, v: Variable) -> jax.Array:
        if key in owner._snapshots:
            return jnp.asarray(owner._snapshots[key])
        return jnp.asarray(v.initializer(v.shape, dtype=v.dtype), v.dtype)

    values = {key: first(key, v) for key, v in owner._slots.items()}
    return {**nest(owner._with_gaps(values)), **owner._counters()}
