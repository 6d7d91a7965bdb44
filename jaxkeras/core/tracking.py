"""Which object owns which variables, and under which path.

Nothing is recorded when an attribute is set: the attributes are the record, read on demand. Paths are those of Keras's
`.weights.h5` files, so that a path names the same weight in a params tree and in a file.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from jaxkeras.core.names import to_snake_case, unique
from jaxkeras.core.seeds import SeedGenerator
from jaxkeras.core.variable import Variable

Path = tuple[str, ...]


class Trackable:
    """An object that owns variables and perhaps other trackables.

    Attributes:
        _kind: `"layer"`, `"metric"`, ...: a walk over layers does not enter metrics.
        _untracked: names of attributes that hold references, not parts.
        _own: variables in order of creation, attributes or not.
        _transient: names of attributes whose variables are state, but neither weights nor written to files.
    """

    _kind = "layer"
    _untracked: frozenset[str] = frozenset({"_own", "_init_arguments", "_inbound_nodes", "_outbound_nodes"})
    _transient: frozenset[str] = frozenset()
    _own: list[Variable]

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Attributes that may hold parts, in the order they were set."""
        for name, value in list(vars(self).items()):
            if name not in self._untracked and isinstance(value, _HOLDERS):
                yield name, value

    def _own_variables(self) -> list[Variable]:
        """Its own weights: trainable ones first, each kind in order of creation."""
        found = dict.fromkeys(self._own)
        for name, value in self._parts():
            if name not in self._transient:
                found.update(dict.fromkeys(_variables_in(value)))
        # Variables created trainable stay in front when a layer is frozen, so that files keep their order.
        return sorted(found, key=lambda v: not getattr(v, "born_trainable", v.trainable))

    def _own_seeds(self) -> list[tuple[str, SeedGenerator]]:
        """Its seed generators by attribute."""
        return [(name, g) for name, value in self._parts() for g in _instances(value, SeedGenerator)]

    def _own_states(self) -> list[tuple[Path, Variable]]:
        """State that is not among its weights, by path: seeds, and the variables of transient attributes."""
        seeds = [((name, generator.state.name), generator.state) for name, generator in self._own_seeds()]
        carried = [((v.name,), v) for name in sorted(self._transient) for v in _variables_in(vars(self).get(name))]
        return [*seeds, *carried]

    def _children(self, kind: str = "layer") -> list[Any]:
        """Direct parts of a kind, each once, in the order their attributes were set."""
        found = {}
        for _, value in self._parts():
            for part in _instances(value, Trackable):
                if part._kind == kind and part is not self:
                    found.setdefault(id(part), part)
        return list(found.values())

    def _linked_parts(self) -> Sequence[Any]:
        """Parts that are not held by attributes."""
        return ()

    def _file_children(self) -> Iterator[tuple[str, Any]]:
        """Attributes in the order in which Keras writes them to a file: sorted, private ones last."""
        yield from sorted(self._parts(), key=lambda item: "~" + item[0] if item[0].startswith("_") else item[0])


_HOLDERS = (Variable, Trackable, SeedGenerator, list, tuple, dict)


