"""Models for the tests of saving: one per layer family, and one per way to connect layers."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras import ops

FAMILIES = (
    "attention", "convolutional", "core", "merging", "normalization", "pooling", "preprocessing", "recurrent",
    "regularization", "reshaping",
)  # fmt: skip


def family(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    """A functional model with one branch per row of a table, and data for it."""
    rng = np.random.default_rng(0)
    rows = [r for r in importlib.import_module(f"tests.contract.{name}_table").ROWS if r.keras_file and not r.host]
    inputs, outputs, data = {}, [], {}
    for i, row in enumerate(rows):
        alone = isinstance(row.inputs[0], int)
        tensors = []
        for j, shape in enumerate([row.inputs] if alone else row.inputs):
            key = f"input_{i}_{j}"
            inputs[key] = x = L.Input(shape[1:], dtype=row.dtype, name=key)
            if row.dtype == "int32":
                data[key] = rng.integers(0, row.high, (4, *shape[1:])).astype("int32")
            else:
                data[key] = rng.normal(size=(4, *shape[1:])).astype("float32")
            if row.mask and len(shape) == 3:
                data[key][1:, -1] = 0.0
                x = L.Masking()(x)
            tensors.append(x)
        layer = row.make()
        if alone or isinstance(row.inputs, list):
            y = layer(tensors[0] if alone else tensors, **row.call_kwargs)
        else:
            y = layer(*tensors, **row.call_kwargs)
        outputs += y if isinstance(y, (list, tuple)) else [y]
    model = jk.Model(inputs, outputs)
    for v in model.variables:  # so that values cannot match by accident
        if v.dtype.startswith("float") and "seed" not in v.name:
            v.assign(np.abs(rng.normal(1.0, 0.3, v.shape)))
    return model, data


def shared() -> Any:
    """Shared layers, one of them inside a model that is itself shared."""
    tower_input = L.Input((3,))
    dense = L.Dense(3, activation="gelu", name="inner")
    tower = jk.Model(tower_input, dense(dense(tower_input)), name="tower")
    a, b = L.Input((3,), name="a"), L.Input((3,), name="b")
    head = L.Dense(2, kernel_regularizer="l2", kernel_constraint=jk.constraints.MaxNorm(2.0))
    return jk.Model({"a": a, "b": b}, {"y": head(tower(a)), "z": head(tower(b)), "w": L.Add()([tower(a), b])})


def nested() -> Any:
    inner = jk.Sequential([L.Dense(4, activation="relu"), L.BatchNormalization()], name="stack")
    deep = jk.Sequential([inner, L.Dense(3)], name="deeper")
    return jk.Sequential([L.Input((3,)), deep, L.Dense(2, activation="softmax")])


def graph_of_ops() -> Any:
    x = L.Input((4,), name="x")
    y = L.Dense(4)(x) * 2.0 + x
    y = ops.concatenate([ops.relu(y), 1.0 - y, x[:, 1:3]], axis=-1)
    y = ops.reshape(y, (-1, 2, 5))
    z = ops.mean(y, axis=1, keepdims=True)
    return jk.Model(x, [ops.matmul(z, ops.transpose(y, (0, 2, 1))), ops.softmax(y) / 3.0, ops.sqrt(ops.abs(z))])


def masked() -> Any:
    ids = L.Input((5,), dtype="int32", name="ids")
    y = L.Embedding(7, 3, mask_zero=True)(ids)
    y = L.Bidirectional(L.LSTM(2, return_sequences=True))(y)
    return jk.Model(ids, [L.GlobalAveragePooling1D()(y), L.GRU(2)(y)])


def mixed() -> Any:
    return jk.Sequential(
        [L.Input((3,)), L.Dense(4, dtype="mixed_bfloat16"), L.Dense(2, dtype=jk.DTypePolicy("mixed_bfloat16"))]
    )


def normalized() -> Any:
    layer = L.Normalization()
    layer.adapt(np.arange(12.0, dtype="float32").reshape(4, 3))
    return jk.Sequential([L.Input((3,)), layer, L.Dense(2)])


SHAPES = (shared, nested, graph_of_ops, masked, mixed, normalized)


def optimizers() -> dict[str, Any]:
    schedule = jk.optimizers.schedules.ExponentialDecay(0.05, 2, 0.9)
    return {
        "adam": lambda: jk.optimizers.Adam(0.01, clipnorm=1.0),
        "sgd": lambda: jk.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "rmsprop": lambda: jk.optimizers.RMSprop(schedule, momentum=0.5, centered=True),
    }


def compiled(optimizer: Any) -> Any:
    model = jk.Sequential([L.Input((4,)), L.Dense(6, activation="relu"), L.Dropout(0.3), L.Dense(3)])
    loss = jk.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy", jk.metrics.SparseTopKCategoricalAccuracy(2, name="top")])
    return model


def training_data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(12, 4)).astype("float32"), rng.integers(0, 3, 12).astype("int32")


def sample(model: Any) -> dict[str, np.ndarray]:
    """Data for a model, keyed by the names of its inputs."""
    rng = np.random.default_rng(2)
    return {
        x.name: rng.integers(0, 7, (4, *x.shape[1:])).astype("int32")
        if x.dtype == "int32"
        else rng.normal(size=(4, *x.shape[1:])).astype("float32")
        for x in model.inputs
    }


def everything(names: set[str]) -> Iterator[tuple[str, Any, dict[str, np.ndarray]]]:
    """Yield name, model and data for each model in `names`."""
    for name in FAMILIES:
        if name in names:
            yield (name, *family(name))
    for make in SHAPES:
        if make.__name__ in names:
            model = make()
            yield make.__name__, model, sample(model)
    for name, optimizer in optimizers().items():
        if f"trained_{name}" in names:
            model = compiled(optimizer())
            model.fit(*training_data(), batch_size=4, epochs=1, verbose=0)
            yield f"trained_{name}", model, {model.inputs[0].name: training_data()[0]}
