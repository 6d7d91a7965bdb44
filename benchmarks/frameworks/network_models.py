"""Networks that people train, in Keras's API: the same code for jaxkeras and for Keras on its backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Build = Callable[[Any, tuple[int, ...]], Any]  # the package and the sizes of the workload


def _normed(k: Any, x: Any, filters: int, window: int, strides: int = 1, activation: str | None = "relu") -> Any:
    """Convolution without bias, batch normalization, activation."""
    x = k.layers.Conv2D(filters, window, strides, padding="same", use_bias=False)(x)
    x = k.layers.BatchNormalization()(x)
    return x if activation is None else k.layers.Activation(activation)(x)


def _residual(k: Any, x: Any, y: Any, strides: int) -> Any:
    """The sum of y and x, or of y and a strided 1x1 convolution of x where the shapes differ; ReLU."""
    if strides > 1 or x.shape[-1] != y.shape[-1]:
        x = _normed(k, x, y.shape[-1], 1, strides, None)
    return k.layers.ReLU()(k.layers.Add()([x, y]))


def _basic(k: Any, x: Any, filters: int, strides: int = 1) -> Any:
    y = _normed(k, x, filters, 3, strides)
    return _residual(k, x, _normed(k, y, filters, 3, activation=None), strides)


def _bottleneck(k: Any, x: Any, filters: int, strides: int = 1) -> Any:
    y = _normed(k, _normed(k, x, filters, 1), filters, 3, strides)
    return _residual(k, x, _normed(k, y, 4 * filters, 1, activation=None), strides)


def _classes(k: Any, image: Any, x: Any, classes: int) -> Any:
    return k.Model(image, k.layers.Dense(classes)(k.layers.GlobalAveragePooling2D()(x)))


def _image(k: Any, sizes: tuple[int, ...]) -> Any:
    return k.Input((sizes[0], sizes[0], sizes[1]))


def resnet(k: Any, sizes: tuple[int, ...]) -> Any:
    image, (narrow, wide) = _image(k, sizes), sizes[3:]
    x = _normed(k, image, narrow, 3)
    x = k.layers.MaxPooling2D(3, 2, padding="same")(x)
    x = _basic(k, _basic(k, x, narrow), wide, 2)
    return _classes(k, image, _basic(k, x, wide), sizes[2])


def bottleneck(k: Any, sizes: tuple[int, ...]) -> Any:
    image, (narrow, wide) = _image(k, sizes), sizes[3:]
    x = _bottleneck(k, _bottleneck(k, _normed(k, image, 2 * narrow, 3), narrow), wide, 2)
    return _classes(k, image, _bottleneck(k, x, wide), sizes[2])


def _depthwise(k: Any, x: Any, window: int, strides: int, activation: str) -> Any:
    x = k.layers.DepthwiseConv2D(window, strides, padding="same", use_bias=False)(x)
    return k.layers.Activation(activation)(k.layers.BatchNormalization()(x))


def depthwise(k: Any, sizes: tuple[int, ...]) -> Any:
    """MobileNet (Howard et al., 2017)."""
    image = _image(k, sizes)
    x = _normed(k, image, sizes[3], 3)
    for filters, strides in zip(sizes[4:], (1, 2, 2)):
        x = _normed(k, _depthwise(k, x, 3, strides, "relu"), filters, 1)
    return _classes(k, image, x, sizes[2])


def _inverted(k: Any, x: Any, filters: int, window: int, strides: int, activation: str, squeeze: bool) -> Any:
    y = _normed(k, x, 4 * x.shape[-1], 1, activation=activation)
    y = _depthwise(k, y, window, strides, activation)
    if squeeze:
        s = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
        s = k.layers.Conv2D(x.shape[-1] // 4, 1, activation=activation)(s)
        y = k.layers.Multiply()([y, k.layers.Conv2D(y.shape[-1], 1, activation="sigmoid")(s)])
    y = _normed(k, y, filters, 1, activation=None)
    return k.layers.Add()([x, y]) if x.shape == y.shape else y


def mobilenet(k: Any, sizes: tuple[int, ...]) -> Any:
    """MobileNetV2 (Sandler et al., 2018)."""
    image = _image(k, sizes)
    x = _normed(k, image, sizes[3], 3, activation="relu6")
    for filters, strides in zip(sizes[4:], (1, 2, 1, 2, 1)):
        x = _inverted(k, x, filters, 3, strides, "relu6", False)
    return _classes(k, image, _normed(k, x, 4 * sizes[-1], 1, activation="relu6"), sizes[2])


def efficientnet(k: Any, sizes: tuple[int, ...]) -> Any:
    """Inverted blocks with squeeze and excitation, as in EfficientNet (Tan and Le, 2019)."""
    image = _image(k, sizes)
    x = _normed(k, image, sizes[3], 3, activation="silu")
    for filters, window, strides in zip(sizes[4:], (3, 5, 3), (2, 1, 2)):
        x = _inverted(k, x, filters, window, strides, "silu", True)
    return _classes(k, image, x, sizes[2])


def unet(k: Any, sizes: tuple[int, ...]) -> Any:
    """U-Net (Ronneberger et al., 2015): logits of classes for each cell."""
    layers, image = k.layers, _image(k, sizes)

    def twice(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        return x

    x, kept = image, []
    for filters in sizes[3:-1]:
        kept.append(twice(x, filters))
        x = layers.MaxPooling2D(2)(kept[-1])
    x = twice(x, sizes[-1])
    for filters, skip in zip(sizes[-2:2:-1], reversed(kept)):
        x = layers.Conv2DTranspose(filters, 2, 2, padding="same")(x)
        x = twice(layers.Concatenate()([skip, x]), filters)
    return k.Model(image, layers.Conv2D(sizes[2], 1)(x))


def convnext(k: Any, sizes: tuple[int, ...]) -> Any:
    """ConvNeXt (Liu et al., 2022)."""
    layers, image = k.layers, _image(k, sizes)
    x = image
    for filters in sizes[3:]:
        x = layers.LayerNormalization(epsilon=1e-6)(layers.Conv2D(filters, 2, 2)(x))
        for _ in range(2):
            y = layers.DepthwiseConv2D(7, padding="same")(x)
            y = layers.LayerNormalization(epsilon=1e-6)(y)
            y = layers.Dense(filters)(layers.Dense(4 * filters, activation="gelu")(y))
            x = layers.Add()([x, y])
    return _classes(k, image, x, sizes[2])


def densenet(k: Any, sizes: tuple[int, ...]) -> Any:
    """DenseNet (Huang et al., 2017); sizes: ..., first filters, growth."""
    layers, image, (first, growth) = k.layers, _image(k, sizes), sizes[3:]

    def ready(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    x = layers.Conv2D(first, 3, padding="same", use_bias=False)(image)
    for block in range(2):
        for _ in range(4):
            y = layers.Conv2D(4 * growth, 1, use_bias=False)(ready(x))
            x = layers.Concatenate()([x, layers.Conv2D(growth, 3, padding="same", use_bias=False)(ready(y))])
        if block == 0:
            x = layers.AveragePooling2D(2)(layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False)(ready(x)))
    return _classes(k, image, ready(x), sizes[2])


def _tokens(k: Any, sizes: tuple[int, ...], mask: bool = False) -> tuple[Any, Any]:
    """The input and its embedding."""
    tokens = k.Input((sizes[1],), dtype="int32")
    return tokens, k.layers.Embedding(sizes[0], sizes[2], mask_zero=mask)(tokens)


def wavenet(k: Any, sizes: tuple[int, ...]) -> Any:
    """Gated causal convolutions with growing dilation (van den Oord et al., 2016)."""
    layers = k.layers
    tokens, x = _tokens(k, sizes)
    for i in range(sizes[3]):
        y = layers.Conv1D(2 * sizes[2], 2, padding="causal", dilation_rate=2**i)(x)
        filtered = layers.Activation("tanh")(y[..., : sizes[2]])
        gate = layers.Activation("sigmoid")(y[..., sizes[2] :])
        x = layers.Add()([x, layers.Conv1D(sizes[2], 1)(layers.Multiply()([filtered, gate]))])
    return k.Model(tokens, layers.Dense(sizes[0])(x))


def _bidirectional(kind: str) -> Build:
    def build(k: Any, sizes: tuple[int, ...]) -> Any:
        tokens, x = _tokens(k, sizes)
        layer = getattr(k.layers, kind)
        x = k.layers.Bidirectional(layer(sizes[3], return_sequences=True))(x)
        return k.Model(tokens, k.layers.Dense(1)(k.layers.Bidirectional(layer(sizes[3]))(x)))

    return build


def _block(k: Any, x: Any, heads: int, **options: Any) -> Any:
    """A transformer block with normalization first."""
    layers, width = k.layers, x.shape[-1]
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(heads, width // heads)(y, y, **options)])
    y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dense(width)(y)])


def gpt(k: Any, sizes: tuple[int, ...]) -> Any:
    tokens, x = _tokens(k, sizes)
    for _ in range(sizes[3]):
        x = _block(k, x, sizes[4], use_causal_mask=True)
    return k.Model(tokens, k.layers.Dense(sizes[0])(k.layers.LayerNormalization()(x)))


def encoder(k: Any, sizes: tuple[int, ...]) -> Any:
    """Blocks with a mask of padding, as in BERT."""
    tokens, x = _tokens(k, sizes, mask=True)
    for _ in range(sizes[3]):
        x = _block(k, x, sizes[4])
    return k.Model(tokens, k.layers.Dense(1)(k.layers.GlobalAveragePooling1D()(x)))


def tabular(k: Any, sizes: tuple[int, ...]) -> Any:
    """A token for each feature, then blocks, as in the FT-Transformer (Gorishniy et al., 2021)."""
    features, width, blocks, heads = sizes
    row = k.Input((features,))
    x = k.layers.EinsumDense("bfi,fiw->bfw", (features, width), bias_axes="fw")(k.layers.Reshape((features, 1))(row))
    for _ in range(blocks):
        x = _block(k, x, heads)
    return k.Model(row, k.layers.Dense(1)(k.layers.GlobalAveragePooling1D()(x)))


def autoencoder(k: Any, sizes: tuple[int, ...]) -> Any:
    layers = k.layers
    stack = [_image(k, sizes)]
    stack += [layers.Conv2D(n, 3, 2, padding="same", activation="relu") for n in sizes[3:]]
    stack += [layers.Conv2DTranspose(n, 3, 2, padding="same", activation="relu") for n in reversed(sizes[3:])]
    return k.Sequential([*stack, layers.Conv2D(sizes[1], 3, padding="same")])


def recommender(k: Any, sizes: tuple[int, ...]) -> Any:
    """Large tables of users and items, and a small MLP; sizes: entries of each table, fields, width, hidden."""
    entries, fields, width, hidden = sizes
    ids = k.Input((fields,), dtype="int32")
    parts = [k.layers.Embedding(entries, width)(ids[:, i]) for i in range(fields)]
    x = k.layers.Dense(hidden, activation="relu")(k.layers.Concatenate()(parts))
    return k.Model(ids, k.layers.Dense(1)(k.layers.Dense(hidden // 2, activation="relu")(x)))


def batch_normed_mlp(k: Any, sizes: tuple[int, ...]) -> Any:
    stack = [k.Input((sizes[0],))]
    for units in sizes[1:-1]:
        stack += [k.layers.Dense(units), k.layers.BatchNormalization(), k.layers.ReLU(), k.layers.Dropout(0.2)]
    return k.Sequential([*stack, k.layers.Dense(sizes[-1])])


def gan(k: Any, sizes: tuple[int, ...]) -> Any:
    """Both networks updated in one custom step in Keras's form for JAX; sizes: width of noise, hidden, data."""
    import jax
    import jax.numpy as jnp

    noise, hidden, data = sizes

    class GAN(k.Model):
        def __init__(self) -> None:
            super().__init__()
            layers = k.layers
            self.generator = k.Sequential(
                [k.Input((noise,)), layers.Dense(hidden, "relu"), layers.Dense(hidden, "relu"), layers.Dense(data)]
            )
            self.critic = k.Sequential(
                [k.Input((data,)), layers.Dense(hidden, "relu"), layers.Dense(hidden, "relu"), layers.Dense(1)]
            )
            self.built = True

        def call(self, z: Any) -> Any:
            return self.critic(self.generator(z))

        def train_step(self, state: Any, data: Any) -> Any:
            trainable, non_trainable, optimizer, metrics = state
            z, real = data[:2]
            count = len(self.generator.trainable_variables)

            def losses(weights: list[Any]) -> tuple[Any, Any]:
                made, critic = self.generator.stateless_call(weights[:count], [], z)[0], weights[count:]
                frozen = jax.lax.stop_gradient
                fooled = self.critic.stateless_call([frozen(w) for w in critic], [], made)[0]
                right = self.critic.stateless_call(critic, [], real)[0]
                wrong = self.critic.stateless_call(critic, [], frozen(made))[0]
                judged = jax.nn.softplus(-right).mean() + jax.nn.softplus(wrong).mean()
                return jax.nn.softplus(-fooled).mean() + judged, judged

            (_, judged), gradients = jax.value_and_grad(losses, has_aux=True)(trainable)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return {"critic_loss": jnp.asarray(judged)}, (trainable, non_trainable, optimizer, metrics)

    return GAN()


MODELS: dict[str, Build] = {
    "resnet": resnet, "bottleneck": bottleneck, "depthwise": depthwise, "mobilenet": mobilenet,
    "efficientnet": efficientnet, "unet": unet, "convnext": convnext, "densenet": densenet, "wavenet": wavenet,
    "bidirectional-lstm": _bidirectional("LSTM"), "bidirectional-gru": _bidirectional("GRU"), "gpt": gpt,
    "encoder": encoder, "tabular-transformer": tabular, "autoencoder": autoencoder, "recommender": recommender,
    "batch-normed-mlp": batch_normed_mlp, "gan": gan,
}  # fmt: skip
