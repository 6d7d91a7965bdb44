"""Startup time: imports, and the first epoch of a new process."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.frameworks import FRAMEWORKS
from benchmarks.measure import spread
from benchmarks.worker import Worker
from benchmarks.workloads import WORKLOADS, write_data

IMPORTS = {
    "numpy": "import numpy",
    "jax, optax": "import jax, optax",
    "jaxkeras": "import jaxkeras",
    "keras on jax": "import keras",
    "keras on tensorflow": "import keras",
    "torch": "import torch",
}
_NEEDS = {
    "numpy": None, "jax, optax": None, "jaxkeras": "jaxkeras", "keras on jax": "keras-jax",
    "keras on tensorflow": "keras-tf", "torch": "torch",
}  # fmt: skip
# Label -> framework, and the environment variable of its persistent cache of programs (None: no cache by default).
FIRST_EPOCH = {
    "jaxkeras": ("jaxkeras", "JAXKERAS_PROGRAM_CACHE"),
    "jax-scan": ("jax-scan", None),
    "keras-jax": ("keras-jax", None),
    "keras-jax with JAX's cache": ("keras-jax", "JAX_COMPILATION_CACHE_DIR"),
    "keras-tf": ("keras-tf", None),
    "torch": ("torch", None),
}


def imports(frameworks: Sequence[str], rounds: int) -> dict[str, Any]:
    """Measure `python -c "import ..."` in turns, and the ratio to `import jax, optax`."""
    chosen = [name for name, needs in _NEEDS.items() if needs is None or needs in frameworks]
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for i in range(rounds + 1):
        for name in chosen:
            environment = FRAMEWORKS[_NEEDS[name]].environment if _NEEDS[name] else {}
            since = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", IMPORTS[name]],
                check=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            if i:  # the first round fills the file cache
                seconds[name].append(time.perf_counter() - since)
    reference = seconds["jax, optax"]
    return {
        name: {"seconds": spread(values), "ratio": spread([a / b for a, b in zip(values, reference)])}
        for name, values in seconds.items()
    }


def first_epoch(
    frameworks: Sequence[str], workloads: Sequence[str], rounds: int, scale: float, say: Any = None
) -> dict[str, Any]:
    """Measure the time from process start to the end of the first epoch, for a first and a second process."""
    results: dict[str, Any] = {}
    for name in workloads:
        w = WORKLOADS[name].scaled(scale)
        times: dict[str, dict[str, list[float]]] = {}
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder, "data.npz")
            write_data(w, data)
            for i in range(rounds):
                for j, (who, (framework, store)) in enumerate(FIRST_EPOCH.items()):
                    if framework not in frameworks or framework in w.slow:
                        continue
                    cache = {
                        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
                    }
                    if store:
                        cache[store] = str(Path(folder, f"cache-{j}-{i}"))
                    for run in ("cold", "warm"):
                        since = time.perf_counter()
                        worker = Worker(framework, "fit", data, w, cache)
                        worker.epoch()
                        elapsed = time.perf_counter() - since
                        worker.stop()
                        times.setdefault(who, {"cold": [], "warm": []})[run].append(elapsed)
        results[name] = {f: {run: spread(values) for run, values in both.items()} for f, both in times.items()}
        if say:
            for framework, both in times.items():
                cold, warm = (statistics.median(both[run]) for run in ("cold", "warm"))
                say(f"  {name}, {framework}: cold {cold:.2f} s, warm {warm:.2f} s")
    return results
