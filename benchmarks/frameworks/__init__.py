"""The frameworks and their processes' settings. This module imports none of them."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Framework:
    """A framework with its settings.

    Attributes:
        module: module with `run(task, workload, data, gate, **options)`.
        needs: modules that must be installed.
        about: one line for the report.
        options: keyword arguments of `run`.
        environment: environment variables of its process.
    """

    module: str
    needs: tuple[str, ...]
    about: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def installed(self) -> bool:
        return all(importlib.util.find_spec(name) for name in self.needs)


_KERAS, _JAX = "benchmarks.frameworks.keras_api", "benchmarks.frameworks.hand_jax"
_TORCH = "benchmarks.frameworks.eager_torch"
_ON_JAX, _ON_TF = {"KERAS_BACKEND": "jax"}, {"KERAS_BACKEND": "tensorflow"}

FRAMEWORKS = {
    "jaxkeras": Framework(_KERAS, ("jaxkeras",), "default settings", {"package": "jaxkeras"}),
    "jax-loop": Framework(_JAX, ("jax",), "hand-written: a jitted step per batch, gathered on host", {"form": "loop"}),
    "jax-scan": Framework(_JAX, ("jax",), "hand-written: the epoch is one lax.scan, rows by index", {"form": "scan"}),
    "jax-best": Framework(
        _JAX, ("jax", "jaxkeras"), "hand-written: with jaxkeras.lowering", {"form": "scan", "operations": "lowered"}
    ),
    "keras-jax": Framework(_KERAS, ("keras", "jax"), "Keras on JAX, defaults", {"package": "keras"}, _ON_JAX),
    "keras-jax-32": Framework(
        _KERAS, ("keras", "jax"), "Keras on JAX, steps_per_execution=32", {"package": "keras", "spe": 32}, _ON_JAX
    ),
    "keras-tf": Framework(
        _KERAS, ("keras", "tensorflow"), "Keras on TensorFlow, defaults", {"package": "keras"}, _ON_TF
    ),
    "torch": Framework(_TORCH, ("torch",), "PyTorch eager, a hand-written loop"),
    "torch-compile": Framework(_TORCH, ("torch",), "the same loop, torch.compile of the model", {"compiled": True}),
}
