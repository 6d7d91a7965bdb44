"""Masks of arrays, in a table keyed by identity, since JAX arrays and tracers accept no attributes.

An entry is removed together with its array.
"""

from __future__ import annotations

import weakref
from typing import Any

_masks: dict[int, tuple[weakref.ref, Any]] = {}


def get_mask(x: Any) -> Any:
    """The mask attached to an array, tracer or KerasTensor, or None."""
    entry = _masks.get(id(x))
    return entry[1] if entry is not None and entry[0]() is x else None


def set_mask(x: Any, mask: Any) -> None:
    """Attach a mask (or None, to remove one) to an array, tracer or KerasTensor."""
    key = id(x)
    if mask is None:
        _masks.pop(key, None)
        return
    _masks[key] = (weakref.ref(x, lambda _, masks=_masks: masks.pop(key, None)), mask)
