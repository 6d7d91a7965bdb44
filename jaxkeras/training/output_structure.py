"""Structures of outputs: paths to their leaves, and targets and weights in the same structure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxkeras import registry

Path = tuple[Any, ...]  # keys of dicts and positions in lists and tuples


def is_nested(tree: Any) -> bool:
    """Whether a value is a dict, list or tuple of others; the config of an object is a value of its own."""
    return isinstance(tree, (dict, list, tuple)) and not registry.is_config(tree)


def children(tree: Any) -> Iterator[tuple[Any, Any]]:
    """`(key, value)` of a dict, list or tuple, in the order of `jax.tree`."""
    if not isinstance(tree, dict):
        yield from enumerate(tree)
    elif isinstance(tree, OrderedDict):
        yield from tree.items()
    else:
        yield from ((key, tree[key]) for key in sorted(tree))


def leaf_paths(tree: Any, path: Path = ()) -> list[Path]:
    """The paths of all leaves but None."""
    if is_nested(tree):
        return [leaf for key, part in children(tree) for leaf in leaf_paths(part, (*path, key))]
    return [] if tree is None else [path]


def at(tree: Any, path: Path) -> Any:
    """The part of a structure at a path; None within a part that is None."""
    for key in path:
        if tree is not None and not is_nested(tree):
            raise KeyError(key)
        tree = None if tree is None else tree[key]
    return tree


def flat(tree: Any) -> list[Any]:
    """The leaves of a structure, None included, with the entries of dicts in the order they were written."""
    if not is_nested(tree):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [leaf for part in parts for leaf in flat(part)]


def map_paths(function: Callable[[Path], Any], tree: Any, path: Path = ()) -> Any:
    """A structure of `function(path)` for every leaf of a structure."""
    if isinstance(tree, dict):
        return {key: map_paths(function, part, (*path, key)) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        parts = [map_paths(function, part, (*path, i)) for i, part in enumerate(tree)]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return function(path)


def repack(tree: Any, like: Any) -> Any:
    """The leaves of a structure in the containers of another: a list of one array and the array alone are the same."""
    paths, wanted = leaf_paths(tree), leaf_paths(like)
    if paths == wanted or len(paths) != len(wanted):
        return tree
    leaves = dict(zip(wanted, (at(tree, path) for path in paths)))
    return map_paths(lambda path: leaves[path], like)


def align(
    values: Any, outputs: Any, names: Sequence[str] | None, wanted: Sequence[Path] | None, what: str = "y"
) -> Any:
    """Targets, or weights, in the structure of the outputs.

    Args:
        values: in the structure of the outputs, a flat list, a dict by output name, or values for the outputs that
            have a loss alone.
        outputs: what the model returns.
        names: names of the outputs, flat, or None.
        wanted: the paths of the outputs that need a value; None if any number will do.
        what: what the values are, for messages.

    Returns:
        The structure of `outputs`, with None where there is no value.

    Raises:
        ValueError: for values of any other structure.
    """
    paths = leaf_paths(outputs)
    names = names if names and len(names) == len(paths) else None
    found = _by_path(values, paths, names)
    if found is None:
        leaves = flat(values)
        if wanted is None or len(leaves) == len(paths) and not (isinstance(values, dict) and isinstance(outputs, dict)):
            found = dict(zip(paths, leaves))
        elif len(leaves) == len(wanted):
            found = dict(zip(sorted(wanted, key=paths.index), leaves))
    missing = [] if found is None else [path for path in wanted or () if found.get(path) is None]
    if found is None or missing:
        raise _other_structure(what, values, outputs, names, missing)
    return map_paths(lambda path: found.get(path), outputs)


def _other_structure(
    what: str, values: Any, outputs: Any, names: Sequence[str] | None, missing: Sequence[Path]
) -> ValueError:
    several = f"the model has {count_outputs(outputs, names)}"
    if missing:
        return ValueError(f"The output {describe_path(missing[0])} has a loss, but `{what}` holds no target for it.")
    if not is_nested(values):
        return ValueError(
            f"`{what}` is a single array, but {several}. Give a list with one array for each, or a dict by output name."
        )
    if isinstance(values, (list, tuple)) and not any(map(is_nested, values)):
        return ValueError(
            f"`{what}` has {len(values)} entries, but {several}. Give one for each, or a dict by output name."
        )
    return ValueError(
        f"`{what}` does not have the structure of the model's outputs: it is {describe(values)}, but {several}, in the "
        f"structure {describe(outputs)}."
    )


def count_outputs(outputs: Any, names: Sequence[str] | None) -> str:
    """How many outputs a model has, and what they are called."""
    paths = leaf_paths(outputs)
    if not names and isinstance(outputs, dict):
        names = ["".join(f"{'.' if i else ''}{key}" for i, key in enumerate(path)) for path in paths]
    number = "1 output" if len(paths) == 1 else f"{len(paths)} outputs"
    return f"{number}: {list(names)}" if names else number


def _by_path(values: Any, paths: list[Path], names: Sequence[str] | None) -> dict[Path, Any] | None:
    """Values by path, if they are in the structure of the outputs, whatever its containers, or named after them."""
    given = leaf_paths(values)
    if paths == [()]:
        return {(): at(values, given[0])} if len(given) == 1 else None
    if set(given) <= set(paths) and isinstance(values, dict):
        return {path: at(values, path) for path in given}
    if set(given) == set(paths):
        return {path: at(values, path) for path in paths}
    if isinstance(values, dict) and names is not None and set(values) <= set(names):
        return {path: values[name] for path, name in zip(paths, names) if name in values}
    return None


def describe(tree: Any) -> str:
    """A structure with a star for each leaf."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {describe(part)}" for key, part in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(describe, tree)) + "]"
    if isinstance(tree, tuple):
        return "(" + ", ".join(map(describe, tree)) + ("," if len(tree) == 1 else "") + ")"
    return "None" if tree is None else "*" if hasattr(tree, "shape") else repr(tree)[:40]


def describe_path(path: Path) -> str:
    """A path as it is written after the name of a structure."""
    return "".join(f"[{key!r}]" for key in path) or "the output"
