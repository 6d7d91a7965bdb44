"""The library's one thread-local: what is in force around the code that is running."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxkeras.core.functional import Frame


class _Local(threading.local):
    frame: Frame | None = None  # of the innermost functional call, None at rest
    interceptors: tuple[Callable[..., Any], ...] = ()  # of layer calls, outermost first
    autocast: str | None = None  # dtype in which floating-point variables are read; "" where a layer turned that off
    training: bool | None = None  # `training` of the outermost layer call in progress
    call_context: Mapping[str, Any] = {}  # registered arguments of the layer calls in progress
    custom_objects: tuple[Mapping[str, Any], ...] = ()  # of open scopes, outermost first
    safe_mode: bool | None = None  # of the deserialization in progress
    sharing: Any = None  # objects and configs of an open `ObjectSharingScope`
    reference_forms: bool = False  # heavy operations in terms of JAX's own, for programs that are read and not run
    differentiated: bool = False  # the form that is traced is part of a derivative
    split_rows: bool = False  # rows of a batch are split over devices: no other axis may be merged with theirs
    mesh: Any = None  # the one over which the step that is traced is split
    flat_updates: bool = False  # the loop that is traced keeps narrow weights and moments as vectors: `lowering.flat`
    remat_scopes: tuple[Any, ...] = ()  # open ones, outermost first
    remat: bool = False  # the backward pass recomputes what is computed now
    symbolic: bool = False  # a `SymbolicScope` is open
    eager: bool = False  # a step runs without jit: layers are built by real calls, values can be read
    host: bool = False  # in a data pipeline or in front of a model: layers that run on the host return NumPy arrays
    stage: str | None = None  # "build" or "call", of the innermost layer
    names: tuple[str, ...] = ()  # name scopes, outermost first
    name_scope: Any = None  # the innermost `name_scope`


local = _Local()


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
