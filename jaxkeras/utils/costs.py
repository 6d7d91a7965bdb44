"""What the program of a model costs: parameters, arithmetic, memory and time, by layer."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.context import setting
from jaxkeras.core.functional import functional_call, intercept_calls
from jaxkeras.data import adapt
from jaxkeras.display import html
from jaxkeras.display.text import format_bytes, format_count
from jaxkeras.training import step as steps
from jaxkeras.training.flops import FlopCount, Place, count_flops, place_of
from jaxkeras.training.layer_scopes import LayerScopes
from jaxkeras.training.memory import program_bytes
from jaxkeras.training.program import BatchRef
from jaxkeras.training.state import TrainState

OTHER = "(other)"


class LayerCost(NamedTuple):
    """What one layer costs, without the layers inside it; or the loss, the metrics or the optimizer.

    Attributes:
        path: names of the layers around it and its own, such as `"encoder/dense"`, below the model.
        kind: the class of the layer.
        output_shape: shape of its output, or of each of its outputs, for the batch.
        parameters: number of elements of its own weights.
        forward_flops: floating-point operations of the forward pass of a training step.
        backward_flops: those of the rest of the training step: for a layer its backward pass, with what the forward
            pass prepares for it.
        activation_bytes: size of what the forward pass keeps for the backward pass.
    """

    path: str
    kind: str
    output_shape: Any
    parameters: int
    forward_flops: float
    backward_flops: float
    activation_bytes: int


@dataclasses.dataclass(repr=False)
class ProgramReport:
    """What a program costs. Printed it is a table, in a notebook an HTML table.

    Attributes:
        name: name of the model.
        batch_size: rows of the batch that all figures are for.
        layers: the cost of each layer, in the order of their first calls, then of loss, metrics and optimizer.
        parameters: number of elements of all weights.
        forward_flops: floating-point operations of a forward pass.
        step_flops: those of a whole training step; None for a model that is not compiled.
        activation_bytes: size of what a forward pass keeps for the backward pass.
        peak_bytes: memory of the compiled training step, with weights, optimizer and batch: XLA's own account. For a
            model that is not compiled, or for data without targets, that of the program of `predict`.
        seconds: duration of a training step, if measured.
        peak_flops: floating-point operations a second of a matrix product, if measured.
        unknown_loops: paths of loops whose number of rounds depends on the data; they are counted as one round.
    """

    name: str
    batch_size: int
    layers: list[LayerCost]
    parameters: int
    forward_flops: float
    step_flops: float | None
    activation_bytes: int
    peak_bytes: int
    seconds: float | None = None
    peak_flops: float | None = None
    unknown_loops: Sequence[str] = ()

    @property
    def share_of_peak(self) -> float | None:
        """The part of the machine's arithmetic that a step uses: `step_flops / seconds / peak_flops`."""
        if self.seconds is None or self.peak_flops is None or self.step_flops is None:
            return None
        return self.step_flops / self.seconds / self.peak_flops

    def to_frame(self) -> Any:
        """The costs as a `pandas.DataFrame` with one row per layer.

        Raises:
            ImportError: without pandas.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise ImportError("ProgramReport.to_frame needs pandas: pip install pandas") from None
        return pandas.DataFrame(self.layers, columns=LayerCost._fields).set_index("path")

    # -- display ---------------------------------------------------------------------------------------------------
    def _rows(self) -> list[list[str]]:
        return [
            [
                f"{cost.path} ({cost.kind})" if cost.kind else cost.path,
                "" if cost.output_shape is None else str(cost.output_shape),
                *(format_count(n) if n else "" for n in (cost.parameters, cost.forward_flops, cost.backward_flops)),
                format_bytes(cost.activation_bytes) if cost.activation_bytes else "",
            ]
            for cost in self.layers
        ]

    def _totals(self) -> list[tuple[str, str]]:
        totals = [
            ("Parameters", f"{self.parameters:,}"),
            ("Forward pass", f"{format_count(self.forward_flops)}FLOP"),
        ]
        if self.step_flops is not None:
            totals.append(("Training step", f"{format_count(self.step_flops)}FLOP"))
        totals += [
            ("Kept for the backward pass", format_bytes(self.activation_bytes)),
            ("Peak memory of the program", format_bytes(self.peak_bytes)),
        ]
        if self.seconds is not None:
            totals.append(("Time of a step", f"{1000 * self.seconds:.3g} ms"))
        if self.share_of_peak is not None:
            peak = format_count(self.peak_flops or 0)
            totals.append(("Share of a matrix product's speed", f"{self.share_of_peak:.0%} of {peak}FLOP/s"))
        if self.unknown_loops:
            totals.append(("Loops counted as one round", ", ".join(self.unknown_loops)))
        return totals

    def _title(self) -> str:
        return f'Program of "{self.name}", {self.batch_size} rows'

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table()
        for i, header in enumerate(_HEADERS):
            side: Any = "left" if i < 2 else "right"
            table.add_column(header, justify=side, no_wrap=i > 1, overflow="fold", min_width=24 if i == 0 else None)
        for row in self._rows():
            table.add_row(*map(Text, row))
        lines = [Text.assemble((f" {label}: ", "bold"), value) for label, value in self._totals()]
        return Group(Text(self._title(), "bold"), table, *lines)

    def __repr__(self) -> str:
        from rich.console import Console

        console = Console(highlight=False, force_terminal=False, force_jupyter=False, color_system=None, width=110)
        with console.capture() as captured:
            console.print(self)
        return captured.get().rstrip()

    def _repr_html_(self) -> str:
        return html.table(_HEADERS, self._rows(), self._title(), left=2) + html.table(["", ""], self._totals())


_HEADERS = ("Layer (type)", "Output Shape", "Param #", "Forward FLOP", "Backward FLOP", "Activations")


def program_report(model: Any, x: Any, y: Any = None, batch_size: int = 32, measure: bool = False) -> ProgramReport:
    """Count what a training step of a model costs: parameters, floating-point operations, memory; measure its time.

    Operations are those that the layers state, read off the traced step before the compiler rewrites it: a product of
    (m, k) and (k, n) has 2 m k n of them, a convolution 2 for each tap and input channel of each output, other
    arithmetic one for each element. Loops count as often as they run. Memory is what XLA's analysis of the compiled
    step says.

    Args:
        model: a model. If it is compiled, the step is that of `fit`; else there is only the forward pass.
        x, y: inputs and targets, as for `fit`: arrays, or only shapes: `jax.ShapeDtypeStruct`s, or tuples of integers
            (float32, or the type of the model's input). The first size, the number of rows, may be None.
        batch_size: rows of a batch.
        measure: whether to run the step and a matrix product, to find `seconds`, `peak_flops` and `share_of_peak`. The
            weights stay as they are.

    Returns:
        The report.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(64, activation="relu", use_bias=False), jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> report = program_report(model, (None, 8), (None, 1))
    >>> report.parameters, report.forward_flops  # 8 * 64 + 64 + 1, 32 * (2 * 8 * 64 + 64 + 2 * 64 + 1)
    (577, 38944.0)
    """
    prepared = prepare(model, x, y, batch_size)
    counted = count(model, prepared)
    compiled = prepared.compile()
    seconds = peak = None
    if measure and prepared.trains:
        seconds = _seconds_of_step(prepared, compiled)
        peak = matmul_flops_per_second(model.compute_dtype)
    return ProgramReport(
        name=model.name, batch_size=batch_size, layers=counted.layers, parameters=model.count_params(),
        forward_flops=counted.forward.total, step_flops=None if counted.step is None else counted.step.total,
        activation_bytes=sum(layer.activation_bytes for layer in counted.layers), peak_bytes=program_bytes(compiled),
        seconds=seconds, peak_flops=peak, unknown_loops=counted.unknown_loops,
    )  # fmt: skip


class Counted(NamedTuple):
    """What is known of a step from its trace.

    Attributes:
        forward: operations of the forward pass.
        step: operations of the training step, or None.
        layers: the costs of layers.
        unknown_loops: paths of loops whose number of rounds is unknown.
    """

    forward: FlopCount
    step: FlopCount | None
    layers: list[LayerCost]
    unknown_loops: list[str]


def count(model: Any, prepared: Prepared) -> Counted:
    """Trace the step of a model and count, without compiling anything."""
    spec = prepared.session.state_spec
    ts, batch = spec.shapes(), prepared.ref.spec()
    recorder = LayerScopes(model)
    with setting(reference_forms=True), intercept_calls(recorder):
        forward = count_flops(jax.make_jaxpr(functools.partial(_forward, model, spec))(ts, batch))
        kept = _kept_for_backward(model, spec, ts, batch)
        step = count_flops(jax.make_jaxpr(steps.train_step(model, spec))(ts, batch)) if prepared.trains else None
    loops = [recorder.owner(place.scopes) or OTHER for place in (step or forward).unknown_loops]
    return Counted(forward, step, _by_layer(recorder, forward, step, kept), loops)


# -- the step ---------------------------------------------------------------------------------------------------------
class Prepared(NamedTuple):
    """A model that is ready to train on batches of given shapes.

    Attributes:
        session: what the model runs with.
        ref: one batch, as shapes.
        trains: whether there is a training step: a compiled model, and targets if it needs any.
    """

    session: Any
    ref: BatchRef
    trains: bool

    def compile(self, batch_size: int | None = None) -> Any:
        """The compiled program of `fit` for one step, or of `predict`, for another size of batch if given."""
        session, ref = self.session, self.ref
        if batch_size is not None:
            ref = _one_batch(ref.data, batch_size)
        if self.trains:
            return session.train.compile(session.state_spec.shapes(), ref, 1)
        ref = ref._replace(data=(ref.data[0], None, None), order=None)
        return session.predict.compile(session.state_spec.shapes(), ref, 1)


def _one_batch(data: Any, size: int) -> BatchRef:
    data = jax.tree.map(lambda a: jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype), data)
    return BatchRef(data, size, 0, jax.ShapeDtypeStruct((size,), np.int32))


def prepare(model: Any, x: Any, y: Any, batch_size: int) -> Prepared:
    """Build a model for data of some shapes, and make its steps.

    Raises:
        TypeError: for a population.
    """
    if hasattr(model, "member"):
        raise TypeError(
            "A Population costs what one member does, times the number of those that run: give "
            "population.member(0)."
        )
    arrays = (_example(x, batch_size, _input_dtypes(model)), _example(y, batch_size, None))
    trains = model.compiled and (y is not None or model.overrides("train_step") or model._session.spec.loss is None)
    source = adapt(*arrays, batch_size=batch_size) if trains else adapt(arrays[0], for_predict=True)
    source, batch = model._ready(source, for_predict=not trains)
    return Prepared(model._session, _one_batch(batch, batch_size), trains)


def _input_dtypes(model: Any) -> Any:
    graph = getattr(model, "_graph", None)
    return None if graph is None else [tensor.dtype for tensor in graph.inputs]


def is_shape(x: Any) -> bool:
    """Whether `x` is a shape, not a tuple of arrays: integers, or None where unknown."""
    return isinstance(x, tuple) and len(x) > 0 and all(size is None or isinstance(size, int) for size in x)


def _example(tree: Any, rows: int, dtypes: Sequence[Any] | None) -> Any:
    """Arrays of some rows for arrays, `jax.ShapeDtypeStruct`s or shapes: zeros that take no memory."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=is_shape)
    dtypes = dtypes if dtypes is not None and len(dtypes) == len(leaves) else ["float32"] * len(leaves)
    return structure.unflatten([_example_leaf(leaf, rows, dtype) for leaf, dtype in zip(leaves, dtypes)])


def _example_leaf(leaf: Any, rows: int, dtype: Any) -> Any:
    if not is_shape(leaf) and not hasattr(leaf, "shape"):
        leaf = np.asarray(leaf)
    shape, dtype = (leaf, dtype) if is_shape(leaf) else (leaf.shape, leaf.dtype)
    if np.dtype(dtype).kind in "OSUT":  # text, which layers must read
        return np.resize(np.asarray(leaf), (rows, *shape[1:]))
    return np.broadcast_to(np.zeros((), dtype), (rows, *shape[1:]))


def _forward(model: Any, spec: Any, ts: TrainState, batch: Any) -> Any:
    """A forward pass of training: outputs and new state."""
    with setting(training=True):
        variables = {"params": spec.variables.params, "state": spec.variables.state}
        values = {"params": ts.params, "state": ts.state}
        result = functional_call(variables, values, lambda: steps.forward(model, batch[0], training=True))
    return result.output, result.values["state"]


def _kept_for_backward(model: Any, spec: Any, ts: TrainState, batch: Any) -> dict[Place, int]:
    """Bytes of the intermediate results that a forward pass keeps for the backward pass, by place."""

    def residuals(ts: TrainState, batch: Any) -> Any:
        def outputs(params: Any) -> Any:
            y, state = _forward(model, spec, ts._replace(params=params), batch)
            return y, state

        _, tangent, _ = jax.linearize(outputs, ts.params, has_aux=True)
        return jax.tree.leaves(tangent)

    jaxpr = jax.make_jaxpr(residuals)(ts, batch).jaxpr
    results = {id(var) for var in jaxpr.outvars}
    kept: dict[Place, int] = defaultdict(int)
    for eqn in jaxpr.eqns:
        for var in eqn.outvars:
            if id(var) in results:
                kept[place_of(eqn, Place())] += math.prod(var.aval.shape) * var.aval.dtype.itemsize
    return kept


# -- layers -----------------------------------------------------------------------------------------------------------
def _by_layer(
    recorder: LayerScopes, forward: FlopCount, step: FlopCount | None, kept: dict[Place, int]
) -> list[LayerCost]:
    forwards, backwards, activations = (defaultdict(float) for _ in range(3))
    for place, flops in forward.by_place.items():
        forwards[recorder.owner(place.scopes) or OTHER] += flops
    for place, flops in step.by_place.items() if step is not None else ():
        backwards[recorder.owner(place.scopes) or OTHER] += flops
    for place, size in kept.items():
        activations[recorder.owner(place.scopes) or OTHER] += size
    costs = []
    layers = {recorder.paths[id(layer)]: layer for layer in recorder.layers.values()}
    containers = {id(recorder.layers[scopes[:-1]]) for scopes in recorder.layers if scopes[:-1] in recorder.layers}
    for path, layer in [*layers.items(), *((part, None) for part in (*steps.PARTS, OTHER))]:
        back = max(0.0, backwards[path] - forwards[path])
        parameters = 0 if layer is None else sum(math.prod(v.shape) for v in layer._own_variables())
        figures = (parameters, forwards[path], back, int(activations[path]))
        if any(figures) or layer is not None and id(layer) not in containers:
            kind = "" if layer is None else type(layer).__name__
            costs.append(LayerCost(path, kind, None if layer is None else recorder.shapes[id(layer)], *figures))
    return costs


# -- time -------------------------------------------------------------------------------------------------------------
def _seconds_of_step(prepared: Prepared, compiled: Any, budget: float = 0.5) -> float:
    """The least duration of a step among calls of several steps each, on zeros."""
    session, ref = prepared.session, prepared.ref
    ref = ref._replace(
        data=jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), ref.data), order=jnp.arange(ref.size, dtype=jnp.int32)
    )
    ts = jax.device_put(session.view().current, may_alias=False)
    extras = session.train.start_extras(ts, ref)

    def run(ts: TrainState, count: int) -> tuple[TrainState, float]:
        since = time.perf_counter()
        changing, _ = compiled(*session.train.arguments(ts, extras, ref, count))
        jax.block_until_ready(changing)
        return TrainState(*changing), time.perf_counter() - since

    ts, seconds = run(ts, 1)
    ts, seconds = run(ts, 1)
    count = max(1, min(1000, int(budget / 5 / max(seconds, 1e-6))))
    least = seconds
    for _ in range(5):
        ts, seconds = run(ts, count)
        least = min(least, seconds / count)
    return least


def matmul_flops_per_second(dtype: Any = "float32", size: int = 1024) -> float:
    """The speed of a product of two square matrices on the first device, in floating-point operations a second."""
    a = jnp.ones((size, size), dtype)
    product = jax.jit(lambda a, b: a @ b).lower(a, a).compile()
    least = math.inf
    for _ in range(8):
        since = time.perf_counter()
        jax.block_until_ready(product(a, a))
        least = min(least, time.perf_counter() - since)
    return 2 * size**3 / least
