"""Which programs were compiled for a model, when, for how long, and why."""

from __future__ import annotations

import collections
import dataclasses
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from jaxkeras.core.tracebacks import line_of_user
from jaxkeras.display import html

MANY = 3  # compilations for one cause that are worth a warning
MANY_LAST = 10  # for sizes of the last batch, of which there are as many as rows in a batch
KEPT = 1000  # a model that compiles more often shows the last ones

Facts = Mapping[str, Any]


@dataclasses.dataclass
class Compilation:
    """One compiled program.

    Attributes:
        program: what it is for: `"fit"`, `"evaluate"`, `"predict"`, `"train_on_batch"`, ...
        why: how it differs from the most similar program compiled before for the same purpose.
        causes: the same as names, such as `"shape of x"`.
        time: when it was traced, in seconds since the epoch.
        seconds: duration of tracing and compilation; None while it compiles.
        from_disk: whether it was found in the program cache.
    """

    program: str
    why: str
    causes: tuple[str, ...]
    time: float
    seconds: float | None = None
    from_disk: bool = False


class Compilations(list[Compilation]):
    """What `model.compilations()` returns: a list that is shown as a table."""

    def _rows(self) -> list[list[str]]:
        return [
            [
                time.strftime("%H:%M:%S", time.localtime(c.time)),
                c.program,
                "..." if c.seconds is None else f"{c.seconds:.2f} s{' (from disk)' * c.from_disk}",
                c.why,
            ]
            for c in self
        ]

    def __repr__(self) -> str:
        rows = [_HEADERS, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join("  ".join([*(cell.ljust(n) for cell, n in zip(row, widths)), row[3]]) for row in rows)

    def _repr_html_(self) -> str:
        return html.table(_HEADERS, self._rows(), "Compiled programs", left=4)


_HEADERS = ["Time", "Program", "Took", "Why"]


class CompilationLog:
    """The compilations of one model.

    Attributes:
        entries: the last ones.
    """

    def __init__(self) -> None:
        self.entries: collections.deque[Compilation] = collections.deque(maxlen=KEPT)
        self._facts: dict[str, list[Facts]] = collections.defaultdict(list)  # by program
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()

    def note(self, program: str, facts: Facts) -> Compilation:
        """Record a compilation that starts now, and warn at the third one for the same cause, or at the tenth size of
        the last batch.

        Args:
            program: what the program is for.
            facts: all that it depends on.
        """
        before = self._facts[program]
        causes = explain(facts, before)
        del before[:-KEPT]
        before.append(facts)
        entry = Compilation(program, "; ".join(causes.values()), tuple(causes), time.time())
        self.entries.append(entry)
        for cause in causes:
            self._counts[program, cause] += 1
            if self._counts[program, cause] == (MANY_LAST if cause == LAST else MANY) and cause not in _EXPECTED:
                self._warn(program, cause, causes[cause])
        return entry

    def _warn(self, program: str, cause: str, why: str) -> None:
        advice = next((text for word, text in _ADVICE.items() if word in cause), "")
        times = self._counts[program, cause]
        warnings.warn_explicit(
            f"`{program}` has now been compiled {times} times for the same cause: {why}. {advice}"
            "`model.compilations()` lists all programs.",
            UserWarning,
            *line_of_user(),
        )


FIRST, LAST = "first", "last batch"
_EXPECTED = frozenset({FIRST, "number of batches", "interceptors", "feed"})
_ADVICE = {
    "shape": "Pad or resize the data to one shape, or to a few. ",
    LAST: "Data whose number of rows is a multiple of the batch size have no smaller last batch. ",
    "rows": "Pass data with one number of rows, or as a stream of batches. ",
    "batch size": "Keep one batch size. ",
    "structure": "Pass the arguments in one structure. ",
    "dtype": "Convert the data to one type. ",
    "sample_weight": "Pass weights always (ones) or never. ",
    "trainable": "Freeze layers once, before training. ",
    "compile": "Each `compile` makes new programs: to train again, set the weights instead. ",
    "metrics": "Give all metrics in one `compile`. ",
}


# -- causes ------------------------------------------------------------------------------------------------------------
def explain(facts: Facts, before: Iterable[Facts]) -> dict[str, str]:
    """How facts differ from the most similar ones of some others: `{cause: description}`."""
    candidates = [(_differences(facts, other), other) for other in reversed(list(before))]
    if not candidates:
        return {FIRST: "first use"}
    changed, other = min(candidates, key=lambda candidate: len(candidate[0]))
    return _described(changed, facts, other) or {"anew": "the programs were dropped or made anew"}


def _differences(facts: Facts, other: Facts) -> list[str]:
    """Keys of facts that differ, causes before what follows from them."""
    names = [name for name in {**facts, **other} if facts.get(name) != other.get(name)]
    for cause, consequences in _CONSEQUENCES.items():
        if cause in names:
            names = [name for name in names if not name.startswith(consequences)]
    return names


_CONSEQUENCES: dict[str, tuple[str, ...]] = {
    "x64": ("dtype", "weights", "state", "steps"),
    "optimizer": ("compile", "steps", "state"),
    "loss": ("compile", "steps", "state"),
    "metrics": ("compile", "steps", "state"),
    "policy": ("compile", "steps", "state"),
    "weights": ("compile", "steps", "state", "trainable"),
    "trainable": ("compile", "steps", "state"),
    "mesh": ("placement", "state"),
    "compile": ("steps", "state"),
    "steps": ("state",),
    "feed": ("rows", "number of batches"),
    "order": ("rows", "feed"),
    "batch size": ("rows",),
    **{f"structure of {name}": tuple(f"{part} of {name}" for part in ("shape", "dtype", "placement"))
       for name in ("x", "y", "sample_weight")},
}  # fmt: skip


def _described(names: list[str], facts: Facts, other: Facts) -> dict[str, str]:
    causes = {}
    lasts = [which["feed"] in ("slice", "last") for which in (facts, other)] if "batch size" in names else []
    if any(lasts) or lasts and "feed" in names and other["feed"] == "loop":
        names = [name for name in names if name not in ("batch size", "feed")]
        what = "batches have" if lasts == [False, True] else "the last batch has"
        causes[LAST] = f"{what} {facts['batch size']} rows, not {other['batch size']}"
    for name in names:
        new, old = facts.get(name), other.get(name)
        describe = _DESCRIBE.get(name)
        causes[name] = describe(new, old) if describe else f"new {name}: {_text(new)} where {_text(old)} before"
    return causes


def _text(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else repr(value)


def _as_lists(new: Any, old: Any, what: str) -> str:
    added, gone = [n for n in new or () if n not in (old or ())], [n for n in old or () if n not in (new or ())]
    parts = [f"new {what} {', '.join(map(repr, added))}"] * bool(added)
    parts += [f"no {what} {', '.join(map(repr, gone))} any more"] * bool(gone)
    return ", ".join(parts) or f"another order of {what}s"


def _trainable(new: Any, old: Any) -> str:
    now, before = set[str](new or ()), set[str](old or ())
    frozen, thawed = sorted(before - now), sorted(now - before)
    parts = [f"`trainable` of {_owners(frozen)} is now False"] * bool(frozen)
    parts += [f"`trainable` of {_owners(thawed)} is now True"] * bool(thawed)
    return ", ".join(parts)


def _owners(paths: list[str]) -> str:
    """The layers of weights, the first few."""
    names = list(dict.fromkeys(repr(path.rpartition("/")[0] or path) for path in paths))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _weights(new: Any, old: Any) -> str:
    new, old = dict(new or ()), dict(old or ())
    added, gone = sorted(set[str](new) - set[str](old)), sorted(set[str](old) - set[str](new))
    parts = [f"new weights of {_owners(added)}"] * bool(added)
    parts += [f"no weights of {_owners(gone)} any more"] * bool(gone)
    changed = [path for path in new.keys() & old.keys() if new[path] != old[path]]
    parts += [f"weight {path!r} is {new[path]} where {old[path]} before" for path in changed[:1]]
    return ", ".join(parts)


def _policies(new: Any, old: Any) -> str:
    new, old = dict(new or ()), dict(old or ())
    name = next((name for name in new if new[name] != old.get(name)), None)
    return "other layers" if name is None else f"policy of {name!r}: {new[name]} where {old.get(name)} before"


_DESCRIBE: dict[str, Callable[[Any, Any], str]] = {
    "compile": lambda new, old: "`compile` was called again",
    "steps": lambda new, old: "the steps were made anew, since the model was changed or its programs were dropped",
    "optimizer": lambda new, old: f"new optimizer: {new} where {old} before",
    "metrics": lambda new, old: _as_lists(new, old, "metric"),
    "trainable": _trainable,
    "weights": _weights,
    "policy": _policies,
    "x64": lambda new, old: f"64-bit types are {'on' if new else 'off'} now",
    "interceptors": lambda new, old: "interceptors of layer calls are " + ("in force" if new else "gone"),
    "feed": lambda new, old: f"batches come {_FEEDS[new]}, where {_FEEDS[old]} before",
    "order": lambda new, old: "rows are shuffled now" if new else "rows are not shuffled any more",
    "number of batches": lambda new, old: f"{new} batches in a call where {old} before",
    "rows": lambda new, old: f"new number of rows of the data: {new} where {old} before",
    "batch size": lambda new, old: f"new batch size: {new} where {old} before",
    "structure of sample_weight": lambda new, old: (
        "`sample_weight` is given now" if old is None else "there is no `sample_weight` any more"
    ),
    "state": lambda new, old: "another type or placement of the model's state",
}
_FEEDS = {
    "loop": "among others in arrays",
    "steps": "in stacks",
    "slice": "as the last ones of arrays",
    "last": "as the last ones of arrays",
    "whole": "one by one",
}


# -- facts -------------------------------------------------------------------------------------------------------------
def data_facts(data: Any, size: int, form: str) -> dict[str, Any]:
    """What a program depends on of its data `(x, y, sample_weight)`.

    Args:
        data: arrays, or `jax.ShapeDtypeStruct`s.
        size: rows in a batch; 0 if the data are one, unless it is the last of others.
        form: of the `BatchRef`.
    """
    facts: dict[str, Any] = {}
    if form == "steps":  # batches along the first axis
        data = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), data)
    rows = {leaf.shape[0] for leaf in jax.tree.leaves(data) if leaf.shape}
    count = max(rows, default=0)
    facts["feed"] = "last" if form == "whole" and size else form
    facts["batch size"] = size or count
    if form in ("loop", "slice"):
        facts["rows"] = count
    for name, tree in zip(("x", "y", "sample_weight"), data):
        leaves, structure = jax.tree.flatten(tree)
        facts[f"structure of {name}"] = str(structure).removeprefix("PyTreeDef") if leaves else None
        shapes = [(facts["batch size"], *leaf.shape[1:]) if leaf.shape else () for leaf in leaves]
        placed = [str(leaf.sharding) for leaf in leaves if getattr(leaf, "committed", False)]
        single = len(leaves) == 1
        # The first size is for reading only: the batch size has a line of its own.
        facts[f"shape of {name}"] = Shape(shapes[0] if single else shapes, [shape[1:] for shape in shapes])
        facts[f"dtype of {name}"] = str(leaves[0].dtype) if single else [str(leaf.dtype) for leaf in leaves]
        facts[f"placement of {name}"] = placed[0] if single and placed else placed
    return facts


class Shape:
    """A shape or shapes to print, compared by another value."""

    def __init__(self, shown: Any, compared: Any):
        self.shown, self.compared = shown, compared

    def __repr__(self) -> str:
        return repr(self.shown)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and self.compared == other.compared

    __hash__ = None  # type: ignore[assignment]
