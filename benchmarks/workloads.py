"""The workloads: architectures, data and starting weights, independent of any framework."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """A model and its data. Every model outputs logits or a number, so that all frameworks compute the same.

    Attributes:
        name: name in tables.
        kind: "dense", "cnn", "lstm", "transformer", or "network": one of `benchmarks.networks`, by its name.
        sizes: dense: features, hidden layers, outputs; cnn: image size, filters, dense units, classes;
            lstm: vocabulary, time, embedding, units; transformer: vocabulary, time, embedding, blocks, heads, hidden.
        loss: "mse" (no metric), "binary" or "classes" (cross-entropies of logits, with accuracy), or that of the model.
        optimizer: "sgd" (0.01), "momentum" (0.01 and 0.9) or "adam" (0.001, epsilon 1e-7).
        rows: number of rows, a multiple of the batch size.
        batch: batch size.
        dropout: dropout rate after every hidden layer of a dense model.
        images: read Fashion-MNIST, if it is on this machine, instead of drawing data.
        slow: frameworks that run only one epoch.
    """

    name: str
    kind: str
    sizes: tuple[int, ...]
    loss: str
    optimizer: str
    rows: int
    batch: int = 32
    dropout: float = 0.0
    images: bool = False
    slow: tuple[str, ...] = ()

    def scaled(self, fraction: float) -> Workload:
        """The workload with a fraction of the rows, at least two batches."""
        return replace(self, rows=max(2, round(self.rows * fraction / self.batch)) * self.batch)

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def loads(text: str) -> Workload:
        fields = json.loads(text)
        return Workload(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


WORKLOADS = {
    w.name: w
    for w in (
        Workload("linear", "dense", (2, 1), "mse", "sgd", 20_000),
        Workload("tabular", "dense", (20, 64, 64, 1), "binary", "adam", 20_000, dropout=0.1),
        Workload("mlp", "dense", (784, 300, 100, 10), "classes", "sgd", 60_000, images=True),
        # On XLA:CPU the plain gradient of a convolution is tens of times slower inside a loop.
        Workload("cnn", "cnn", (28, 32, 64, 64, 64, 10), "classes", "sgd", 12_800, slow=("jax-scan",)),
        Workload("lstm", "lstm", (5000, 80, 64, 64), "binary", "adam", 3_200),
        Workload("transformer", "transformer", (5000, 80, 64, 2, 4, 128), "binary", "adam", 3_200),
    )
}


# -- data ------------------------------------------------------------------------------------------------------------
def _fashion_mnist() -> tuple[np.ndarray, np.ndarray] | None:
    """Fashion-MNIST if its files are on this machine; never downloaded."""
    try:
        from jaxkeras.datasets import catalog, fashion_mnist
    except ImportError:
        return None
    keys = ("x_train", "y_train", "x_test", "y_test")
    if not all(any(p.is_file() for p in catalog.FILES[f"fashion_mnist/{key}"].locations) for key in keys):
        return None
    (x, y), _ = fashion_mnist.load_data()
    return x.reshape(len(x), -1).astype("float32") / 255, y.astype("int32")


def draw_data(w: Workload) -> tuple[np.ndarray, np.ndarray, str]:
    """Learnable inputs and targets, and the name of their source."""
    if w.images and (found := _fashion_mnist()) is not None and len(found[0]) >= w.rows:
        return found[0][: w.rows], found[1][: w.rows], "Fashion-MNIST"
    draw = np.random.default_rng(0)
    if w.kind == "network":
        return *_draw_network(w, draw), "synthetic"
    if w.kind in ("lstm", "transformer"):
        vocabulary, time = w.sizes[:2]
        x = draw.integers(1, vocabulary, (w.rows, time), dtype="int32")
        y = (x < vocabulary // 2).mean(axis=1, keepdims=True) > 0.5
        return x, y.astype("float32"), "synthetic"
    shape = (w.sizes[0], w.sizes[0], 1) if w.kind == "cnn" else (w.sizes[0],)
    if w.loss == "classes":
        labels = draw.integers(0, w.sizes[-1], w.rows, dtype="int32")
        prototypes = draw.random((w.sizes[-1], *shape), dtype="float32")
        return 0.5 * prototypes[labels] + 0.5 * draw.random((w.rows, *shape), dtype="float32"), labels, "synthetic"
    x = draw.standard_normal((w.rows, *shape), dtype="float32")
    y = x @ draw.standard_normal((w.sizes[0], w.sizes[-1]), dtype="float32")
    return x, (y > 0).astype("float32") if w.loss == "binary" else y, "synthetic"


def _sign(x: np.ndarray) -> np.ndarray:
    return (x[:, :1] > 0).astype("float32")


def _draw_network(w: Workload, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows, name = w.rows, w.name
    if name in ("wavenet", "gpt"):
        text = draw.integers(1, w.sizes[0], (rows, w.sizes[1] + 1), dtype="int32")
        return text[:, :-1], text[:, 1:]
    if name in ("tabular-transformer", "batch-normed-mlp", "gan"):
        x = draw.standard_normal((rows, w.sizes[0]), dtype="float32")
        if w.loss == "classes":
            return x, draw.integers(0, w.sizes[-1], rows, dtype="int32")
        return x, draw.standard_normal((rows, w.sizes[2]), dtype="float32") if w.loss == "gan" else _sign(x)
    if w.loss == "binary":
        x = draw.integers(1, w.sizes[0], (rows, w.sizes[1]), dtype="int32")
        if name == "encoder":
            x[np.arange(w.sizes[1]) >= draw.integers(w.sizes[1] // 2, w.sizes[1] + 1, (rows, 1))] = 0
        return x, (x[:, :1] < w.sizes[0] // 2).astype("float32")
    side, channels, classes = w.sizes[:3]
    x = draw.standard_normal((rows, side, side, channels), dtype="float32")
    if w.loss == "mse":
        return x, x
    return x, draw.integers(0, classes, (rows, side, side) if name == "unet" else rows, dtype="int32")


def write_data(w: Workload, path: Path) -> str:
    """Write data and starting weights for the workers; returns the name of the source."""
    x, y, origin = draw_data(w)
    np.savez(path, x, y, *(a for _, a in draw_weights(w)))
    return origin


def read_data(path: Path) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Inputs, targets, and weights in Keras's order."""
    with np.load(path) as stored:
        x, y, *weights = (stored[f"arr_{i}"] for i in range(len(stored.files)))
    return x, y, weights


