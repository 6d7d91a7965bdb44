"""`CompileMetrics`: the metrics of `compile`, bound to the outputs of a model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jaxkeras.metrics import resolve as metric_resolve
from jaxkeras.metrics.metric import Metric
from jaxkeras.training.compile_loss import call_explained
from jaxkeras.training.output_structure import Path, align, at, describe, flat, is_nested, leaf_paths, map_paths, repack


class _Entry(NamedTuple):
    """A metric of one output, and its name in logs."""

    path: Path
    metric: Metric
    label: str
    weighted: bool


class CompileMetrics(Metric):
    """The metrics of `compile` as one metric, whose result is a dict.

    Args:
        metrics: what `compile` was given: a list or dict, nested as the outputs are.
        weighted_metrics: the same, weighted by `sample_weight`.
        output_names: names of the outputs, flat, if the model knows them.

    Attributes:
        built: whether the outputs are known.
        targeted: paths of the outputs that targets may be given for alone, since they have a loss. Or None.

    Raises:
        ValueError: for metrics that are no list, tuple or dict.
    """

    def __init__(self, metrics: Any, weighted_metrics: Any = None, output_names: Sequence[str] | None = None):
        super().__init__(name="compile_metrics")
        for argument, value in (("metrics", metrics), ("weighted_metrics", weighted_metrics)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(f"`{argument}` must be a list, tuple or dict of metrics; got {value!r}.")
        self._given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self.output_names = output_names
        self.targeted: list[Path] | None = None
        self.built = False
        self._entries: list[_Entry] = []
        self._structure: Any = None

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, those of `metrics` first; empty until the outputs are known."""
        return [entry.metric for entry in self._entries]

    @property
    def labels(self) -> dict[int, str]:
        """Names in logs by `id(metric)`."""
        return {id(entry.metric): entry.label for entry in self._entries}

    @property
    def variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Bind the metrics to the outputs.

        Args:
            y_true, y_pred: arrays, or specs with a `shape` and a `dtype`, of targets and predictions.

        Raises:
            ValueError: for unknown names, and metrics or targets of another structure than the outputs.
        """
        paths, names = _outputs(self.output_names, y_pred)
        targets = self._align(y_true, y_pred)
        used: dict[str, int] = {}
        entries = []
        for argument, given in self._given.items():
            weighted = argument == "weighted_metrics"
            for path, name, identifiers in _groups(given, argument, paths, names, y_pred):
                for identifier in identifiers:
                    if identifier is None or at(targets, path) is None:
                        continue
                    metric = metric_resolve.resolve_metric(identifier, at(targets, path), at(y_pred, path))
                    entries.append(_Entry(path, metric, _unique(metric.name, name, weighted, used), weighted))
        self._entries, self._structure, self.built = entries, map_paths(lambda path: True, y_pred), True

    def _align(self, values: Any, y_pred: Any, what: str = "y") -> Any:
        return align(values, y_pred, self.output_names, self.targeted, what)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Accumulate a batch.

        Args:
            y_true, y_pred: targets and predictions.
            sample_weight: an array for all outputs, or a structure like that of the targets. Or None.
        """
        if not self.built:
            self.build(y_true, y_pred)
        if not self._entries:
            return
        y_pred = repack(y_pred, self._structure)
        targets = self._align(y_true, y_pred)
        if is_nested(sample_weight):
            sample_weight = self._align(sample_weight, y_pred, "sample_weight")
        for path, metric, _, weighted in self._entries:
            weight = at(sample_weight, path) if is_nested(sample_weight) else sample_weight
            if at(targets, path) is not None:
                more = {"sample_weight": weight} if weighted and weight is not None else {}
                call_explained(metric.update_state, "metric", at(targets, path), at(y_pred, path), owner=metric, **more)

    def reset_state(self) -> None:
        """Set all metrics to their start."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """`{name in logs: value}`."""
        return {entry.label: entry.metric.result() for entry in self._entries}

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("The metrics of `compile` are part of `model.get_compile_config()`.")


def _outputs(declared: Sequence[str] | None, y_pred: Any) -> tuple[list[Path], list[str] | None]:
    """The paths of the outputs, and their names: the keys of a flat dict, else those that the model declares."""
    paths = leaf_paths(y_pred)
    names = list(declared) if declared and len(declared) == len(paths) else None
    if isinstance(y_pred, dict) and all(len(path) == 1 for path in paths):
        keys = [path[0] for path in paths]
        if names is not None and set(names) == set(keys) and not isinstance(y_pred, OrderedDict):
            keys = names  # the order of the model's outputs
        return [(key,) for key in keys], keys
    return paths, names


def _groups(
    given: Any, argument: str, paths: list[Path], names: list[str] | None, y_pred: Any
) -> Iterator[tuple[Path, str | None, list[Any]]]:
    """The path, the name and the metrics of each output that has some."""
    if not given:
        return
    if len(paths) == 1:
        yield paths[0], None, flat(given)
        return
    labels = names or [None] * len(paths)
    shallow = all(len(path) == 1 for path in paths)
    if shallow and isinstance(given, (list, tuple)) and len(given) == len(paths):
        yield from zip(paths, labels, map(_as_list, given))
    elif shallow and isinstance(given, dict) and names is not None and set(given) <= set(names):
        yield from ((path, name, _as_list(given.get(name))) for path, name in zip(paths, names))
    else:
        try:
            if any(not any(inner[: len(path)] == path for path in paths) for inner in leaf_paths(given)):
                raise KeyError
            yield from [(path, name, _as_list(at(given, path))) for path, name in zip(paths, labels)]
        except (KeyError, IndexError, TypeError):
            raise ValueError(
                f"Invalid `{argument}`: it must hold the metrics of each output, nested as the outputs are, or by "
                f"name. The model returns {describe(y_pred)}, its outputs are named {names}; got "
                f"{argument}={describe(given)}."
            ) from None


def _as_list(metrics: Any) -> list[Any]:
    return flat(metrics) if is_nested(metrics) else [metrics]


def _unique(name: str, output: str | None, weighted: bool, used: dict[str, int]) -> str:
    """The name of a metric in logs: after its output, marked as weighted if needed, numbered if it is taken."""
    prefix = f"{output}_" if output else ""
    label = f"{prefix}{name}"
    if weighted and label in used:
        label = f"{prefix}weighted_{name}"
    used[label] = used.get(label, 0) + 1
    return label if used[label] == 1 else f"{label}_{used[label] - 1}"
