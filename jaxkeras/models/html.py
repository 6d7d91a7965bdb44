"""The table that a notebook shows for a model."""

from __future__ import annotations

from typing import Any

from jaxkeras.display import html
from jaxkeras.display.text import format_bytes
from jaxkeras.models.summary import count, memory, operations_of, output_shapes, type_name


def model_html(model: Any) -> str:
    """Layers with classes, output shapes, parameters and bytes, and totals."""
    rows = []
    for operation in operations_of(model):
        variables = getattr(operation, "variables", [])
        weights = getattr(operation, "weights", [])
        note = "" if not weights or getattr(operation, "trainable", True) else " (frozen)"
        shape = output_shapes(operation)
        rows.append([
            operation.name + note, type_name(operation), "?" if shape is None else shape, f"{count(weights):,}",
            format_bytes(memory(variables)) if variables else "",
        ])  # fmt: skip
    trainable = count(model.trainable_variables)
    rows.append(["total", "", "", f"{count(model.weights):,}", format_bytes(memory(model.variables))])
    caption = f"{model.name} ({type(model).__name__}), {trainable:,} trainable parameters"
    return html.table(["layer", "class", "output shape", "parameters", "size"], rows, caption, left=3)
