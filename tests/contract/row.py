"""One row of the table of layers that feeds the contract tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Row:
    """A layer to be checked.

    Attributes:
        name: shown in test ids.
        make: returns a new layer each time.
        inputs: one shape, or a list or tuple of shapes for a layer of several inputs, or a dict.
        dtype: of the inputs: "float32", or "int32" for ids, "uint8" for images, "string" for words.
        high: ids are drawn from [0, high); what is not an id, from a normal distribution.
        call_kwargs: further arguments of the call.
        host: runs on the host only (strings): no jit, no gradient.
        mask: pass a mask along the second axis.
        vmap: whether `vmap` over a further leading axis is checked.
        mixed: whether 16-bit policies are checked.
        grad: whether the output is differentiable in weights and inputs.
        batch_stats: whether the gradient is checked while training; it is the gradient at inference otherwise.
        step: of the differences that the gradient is checked by; large where Keras computes in float32 inside.
        keras: whether the installed Keras computes the same, without TensorFlow.
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
    batch_stats: bool = False
    step: float = 1e-5
    keras: bool = True
    keras_file: bool = True

    def __str__(self) -> str:
        return self.name
