"""Steps that run without jit, in which every value can be read."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxkeras.core.context import setting

_READS: dict[str, Callable[..., Any]] = {
    "__float__": float,
    "__complex__": complex,
    "__array__": np.asarray,
    "tolist": lambda value: np.asarray(value).tolist(),
    "item": lambda value, *index: np.asarray(value).item(*index),
}
_lock = threading.Lock()
_open = 0  # eager steps that are running, in all threads
_originals: dict[str, Callable[..., Any]] = {}


@contextlib.contextmanager
def eager_step(unroll: bool = True) -> Iterator[None]:
    """Run what is inside op by op, and let the values that gradients are taken of be read.

    Under `jax.grad` without jit every value is known, and JAX's tracers convert themselves to `bool` and `int`; inside
    this block they also convert to `float` and to NumPy arrays.

    Args:
        unroll: whether loops, such as that of a recurrent layer, and functions under `jit` run op by op too.
    """
    _enter()
    try:
        with jax.disable_jit(unroll), setting(eager=True):
            yield
    finally:
        _exit()


def _enter() -> None:
    global _open
    with _lock:
        _open += 1
        if _open == 1:
            for name, read in _READS.items():
                _originals[name] = getattr(Tracer, name)
                setattr(Tracer, name, _reading(read, _originals[name]))


def _exit() -> None:
    global _open
    with _lock:
        _open -= 1
        if not _open:
            for name, original in _originals.items():
                setattr(Tracer, name, original)


def _reading(read: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        value = self.to_concrete_value()
        return original(self, *args, **kwargs) if value is None else read(value, *args, **kwargs)

    return method
