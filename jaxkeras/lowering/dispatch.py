"""Reads the table: the only place that asks which platform it is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxkeras.core.context import local


class Row(NamedTuple):
    """One line of the table: `form` runs `operation` on `platform` where `condition(*args)` holds."""

    platform: str
    operation: str
    condition: Callable[..., bool]
    form: Callable[..., Any]


def platform() -> str:
    """The default backend's name ("cpu", "gpu", "tpu"), or "sharded" where shardings are part of the types.

    Under an explicit mesh every reshape and product has to say how its result is sharded; only XLA's own operations
    know that for themselves.
    """
    if any(kind == jax.sharding.AxisType.Explicit for kind in jax.sharding.get_abstract_mesh().axis_types):
        return "sharded"
    return jax.default_backend()


def choose(operation: str, *args: Any) -> Callable[..., Any]:
    """The form of `operation` for these arguments on this platform."""
    from jaxkeras.lowering.table import PLAIN, TABLE  # the table names the forms, which ask for one another here

    if local.frame is not None and local.frame.abstract:
        return PLAIN[operation]  # only shapes are asked for, and the plain form is the quickest to trace
    here = platform()
    for row in TABLE:
        if row.platform == here and row.operation == operation and row.condition(*args):
            return row.form
    return PLAIN[operation]


def lower(operation: str, *args: Any) -> Any:
    """Run `operation` in its chosen form."""
    return choose(operation, *args)(*args)
