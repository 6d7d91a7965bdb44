"""Takes the rows that `WholeEpoch` metrics collect out of their buffers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from jaxkeras.core.functional import is_variable
from jaxkeras.metrics.whole_epoch import Rows, WholeEpoch
from jaxkeras.training.program import BatchRef


class Collector:
    """The rows of one epoch, or of one evaluation.

    Args:
        session: what the model runs with.
        store: holds the state, whose metrics have the buffers.

    Attributes:
        labels: the name in logs of each metric that collects rows.
    """

    def __init__(self, session: Any, store: Any):
        model = session.model
        found = [m for m in model._single_metrics() if isinstance(m, WholeEpoch) and m._built]
        known = model._labels()
        self.labels = {metric: known.get(id(metric), metric.name) for metric in found}
        self._session, self._store = session, store
        # The rows of each model, if there are several at once.
        self._parts: dict[WholeEpoch, dict[int | None, list[Rows]]] = {metric: {} for metric in found}
        self._capacity = min((metric.capacity for metric in found), default=0)
        self._used = 0

    def split(self, calls: Iterable[tuple[BatchRef, int]]) -> Iterator[tuple[BatchRef, int]]:
        """The same calls, in pieces after which no buffer is overfull."""
        for ref, steps in calls:
            rows = ref.size or jax.tree.leaves(ref.data)[0].shape[0]
            while steps:
                if self._used and self._used + rows > self._capacity:
                    self._empty()
                piece = min(steps, max(1, (self._capacity - self._used) // rows))
                self._used += piece * rows
                yield ref, piece
                steps -= piece
                ref = ref.at(piece) if steps else ref

    def results(self) -> dict[str, Any]:
        """The values of the metrics, by their names in logs."""
        self._empty()
        values = {}
        for metric, label in self.labels.items():
            parts = self._parts[metric]
            metric._seen = parts.get(None, [])  # so that `result` tells the same
            values[label] = self._session.of_models({model: metric.compute(own) for model, own in parts.items()})
        return values

    def _empty(self) -> None:
        """Copy the rows to the host, and let the steps write from the start again."""
        session, store = self._session, self._store
        for model, values in session.metrics_of_models(store.current):
            for metric, parts in self._parts.items():
                count = int(values[metric.count])
                if count:  # copies, since steps donate the buffers
                    own = Rows(*(np.asarray(values[buffer])[:count].copy() for buffer in metric.buffers))
                    parts.setdefault(model, []).append(own)
        variables = jax.tree.leaves(session.state_spec.variables.metrics, is_leaf=is_variable)
        counts = {metric.count for metric in self._parts}

        def zeroed(v: Any, value: Any) -> Any:
            if v not in counts:
                return value
            return jax.device_put(np.zeros(value.shape, np.int32), value.sharding if value.committed else None)

        def zero(ts: Any) -> tuple[Any, None]:
            leaves, treedef = jax.tree.flatten(ts.metrics)
            return ts._replace(metrics=treedef.unflatten(map(zeroed, itertools.cycle(variables), leaves))), None

        store.update(zero)
        self._used = 0
