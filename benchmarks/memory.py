"""The peak memory that `program_report` states, against the one that the operating system sees.

    python -m benchmarks.memory

Each model runs in a process of its own. Seen is how much the resident memory rises from before weights, optimizer and
batch are there to the highest point of a training step (Linux only: `/proc/self/status`).
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def _models() -> dict[str, tuple[Any, tuple[int, ...], int]]:
    """`{name: (function that makes a model, shape of a row, rows in a batch)}`."""
    import jaxkeras as jk

    layers = jk.layers

    def mlp() -> Any:
        return jk.Sequential([*(layers.Dense(2048, activation="relu") for _ in range(4)), layers.Dense(10)])

    def cnn() -> Any:
        convolutions = [layers.Conv2D(64, 3, padding="same", activation="relu") for _ in range(3)]
        return jk.Sequential([*convolutions, layers.GlobalAveragePooling2D(), layers.Dense(10)])

    def transformer() -> Any:
        x = inputs = jk.Input((128, 256))
        for _ in range(3):
            x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 64)(x, x))
            x = layers.LayerNormalization()(x + layers.Dense(256)(layers.Dense(1024, activation="gelu")(x)))
        return jk.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))

    def lstm() -> Any:
        return jk.Sequential([layers.LSTM(512, return_sequences=True), layers.LSTM(512), layers.Dense(10)])

    return {
        "mlp": (mlp, (2048,), 4096),
        "cnn": (cnn, (32, 32, 3), 256),
        "transformer": (transformer, (128, 256), 64),
        "lstm": (lstm, (100, 256), 128),
    }


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def measure(name: str) -> dict[str, int]:
    """Peak memory of a training step of one model: as stated, and as seen."""
    import jax
    import jax.numpy as jnp

    from jaxkeras.training.memory import program_bytes
    from jaxkeras.utils.costs import prepare

    make, shape, rows = _models()[name]
    model = make()
    model.compile("adam", "mse")
    prepared = prepare(model, (None, *shape), (None, 10), rows)
    compiled, step = prepared.compile(), prepared.session.train
    shapes = prepared.session.state_spec.shapes()
    extras = step.start_extras(shapes, prepared.ref)

    def run() -> int:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = _status("VmRSS")
        ts = jax.tree.map(lambda s: jnp.full(s.shape, 1e-3, s.dtype), shapes)
        data = jax.tree.map(lambda s: jnp.full(s.shape, 1, s.dtype), prepared.ref.data)
        ref = prepared.ref._replace(data=data, order=jnp.arange(rows, dtype=jnp.int32))
        Path("/proc/self/clear_refs").write_text("5")  # the highest point is from now on
        jax.block_until_ready(compiled(*step.arguments(ts, extras, ref, 1)))
        return _status("VmHWM") - before

    run()  # so that the small programs above and the threads' own buffers are there
    return {"stated": program_bytes(compiled), "seen": run()}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    print(f"{'model':<12} {'stated MiB':>11} {'seen MiB':>9} {'stated / seen':>14}")
    for name in _models():
        command = [sys.executable, "-m", "benchmarks.memory", name]
        result = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        stated, seen = result["stated"], result["seen"]
        print(f"{name:<12} {stated / 2**20:>11.1f} {seen / 2**20:>9.1f} {stated / seen:>14.3f}")


if __name__ == "__main__":
    main()
