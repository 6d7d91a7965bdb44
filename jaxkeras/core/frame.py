"""The frame: what an apply in progress reads and what it wrote. The only thread-local of the library.

At rest there is no frame and a `Variable` reads its own cell. In flight (inside `apply`, hence inside every compiled
program) a frame is bound, and a `Variable` is only an address into it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state


class Frame:
    """The values of one apply, keyed by `id(variable)`, and everything it wrote.

    Attributes:
        values: arrays that variables read.
        updates: arrays that variables were assigned.
        losses: scalars recorded by `add_loss`.
        checks: `{message: traced bool}`: conditions on values that make the run stop with the message.
        rng: a PRNG key that replaces the seeds of the layers, or None.
        places: what tells the draws of seed generators apart, by `id` of their states: where they stand.
        abstract: True while shapes are being inferred: a variable without a value then reads as zeros, and
            layers may still be built.
    """

    __slots__ = ("values", "updates", "losses", "rng", "places", "draws", "abstract", "outer", "checks", "trace")

    def __init__(
        self,
        values: Mapping[int, Any],
        rng: Any = None,
        abstract: bool = False,
        outer: Frame | None = None,
        places: Mapping[int, int] | None = None,
    ):
        self.values = values
        self.outer = outer  # an apply inside an apply: what it does not know belongs to the one around it
        self.updates: dict[int, Any] = {}
        self.losses: list[Any] = []
        self.checks: dict[str, Any] = {}
        self.rng = rng
        self.places: Mapping[int, int] = places if places is not None else outer.places if outer is not None else {}
        self.draws = 0
        self.abstract = abstract
        self.trace = get_opaque_trace_state()

    def read(self, variable: Any) -> Any:
        key = id(variable)
        if key in self.updates:
            return self.updates[key]
        if key in self.values:
            return self.values[key]
        if self.outer is not None:
            return self.outer.read(variable)
        # A copy made by a jit inside the trace (jnp.take and others are jitted) holds that jit's own tracer; zeros in
        # its place would stay in that function's cache.
        if self.abstract and not isinstance(variable._cell, jax.core.Tracer):
            return jnp.zeros(variable.shape, variable.dtype)
        return variable.cell()

    def write(self, variable: Any, value: Any) -> None:
        key = id(variable)
        if self.outer is not None and key not in self.values:
            self.outer.write(variable, value)
        else:
            self.updates[key] = value

    def take(self, updates: Mapping[int, Any]) -> None:
        """Write what a call that ran apart, on values of this frame, has written."""
        for key, value in updates.items():
            if self.outer is not None and key not in self.values:
                self.outer.take({key: value})
            else:
                self.updates[key] = value

    def check(self, message: str, failed: Any) -> None:
        """Let the run stop with `message` if `failed` (a bool of the apply in progress) comes out true.

        Inside a further transformation (a scan, a vmap) the value could not leave it, so nothing is recorded there.
        """
        if not self.abstract and get_opaque_trace_state() == self.trace:
            known = self.checks.get(message)
            self.checks[message] = failed if known is None else known | failed

    def next_key(self) -> Any:
        """A fresh key of this apply: the frame's key folded with a counter of draws."""
        key = jax.random.fold_in(self.rng, self.draws)
        self.draws += 1
        return key

    def draw(self, state: Any) -> Any:
        """The next key of a seed generator, given its state, by where it stands in the layer and the counter.

        Names made up for layers have no part in it, so that models made alike draw alike.
        """
        return jax.random.fold_in(self.next_key(), self.places.get(id(state), 0))


class _Local(threading.local):
    frame: Frame | None = None
    autocast: str | None = None  # compute dtype of the layer being called, when it differs from its variables'
    training: bool | None = None  # `training` of the outermost layer call in progress
    custom_objects: tuple[Mapping[str, Any], ...] = ()  # of the scopes that are open, outermost first
    remat_scopes: tuple[Any, ...] = ()  # those that are open, outermost first
    remat: bool = False  # what is computed will be computed again for the gradient
    symbolic: bool = False  # the user says that values stand for shapes only
    eager: bool = False  # values are to be seen: nothing may be built by tracing
    stage: str | None = None  # "build" or "call", of the innermost layer
    names: tuple[str, ...] = ()  # name scopes, outermost first


local = _Local()


def frame() -> Frame | None:
    """The frame bound in this thread, or None at rest."""
    return local.frame


@contextlib.contextmanager
def bind(
    values: Mapping[int, Any], rng: Any = None, abstract: bool = False, places: Mapping[int, int] | None = None
) -> Iterator[Frame]:
    """Bind a frame for the duration of a `with` block.

    Args:
        values: `{id(variable): array}`.
        rng: a PRNG key; when given, random layers draw from it and their seed state stays as it is.
        abstract: see `Frame`.
        places: see `Frame`; those of the frame around it when not given.

    Yields:
        The frame, whose `updates` and `losses` the caller reads afterwards.
    """
    outer, local.frame = local.frame, Frame(values, rng, abstract, local.frame, places)
    try:
        yield local.frame
    finally:
        local.frame = outer


@contextlib.contextmanager
def setting(**attributes: Any) -> Iterator[None]:
    """Set attributes of the thread-local for a `with` block."""
    outer = {name: getattr(local, name) for name in attributes}
    for name, value in attributes.items():
        setattr(local, name, value)
    try:
        yield
    finally:
        for name, value in outer.items():
            setattr(local, name, value)
