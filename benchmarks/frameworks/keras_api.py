"""The workloads in Keras's API: the same code for jaxkeras and for Keras on its backends."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.frameworks import network_models
from benchmarks.workloads import Workload


def build(k: Any, w: Workload) -> Any:
    """The model, not compiled."""
    layers = k.layers
    if w.kind == "network":
        return network_models.MODELS[w.name.removesuffix("-1")](k, w.sizes)
    if w.kind == "dense":
        stack = [k.Input((w.sizes[0],))]
        for units in w.sizes[1:-1]:
            stack.append(layers.Dense(units, activation="relu"))
            if w.dropout:
                stack.append(layers.Dropout(w.dropout))
        return k.Sequential([*stack, layers.Dense(w.sizes[-1])])
    if w.kind == "cnn":
        size, *filters, units, classes = w.sizes
        stack = [k.Input((size, size, 1))]
        for i, n in enumerate(filters):
            stack.append(layers.Conv2D(n, 3, activation="relu"))
            if i < len(filters) - 1:
                stack.append(layers.MaxPooling2D(2))
        return k.Sequential([*stack, layers.Flatten(), layers.Dense(units, activation="relu"), layers.Dense(classes)])
    if w.kind == "lstm":
        vocabulary, time, width, units = w.sizes
        stack = [k.Input((time,), dtype="int32"), layers.Embedding(vocabulary, width), layers.LSTM(units)]
        return k.Sequential([*stack, layers.Dense(1)])
    vocabulary, time, width, blocks, heads, hidden = w.sizes
    tokens = k.Input((time,), dtype="int32")
    x = layers.Embedding(vocabulary, width)(tokens)
    for _ in range(blocks):
        attended = layers.MultiHeadAttention(heads, width // heads)(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, attended]))
        mixed = layers.Dense(width)(layers.Dense(hidden, activation="relu")(x))
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, mixed]))
    return k.Model(tokens, layers.Dense(1)(layers.GlobalAveragePooling1D()(x)))


def compiled(k: Any, w: Workload, weights: list[np.ndarray], spe: int = 1) -> Any:
    """The compiled model with its starting weights."""
    model = build(k, w)
    if weights:
        model.set_weights(weights)
    loss, metrics = {
        "mse": lambda: ("mse", []),
        "binary": lambda: (
            k.losses.BinaryCrossentropy(from_logits=True),
            [k.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        ),
        "classes": lambda: (k.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]),
        "gan": lambda: (None, []),
    }[w.loss]()
    optimizer = {
        "sgd": lambda: k.optimizers.SGD(0.01),
        "momentum": lambda: k.optimizers.SGD(0.01, momentum=0.9),
        "adam": lambda: k.optimizers.Adam(1e-3),
    }[w.optimizer]()
    model.compile(optimizer, loss, metrics=metrics, steps_per_execution=spe)
    return model


def _batches(x: np.ndarray, y: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """An infinite stream of shuffled batches."""
    draw = np.random.default_rng(0)
    while True:
        order = draw.permutation(len(x))
        for start in range(0, len(x), size):
            rows = order[start : start + size]
            yield x[rows], y[rows]


def _dataset(k: Any, x: np.ndarray, y: np.ndarray, size: int) -> Any:
    class Batches(k.utils.PyDataset):
        def __len__(self) -> int:
            return len(x) // size

        def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
            return x[i * size : (i + 1) * size], y[i * size : (i + 1) * size]

    return Batches()


def run(task: str, w: Workload, data: Any, gate: Any, package: str, spe: int = 1) -> None:
    """Run `task`; see `benchmarks.comparisons`."""
    k = importlib.import_module(package)
    x, y, weights = data
    model = compiled(k, w, weights, spe)

    class Pace(k.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            gate.wait()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            gate.done(**{name: float(value) for name, value in logs.items()})

    endless = {"epochs": 10**9, "verbose": 0, "callbacks": [Pace()]}
    steps = len(x) // w.batch
    if task == "fit":
        model.fit(x, y, batch_size=w.batch, **endless)
    if task == "generator":
        model.fit(_batches(x, y, w.batch), steps_per_epoch=steps, **endless)
    if task == "pydataset":
        model.fit(_dataset(k, x, y, w.batch), **endless)

    def fit_call() -> dict[str, float]:
        history = model.fit(x, y, batch_size=w.batch, verbose=0).history
        return {name: float(values[-1]) for name, values in history.items()}

    def evaluate() -> dict[str, float]:
        return {"loss": float(model.evaluate(x, y, batch_size=w.batch, verbose=0, return_dict=True)["loss"])}

    def predict() -> dict[str, float]:
        return {"mean": float(model.predict(x, batch_size=w.batch, verbose=0).mean())}

    def predict_one() -> dict[str, float]:
        return {"mean": float(np.mean([model.predict(x[i : i + 1], verbose=0) for i in range(len(x))]))}

    def train_on_batch() -> dict[str, float]:
        model.reset_metrics()
        for i in range(steps):
            rows = slice(i * w.batch, (i + 1) * w.batch)
            logs = model.train_on_batch(x[rows], y[rows], return_dict=True)
        return {name: float(value) for name, value in logs.items()}

    if task == "turns":
        gate.serve(fit_call, predict if w.loss == "gan" else evaluate, predict)
    tasks = (fit_call, evaluate, predict, predict_one, train_on_batch)
    gate.serve({task.__name__: task for task in tasks}[task])
