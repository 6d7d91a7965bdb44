"""Layers that run on the host, such as text layers, before the compiled part of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxkeras.core.context import setting
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.data import ArraySource, Source
from jaxkeras.data.convert import is_text
from jaxkeras.layers._base.layer import Layer
from jaxkeras.models.functional import run_graph, standardize_inputs
from jaxkeras.models.graph import Graph


def _on_host(operation: Any) -> bool:
    if not isinstance(operation, Layer):
        return False
    return any(getattr(layer, "host_only", False) for layer in operation._flatten_layers())


class HostPreprocessing:
    """A graph split into text layers, which run on the host, and the rest.

    Args:
        graph: the graph of a model with layers that run on the host.
        name: of the model, for messages.
    """

    def __init__(self, graph: Graph, name: str):
        self.graph, self.name = graph, name
        made_on_host = {id(x) for x in graph.inputs}
        for node in graph.nodes:
            if _on_host(node.operation):
                if node.operation.trainable_weights:
                    raise ValueError(
                        f"Model '{node.operation.name}' inside '{name}' has both a text layer, which runs on the host, "
                        "and weights to train. Put the text layer into the outer model."
                    )
                if not all(id(x) in made_on_host for x in node.inputs):
                    raise ValueError(
                        f"Layer '{node.operation.name}' of model '{name}' works on text on the host, but its input is "
                        "computed on the device. Connect it to an Input(dtype='string')."
                    )
                made_on_host.update(id(x) for x in node.outputs)
        used: dict[int, KerasTensor] = {}
        for node in graph.nodes:
            if not node.is_input and not _on_host(node.operation):
                used.update({id(x): x for x in node.inputs if id(x) in made_on_host})
        used.update({id(x): x for x in graph.outputs if id(x) in made_on_host})
        self.cuts = list(used.values())
        self._before = Graph(graph.inputs, self.cuts)
        self._after = Graph(self.cuts, graph.outputs_struct)

    def prepare(self, x: Any) -> tuple[Any, ...]:
        """The outputs of the text layers for some inputs, on the host."""
        flat = standardize_inputs(self.graph, x, self.name)
        with setting(host=True):
            return tuple(np.asarray(y) for y in run_graph(self._before, flat, training=False))

    def call(self, values: Any, training: bool | None) -> Any:
        """The rest of the model, on the device."""
        outputs = run_graph(self._after, [jax.numpy.asarray(v) for v in values], training)
        return outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs

    def source(self, source: Source) -> Source:
        """A source whose batches are passed through `prepare`."""
        if isinstance(source, ArraySource):
            x, y, weight = source.arrays
            source.arrays = (self.prepare(x), y, weight)
            source.has_strings = source.host_only = False
            return source
        return _Prepared(source, self)


class _Prepared(Source):
    def __init__(self, source: Any, host: HostPreprocessing):
        self._source, self._host = source, host
        self.kind, self.tells_end = source.kind, source.tells_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @property
    def used_up(self) -> bool:
        return self._source.used_up

    def _prepared(self, batch: Any) -> Any:
        return (self._host.prepare(batch[0]), *batch[1:])

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[Any]:
        return map(self._prepared, self._source.epoch(epoch, skip))

    def peek(self, epoch: int = 0) -> Any:
        return self._prepared(self._source.peek(epoch))

    def on_epoch_begin(self) -> None:
        self._source.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._source.on_epoch_end()

    def state(self) -> dict[str, Any]:
        return self._source.state()

    def restore(self, state: dict[str, Any]) -> None:
        self._source.restore(state)

    def close(self) -> None:
        self._source.close()


def host_preprocessing(model: Any) -> HostPreprocessing | None:
    """The part of a model that runs on the host, or None."""
    graph, session = model._graph, model._session
    if session.host_graph is not graph:
        session.host = None
        if graph is not None and any(_on_host(operation) for operation in graph.operations):
            session.host = HostPreprocessing(graph, model.name)
        session.host_graph = graph
    return session.host


def check_text(model: Any, batch: Any) -> None:
    """Refuse text that no layer of the model accepts."""
    for leaf in jax.tree.leaves(batch[0]):
        if is_text(leaf):
            raise ValueError(
                f"`x` holds text ({leaf.dtype}), which model '{model.name}' cannot compute with. Turn it into numbers "
                "first: vectorize = jaxkeras.layers.TextVectorization(); vectorize.adapt(x); fit(vectorize(x), y), or "
                "make the layer the first one of a Sequential or functional model."
            )
