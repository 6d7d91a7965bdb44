"""Nested structures of lists, tuples, named tuples, deques and dicts.

As in Keras, and unlike in `jax.tree`, None and everything else that is not one of these containers is a leaf, variables
included, and dicts keep their order when they are rebuilt. Leaves of a dict are in the order of its sorted keys, those
of an `OrderedDict` in its own order.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jaxkeras.core import lazy_imports

__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested",
    "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip
__dir__ = lazy_imports.public_dir(__name__)

_SEQUENCES = (list, tuple, deque)
_MAPPINGS = (dict, OrderedDict, defaultdict)


class MAP_TO_NONE:
    """Returned by the function given to `traverse` to replace a part by None.

    Example:

    >>> traverse(lambda x: MAP_TO_NONE if x == 1 else None, [1, 2])
    [None, 2]
    """


def _is_namedtuple(x: Any) -> bool:
    return isinstance(x, tuple) and hasattr(x, "_fields")


def is_nested(structure: Any) -> bool:
    """Whether something is a container, and not a leaf.

    Args:
        structure: anything.

    Returns:
        A boolean.

    Example:

    >>> is_nested([1]), is_nested(1)
    (True, False)
    """
    return type(structure) in _SEQUENCES + _MAPPINGS or _is_namedtuple(structure)


def _keys(structure: Any) -> list[Any]:
    """The keys or indices of a container, in the order of its leaves."""
    if not isinstance(structure, dict):
        return list(range(len(structure)))
    if isinstance(structure, OrderedDict):
        return list(structure)
    try:
        return sorted(structure)
    except TypeError:  # keys of several types
        return sorted(structure, key=lambda key: (type(key).__qualname__, repr(key)))


def _rebuild(structure: Any, children: Iterable[Any]) -> Any:
    """A container like `structure` with other children, given in the order of its keys."""
    if _is_namedtuple(structure):
        return type(structure)(*children)
    if isinstance(structure, deque):
        return deque(children, structure.maxlen)
    if not isinstance(structure, dict):
        return type(structure)(children)
    by_key = dict(zip(_keys(structure), children))
    ordered = {key: by_key[key] for key in structure}
    if isinstance(structure, defaultdict):
        return defaultdict(structure.default_factory, ordered)
    return type(structure)(ordered)


def _walk(structure: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not is_nested(structure):
        yield path, structure
        return
    for key in _keys(structure):
        yield from _walk(structure[key], (*path, key))


def _where(path: tuple[Any, ...]) -> str:
    return "at the top" if not path else f"at {''.join(f'[{key!r}]' for key in path)}"


def _map(
    function: Callable[..., Any], structures: tuple[Any, ...], path: tuple[Any, ...], none_is_leaf: bool, shallow: bool
) -> Any:
    first, *others = structures
    if not is_nested(first):
        if first is None and not none_is_leaf:
            if any(other is not None for other in others):
                raise ValueError(f"The structures don't have the same nested structure: {_where(path)} one is None.")
            return None
        if not shallow and any(is_nested(other) for other in others):
            raise ValueError(
                f"The structures don't have the same nested structure: {_where(path)} the first one has a leaf, "
                "another one a container."
            )
        return function(*structures)
    keys = _keys(first)
    for other in others:
        same_kind = type(other) is type(first) or isinstance(first, dict) and isinstance(other, dict)
        if not same_kind:
            raise ValueError(
                f"The structures don't have the same nested structure: {_where(path)} the first one has a "
                f"{type(first).__name__}, another one {other!r}."
            )
        if len(other) != len(first) or isinstance(first, dict) and set(other) != set(first):
            raise ValueError(
                f"The structures don't have the same nested structure: {_where(path)} the first one has the keys "
                f"{keys}, another one {_keys(other)}."
            )
    children = [_map(function, tuple(s[key] for s in structures), (*path, key), none_is_leaf, shallow) for key in keys]
    return _rebuild(first, children)


def flatten(structure: Any) -> list[Any]:
    """List the leaves of a structure.

    Args:
        structure: nested containers, or a leaf.

    Returns:
        List of leaves.

    Example:

    >>> flatten({"b": 1, "a": [2, (3, None)]})
    [2, 3, None, 1]
    """
    return [leaf for _, leaf in _walk(structure)]


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """List the leaves of a structure with their paths.

    Args:
        structure: nested containers, or a leaf.

    Returns:
        List of `(path, leaf)`; a path is the tuple of keys and indices that lead to the leaf.

    Example:

    >>> flatten_with_path({"a": [2, 3]})
    [(('a', 0), 2), (('a', 1), 3)]
    """
    return list(_walk(structure))


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply a function to the leaves of structures.

    Args:
        func: function of as many leaves as there are structures.
        *structures: nested containers, all of the same structure.
        none_is_leaf: whether `func` is called for None too; else None stays None.

    Returns:
        A structure like the first.

    Raises:
        ValueError: for structures that differ.
        TypeError: for a `func` that cannot be called.

    Example:

    >>> map_structure(lambda a, b: a + b, {"x": [1, 2]}, {"x": [10, 20]})
    {'x': [11, 22]}
    """
    if not callable(func):
        raise TypeError(f"`func` must be a function, got {func!r}.")
    if not structures:
        raise ValueError("`map_structure` needs at least one structure.")
    return _map(func, structures, (), none_is_leaf, shallow=False)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply a function to the parts of structures at the leaves of a shallower structure.

    Args:
        shallow_structure: its leaves are where the descent ends.
        func: function of the parts at one leaf, one from each structure.
        *structures: nested containers that are at least as deep.

    Returns:
        A structure like `shallow_structure`.

    Raises:
        ValueError: for structures that differ within the shallow one.

    Example:

    >>> map_structure_up_to([0, 0], len, [[1, 2], [3]])
    [2, 1]
    """
    if not structures:
        raise ValueError("`map_structure_up_to` needs at least one structure besides the shallow one.")
    return _map(lambda _, *parts: func(*parts), (shallow_structure, *structures), (), True, shallow=True)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise an error unless two structures differ only in their leaves.

    Args:
        a: nested containers, or a leaf.
        b: nested containers, or a leaf.
        check_types: deprecated, without effect.

    Raises:
        ValueError: for structures that differ.

    Example:

    >>> assert_same_structure({"x": [1, 2]}, {"x": [3, 4]})
    >>> assert_same_structure([1, 2], [1])
    Traceback (most recent call last):
        ...
    ValueError: The structures don't have the same nested structure: ...
    """
    if check_types is not None:
        warnings.warn(
            "`check_types` has no effect; use `assert_same_paths` to let lists and tuples match.",
            DeprecationWarning,
            stacklevel=2,
        )
    map_structure(lambda *_: None, a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise an error unless the leaves of two structures have the same paths.

    Args:
        a: nested containers, or a leaf.
        b: nested containers, or a leaf; lists, tuples and deques count as equal.

    Raises:
        ValueError: for a path that only one of them has.

    Example:

    >>> assert_same_paths([1, 2], (3, 4))
    """
    first, second = ({path for path, _ in _walk(s)} for s in (a, b))
    if first != second:
        raise ValueError(
            f"`a` and `b` don't have the same paths: only `a` has {first - second or 'none'}, only `b` has "
            f"{second - first or 'none'}."
        )


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """Replace the leaves of a structure; the inverse of `flatten`.

    Args:
        structure: nested containers, or a leaf.
        flat_sequence: the new leaves.

    Returns:
        A structure like `structure`.

    Raises:
        ValueError: for another number of leaves.

    Example:

    >>> pack_sequence_as({"b": 0, "a": [0]}, [1, 2])
    {'b': 2, 'a': [1]}
    """
    leaves = list(flat_sequence)
    expected = len(flatten(structure))
    if len(leaves) != expected:
        kind = "few" if len(leaves) < expected else "many"
        raise ValueError(f"Too {kind} leaves: the structure has {expected}, got {len(leaves)}.")
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Replace parts of a structure, containers as well as leaves.

    Args:
        func: called with each part; returns its replacement, None to descend (top down) or to keep the part (bottom
            up), or `MAP_TO_NONE` to replace it by None.
        structure: nested containers, or a leaf.
        top_down: whether containers are visited before their contents; replacements are not descended into.

    Returns:
        The new structure.

    Example:

    >>> traverse(lambda x: tuple(x) if isinstance(x, list) else None, [1, [2]], top_down=False)
    (1, (2,))
    """

    def inside() -> Any:
        if not is_nested(structure):
            return structure
        return _rebuild(structure, [traverse(func, structure[key], top_down) for key in _keys(structure)])

    part = structure if top_down else inside()
    result = func(part)
    if result is None:
        return inside() if top_down else part
    return None if result is MAP_TO_NONE else result


def lists_to_tuples(structure: Any) -> Any:
    """Turn every list of a structure into a tuple.

    Args:
        structure: nested containers, or a leaf.

    Returns:
        The new structure.

    Example:

    >>> lists_to_tuples({"x": [1, [2]]})
    {'x': (1, (2,))}
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """Apply a function to each shape in a structure; a shape is a list or tuple of integers and None.

    Args:
        func: function of a shape.
        structure: nested containers of shapes.

    Returns:
        The new structure.

    Example:

    >>> map_shape_structure(len, {"x": (None, 3), "y": [(2,)]})
    {'x': 2, 'y': [1]}
    """

    def at(x: Any) -> Any:
        is_shape = isinstance(x, (list, tuple)) and all(isinstance(n, (int, type(None))) for n in x)
        if is_shape or not is_nested(x):
            return func(x)
        return _rebuild(x, [at(x[key]) for key in _keys(x)])

    return at(structure)
