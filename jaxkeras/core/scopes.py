"""Keras's scopes and transformations, on top of JAX's and of functional calls."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local
from jaxkeras.core.dtypes import is_float_dtype, standardize_dtype
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
        self.losses: list[Any] = []  # that layers added in the scope, if it collects them
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
        self._frame = self._open.enter_context(bound(_ScopeFrame(self)))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def add_loss(self, loss: Any) -> None:
        """Record a loss."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Set the value of a variable in the scope, given as a pair `(variable, value)`."""
        variable, value = update
        if self._frame is None:
            self._values[variable] = value
        else:
            self._frame.write(variable, value)

    def get_current_value(self, variable: Variable) -> Any:
        """The value of a variable in the scope, or None if the scope neither was given nor changed it."""
        updates = {} if self._frame is None else self._frame.updates
        return updates.get(variable, self._values.get(variable))


class _ScopeFrame(Frame):
    """The frame of a `StatelessScope`."""

    __slots__ = ("scope",)

    def __init__(self, scope: StatelessScope):
        super().__init__(scope._values)
        self.scope = scope
        if scope.collect_losses:
            self.losses = scope.losses

    def write(self, variable: Variable, value: Any) -> None:
        self.scope._values.setdefault(variable, value)  # what is written here stays in the innermost scope
        super().write(variable, value)


def get_stateless_scope() -> StatelessScope | None:
    """The innermost `StatelessScope`, or one that stands for the functional call in progress, or None.

    Example:

    >>> with StatelessScope() as scope:
    ...     get_stateless_scope() is scope
    True
    """
    frame = local.frame
    if frame is None or isinstance(frame, _ScopeFrame):
        return None if frame is None else frame.scope
    scope: Any = StatelessScope(collect_losses=True)
    scope._frame, scope._values, scope.losses = frame, frame.values, frame.losses
    return scope


def in_stateless_scope() -> bool:
    """Whether variables are read and written in a `StatelessScope` or a functional call, such as a compiled step.

    Example:

    >>> in_stateless_scope()
    False
    """
    return local.frame is not None


class AutocastScope:
    """In a `with` block, floating-point variables are read in another dtype, as in the `call` of a layer.

    Args:
        dtype: a floating-point dtype, or None for their own.

    Raises:
        ValueError: for another dtype.

    Example:

    >>> v = Variable(jnp.ones(2))
    >>> with AutocastScope("bfloat16"):
    ...     v.value.dtype
    dtype(bfloat16)
    """

    def __init__(self, dtype: Any):
        self.dtype = None if dtype is None else standardize_dtype(dtype)
        if self.dtype is not None and not is_float_dtype(self.dtype):
            raise ValueError(f"The dtype of an AutocastScope must be a floating-point one; got {dtype!r}.")
        self._outer: list[str | None] = []

    def maybe_cast(self, value: Any) -> Any:
        """Cast an array to the dtype of the scope, if both are floating-point."""
        return value if self.dtype is None or not is_float_dtype(value.dtype) else jnp.asarray(value, self.dtype)

    def __enter__(self) -> AutocastScope:
        self._outer.append(local.autocast)
        local.autocast = self.dtype or ""
        return self

    def __exit__(self, *exception: object) -> None:
        local.autocast = self._outer.pop()


def get_autocast_scope() -> AutocastScope | None:
    """The dtype in which floating-point variables are read now, as an `AutocastScope`, or None for their own.

    Example:

    >>> with AutocastScope("float16"):
    ...     get_autocast_scope().dtype
    'float16'
    """
    return None if local.autocast is None else AutocastScope(local.autocast or None)

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
