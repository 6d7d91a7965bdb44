"""Generated names, and the scopes that form paths."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from jaxkeras.core.context import local, setting

_counts: defaultdict[str, int] = defaultdict(int)


def to_snake_case(name: str) -> str:
    """`MyLayer2D` -> `my_layer2d`, as Keras names objects after their class."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def get_uid(prefix: str = "") -> int:
    """The next integer for a prefix, counting from 1."""
    _counts[prefix] += 1
    return _counts[prefix]


def auto_name(prefix: str) -> str:
    """A name unique in this process: `dense`, `dense_1`, `dense_2`, ..."""
    prefix = to_snake_case(prefix)
    uid = get_uid(prefix) - 1
    return prefix if uid == 0 else f"{prefix}_{uid}"


def reset_uids() -> None:
    """Restart the numbering of all generated names."""
    _counts.clear()


def closest(name: object, choices: Iterable[object]) -> str:
    """A hint for the error about an unknown name: the closest known ones, else all."""
    known = sorted({str(c) for c in choices})
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if not close:
        lower = {c.lower(): c for c in known}
        close = [lower[c] for c in difflib.get_close_matches(str(name).lower(), list(lower), n=3, cutoff=0.5)]
    return f"Did you mean {' or '.join(repr(c) for c in close)}?" if close else f"Known: {', '.join(known[:40])}."


def unique(name: str, used: dict[str, int]) -> str:
    """`name`, or `name_1`, `name_2`, ... if it is in `used`, where it is recorded."""
    if name in used:
        used[name] += 1
        return f"{name}_{used[name]}"
    used[name] = 0
    return name


class name_scope:
    """Prefix the paths of variables created in a `with` block.

    Args:
        name: one path element, without `/`.
        caller: the object that opens the scope.
        deduplicate: whether a scope that `caller` opens directly in its own scope of the same name adds nothing.
        override_parent: a path that takes the place of the open scopes.

    Raises:
        ValueError: for a name that is no string or has a `/`.

    Example:

    >>> with name_scope("encoder"):
    ...     jk.Variable(np.zeros(2), name="scale").path
    'encoder/scale'
    """

    def __init__(
        self, name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None
    ) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"The name of a scope must be a string without '/'; got {name!r}.")
        self.name, self.caller, self.deduplicate, self.override_parent = name, caller, deduplicate, override_parent
        self._outer: list[tuple[tuple[str, ...], name_scope | None]] = []

    def __enter__(self) -> name_scope:
        names, around = local.names, local.name_scope
        self._outer.append((names, around))
        if self.deduplicate and self.caller is not None and names[-1:] == (self.name,):
            if around is not None and around.caller is self.caller and around.name == self.name:
                return self
        if self.override_parent is not None:
            names = tuple(filter(None, self.override_parent.split("/")))
        local.names, local.name_scope = (*names, self.name), self
        return self

    def __exit__(self, *exception: object) -> None:
        local.names, local.name_scope = self._outer.pop()


def config_scope(config: Mapping[str, Any]) -> contextlib.AbstractContextManager[None]:
    """The name scope of the object that a config describes, in which its parts get their original paths."""
    name = config.get("name")
    return setting(names=(*local.names, name) if name and isinstance(name, str) else local.names)


def current_path() -> str:
    """The open name scopes, joined by `/`."""
    return "/".join(local.names)
