"""Masks of arrays: the attribute `_keras_mask`, or a table keyed by identity for objects that accept no attributes.

Tracers and NumPy arrays accept none. An entry of the table is removed together with its array.
"""

from __future__ import annotations

import weakref
from typing import Any

import jax.core

_masks: dict[int, tuple[weakref.ref, Any]] = {}


def get_mask(x: Any) -> Any:
    """The mask attached to an array, tracer or KerasTensor, or None."""
    if not isinstance(x, jax.core.Tracer):  # which would look the attribute up in its aval
        mask = getattr(x, "_keras_mask", None)
        if mask is not None:
            return mask
    if not _masks:
        return None
    entry = _masks.get(id(x))
    return entry[1] if entry is not None and entry[0]() is x else None


def set_mask(x: Any, mask: Any) -> None:
    """Attach a mask (or None, to remove one) to an array, tracer or KerasTensor."""
    try:
        x._keras_mask = mask
        return
    except AttributeError:
        key = id(x)
    if mask is None:
        _masks.pop(key, None)
        return
    _masks[key] = (weakref.ref(x, lambda _, masks=_masks: masks.pop(key, None)), mask)
