"""Keras's scopes and transformations, on top of JAX's and of functional calls."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local
from jaxkeras.core.functional import Frame, bound
from jaxkeras.core.variable import Variable


class StatelessScope:
    """In a `with` block, variables read and write values of this scope instead of their own.

    `layer.apply` and the `stateless_` methods do the same in one call.

    Args:
        state_mapping: pairs `(variable, value)`; other variables start with their own values.
        collect_losses: whether `losses` holds the losses that layers add in the scope.
        initialize_variables: kept for compatibility with Keras.

    Raises:
        ValueError: for a pair whose first element is no variable, or whose value has another shape.

    Example:

    >>> v = Variable(jnp.ones(2))
    >>> with StatelessScope([(v, jnp.zeros(2))]) as scope:
    ...     _ = v.assign(v + 3)
    >>> scope.get_current_value(v), v.value
    (Array([3., 3.], dtype=float32), Array([1., 1.], dtype=float32))
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ):
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self._values: dict[Variable, Any] = {}
        for variable, value in state_mapping or ():
            if not isinstance(variable, Variable):
                raise ValueError(f"`state_mapping` holds pairs (variable, value); got {variable!r} as a variable.")
            value = jnp.asarray(value, variable.dtype)
            if value.shape != variable.shape:
                raise ValueError(
                    f"The value for variable '{variable.path}' must have shape {variable.shape}; got {value.shape}."
                )
            self._values[variable] = value
        self._frame: Frame | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> StatelessScope:
        self._frame = self._open.enter_context(bound(Frame(self._values)))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def get_current_value(self, variable: Variable) -> Any:
        """The value of a variable in the scope, or None if the scope neither was given nor changed it."""
        updates = {} if self._frame is None else self._frame.updates
        return updates.get(variable, self._values.get(variable))

    @property
    def losses(self) -> list[Any]:
        """Losses that layers added in the scope, if it collects them."""
        return list(self._frame.losses) if self.collect_losses and self._frame is not None else []


class SymbolicScope:
    """Declares that values in a `with` block are symbolic, as during shape inference.

    The scope changes no computation. Code with side effects (counting calls, writing a file) can ask
    `in_symbolic_scope` whether to skip them.

    Example:

    >>> with SymbolicScope():
    ...     in_symbolic_scope()
    True
    >>> in_symbolic_scope()
    False
    """

    def __init__(self):
        self._outer: list[bool] = []

    def __enter__(self) -> SymbolicScope:
        self._outer.append(local.symbolic)
        local.symbolic = True
        return self

    def __exit__(self, *exception: object) -> None:
        local.symbolic = self._outer.pop()


def in_symbolic_scope() -> bool:
    """Whether a `SymbolicScope` is open or shapes are being inferred, such as in a call on KerasTensors."""
    frame = local.frame
    while frame is not None and not frame.abstract:
        frame = frame.outer
    return local.symbolic or frame is not None


def remat(f: Callable[..., Any]) -> Callable[..., Any]:
    """Recompute a function's intermediate values in the backward pass instead of storing them: less memory, more time.

    Args:
        f: pure function of arrays; `functools.partial(layer.apply, ...)` makes one of a layer.

    Returns:
        The same function under `jax.checkpoint`.

    Example:

    >>> float(jax.grad(remat(lambda x: jnp.sin(jnp.sin(x))))(0.0))
    1.0
    """
    return functools.wraps(f)(jax.checkpoint(f))


def device(device_name: str) -> contextlib.AbstractContextManager[Any]:
    """Place new arrays on a device within a `with` block.

    Args:
        device_name: `"cpu:0"`, `"gpu:1"`, `"tpu:0"`; without a number the first one.

    Raises:
        ValueError: if there is no such device; lists those available.

    Example:

    >>> with device("cpu:0"):
    ...     x = jnp.ones(3)
    """
    kind, _, index = str(device_name).lower().partition(":")
    try:
        return jax.default_device(jax.devices(kind)[int(index or 0)])
    except (RuntimeError, IndexError, ValueError):
        there = sorted({f"{d.platform}:{i}" for p in {d.platform for d in jax.devices()} | {"cpu"}
                        for i, d in enumerate(jax.devices(p))})  # fmt: skip
        raise ValueError(f"There is no device {device_name!r}; available: {', '.join(there)}.") from None