# -- weights ---------------------------------------------------------------------------------------------------------
def weight_shapes(w: Workload) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of all weights, in Keras's order and layouts."""

    def dense(name: str, inputs: int, units: int) -> list[tuple[str, tuple[int, ...]]]:
        return [(f"{name}/kernel", (inputs, units)), (f"{name}/bias", (units,))]

    if w.kind == "dense":
        return [s for i, (a, b) in enumerate(zip(w.sizes, w.sizes[1:])) for s in dense(f"dense_{i}", a, b)]
    if w.kind == "cnn":
        size, *filters, units, classes = w.sizes
        shapes, channels = [], 1
        for i, n in enumerate(filters):
            shapes += [(f"conv_{i}/kernel", (3, 3, channels, n)), (f"conv_{i}/bias", (n,))]
            channels, size = n, size - 2
            if i < len(filters) - 1:
                size //= 2
        return shapes + dense("hidden", size * size * channels, units) + dense("out", units, classes)
    if w.kind == "lstm":
        vocabulary, _, width, units = w.sizes
        shapes = [("embedding", (vocabulary, width)), ("lstm/kernel", (width, 4 * units))]
        return shapes + [("lstm/recurrent", (units, 4 * units)), ("lstm/bias", (4 * units,))] + dense("out", units, 1)
    if w.kind == "network":
        return []  # every framework draws its own
    vocabulary, _, width, blocks, heads, hidden = w.sizes
    shapes = [("embedding", (vocabulary, width))]
    for b in range(blocks):
        head = width // heads
        for part in ("query", "key", "value"):
            shapes += [(f"{b}/{part}/kernel", (width, heads, head)), (f"{b}/{part}/bias", (heads, head))]
        shapes += [(f"{b}/output/kernel", (heads, head, width)), (f"{b}/output/bias", (width,))]
        shapes += [(f"{b}/norm_0/gamma", (width,)), (f"{b}/norm_0/beta", (width,))]
        shapes += dense(f"{b}/up", width, hidden) + dense(f"{b}/down", hidden, width)
        shapes += [(f"{b}/norm_1/gamma", (width,)), (f"{b}/norm_1/beta", (width,))]
    return shapes + dense("out", width, 1)


def draw_weights(w: Workload, seed: int = 1) -> list[tuple[str, np.ndarray]]:
    """Starting weights: scaled normal kernels, zero biases, unit gammas."""
    draw = np.random.default_rng(seed)

    def one(name: str, shape: Sequence[int]) -> np.ndarray:
        if name.endswith("bias") or name.endswith("beta"):
            return np.zeros(shape, "float32")
        if name.endswith("gamma"):
            return np.ones(shape, "float32")
        summed = shape[:-1] if len(shape) == 4 or "output" in name else shape[:1]  # the axes of the contraction
        fan_in = 400 if name == "embedding" else math.prod(summed)  # small initial embeddings, as in Keras
        return draw.standard_normal(shape, dtype="float32") / np.float32(math.sqrt(fan_in))

    return [(name, one(name, shape)) for name, shape in weight_shapes(w)]


def named(w: Workload, weights: Sequence[Any]) -> dict[str, Any]:
    """Weights by name."""
    return dict(zip((name for name, _ in weight_shapes(w)), weights))
