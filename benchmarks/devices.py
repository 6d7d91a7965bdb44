"""Training on eight CPU devices, relative to hand-written JAX: `python -m benchmarks.devices`.

A dense network is trained by Adam, `"data"` parallel and fully sharded (`"fsdp"`). The hand-written version is a scan
over the steps of an epoch under `jax.jit`, with a `NamedSharding` for each parameter, slot and batch; in `"fsdp"` the
longest axis that divides is split. Both start from the same weights, and run in turns in one process. The devices share
the cores of the machine, so the ratio tells what a program costs, not how it scales.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, report
from benchmarks.measure import spread
from benchmarks.run import RESULTS

DEVICES, BATCH, CLASSES = 8, 256, 10
WAYS = ("data", "fsdp")


def data(rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that can be told apart, and their classes."""
    x = np.random.default_rng(0).standard_normal((rows, width), dtype="float32")
    return x, np.argmax(x[:, :CLASSES], axis=1).astype("int32")


def network(width: int) -> Any:
    """A compiled model of three hidden layers."""
    import jaxkeras as jk

    jk.utils.set_random_seed(0)
    hidden = [jk.layers.Dense(width, activation="relu") for _ in range(3)]
    model = jk.Sequential([jk.Input((width,)), *hidden, jk.layers.Dense(CLASSES)])
    model.compile("adam", jk.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def library(way: str, width: int, x: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    """An epoch of `fit`; returns its loss."""
    import jaxkeras as jk

    jk.distribution.set_distribution(way)
    model = network(width)

    def epoch() -> float:
        return model.fit(x, y, batch_size=BATCH, verbose=0).history["loss"][0]

    return epoch


def by_hand(way: str, width: int, x: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    """An epoch of hand-written JAX; returns its loss."""
    import jax
    import jax.numpy as jnp
    import optax
    from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("batch",), axis_types=(AxisType.Auto,))
    whole, rows = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("batch"))
    tx = optax.adam(1e-3, eps=1e-7)

    def sharding(leaf: Any) -> NamedSharding:
        fitting = [i for i, size in enumerate(leaf.shape) if size % mesh.size == 0]
        if way == "data" or not fitting:
            return whole
        longest = max(fitting, key=lambda i: leaf.shape[i])
        return NamedSharding(mesh, PartitionSpec(*("batch" if i == longest else None for i in range(leaf.ndim))))

    def loss_of(params: Any, x: Any, y: Any) -> tuple[Any, Any]:
        for kernel, bias in params[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        logits = x @ params[-1][0] + params[-1][1]
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        return loss, jnp.mean(jnp.argmax(logits, 1) == y)

    weights = [np.asarray(w) for w in network(width).get_weights()]
    params = list(zip(weights[::2], weights[1::2], strict=True))
    shardings = jax.tree.map(sharding, (params, tx.init(params)))
    state = jax.device_put((params, tx.init(params)), shardings)

    def run(state: Any, x: Any, y: Any, order: Any) -> Any:
        def step(state: Any, picked: Any) -> Any:
            params, slots = state
            batch = [jax.lax.with_sharding_constraint(a[picked], rows) for a in (x, y)]
            (loss, accuracy), grads = jax.value_and_grad(loss_of, has_aux=True)(params, *batch)
            updates, slots = tx.update(grads, slots, params)
            return (optax.apply_updates(params, updates), slots), (loss, accuracy)

        state, logs = jax.lax.scan(step, state, order)
        return state, jax.tree.map(jnp.mean, logs)

    compiled = jax.jit(run, donate_argnums=0, out_shardings=(shardings, whole))
    placed = jax.device_put((x, y), whole)
    draw = np.random.default_rng(0)

    def epoch() -> float:
        nonlocal state
        order = jax.device_put(draw.permutation(len(x)).reshape(-1, BATCH), whole)
        state, (loss, _) = compiled(state, *placed, order)
        return float(loss)

    return epoch


def compare(way: str, rows: int, width: int, rounds: int) -> dict[str, Any]:
    """Seconds an epoch of both, in turns, and their losses after the same number of epochs."""
    arrays = data(rows, width)
    epochs = {"jaxkeras": library(way, width, *arrays), "by hand": by_hand(way, width, *arrays)}
    losses = {name: [epoch(), epoch()] for name, epoch in epochs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for turn in range(rounds):
        for name in list(epochs)[:: 1 if turn % 2 else -1]:
            since = time.perf_counter()
            losses[name].append(epochs[name]())
            seconds[name].append(time.perf_counter() - since)
    ratios = [a / b for a, b in zip(seconds["jaxkeras"], seconds["by hand"], strict=True)]
    return {
        "seconds": {name: min(s) for name, s in seconds.items()},
        "ratio": min(seconds["jaxkeras"]) / min(seconds["by hand"]),
        "ratios": spread(ratios),
        "loss": {name: values[-1] for name, values in losses.items()},
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and write; returns the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.devices", description=__doc__)
    parser.add_argument("--rows", type=int, default=8_192)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--output", type=Path, default=RESULTS / "eight-devices", help="path without suffix")
    args = parser.parse_args(argv)
    os.environ["JAX_NUM_CPU_DEVICES"] = str(DEVICES)  # before JAX starts
    found = {way: compare(way, args.rows, args.width, args.rounds) for way in WAYS}
    about = f"{args.rows} rows, batches of {BATCH}, {args.width} units, {DEVICES} CPU devices"
    results = {"about": about, "machine": machine.facts(), "rounds": args.rounds, "ways": found}
    rows = [
        [way, *(f"{1000 * r['seconds'][name]:.0f} ms" for name in ("jaxkeras", "by hand")), f"{r['ratio']:.2f}"]
        for way, r in found.items()
    ]
    table = report.table(["", "jaxkeras", "by hand", "ratio of the least"], rows)
    text = "\n".join(["# Eight CPU devices, relative to hand-written JAX", "", f"{about}.", "", *table, ""])
    print(text)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.with_name(args.output.name + ".json").write_text(json.dumps(results, indent=1) + "\n")
    args.output.with_name(args.output.name + ".md").write_text(text)
    return results


if __name__ == "__main__":
    main()
