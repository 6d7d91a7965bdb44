"""Which form of an operation runs where: the one table, and the only place that asks for the platform.

A row is (platform, operation, condition on the arguments, form). The first row that fits is taken; where none does,
the plain form in `plain.py` runs. Forms differ in speed and memory only, never in what they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxkeras.lowering import plain


class Row(NamedTuple):
    platform: str
    operation: str
    condition: Callable[..., bool]
    form: Callable[..., Any]


PLAIN: dict[str, Callable[..., Any]] = {
    "conv": plain.conv,
    "max_pool": plain.max_pool,
    "average_pool": plain.average_pool,
    "batch_moments": plain.batch_moments,
    "layer_norm": plain.layer_norm,
    "dense": plain.dense,
    "attention": plain.attention,
    "lstm": plain.lstm,
    "gru": plain.gru,
    "simple_rnn": plain.simple_rnn,
    "dropout_mask": plain.dropout_mask,
}

TABLE: tuple[Row, ...] = ()


def platform() -> str:
    """The default backend's name: "cpu", "gpu" or "tpu"."""
    return jax.default_backend()


def choose(operation: str, *args: Any) -> Callable[..., Any]:
    """The form of `operation` for these arguments on this platform."""
    here = platform()
    for row in TABLE:
        if row.platform == here and row.operation == operation and row.condition(*args):
            return row.form
    return PLAIN[operation]


def lower(operation: str, *args: Any) -> Any:
    """Run `operation` in its chosen form."""
    return choose(operation, *args)(*args)
