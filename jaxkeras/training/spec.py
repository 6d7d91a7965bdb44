"""The arguments of `compile`, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxkeras import losses, metrics, registry
from jaxkeras.training.output_structure import flat


@dataclass(frozen=True)
class CompileSpec:
    """The arguments of `compile`, names checked, the optimizer resolved."""

    optimizer: Any
    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    run_eagerly: bool = False
    steps_per_execution: int = 1
    jit_compile: Any = "auto"
    auto_scale_loss: bool = True


def check(spec: CompileSpec) -> None:
    """Find misspelt losses and metrics, and misplaced ones, when `compile` is called, not when training starts."""
    for weight in flat(spec.loss_weights):
        if weight is not None and (isinstance(weight, str) or not hasattr(weight, "__float__")):
            raise ValueError(
                f"`loss_weights` must hold numbers; got {weight!r}. The third argument of `compile` is `loss_weights`: "
                "write compile(optimizer, loss, metrics=[...])."
            )
    chosen_losses = flat(spec.loss)
    chosen_metrics = [*flat(spec.metrics), *flat(spec.weighted_metrics)]
    registry.refuse_foreign_keras([*chosen_losses, *chosen_metrics])
    for loss in chosen_losses:
        if isinstance(loss, str) and loss.lower() not in ("crossentropy", "ce"):
            losses.get(loss)
    for metric in chosen_metrics:
        if isinstance(metric, str) and metric.lower() not in ("accuracy", "acc"):
            metrics.get(metric)