def _instances(value: Any, cls: Any, inside: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Instances of a class in nested containers, which may contain themselves; `inside` are those around `value`."""
    if isinstance(value, cls):
        yield value
    elif isinstance(value, (list, tuple, dict)) and not any(value is container for container in inside):
        inside = (*inside, value)
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, _HOLDERS):
                yield from _instances(item, cls, inside)


def _variables_in(value: Any) -> Iterator[Variable]:
    return _instances(value, Variable)


class StructureVersion:
    """A number that changes when trackables get or lose parts or variables, or when a `trainable` flag changes.

    What was derived from the structure is valid as long as the number is the same.

    Args:
        roots: returns the objects to begin at.
        details: returns what else matters, compared with `==`; asked only after a quick check found a difference, which
            it may also find without need (an attribute got a value of another type).
        settings: returns plain values to compare on every check.
    """

    def __init__(self, roots: Callable[[], list[Any]], details: Callable[[], Any], settings: Callable[[], Any]):
        self._roots, self._details, self._settings = roots, details, settings
        self._number = 0
        self._record()

    @property
    def number(self) -> int:
        """The current version. Cheap enough to ask before every batch."""
        if not self._unchanged():
            before = self._recorded_details
            self._record()
            self._number += self._recorded_details != before
        return self._number

    def _record(self) -> None:
        # Details may be identities: the snapshot keeps what they were taken of alive until they are compared.
        self._recorded_details, self._recorded_settings = self._details(), self._settings()
        self._snapshot = _Snapshot(self._roots())

    def _unchanged(self) -> bool:
        return self._snapshot.matches(self._roots()) and self._recorded_settings == self._settings()


class _Snapshot:
    """The identities of everything that trackables hold. Compared by C code, since a loop over `train_on_batch` asks
    before every batch."""

    def __init__(self, roots: Iterable[Any]):
        self._roots = list(roots)
        self._holders: list[Any] = []  # views of everything that may hold parts
        self._mask: list[bool] = []  # which of their items are followed, over all holders
        self._linked: list[tuple[Callable[[], Sequence[Any]], list[Any]]] = []
        self._attributes: list[dict[str, Any]] = []
        self._variables: list[Variable] = []
        seen: set[int] = set()
        stack = list(self._roots)
        while stack:
            item = stack.pop()
            if id(item) in seen:
                continue
            seen.add(id(item))
            kind = _holder(type(item))
            if kind is Variable:
                self._variables.append(item)
            elif kind is Trackable:
                attributes = vars(item)
                self._attributes.append(attributes)
                stack += self._enter(attributes.values(), [name not in item._untracked for name in attributes])
                stack += self._enter(item._own)
                if type(item)._linked_parts is not Trackable._linked_parts:
                    self._linked.append((item._linked_parts, list(item._linked_parts())))
                    stack += self._linked[-1][1]
            elif kind is SeedGenerator:
                stack += self._enter(vars(item).values())
            elif kind is not None:
                stack += self._enter(item.values() if kind is dict else item)
        self._types, self._held = self._look()
        self._flags = self._trainable()

    def _enter(self, values: Any, tracked: Iterable[bool] = itertools.repeat(True)) -> list[Any]:
        mask = [wanted and _holder(type(value)) is not None for value, wanted in zip(values, tracked)]
        self._holders.append(values)
        self._mask += mask
        return list(itertools.compress(values, mask))

    def _look(self) -> tuple[Any, list[Any]]:
        items = list(itertools.chain.from_iterable(self._holders))
        return (list(map(len, self._holders)), list(map(type, items))), list(itertools.compress(items, self._mask))

    def _trainable(self) -> list[Any]:
        layers = [attributes.get("_trainable") for attributes in self._attributes]
        return [*layers, *[v.trainable for v in self._variables]]

    def matches(self, roots: Iterable[Any]) -> bool:
        """Whether nothing has changed, seen from these roots."""
        types, held = self._look()
        return (
            types == self._types
            and _same(held, self._held)
            and _same(roots, self._roots)
            and all(_same(linked(), before) for linked, before in self._linked)
            and self._trainable() == self._flags
        )


def _same(now: Iterable[Any], before: list[Any]) -> bool:
    now = list(now)
    return len(now) == len(before) and all(map(operator.is_, now, before))


@functools.cache
def _holder(cls: type) -> type | None:
    """The kind of holder that a class belongs to, or None."""
    return next((kind for kind in _HOLDERS if issubclass(cls, kind)), None)


def walk(owner: Trackable, kind: str = "layer") -> list[tuple[Path, Any]]:
    """Every part of an owner with its file path, the owner first; a shared part keeps its first path."""
    found: list[tuple[Path, Any]] = []
    seen: set[int] = set()
    containers: list[Any] = []  # kept alive: some are made on the way, and a later one could get the id of one gone

    def visit(part: Any, path: Path) -> None:
        if id(part) in seen:
            return
        seen.add(id(part))
        if isinstance(part, Trackable):
            found.append((path, part))
            for name, value in part._file_children():
                enter(value, (*path, name))

    def enter(value: Any, path: Path) -> None:
        if isinstance(value, Trackable):
            if value._kind == kind:
                visit(value, path)
        elif isinstance(value, (list, tuple, dict)):
            if id(value) in seen:
                return
            seen.add(id(value))
            containers.append(value)
            used: dict[str, int] = {}
            for item in value.values() if isinstance(value, dict) else value:
                if isinstance(item, Trackable):
                    if item._kind == kind:
                        visit(item, (*path, unique(to_snake_case(type(item).__name__), used)))
                elif isinstance(item, (list, tuple, dict)):
                    enter(item, (*path, unique("container", used)))

    visit(owner, ())
    return found


def variable_paths(owner: Trackable, kind: str = "layer") -> dict[Variable, Path]:
    """The path of every variable under an owner, seed states included."""
    paths: dict[Variable, Path] = {}
    for prefix, part in walk(owner, kind):
        used: dict[str, int] = {}
        attributes = {v: name for name, v in vars(part).items() if isinstance(v, Variable)}
        for v in part._own_variables():
            name = v.name if v.explicit_name else attributes.get(v, v.name).lstrip("_")
            paths.setdefault(v, (*prefix, unique(name, used)))
        for (name, *rest), v in part._own_states():
            paths.setdefault(v, (*prefix, unique(name, used), *rest))
    return paths


def nest(flat: dict[Path, Any]) -> dict[str, Any]:
    """`{("a", "b"): x}` -> `{"a": {"b": x}}`."""
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = leaf
    return tree


def flatten(tree: Any, prefix: Path = ()) -> dict[Path, Any]:
    """`{"a": {"b": x}}` -> `{("a", "b"): x}`, in the order of the dicts."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    flat: dict[Path, Any] = {}
    for key, value in tree.items():
        flat.update(flatten(value, (*prefix, key)))
    return flat
