"""One row of the table of layers that feeds the contract tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A layer to be checked.

    Attributes:
        name: shown in test ids.
        make: returns a new layer each time.
        inputs: one shape, or a list or tuple of shapes for a layer of several inputs, or a dict.
        dtype: of the inputs: "float32", or "int32" for ids.
        high: ids are drawn from [0, high).
        call_kwargs: further arguments of the call.
        host: runs on the host only (strings): no jit, no gradient.
        mask: pass a mask along the second axis.
        vmap: whether `vmap` over a further leading axis is checked.
        mixed: whether 16-bit policies are checked.
        grad: whether the output is differentiable in the weights.
        keras_file: whether real Keras can read it back from a file.
    """

    name: str
    make: Callable[[], Any]
    inputs: Any
    dtype: str = "float32"
    high: int = 4
    call_kwargs: dict[str, Any] = field(default_factory=dict)
    host: bool = False
    mask: bool = False
    vmap: bool = True
    mixed: bool = True
    grad: bool = True
    keras_file: bool = True

    def __str__(self) -> str:
        return self.name
