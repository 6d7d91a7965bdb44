"""The networks in Keras's API, the same code for jaxkeras and for Keras on JAX."""

from __future__ import annotations

import functools
import importlib
import time
from typing import Any

import numpy as np

from benchmarks.accelerators.networks import ConvNet, LanguageModel, Network


def _language_model(k: Any, m: LanguageModel) -> Any:
    layers, gelu = k.layers, functools.partial(k.activations.gelu, approximate=True)

    class Positions(layers.Layer):
        def build(self, shape: Any) -> None:
            self.table = self.add_weight(shape=(m.time, m.width), initializer="random_normal", name="table")

        def call(self, x: Any) -> Any:
            return x + k.ops.cast(self.table, x.dtype)

    def attention(x: Any) -> Any:
        return layers.MultiHeadAttention(m.heads, m.width // m.heads)(x, x, use_causal_mask=m.causal)

    def dense(x: Any) -> Any:
        return layers.Dense(m.width)(layers.Dense(4 * m.width, activation=gelu)(x))

    tokens = k.Input((m.time,), dtype="int32")
    embedding = layers.ReversibleEmbedding(m.vocabulary, m.width, embeddings_initializer="random_normal")
    x = Positions()(embedding(tokens))
    for _ in range(m.blocks):
        for part in (attention, dense):
            norm = layers.LayerNormalization(epsilon=1e-5)
            x = x + part(norm(x)) if m.causal else norm(x + part(x))
    if m.causal:
        x = layers.LayerNormalization(epsilon=1e-5)(x)
    return k.Model(tokens, embedding(x, reverse=True))


def _conv_net(k: Any, m: ConvNet) -> Any:
    layers, gelu = k.layers, functools.partial(k.activations.gelu, approximate=True)
    stack = [
        k.Input((m.size, m.size, 3)),
        layers.Conv2D(m.whitening, 2, trainable=False),
        layers.Activation(gelu),
    ]
    for width in m.widths:
        for pooled in (True, False):
            stack.append(layers.Conv2D(width, 3, padding="same", use_bias=False))
            stack += [layers.MaxPooling2D(2)] * pooled
            stack += [layers.BatchNormalization(momentum=0.6, scale=False), layers.Activation(gelu)]
    return k.Sequential([*stack, layers.MaxPooling2D(3), layers.Flatten(), layers.Dense(10, use_bias=False)])


def build(k: Any, network: Network) -> Any:
    """The model, compiled for 16-bit products."""
    k.mixed_precision.set_global_policy("mixed_bfloat16")
    model = _language_model(k, network) if isinstance(network, LanguageModel) else _conv_net(k, network)
    optimizer = (
        k.optimizers.AdamW(3e-4, weight_decay=0.1)
        if isinstance(network, LanguageModel)
        else k.optimizers.SGD(0.1, momentum=0.85, nesterov=True)
    )
    model.compile(optimizer, k.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def seconds_a_step(network: Network, steps: int, rounds: int, package: str) -> list[float]:
    """Time epochs of `fit`; the first one, which compiles, is left out."""
    k = importlib.import_module(package)
    model = build(k, network)
    x, y = network.data(steps)
    marks: list[float] = []

    class Clock(k.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            assert logs and np.isfinite(float(logs["loss"]))
            marks.append(time.perf_counter())

    model.fit(x, y, batch_size=network.batch, epochs=rounds + 1, verbose=0, callbacks=[Clock()])
    return list(np.diff(marks) / steps)
