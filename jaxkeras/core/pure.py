"""From cells to trees and back: `init` and `apply`, on which everything in training is built."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.frame import Frame, bind
from jaxkeras.core.tracking import Path, flatten, nest, variable_paths
from jaxkeras.core.variable import Variable


class Table(NamedTuple):
    """The variables of a layer by path, in order of creation: those an optimizer updates, and the rest."""

    params: dict[Path, Variable]
    state: dict[Path, Variable]


def table(layer: Any) -> Table:
    """Look up every variable of a layer and its path."""
    paths = variable_paths(layer)
    trainable = {id(v) for v in layer.trainable_variables}
    params: dict[Path, Variable] = {}
    state: dict[Path, Variable] = {}
    for v in layer.variables:
        path = paths.get(id(v))
        if path is not None:
            (params if id(v) in trainable else state)[path] = v
    return Table(params, state)


def cells(variables: dict[Path, Variable]) -> dict[str, Any]:
    """The nested dict of the arrays at rest."""
    return nest({path: v.cell() for path, v in variables.items()})


def set_cells(variables: dict[Path, Variable], tree: Any, what: str) -> None:
    """Write a nested dict of arrays into the cells.

    Raises:
        ValueError: naming the path of a missing, unknown or wrongly shaped leaf.
    """
    for path, (v, value) in _match(variables, tree, what).items():
        if tuple(np.shape(value)) != v.shape:
            raise ValueError(f"{what}['{'/'.join(path)}'] must have shape {v.shape}; got {tuple(np.shape(value))}.")
        v.assign(value)


def _match(variables: dict[Path, Variable], tree: Any, what: str) -> dict[Path, tuple[Variable, Any]]:
    flat = flatten(tree) if tree else {}
    missing = [p for p in variables if p not in flat]
    extra = [p for p in flat if p not in variables]
    if missing or extra:
        parts = [f"lacks {', '.join(repr('/'.join(p)) for p in missing[:5])}"] if missing else []
        parts += [f"has unknown {', '.join(repr('/'.join(p)) for p in extra[:5])}"] if extra else []
        raise ValueError(
            f"The `{what}` tree {' and '.join(parts)}. Expected the structure that `init` returns, "
            f"with {len(variables)} leaves."
        )
    return {path: (v, flat[path]) for path, v in variables.items()}


def bindings(variables: dict[Path, Variable], tree: Any, what: str) -> dict[int, Any]:
    """`{id(variable): array}` for a frame."""
    result = {}
    for path, (v, value) in _match(variables, tree, what).items():
        if getattr(value, "shape", None) != v.shape:
            raise ValueError(
                f"{what}['{'/'.join(path)}'] must have shape {v.shape}; got {getattr(value, 'shape', type(value))}."
            )
        result[id(v)] = value
    return result


def as_key(rng: Any) -> Any:
    """A JAX key from a key or an integer; None stays None."""
    if rng is None or not isinstance(rng, (int, np.integer)):
        return rng
    return jax.random.key(int(rng))


def run(
    tables: Table, params: Any, state: Any, function: Callable[[], Any], rng: Any = None
) -> tuple[Any, dict[str, Any], Frame]:
    """Call `function` with the variables bound to trees.

    Returns:
        What it returned, the new state tree, and the frame (for its losses and other updates).
    """
    values = bindings(tables.params, params, "params") | bindings(tables.state, state, "state")
    places = None if rng is None else {id(v): _hash(path) for path, v in tables.state.items()}
    with bind(values, rng=as_key(rng), places=places) as frame:
        result = function()
    new_state = nest({p: frame.updates.get(id(v), values[id(v)]) for p, v in tables.state.items()})
    return result, new_state, frame


def _hash(path: Path) -> int:
    return zlib.crc32("/".join(path).encode())


def initial_values(variables: dict[Path, Variable], key: Any) -> dict[str, Any]:
    """Fresh values for variables, each from a key folded with its path. Pure: jit it, vmap it over keys."""
    flat = {}
    for path, v in variables.items():
        own = jax.random.fold_in(as_key(key), _hash(path))
        initializer = v.initializer
        if initializer is None:
            if v.name == "seed_generator_state":
                start = jax.random.bits(own, (), jnp.uint32)
                flat[path] = jnp.stack([start, jnp.zeros((), jnp.uint32)])
            else:
                flat[path] = v.cell()
        elif hasattr(initializer, "draw") and initializer.user_seed is None:
            flat[path] = jnp.asarray(initializer.draw(own, v.shape, v._dtype), v._dtype)
        else:
            flat[path] = jnp.asarray(initializer(v.shape, dtype=v._dtype), v._dtype)
    return nest(flat)


def stateless(
    variables: Sequence[Variable], values: Sequence[Any], function: Callable[[], Any]
) -> tuple[Any, list[Any], Frame]:
    """Call `function` with some variables bound to a list of values, as Keras's `stateless_*` methods do.

    Returns:
        What it returned, the new values in the same order, and the frame.

    Raises:
        ValueError: if the number of values differs from the number of variables.
    """
    variables, values = list(variables), list(values)
    if len(variables) != len(values):
        names = ", ".join(v.path for v in variables[:6])
        raise ValueError(f"Expected {len(variables)} values, one for each of [{names}...]; got {len(values)}.")
    with bind({id(v): jnp.asarray(x) for v, x in zip(variables, values)}) as frame:
        result = function()
        updated = [frame.updates.get(id(v), frame.values[id(v)]) for v in variables]
    return result, updated, frame


