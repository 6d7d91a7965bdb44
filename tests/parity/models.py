"""Small models of every layer family, each with a different optimizer, written once for Keras and jaxkeras.

`k` is either library. There is no dropout, since masks differ by design.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Run(NamedTuple):
    """A model with the arguments of `compile` and `fit`."""

    model: Any
    compile: dict[str, Any]
    fit: dict[str, Any]


MODELS: dict[str, Callable[[Any], Run]] = {}
EPOCHS, BATCH, COUNT = 4, 4, 12


def entry(make: Callable[[Any], Run]) -> Callable[[Any], Run]:
    MODELS[make.__name__] = make
    return make


def real(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(COUNT, *shape)).astype("float32")


def ids(high: int, *shape: int, low: int = 0, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (COUNT, *shape)).astype("int32")


def sentences(length: int = 5) -> np.ndarray:
    """Ids padded with trailing zeros."""
    lengths = np.random.default_rng(3).integers(2, length + 1, (COUNT, 1))
    return np.where(np.arange(length) < lengths, ids(7, length, low=1), 0).astype("int32")


def classify(k: Any, model: Any, x: Any, optimizer: Any, classes: int = 3, **fit: Any) -> Run:
    loss = k.losses.SparseCategoricalCrossentropy(from_logits=True)
    settings = {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]}
    return Run(model, settings, {"x": x, "y": ids(classes), **fit})


def regress(model: Any, x: Any, y: Any, optimizer: Any, loss: Any = "mse", **fit: Any) -> Run:
    return Run(model, {"optimizer": optimizer, "loss": loss, "metrics": ["mae"]}, {"x": x, "y": y, **fit})


def stack(k: Any, shape: tuple[int, ...], layers: list[Any], dtype: str = "float32") -> Any:
    return k.Sequential([k.Input(shape, dtype=dtype), *layers])


@entry
def dense_sgd(k: Any) -> Run:
    model = stack(k, (4,), [k.layers.Dense(8, activation="relu"), k.layers.Dense(3)])
    return classify(k, model, real(4), k.optimizers.SGD(0.1))


@entry
def regularizers_momentum(k: Any) -> Run:
    layers = [
        k.layers.Dense(6, activation="tanh", kernel_regularizer="l2", bias_regularizer="l1"),
        k.layers.ActivityRegularization(0.01, 0.02),
        k.layers.Dense(2, activity_regularizer="l2"),
    ]
    return regress(stack(k, (4,), layers), real(4), real(2, seed=5), k.optimizers.SGD(0.05, momentum=0.9), "huber")


@entry
def constraints_nesterov(k: Any) -> Run:
    layers = [
        k.layers.Dense(6, activation="silu", kernel_constraint=k.constraints.MaxNorm(0.8)),
        k.layers.Dense(1, activation="sigmoid", kernel_constraint="non_neg"),
    ]
    optimizer = k.optimizers.SGD(0.1, momentum=0.8, nesterov=True)
    return regress(stack(k, (4,), layers), real(4), ids(2, 1), optimizer, "binary_crossentropy")


@entry
def convolution_batch_normalization_rmsprop(k: Any) -> Run:
    layers = [
        k.layers.Conv2D(4, 3, padding="same", use_bias=False), k.layers.BatchNormalization(momentum=0.8),
        k.layers.ReLU(), k.layers.MaxPooling2D(2), k.layers.Conv2D(3, 2, strides=2, groups=1), k.layers.Flatten(),
        k.layers.Dense(3),
    ]  # fmt: skip
    return classify(k, stack(k, (6, 6, 2), layers), real(6, 6, 2), k.optimizers.RMSprop(0.01))


@entry
def separable_adam(k: Any) -> Run:
    layers = [
        k.layers.SeparableConv2D(4, 3, activation="gelu"), k.layers.GlobalAveragePooling2D(), k.layers.Dense(3)
    ]  # fmt: skip
    return classify(k, stack(k, (5, 5, 2), layers), real(5, 5, 2), k.optimizers.Adam(0.03))


@entry
def causal_convolution_adamw(k: Any) -> Run:
    layers = [
        k.layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="elu"), k.layers.SeparableConv1D(4, 2),
        k.layers.GlobalMaxPooling1D(), k.layers.Dense(3),
    ]  # fmt: skip
    return classify(k, stack(k, (8, 2), layers), real(8, 2), k.optimizers.AdamW(0.03, weight_decay=0.05))


@entry
def depthwise_adagrad(k: Any) -> Run:
    layers = [
        k.layers.DepthwiseConv2D(3, depth_multiplier=2, activation="selu"), k.layers.AveragePooling2D(2),
        k.layers.LeakyReLU(0.1), k.layers.Flatten(), k.layers.Dense(2),
    ]  # fmt: skip
    y = real(2, seed=5)
    return regress(stack(k, (6, 6, 2), layers), real(6, 6, 2), y, k.optimizers.Adagrad(0.1), "log_cosh")


@entry
def autoencoder_adadelta(k: Any) -> Run:
    layers = [
        k.layers.Conv2D(3, 3, strides=2, padding="same", activation="softplus"), k.layers.UpSampling2D(),
        k.layers.Conv2DTranspose(2, 3, padding="same"),
    ]  # fmt: skip
    x = real(4, 4, 2)
    return regress(stack(k, (4, 4, 2), layers), x, x, k.optimizers.Adadelta(1.0))


@entry
def volumes_adamax(k: Any) -> Run:
    layers = [
        k.layers.Conv3D(3, 2, activation="relu6"), k.layers.MaxPooling3D((1, 2, 2)),
        k.layers.Conv3DTranspose(2, 2), k.layers.GlobalAveragePooling3D(), k.layers.Dense(3),
    ]  # fmt: skip
    return classify(k, stack(k, (3, 5, 5, 1), layers), real(3, 5, 5, 1), k.optimizers.Adamax(0.03))


@entry
def masked_lstm_nadam(k: Any) -> Run:
    layers = [k.layers.Embedding(7, 4, mask_zero=True), k.layers.LSTM(5), k.layers.Dense(3)]
    return classify(k, stack(k, (5,), layers, "int32"), sentences(), k.optimizers.Nadam(0.03))


@entry
def simple_rnn_ftrl(k: Any) -> Run:
    layers = [k.layers.Masking(), k.layers.SimpleRNN(5, return_sequences=True), k.layers.SimpleRNN(4),
              k.layers.Dense(3)]  # fmt: skip
    optimizer = k.optimizers.Ftrl(0.1, l1_regularization_strength=0.001, l2_regularization_strength=0.001)
    return classify(k, stack(k, (4, 3), layers), real(4, 3), optimizer)


@entry
def gru_lion(k: Any) -> Run:
    layers = [k.layers.GRU(5, return_sequences=True), k.layers.TimeDistributed(k.layers.Dense(2))]
    return regress(stack(k, (4, 3), layers), real(4, 3), real(4, 2, seed=5), k.optimizers.Lion(0.01), "mae")


@entry
def bidirectional_lamb(k: Any) -> Run:
    layers = [k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True)), k.layers.LayerNormalization(),
              k.layers.GlobalAveragePooling1D(), k.layers.Dense(3)]  # fmt: skip
    return classify(k, stack(k, (4, 3), layers), real(4, 3), k.optimizers.Lamb(0.03))


@entry
def transformer_adafactor(k: Any) -> Run:
    x = k.Input((5,), dtype="int32")
    h = k.layers.Embedding(7, 6)(x)
    h = k.layers.LayerNormalization()(h + k.layers.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True))
    h = k.layers.LayerNormalization()(k.layers.Add()([h, k.layers.Dense(6)(k.layers.Dense(8, "gelu")(h))]))
    model = k.Model(x, k.layers.Dense(3)(k.layers.Flatten()(h)))
    return classify(k, model, sentences(), k.optimizers.Adafactor(0.05))


@entry
def grouped_queries_muon(k: Any) -> Run:
    x = k.Input((4, 4))
    h = k.layers.RMSNormalization()(x)
    h = x + k.layers.GroupQueryAttention(2, 4, 2)(h, h)
    model = k.Model(x, k.layers.Dense(3)(k.layers.GlobalAveragePooling1D()(h)))
    return classify(k, model, real(4, 4), k.optimizers.Muon(0.02))


@entry
def embedding_loss_scale(k: Any) -> Run:
    layers = [k.layers.Embedding(6, 4), k.layers.Flatten(), k.layers.Dense(3)]
    optimizer = k.optimizers.LossScaleOptimizer(k.optimizers.Adam(0.03), initial_scale=1024.0, dynamic_growth_steps=4)
    return classify(k, stack(k, (3,), layers, "int32"), ids(6, 3), optimizer)


@entry
def merging_schedule(k: Any) -> Run:
    L, a, b = k.layers, k.Input((4,), name="a"), k.Input((4,), name="b")
    p, q = L.Dense(3, activation="tanh")(a), L.Dense(3)(b)
    parts = [L.Add()([p, q]), L.Multiply()([p, q]), L.Subtract()([p, q]), L.Average()([p, q]), L.Maximum()([p, q]),
             L.Minimum()([p, q]), L.Dot(axes=1)([p, q])]  # fmt: skip
    h = L.Concatenate()(parts)
    model = k.Model({"a": a, "b": b}, {"y": L.Dense(2, name="y")(h), "z": L.Dense(1, "sigmoid", name="z")(h)})
    rate = k.optimizers.schedules.CosineDecay(0.05, 12, alpha=0.1)
    settings = {"optimizer": k.optimizers.SGD(rate), "loss": {"y": "mse", "z": "binary_crossentropy"},
                "loss_weights": {"y": 0.5, "z": 2.0}, "metrics": {"y": ["mae"], "z": ["accuracy"]}}  # fmt: skip
    x, y = {"a": real(4), "b": real(4, seed=4)}, {"y": real(2, seed=5), "z": ids(2, 1)}
    return Run(model, settings, {"x": x, "y": y})


@entry
def group_normalization_amsgrad(k: Any) -> Run:
    layers = [
        k.layers.Conv2D(4, 2), k.layers.GroupNormalization(2), k.layers.PReLU(shared_axes=[1, 2]),
        k.layers.Flatten(), k.layers.UnitNormalization(), k.layers.Dense(3),
    ]  # fmt: skip
    optimizer = k.optimizers.Adam(0.03, amsgrad=True, clipnorm=0.5)
    return classify(k, stack(k, (4, 4, 2), layers), real(4, 4, 2), optimizer)


@entry
def conv_lstm_centered(k: Any) -> Run:
    layers = [k.layers.ConvLSTM2D(2, 2), k.layers.Flatten(), k.layers.Dense(2)]
    optimizer = k.optimizers.RMSprop(0.01, momentum=0.5, centered=True)
    return regress(stack(k, (3, 4, 4, 1), layers), real(3, 4, 4, 1), real(2, seed=5), optimizer)


@entry
def reshaping_averages(k: Any) -> Run:
    layers = [
        k.layers.Reshape((4, 3)), k.layers.Permute((2, 1)), k.layers.ZeroPadding1D(1), k.layers.Conv1D(3, 2),
        k.layers.Cropping1D((1, 0)), k.layers.UpSampling1D(2), k.layers.Flatten(), k.layers.Dense(2),
        k.layers.RepeatVector(2), k.layers.Softmax(),
    ]  # fmt: skip
    y = np.eye(2, dtype="float32")[ids(2, 2)]
    optimizer = k.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.8)
    return regress(stack(k, (12,), layers), real(12), y, optimizer, "categorical_crossentropy")


@entry
def spectral_accumulation(k: Any) -> Run:
    layers = [
        k.layers.Rescaling(0.5), k.layers.Normalization(mean=0.1, variance=0.3), k.layers.EinsumDense("ab,bc->ac", 6),
        k.layers.Activation("mish"), k.layers.SpectralNormalization(k.layers.Dense(4)), k.layers.Dense(2),
    ]  # fmt: skip
    optimizer = k.optimizers.Adam(0.05, gradient_accumulation_steps=2, global_clipnorm=1.0)
    return regress(stack(k, (4,), layers), real(4), real(2, seed=5), optimizer)


@entry
def stacked_cells_several_optimizers(k: Any) -> Run:
    rnn = k.layers.RNN([k.layers.LSTMCell(4), k.layers.GRUCell(3), k.layers.SimpleRNNCell(3)])
    optimizer = k.optimizers.MultiOptimizer(
        k.optimizers.OptimizerMap(k.optimizers.SGD(0.1), {".*bias": k.optimizers.Adam(0.05)})
    )
    return classify(k, stack(k, (4, 3), [rnn, k.layers.Dense(3)]), real(4, 3), optimizer)


@entry
def weights_and_a_smaller_batch(k: Any) -> Run:
    model = stack(k, (4,), [k.layers.Dense(6), k.layers.BatchNormalization(), k.layers.ELU(), k.layers.Dense(3)])
    weights = {"sample_weight": np.linspace(0.5, 2.0, COUNT).astype("float32"), "batch_size": 5}
    return classify(k, model, real(4), k.optimizers.SGD(0.1, clipvalue=0.1, weight_decay=0.01), **weights)


def same_start(model: Any) -> None:
    """Set weights that depend only on their shapes."""
    rng = np.random.default_rng(0)
    values = []
    for v, w in zip(model.weights, model.get_weights()):
        if w.ndim > 1 and w.dtype == np.float32:
            w = rng.normal(size=w.shape) / np.sqrt(np.prod(w.shape[:-1]))
        elif v.trainable:
            start = w if np.array_equal(w, np.round(w)) else np.zeros_like(w)  # otherwise it was random
            w = start + 0.1 * rng.normal(size=w.shape)
        values.append(np.asarray(w, "float32") if w.dtype == np.float64 else w)
    model.set_weights(values)


def curves(k: Any, name: str) -> dict[str, list[float]]:
    """Train a model and return its history: losses and metrics per epoch."""
    run = MODELS[name](k)
    same_start(run.model)
    run.model.compile(**run.compile)
    settings = {"batch_size": BATCH, "epochs": EPOCHS, "shuffle": False, "verbose": 0, **run.fit}
    history = run.model.fit(**settings).history
    return {key: [float(value) for value in values] for key, values in sorted(history.items())}
