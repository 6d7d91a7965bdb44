"""What a compiled program depends on besides the values of its arguments."""

from __future__ import annotations

from typing import Any

import jax


def signature(tree: Any) -> Any:
    """Structure, shapes, types and placement of a pytree of arrays."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((leaf.shape, leaf.dtype, _placement(leaf)) for leaf in leaves)


def _placement(leaf: Any) -> Any:
    placed = getattr(leaf, "committed", isinstance(leaf, jax.ShapeDtypeStruct))
    return leaf.sharding if placed else None
