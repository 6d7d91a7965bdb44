"""What a training step needs on devices that are not there: memory, operations, exchanges, time."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from jaxkeras.data import adapt
from jaxkeras.display.text import format_bytes
from jaxkeras.distribution.chips import Topology, topology
from jaxkeras.distribution.collectives import collectives
from jaxkeras.distribution.presets import resolve
from jaxkeras.training import step as steps
from jaxkeras.training.flops import count_flops
from jaxkeras.training.placement import Placement
from jaxkeras.training.state import StateSpec


@dataclass
class Plan:
    """What a training step needs. Bytes are those of each device; print it for a table.

    Attributes:
        topology: the devices.
        devices: their number.
        compiler: whose analysis it is: `"TPU"`, `"GPU"` or `"CPU"`.
        distribution: how the model is split.
        batch_size: rows of a batch, over all devices.
        parameter_bytes, optimizer_bytes: weights, and the optimizer's variables.
        activation_bytes: what the step needs besides its arguments and results: activations, gradients, workspace.
        peak_bytes: the most that is in use at once.
        flops: floating-point operations of a step, on all devices together.
        collectives: `{kind: bytes}` that each device exchanges in a step.
        step_seconds: an estimate by published figures of the chip; None if they are unknown.
        fits: whether the peak is within the memory of the chip; None if that is unknown.
        largest_batch: an estimate of the largest batch that fits; None if the memory is unknown.
    """

    topology: str
    devices: int
    compiler: str
    distribution: str
    batch_size: int
    parameter_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    peak_bytes: int
    flops: float
    collectives: dict[str, int] = field(default_factory=dict)
    step_seconds: float | None = None
    fits: bool | None = None
    largest_batch: int | None = None

    def __str__(self) -> str:
        rows = [
            ("devices", f"{self.topology} ({self.devices}), analysed by the {self.compiler} compiler"),
            ("distribution", self.distribution),
            ("batch", f"{self.batch_size} rows"),
            ("parameters", f"{format_bytes(self.parameter_bytes)} a device"),
            ("optimizer", f"{format_bytes(self.optimizer_bytes)} a device"),
            ("activations", f"{format_bytes(self.activation_bytes)} a device"),
            ("peak", f"{format_bytes(self.peak_bytes)} a device{_fits_text(self.fits)}"),
            ("operations", f"{self.flops:.3g} FLOP a step"),
            *((kind, f"{format_bytes(size)} a device and step") for kind, size in self.collectives.items()),
            ("step", "unknown chip" if self.step_seconds is None else f"about {1000 * self.step_seconds:.3g} ms"),
            ("largest batch", "unknown memory" if self.largest_batch is None else f"about {self.largest_batch} rows"),
        ]
        return "\n".join(f"{name:<18} {value}" for name, value in rows)

    def plot(self, to_file: str | os.PathLike[str] | None = None) -> Any:
        """Plot what each device holds, and what it exchanges.

        Args:
            to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.

        Returns:
            In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

        Raises:
            ImportError: without matplotlib.
        """
        from jaxkeras.display.figures import new_figure, shown

        figure = new_figure("Plan.plot", (7, 3))
        held, exchanged = figure.subplots(1, 2)
        parts = {
            "parameters": self.parameter_bytes, "optimizer": self.optimizer_bytes, "activations": self.activation_bytes
        }  # fmt: skip
        for axes, title, sizes in ((held, "held", parts), (exchanged, "exchanged in a step", self.collectives)):
            axes.barh(list(sizes), [size / 2**20 for size in sizes.values()])
            axes.set(title=title, xlabel="MB a device")
            axes.invert_yaxis()
        return shown(figure, to_file)


def plan(
    model: Any, x: Any, y: Any = None, batch_size: int | None = None, distribution: Any = None,
    topology: str | None = None,
) -> Plan:  # fmt: skip
    """Compile a training step for devices that need not be there, and say what it needs.

    Nothing is run, and no weight is made: a model that fits on no device of this machine can be planned on it.

    Args:
        model: a compiled model.
        x, y: data as for `fit`, or their shapes: `(rows, features)`, a `jax.ShapeDtypeStruct`, or structures of them.
        batch_size: rows of a batch, over all devices; by default 32, or one for each part of a batch if that is more.
        distribution: what `set_distribution` takes, for all devices of the topology; `"data"` by default.
        topology: `"v5e:4x4"` (by the TPU compiler: `pip install "jaxkeras[tpu]"`), `"h100:8"`, `"a100:8"` or `"cpu:8"`
            (by the compiler for CPUs, whose memory differs in workspace); the devices of this process by default.

    Returns:
        A `Plan`.

    Raises:
        ValueError: for a model that is not compiled, an unknown topology, a distribution that does not fit to it, or a
            batch with fewer rows than it has parts.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((64,)), jk.layers.Dense(64), jk.layers.Dense(8)])
    >>> model.compile("adam", "mse")
    >>> found = jk.distribution.plan(model, (1024, 64), (1024, 8), batch_size=64, topology="cpu:8", distribution="fsdp")
    >>> found.parameter_bytes, found.devices
    (2340, 8)
    """
    where = _topology(topology)
    chosen = resolve("data" if distribution is None else distribution, where.devices)
    model._require_compiled("plan")
    placement = Placement(chosen)
    batch_size = max(32, placement.shards) if batch_size is None else batch_size
    placement.check_batch(batch_size, max(batch_size, placement.shards))
    batch = _abstract(x, batch_size), _abstract(y, batch_size)
    zeros = jax.tree.map(lambda s: np.broadcast_to(np.zeros((), s.dtype), s.shape), batch)
    source, _ = model._ready(adapt(*zeros, batch_size=batch_size))
    spec = StateSpec(model, model._all_metrics(), placement)
    step = placement.constrain(steps.train_step(model, spec), spec.shardings)
    rows = placement.batch_spec(jax.tree.map(_spec, source.arrays))
    jitted = jax.jit(step, donate_argnums=0, out_shardings=(spec.shardings, placement.replicated))
    compiled = jitted.trace(spec.shapes(), rows).lower(lowering_platforms=(where.devices[0].platform,)).compile()
    memory = compiled.memory_analysis()
    flops = count_flops(jax.make_jaxpr(steps.train_step(model, StateSpec(model, model._all_metrics())))(
        *jax.tree.map(_spec, (spec.shapes(), rows))
    )).total  # fmt: skip
    if memory is None:
        raise ValueError(f"The compiler for {where.name} does not report memory.")
    exchanged: dict[str, int] = defaultdict(int)
    for found in collectives(compiled.as_text() or ""):
        exchanged[found.kind] += found.nbytes
    return _figures(
        where,
        placement,
        max(1, sum(math.prod(s.sharding.shard_shape(s.shape)) * s.dtype.itemsize for s in jax.tree.leaves(rows))),
        distribution=_name(chosen),
        batch_size=batch_size,
        parameter_bytes=_on_each(spec, "params") + _on_each(spec, "state"),
        optimizer_bytes=_on_each(spec, "opt_state"),
        activation_bytes=int(memory.temp_size_in_bytes),
        peak_bytes=int(
            memory.argument_size_in_bytes
            + memory.output_size_in_bytes
            - memory.alias_size_in_bytes
            + memory.temp_size_in_bytes
        ),
        flops=flops,
        collectives=dict(exchanged),
    )


_topology = topology


def _figures(where: Topology, placement: Placement, rows_bytes: int, **found: Any) -> Plan:
    """A plan, with what follows from the figures of the chip; `rows_bytes` are those of a device's part of a batch."""
    result = Plan(where.name, len(where.devices), where.compiler, **found)
    chip = where.chip
    if chip is not None:
        compute = result.flops / len(where.devices) / chip.flops
        memory = (result.peak_bytes + result.activation_bytes) / chip.bandwidth
        # In a ring each byte of an all-reduce passes twice.
        links = sum(size * (2 if kind == "all-reduce" else 1) for kind, size in result.collectives.items()) / chip.links
        result.step_seconds = max(compute, memory) + links
        result.fits = result.peak_bytes <= chip.memory
        # Gradients, as large as the parameters, do not grow with the batch.
        growing = rows_bytes + max(0, result.activation_bytes - result.parameter_bytes)
        room = chip.memory - (result.peak_bytes - growing)
        largest = int(max(0, room) / growing * result.batch_size)
        result.largest_batch = largest // placement.shards * placement.shards
    return result


def _abstract(data: Any, rows: int) -> Any:
    """Data or shapes as `jax.ShapeDtypeStruct`s of a batch."""
    if data is None:
        return None
    if hasattr(data, "shape"):
        return jax.ShapeDtypeStruct((rows, *data.shape[1:]), data.dtype)
    if isinstance(data, tuple) and all(isinstance(n, (int, np.integer)) for n in data):
        return jax.ShapeDtypeStruct((rows, *data[1:]), np.float32)
    if isinstance(data, dict):
        return {key: _abstract(part, rows) for key, part in data.items()}
    return type(data)(_abstract(part, rows) for part in data)


def _spec(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, jax.dtypes.canonicalize_dtype(array.dtype))


def _on_each(spec: StateSpec, name: str) -> int:
    leaves = jax.tree.leaves(getattr(spec.shapes(), name))
    return sum(math.prod(s.sharding.shard_shape(s.shape)) * s.dtype.itemsize for s in leaves)


def _name(distribution: Any) -> str:
    axes = dict(zip(distribution.device_mesh.axis_names, distribution.device_mesh.shape))
    return f"{type(distribution).__name__} over {axes}"


def _fits_text(fits: bool | None) -> str:
    return "" if fits is None else ", fits" if fits else ", does NOT fit"
