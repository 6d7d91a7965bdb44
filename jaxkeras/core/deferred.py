"""What a cell holds in place of an array that is elsewhere, or not made yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jax

from jaxkeras.core import placement
from jaxkeras.core.array_like import as_array
from jaxkeras.core.context import setting

if TYPE_CHECKING:
    from jaxkeras.core.variable import Variable

_LARGE = 2**20  # elements, from which on an initializer that runs alone is compiled to make its value in parts


class Deferred(Protocol):
    """Held by a cell in place of an array that is elsewhere, or not made yet."""

    def read(self, variable: Variable) -> jax.Array:
        """The current value of `variable`, safe to keep."""
        ...

    def write(self, variable: Variable, value: jax.Array) -> None:
        """Replace the current value of `variable`."""
        ...


class Pending:
    """A weight whose initializer has not run yet; it runs on the first read.

    Layers are built while shapes are inferred. Most weights are then overwritten by `load_weights`, drawn again by
    `init`, or read all together when training starts, so that eager initialization would be wasted work.
    """

    def __init__(self, initializer: Callable[..., Any]):
        self.initializer = initializer
        self.distribution = placement.current()  # as in Keras, a variable created in a scope lies as the scope says

    def read(self, variable: Variable) -> jax.Array:
        return self.make(variable, placement.sharding_at_rest(variable, self.distribution))

    def make(self, variable: Variable, sharding: jax.sharding.Sharding | None) -> jax.Array:
        """Run the initializer. Of a large value under a sharding every device computes only its own part."""
        # An initializer reads no variables of the functional call in progress.
        with setting(frame=None, autocast=None), jax.ensure_compile_time_eval():
            if sharding is not None and variable.size >= _LARGE and not sharding.is_fully_replicated:
                value = jax.jit(lambda: self.initial(variable), out_shardings=sharding)()
            else:
                value = self.initial(variable)
                value = value if sharding is None else placement.put(value, sharding)
        variable.set_cell(value)
        return value

    def initial(self, variable: Variable) -> jax.Array:
        """What the initializer returns, which may be traced."""
        value = as_array(self.initializer(variable.shape, dtype=variable._dtype), variable._dtype)
        if value.shape != variable.shape:
            raise ValueError(
                f"The initializer of variable '{variable.path}' returned shape {value.shape}, not {variable.shape}."
            )
        return value

    def write(self, variable: Variable, value: jax.Array) -> None:
        variable.set_cell(value)


def make_in_parts(variables: Sequence[Variable], shardings: Sequence[jax.sharding.Sharding]) -> None:
    """Run the initializers of variables that are split over devices, each of which computes its own part only.

    All of them are one program, since a program for each would take most of the time to compile. If an initializer
    cannot be traced, each of them runs on the first read.

    Args:
        variables: those that have a value are left alone.
        shardings: one for each.
    """
    split = [
        (v, v._cell, sharding)
        for v, sharding in zip(variables, shardings)
        if isinstance(v._cell, Pending) and not sharding.is_fully_replicated
    ]
    if not split:
        return
    program = jax.jit(
        lambda: [pending.initial(v) for v, pending, _ in split], out_shardings=[sharding for *_, sharding in split]
    )
    with setting(frame=None, autocast=None), jax.ensure_compile_time_eval():
        try:
            lowered = program.lower()
        except Exception:  # of an initializer, which raises it again when it runs alone
            return
        for (v, *_), value in zip(split, lowered.compile()()):
            v.set_cell(value)
