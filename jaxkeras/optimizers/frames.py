"""How an optimizer written as in Keras becomes pure: its methods run on cells that are bound to a frame.

Used only for subclasses that override `build`, `update_step` or `apply`; the optimizers of this package are rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.core.functional import functional_call
from jaxkeras.core.tracking import Path, nest
from jaxkeras.core.variable import Variable
from jaxkeras.optimizers.at_rest import State, is_cell

Tree = Any


def run(
    owner: Any, grads: Tree, state: State, params: Tree, body: Callable[[list[Any], list[Variable]], None]
) -> tuple[Tree, State]:
    """Call `body(grads, variables)` with the cells of a built optimizer bound to trees; what it assigned comes back.

    Args:
        owner: a built optimizer.
        grads: a tree like `params`, None where there is no gradient.
        state: its state, or part of it.
        params: the parameters, in the structure it was built for.
        body: what to run, as `apply` would.

    Returns:
        `(new params, new state)`.
    """
    cells, structure = jax.tree.flatten({k: v for k, v in owner.cells.items() if k in state}, is_leaf=is_cell)
    by_path = dict(zip(owner._paths, owner._trainable_variables))
    variables = [by_path[path] for path in leaf_paths(params)]
    treedef = jax.tree.structure(params)
    values = [jax.tree.leaves(params), structure.flatten_up_to(state)]
    result = functional_call([variables, cells], values, lambda: body(treedef.flatten_up_to(grads), variables))
    new_params, new_state = result.values
    return treedef.unflatten(new_params), structure.unflatten(new_state)


def built_like(optimizer: Any, params: Tree, infos: Sequence[Any], fresh: bool = False) -> Any:
    """The optimizer itself if it is built, else a copy, built on variables that stand for the leaves of `params`."""
    if optimizer.built:
        return optimizer
    paths = leaf_paths(params)
    known = optimizer._twin
    if known is not None and not fresh and known._paths == paths and all(
        v.shape == info.shape and v.dtype == jnp.dtype(info.dtype).name
        for v, info in zip(known._trainable_variables, infos)
    ):
        return known
    optimizer._twin = None
    with jax.ensure_compile_time_eval():
        twin = copy.deepcopy(optimizer)
        variables = [_stand_in(info, p) for info, p in zip(infos, jax.tree.leaves(params))]
        twin.build(variables, paths)
    optimizer._twin = twin
    return twin


def _stand_in(info: Any, p: Any) -> Variable:
    concrete = isinstance(p, jax.Array) and not isinstance(p, Tracer)
    v = Variable(p if concrete else jnp.zeros, shape=info.shape, dtype=info.dtype, name=info.name or None)
    v.path = info.path or v.path
    return v


def first_values(owner: Any) -> State:
    """The state of a built optimizer as it was when it was built."""

    def first(key: Path, v: Variable) -> jax.Array:
        if key in owner._snapshots:
            return jnp.asarray(owner._snapshots[key])
        return jnp.asarray(v.initializer(v.shape, dtype=v.dtype), v.dtype)

    values = {key: first(key, v) for key, v in owner._slots.items()}
    return {**nest(owner._with_gaps(values)), **owner._counters()}


def key_name(key: Any) -> str:
    """One element of a JAX key path, as a string."""
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def leaf_paths(tree: Tree) -> list[Path]:
    """The path of every leaf."""
    return [tuple(map(key_name, keys)) for keys, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
