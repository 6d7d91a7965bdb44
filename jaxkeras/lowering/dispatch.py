"""Operations that have a reference and, for some platforms, faster forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

import jax
import numpy as np
from jax.extend.core import InconclusiveDimensionOperation

from jaxkeras.core.context import local
from jaxkeras.lowering import tuning
from jaxkeras.lowering.by_platform import Forms, by_platform, register_platform

P = ParamSpec("P")
R = TypeVar("R")


class Row(NamedTuple):
    """One line of the table: `form` runs `operation` on `platform` where `condition` holds."""

    operation: Operation[..., Any]
    platform: str
    condition: Callable[..., bool]
    form: Callable[..., Any]


class Candidate(NamedTuple):
    """A form that `operation` may be given by measurement on `platform`, where it can take the arguments."""

    operation: Operation[..., Any]
    platform: str
    can: Callable[..., bool]
    form: Callable[..., Any]


class Operation(Generic[P, R]):
    """A function with the signature of its reference that runs the form installed for the target platform.

    The target is the platform that the program is lowered for. Arrays among the arguments may be traced; all other
    leaves (specs, numbers, functions) must be static.

    Args:
        reference: The function as `jax.lax` expresses it, right on every platform and at every derivative order.
        linear: Whether the function is linear in each of its arrays while the others are fixed. Then forms are traced
            only when lowered.
    """

    def __init__(self, reference: Callable[P, R], linear: bool = False):
        self.reference, self.linear = reference, linear
        self.__name__, self.__doc__ = reference.__name__, reference.__doc__
        self.rows: tuple[Row, ...] = ()
        self.candidates: tuple[Candidate, ...] = ()

    def __repr__(self) -> str:
        return f"Operation({self.__name__})"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        assert not kwargs  # conditions and forms take the arguments in order
        forms = {} if wants_reference() else self.forms(*args)
        return _call(self.reference, forms, self.linear, args) if forms else self.reference(*args, **kwargs)

    def forms(self, *args: Any) -> dict[str, Callable[..., R]]:
        """The form of these arguments for each platform that has one of its own.

        Linear operations keep the form of the table: what a platform takes them apart into is measured instead.
        """
        fitting = [row for row in self.rows if _holds(row.condition, args)]
        forms = {row.platform: row.form for row in reversed(fitting)}
        if self.linear:
            return forms
        return {platform: self._measured(platform, args, form, gradients=True) for platform, form in forms.items()}

    def on(self, platform: str, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the form for a known platform. A platform's forms call each other so."""
        return self.choose(platform, *args)(*args)

    def choose(self, platform: str, *args: Any) -> Callable[..., R]:
        """The first form installed for the platform whose condition holds, or else the reference; where forms were
        measured (see `tuning`), the fastest."""
        rows = (row for row in self.rows if row.platform == platform)
        usual = next((row.form for row in rows if _holds(row.condition, args)), self.reference)
        return self._measured(platform, args, usual)

    def _measured(self, platform: str, args: Sequence[Any], usual: Callable, gradients: bool = False) -> Callable:
        able = [c.form for c in self.candidates if c.platform == platform and _holds(c.can, args)]
        others = [self.reference, *able]
        return tuning.choose(self.__name__, platform, args, usual, others, gradients=gradients)


def install(rows: Sequence[Row], candidates: Sequence[Candidate] = ()) -> None:
    """Make rows the forms of their operations. Of several that fit, the first is taken."""
    for candidate in candidates:
        candidate.operation.candidates += (candidate,)
    for row in rows:
        row.operation.rows += (row,)
    for platform in {row.platform for row in rows}:
        register_platform(platform)


def wants_reference() -> bool:
    """Whether operations run their references: where these are asked for, for shapes alone, since they are the quickest
    to trace, and where types hold shardings."""
    return local.reference_forms or (local.frame is not None and local.frame.abstract) or has_sharded_types()


def has_sharded_types() -> bool:
    """Whether shardings are part of the types: under an explicit mesh, or inside `shard_map` or `pmap`.

    Reshapes and products then have to say how their results are sharded, and gradients over which devices they are
    summed, which only JAX's own operations know.
    """
    return any(kind != jax.sharding.AxisType.Auto for kind in jax.sharding.get_abstract_mesh().axis_types)


def _holds(condition: Callable[..., bool], args: Sequence[Any]) -> bool:
    try:
        return condition(*args)
    except InconclusiveDimensionOperation:  # it depends on the size of a symbolic dimension
        return False


def _call(reference: Callable[..., R], special: dict[str, Callable[..., R]], linear: bool, args: Sequence[Any]) -> R:
    """Call the forms as functions of the arrays among the leaves of `args`."""
    leaves, tree = jax.tree.flatten(args)
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, (jax.Array, np.ndarray))]
    arrays = [leaves[i] for i in places]
    static = [None if isinstance(leaf, (jax.Array, np.ndarray)) else leaf for leaf in leaves]
    trees: list[Any] = []

    def flat(form: Callable[..., R]) -> Callable[..., Sequence[jax.Array]]:
        def run(*values: jax.Array) -> Sequence[jax.Array]:
            filled = list(static)
            for place, value in zip(places, values):
                filled[place] = value
            out, out_tree = jax.tree.flatten(form(*jax.tree.unflatten(tree, filled)))
            trees.append(out_tree)
            return out

        return run

    forms = Forms(flat(reference), tuple((name, flat(form)) for name, form in special.items()))
    out = by_platform(forms, *arrays, linear=range(len(arrays)) if linear else ())
    return jax.tree.unflatten(trees[0], out)
