"""One row of the tables of layers that drive the contract tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Row:
    """A layer under test.

    Attributes:
        name: shown in test ids.
        make: returns a new layer each time.
        inputs: one shape, or a list, tuple or dict of shapes for a layer with several inputs.
        dtype: dtype of the inputs: "float32", "int32" (ids), "uint8" (images) or "string" (words).
        high: ids are drawn from [0, high); other inputs, from a normal distribution.
        call_kwargs: further arguments of the call.
        host: runs on the host only (strings), without jit or gradients.
        mask: pass a mask along the second axis.
        vmap: whether `vmap` over an additional leading axis is checked.
        mixed: whether 16-bit policies are checked.
        grad: whether outputs are differentiable with respect to weights and inputs.
        batch_stats: check the gradient in training instead of at inference.
        step: step of the finite differences for the gradient; large where Keras computes in float32 internally.
        keras: whether the installed Keras computes the same without TensorFlow.
        keras_file: whether real Keras can read the layer from a file.
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
