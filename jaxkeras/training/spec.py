"""From what `compile` was given to losses and metrics bound to outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import losses, metrics, registry
from jaxkeras.core.context import local
from jaxkeras.core.functional import Frame
from jaxkeras.core.names import unique
from jaxkeras.core.tracebacks import explain
from jaxkeras.losses import resolve as loss_resolve
from jaxkeras.metrics import resolve as metric_resolve
from jaxkeras.metrics.reduction import Mean


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


@dataclass
class LossTerm:
    """One loss on one output."""

    output: str
    function: Callable[..., Any]
    weight: float | None
    tracker: Any = None  # Mean of this loss alone, when there are several


@dataclass
class Objective:
    """Losses and metrics of a model whose outputs are known.

    Attributes:
        outputs: names of the outputs, flat.
        terms: the losses.
        metrics: `(output, metric, log name, weighted)`.
    """

    outputs: list[str]
    terms: list[LossTerm] = field(default_factory=list)
    metrics: list[tuple[str, Any, str, bool]] = field(default_factory=list)

    def trackers(self) -> list[Any]:
        return [term.tracker for term in self.terms if term.tracker is not None]

    def all_metrics(self) -> list[Any]:
        return [m for _, m, _, _ in self.metrics]

    # -- inside the step -----------------------------------------------------------------------------------------
    def loss(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The weighted sum of the losses; updates the tracker of each."""
        pairs = self.pair(y, y_pred)
        weights = self.spread(sample_weight)
        total = None
        for term in self.terms:
            target, prediction = pairs[term.output]
            if target is None:
                continue
            if local.frame is not None and loss_name(term.function) == "sparse_categorical_crossentropy":
                _check_classes(local.frame, term, target, prediction)
            value = self._call(term.function, "loss", target, prediction, weights[term.output])
            value = value.astype(jnp.float32) if value.dtype != jnp.float32 else value
            if term.tracker is not None:
                leaf = jax.tree.leaves(prediction)[0]
                term.tracker.update_state(value, sample_weight=leaf.shape[0] if leaf.ndim else 1)
            if term.weight is not None:
                value = value * term.weight
            total = value if total is None else total + value
        return total

    def update(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Update the metrics."""
        if not self.metrics:
            return
        pairs = self.pair(y, y_pred)
        weights = self.spread(sample_weight)
        for output, metric, _, weighted in self.metrics:
            target, prediction = pairs[output]
            if target is None:
                continue
            weight = {"sample_weight": weights[output]} if weighted and weights[output] is not None else {}
            self._call(metric.update_state, "metric", target, prediction, owner=metric, **weight)

    @staticmethod
    def _call(
        function: Callable[..., Any], kind: str, target: Any, prediction: Any, *rest: Any, owner: Any = None,
        **more: Any,
    ) -> Any:  # fmt: skip
        try:
            return function(target, prediction, *rest, **more)
        except (TypeError, ValueError) as error:
            where = f"{kind} '{label_of(owner or function)}'"
            explain(error, where, {"y_true": target, "y_pred": prediction})
            raise

    def pair(self, y: Any, y_pred: Any) -> dict[str, tuple[Any, Any]]:
        """Targets and predictions by output name."""
        predictions = dict(zip(self.outputs, jax.tree.leaves(y_pred)))
        targets = per_output(align(y, self.outputs, [t.output for t in self.terms]), self.outputs, "y", shared=False)
        return {name: (targets[name], predictions[name]) for name in self.outputs}

    def spread(self, sample_weight: Any) -> dict[str, Any]:
        """Sample weights by output name; one array serves all outputs."""
        return per_output(sample_weight, self.outputs, "sample_weight")


def label_of(function: Any) -> str:
    """What a loss or metric is called in messages."""
    return getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__)


def loss_name(function: Any) -> str:
    """The name of the function behind a loss."""
    return getattr(getattr(function, "fn", function), "__name__", "")


def _check_classes(frame: Frame, term: LossTerm, target: Any, prediction: Any) -> None:
    """Stop the run at a batch with labels out of range; those of a stream are not known beforehand."""
    classes = prediction.shape[-1]
    failed = (target < 0) | (target >= classes) | (target != jnp.floor(target))
    ignored = getattr(term.function, "ignore_class", None)
    if ignored is not None:
        failed = failed & (target != ignored)
    frame.check(
        f"`y` holds a class that output '{term.output}' does not have: it has {classes}, 0 to {classes - 1}, and "
        f"classes must be whole numbers. Make the last layer Dense(<largest class + 1>), or number the classes from 0.",
        jnp.any(failed),
    )


def output_names(y_pred: Any, declared: list[str] | None) -> list[str]:
    """Names for flat outputs: the keys of a dict, the names of the output layers, else numbers."""
    leaves = jax.tree_util.tree_flatten_with_path(y_pred)[0]
    if isinstance(y_pred, dict):
        return [".".join(str(getattr(k, "key", getattr(k, "idx", k))) for k in path) for path, _ in leaves]
    if declared and len(declared) == len(leaves):
        used: dict[str, int] = {}
        return [unique(name, used) for name in declared]
    return [f"output_{i}" for i in range(len(leaves))] if len(leaves) > 1 else ["output"]


def per_output(values: Any, names: list[str], what: str, shared: bool = True) -> dict[str, Any]:
    """One value for each output, from a dict by output name or a list.

    Args:
        values: the dict or list, or a single value.
        names: names of the outputs.
        what: what the values are, for messages.
        shared: whether a single value serves several outputs.

    Raises:
        ValueError: for unknown names, the wrong number of entries, or a single value that is not shared.
    """
    if isinstance(values, dict) and not registry.is_config(values):
        if len(names) == len(values) == 1:
            return dict(zip(names, values.values()))
        unknown = [key for key in values if key not in names]
        if unknown:
            error = registry.unknown(f"key in `{what}`", unknown[0], names)
            raise ValueError(f"{error} The outputs of the model are {names}.")
        return {name: values.get(name) for name in names}
    if isinstance(values, (list, tuple)):
        if len(values) != len(names):
            raise ValueError(
                f"`{what}` has {len(values)} entries, but the model has {len(names)} outputs: {names}. Give one for "
                "each (None for none), or a dict by output name."
            )
        return dict(zip(names, values))
    if not shared and values is not None and len(names) > 1:
        raise ValueError(
            f"`{what}` is a single array, but the model has {len(names)} outputs: {names}. Give a list with one array "
            "for each, or a dict by output name."
        )
    return dict.fromkeys(names, values)


def resolve(spec: CompileSpec, y: Any, y_pred: Any, declared: list[str] | None) -> Objective:
    """Bind the losses and metrics of a spec to a model's outputs.

    Args:
        spec: what `compile` was given.
        y: targets (arrays or `jax.ShapeDtypeStruct`s), None without targets.
        y_pred: what the model returns, likewise.
        declared: names of the output layers, if the model knows them.

    Raises:
        ValueError: for keys that are no outputs, wrong numbers of entries, unknown names.
    """
    names = output_names(y_pred, declared)
    predictions = dict(zip(names, jax.tree.leaves(y_pred)))
    chosen = {name: _only(loss) for name, loss in per_output(spec.loss, names, "loss").items()}
    given = [name for name in names if chosen[name] is not None]
    targets = per_output(align(y, names, given), names, "y", shared=False)
    objective = Objective(names)
    single = len(names) == 1

    weights = _loss_weights(spec.loss_weights, names)
    for name in given:
        if targets[name] is None:
            if y is None:
                continue
            raise ValueError(f"Output '{name}' has a loss, but `y` holds no target for it.")
        function: Any = loss_resolve.resolve_loss(chosen[name], targets[name], predictions[name])
        tracker = Mean(name=f"{name}_loss") if len(given) > 1 else None
        objective.terms.append(LossTerm(name, function, weights[name], tracker))

    used: dict[str, int] = {}
    for weighted, kind in ((False, "metrics"), (True, "weighted_metrics")):
        for name, group in _metric_groups(getattr(spec, kind), names, kind).items():
            for identifier in group:
                if identifier is None or targets[name] is None and y is None:
                    continue
                metric = metric_resolve.resolve_metric(identifier, targets[name], predictions[name])
                label = metric.name if single else f"{name}_{metric.name}"
                if weighted and label in used:
                    label = f"weighted_{metric.name}" if single else f"{name}_weighted_{metric.name}"
                if label in used:
                    used[label] += 1
                    label = f"{label}_{used[label] - 1}"
                else:
                    used[label] = 1
                objective.metrics.append((name, metric, label, weighted))
    return objective


def align(y: Any, names: list[str], wanted: list[str]) -> Any:
    """Targets given only for the outputs that have a loss are put in their places."""
    if isinstance(y, dict) or y is None or len(names) == 1:
        return y
    given = y if isinstance(y, (list, tuple)) else [y]
    if len(given) == len(names) or len(given) != len(wanted):
        return y
    return dict.fromkeys(names) | dict(zip(wanted, given))


def _only(loss: Any) -> Any:
    """The loss of an output, which may be alone in a list, as metrics are."""
    return loss[0] if isinstance(loss, (list, tuple)) and len(loss) == 1 else loss


def _loss_weights(weights: Any, names: list[str]) -> dict[str, float | None]:
    if weights is None or isinstance(weights, (int, float)):
        return dict.fromkeys(names, None if weights is None else float(weights))
    if not isinstance(weights, (dict, list, tuple)):
        raise ValueError(f"`loss_weights` must be a number, a list or a dict by output name; got {weights!r}.")
    return per_output(weights, names, "loss_weights")


def _metric_groups(metrics: Any, names: list[str], what: str) -> dict[str, list[Any]]:
    if len(names) == 1 and (not isinstance(metrics, dict) or registry.is_config(metrics)):
        flat = metrics if isinstance(metrics, (list, tuple)) else [metrics]
        groups: dict[str, Any] = {
            names[0]: [m for item in flat for m in (item if isinstance(item, (list, tuple)) else [item])]
        }
    else:
        groups = per_output(metrics, names, what)
    return {
        name: [] if group is None else list(group) if isinstance(group, (list, tuple)) else [group]
        for name, group in groups.items()
    }


def check(spec: CompileSpec) -> None:
    """Find misspelt losses and metrics, and misplaced ones, when `compile` is called, not when training starts."""
    for weight in _identifiers(spec.loss_weights):
        if weight is not None and (isinstance(weight, str) or not hasattr(weight, "__float__")):
            raise ValueError(
                f"`loss_weights` must hold numbers; got {weight!r}. The third argument of `compile` is `loss_weights`: "
                "write compile(optimizer, loss, metrics=[...])."
            )
    chosen_losses = _identifiers(spec.loss)
    chosen_metrics = [*_identifiers(spec.metrics), *_identifiers(spec.weighted_metrics)]
    registry.refuse_foreign_keras([*chosen_losses, *chosen_metrics])
    for loss in chosen_losses:
        if isinstance(loss, str) and loss.lower() not in ("crossentropy", "ce"):
            losses.get(loss)
    for metric in chosen_metrics:
        if isinstance(metric, str) and metric.lower() not in ("accuracy", "acc"):
            metrics.get(metric)


def _identifiers(value: Any) -> list[Any]:
    if isinstance(value, dict) and not registry.is_config(value):
        return [leaf for v in value.values() for leaf in _identifiers(v)]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in _identifiers(v)]
    return [value]
