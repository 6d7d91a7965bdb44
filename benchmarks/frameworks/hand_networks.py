"""The networks of `benchmarks.networks` written by hand in JAX, with `jax.lax` only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.frameworks import lax_operations as ops

Array = jax.Array
Sizes = tuple[int, ...]


# -- layers ----------------------------------------------------------------------------------------------------------
class Scope:
    """What the layers share during one trace.

    Args:
        params: weights in the order of their use; drawn if there are none.
        stats: moving statistics in the order of their use.
        training: whether normalization uses and updates the statistics of the batch.
        key: of dropout; none without it.

    Attributes:
        params: weights used so far.
        stats: statistics so far, updated in training.
    """

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        stats: Iterable[Any] | None = None,
        training: bool = False,
        key: Array | None = None,
    ):
        self._given = None if params is None else (iter(params), iter(stats or ()))
        self._draw = np.random.default_rng(1)
        self.training, self.key = training, key
        self.params: list[Any] = []
        self.stats: list[Any] = []

    def kernel(self, *shape: int) -> Array:
        deviation = 1 / math.sqrt(math.prod(shape[:-1]))
        return self.weight(shape, lambda shape: self._draw.standard_normal(shape) * deviation)

    def weight(self, shape: Sizes, draw: Callable[[Sizes], np.ndarray]) -> Array:
        self.params.append(draw(shape).astype("float32") if self._given is None else next(self._given[0]))
        return jnp.asarray(self.params[-1])

    def bias(self, *shape: int) -> Array:
        return self.weight(shape, np.zeros)

    def moving(self, start: Callable[[Sizes], np.ndarray], batch: Array) -> Array:
        """A statistic of the batch in training, its moving average otherwise."""
        value = start(batch.shape).astype("float32") if self._given is None else next(self._given[1])
        self.stats.append(0.99 * value + 0.01 * batch if self.training else value)
        return batch if self.training else value


def dense(s: Scope, x: Array, units: int) -> Array:
    return x @ s.kernel(x.shape[-1], units) + s.bias(units)


def conv(s: Scope, x: Array, filters: int, window: int, strides: int = 1, bias: bool = True, **options: Any) -> Array:
    kernel = s.kernel(*(window,) * (x.ndim - 2), x.shape[-1], filters)
    y = ops.conv(x, kernel, strides, **{"padding": "SAME", **options})
    return y + s.bias(filters) if bias else y


def depthwise_conv(s: Scope, x: Array, window: int, strides: int = 1, bias: bool = True) -> Array:
    channels = x.shape[-1]
    kernel = s.kernel(window, window, channels, 1).reshape(window, window, 1, channels)
    y = ops.conv(x, kernel, strides, "SAME", groups=channels)
    return y + s.bias(channels) if bias else y


def conv_transpose(s: Scope, x: Array, filters: int, window: int, strides: int) -> Array:
    return ops.conv_transpose(x, s.kernel(window, window, filters, x.shape[-1]), strides) + s.bias(filters)


def batch_norm(s: Scope, x: Array) -> Array:
    gamma, beta = s.weight(x.shape[-1:], np.ones), s.bias(x.shape[-1])
    axes = tuple(range(x.ndim - 1))
    mean, variance = s.moving(np.zeros, x.mean(axes)), s.moving(np.ones, x.var(axes))
    scale = gamma * lax.rsqrt(variance + 1e-3)
    return x * scale + (beta - mean * scale)


def layer_norm(s: Scope, x: Array, epsilon: float = 1e-3) -> Array:
    gamma, beta = s.weight(x.shape[-1:], np.ones), s.bias(x.shape[-1])
    return ops.layer_norm(x, gamma, beta, epsilon)


def dropout(s: Scope, x: Array, rate: float) -> Array:
    if s.key is None:
        return x
    s.key, key = jax.random.split(s.key)
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def embedding(s: Scope, x: Array, vocabulary: int, width: int) -> Array:
    return s.kernel(vocabulary, width)[x]


def attention(s: Scope, x: Array, heads: int, mask: Array | None = None) -> Array:
    width, size = x.shape[-1], x.shape[-1] // heads

    def head() -> Array:
        kernel, bias = s.kernel(width, heads, size), s.bias(heads, size)
        return jnp.einsum("btw,whd->bthd", x, kernel) + bias

    mixed = ops.attention(head(), head(), head(), mask)
    return jnp.einsum("bthd,hdw->btw", mixed, s.kernel(heads, size, width)) + s.bias(width)


def _lstm(s: Scope, x: Array, units: int, reverse: bool) -> Array:
    kernel, recurrent, bias = s.kernel(x.shape[-1], 4 * units), s.kernel(units, 4 * units), s.bias(4 * units)
    return ops.lstm(x @ kernel + bias, recurrent, reverse)


def _gru(s: Scope, x: Array, units: int, reverse: bool) -> Array:
    kernel, recurrent, bias = s.kernel(x.shape[-1], 3 * units), s.kernel(units, 3 * units), s.bias(2, 3 * units)
    return ops.gru(x @ kernel + bias[0], recurrent, bias[1], reverse)


def gelu(x: Array) -> Array:
    return jax.nn.gelu(x, approximate=False)


# -- networks: the same order of layers as in `network_models` -------------------------------------------------------
def _normed(
    s: Scope, x: Array, filters: int, window: int, strides: int = 1, activation: Callable | None = jax.nn.relu
) -> Array:
    x = batch_norm(s, conv(s, x, filters, window, strides, bias=False))
    return x if activation is None else activation(x)


def _residual(s: Scope, x: Array, y: Array, strides: int) -> Array:
    if strides > 1 or x.shape[-1] != y.shape[-1]:
        x = _normed(s, x, y.shape[-1], 1, strides, None)
    return jax.nn.relu(x + y)


def _basic(s: Scope, x: Array, filters: int, strides: int = 1) -> Array:
    y = _normed(s, x, filters, 3, strides)
    return _residual(s, x, _normed(s, y, filters, 3, activation=None), strides)


def _bottleneck(s: Scope, x: Array, filters: int, strides: int = 1) -> Array:
    y = _normed(s, _normed(s, x, filters, 1), filters, 3, strides)
    return _residual(s, x, _normed(s, y, 4 * filters, 1, activation=None), strides)


def _classes(s: Scope, x: Array, classes: int) -> Array:
    return dense(s, x.mean((1, 2)), classes)


def resnet(s: Scope, x: Array, sizes: Sizes) -> Array:
    narrow, wide = sizes[3:]
    x = ops.max_pool(_normed(s, x, narrow, 3), 3, 2, "SAME")
    x = _basic(s, _basic(s, x, narrow), wide, 2)
    return _classes(s, _basic(s, x, wide), sizes[2])


def bottleneck(s: Scope, x: Array, sizes: Sizes) -> Array:
    narrow, wide = sizes[3:]
    x = _bottleneck(s, _bottleneck(s, _normed(s, x, 2 * narrow, 3), narrow), wide, 2)
    return _classes(s, _bottleneck(s, x, wide), sizes[2])


def _depthwise(s: Scope, x: Array, window: int, strides: int, activation: Callable) -> Array:
    return activation(batch_norm(s, depthwise_conv(s, x, window, strides, bias=False)))


def depthwise(s: Scope, x: Array, sizes: Sizes) -> Array:
    x = _normed(s, x, sizes[3], 3)
    for filters, strides in zip(sizes[4:], (1, 2, 2)):
        x = _normed(s, _depthwise(s, x, 3, strides, jax.nn.relu), filters, 1)
    return _classes(s, x, sizes[2])


def _inverted(
    s: Scope, x: Array, filters: int, window: int, strides: int, activation: Callable, squeeze: bool
) -> Array:
    channels = x.shape[-1]
    y = _normed(s, x, 4 * channels, 1, activation=activation)
    y = _depthwise(s, y, window, strides, activation)
    if squeeze:
        gate = activation(conv(s, y.mean((1, 2), keepdims=True), channels // 4, 1))
        y = y * jax.nn.sigmoid(conv(s, gate, 4 * channels, 1))
    y = _normed(s, y, filters, 1, activation=None)
    return x + y if x.shape == y.shape else y


def mobilenet(s: Scope, x: Array, sizes: Sizes) -> Array:
    x = _normed(s, x, sizes[3], 3, activation=jax.nn.relu6)
    for filters, strides in zip(sizes[4:], (1, 2, 1, 2, 1)):
        x = _inverted(s, x, filters, 3, strides, jax.nn.relu6, False)
    return _classes(s, _normed(s, x, 4 * sizes[-1], 1, activation=jax.nn.relu6), sizes[2])


def efficientnet(s: Scope, x: Array, sizes: Sizes) -> Array:
    x = _normed(s, x, sizes[3], 3, activation=jax.nn.silu)
    for filters, window, strides in zip(sizes[4:], (3, 5, 3), (2, 1, 2)):
        x = _inverted(s, x, filters, window, strides, jax.nn.silu, True)
    return _classes(s, x, sizes[2])


def unet(s: Scope, x: Array, sizes: Sizes) -> Array:
    def twice(x: Array, filters: int) -> Array:
        for _ in range(2):
            x = jax.nn.relu(conv(s, x, filters, 3))
        return x

    kept = []
    for filters in sizes[3:-1]:
        kept.append(twice(x, filters))
        x = ops.max_pool(kept[-1], 2)
    x = twice(x, sizes[-1])
    for filters, skip in zip(sizes[-2:2:-1], reversed(kept)):
        x = twice(jnp.concatenate([skip, conv_transpose(s, x, filters, 2, 2)], -1), filters)
    return conv(s, x, sizes[2], 1)


def convnext(s: Scope, x: Array, sizes: Sizes) -> Array:
    for filters in sizes[3:]:
        x = layer_norm(s, conv(s, x, filters, 2, 2, padding="VALID"), 1e-6)
        for _ in range(2):
            y = layer_norm(s, depthwise_conv(s, x, 7), 1e-6)
            x = x + dense(s, gelu(dense(s, y, 4 * filters)), filters)
    return _classes(s, x, sizes[2])


def densenet(s: Scope, x: Array, sizes: Sizes) -> Array:
    first, growth = sizes[3:]

    def ready(x: Array) -> Array:
        return jax.nn.relu(batch_norm(s, x))

    x = conv(s, x, first, 3, bias=False)
    for block in range(2):
        for _ in range(4):
            y = conv(s, ready(x), 4 * growth, 1, bias=False)
            x = jnp.concatenate([x, conv(s, ready(y), growth, 3, bias=False)], -1)
        if block == 0:
            x = ops.average_pool(conv(s, ready(x), x.shape[-1] // 2, 1, bias=False), 2)
    return _classes(s, ready(x), sizes[2])


def wavenet(s: Scope, x: Array, sizes: Sizes) -> Array:
    vocabulary, _, width, count = sizes
    x = embedding(s, x, vocabulary, width)
    for i in range(count):
        y = conv(s, x, 2 * width, 2, dilation=2**i, padding=[(2**i, 0)])
        x = x + conv(s, jnp.tanh(y[..., :width]) * jax.nn.sigmoid(y[..., width:]), width, 1)
    return dense(s, x, vocabulary)


def _bidirectional(layer: Callable[[Scope, Array, int, bool], Array]) -> Callable[[Scope, Array, Sizes], Array]:
    def network(s: Scope, x: Array, sizes: Sizes) -> Array:
        x = embedding(s, x.T, *sizes[:3:2])  # time first
        x = jnp.concatenate([layer(s, x, sizes[3], reverse) for reverse in (False, True)], -1)
        forward, backward = (layer(s, x, sizes[3], reverse) for reverse in (False, True))
        return dense(s, jnp.concatenate([forward[-1], backward[0]], -1), 1)

    return network


def _block(s: Scope, x: Array, heads: int, mask: Array | None = None) -> Array:
    x = x + attention(s, layer_norm(s, x), heads, mask)
    return x + dense(s, gelu(dense(s, layer_norm(s, x), 4 * x.shape[-1])), x.shape[-1])


def gpt(s: Scope, x: Array, sizes: Sizes) -> Array:
    vocabulary, time, width, blocks, heads = sizes
    x = embedding(s, x, vocabulary, width)
    for _ in range(blocks):
        x = _block(s, x, heads, jnp.tri(time, dtype=bool))
    return dense(s, layer_norm(s, x), vocabulary)


def encoder(s: Scope, x: Array, sizes: Sizes) -> Array:
    vocabulary, _, width, blocks, heads = sizes
    there = x != 0
    x = embedding(s, x, vocabulary, width)
    for _ in range(blocks):
        x = _block(s, x, heads, there[:, None, None, :])
    return dense(s, (x * there[..., None]).sum(1) / there.sum(1, keepdims=True), 1)


def tabular(s: Scope, x: Array, sizes: Sizes) -> Array:
    features, width, blocks, heads = sizes
    x = x[..., None] * s.kernel(features, 1, width)[:, 0] + s.bias(features, width)
    for _ in range(blocks):
        x = _block(s, x, heads)
    return dense(s, x.mean(1), 1)


def autoencoder(s: Scope, x: Array, sizes: Sizes) -> Array:
    for filters in sizes[3:]:
        x = jax.nn.relu(conv(s, x, filters, 3, 2))
    for filters in reversed(sizes[3:]):
        x = jax.nn.relu(conv_transpose(s, x, filters, 3, 2))
    return conv(s, x, sizes[1], 3)


def recommender(s: Scope, x: Array, sizes: Sizes) -> Array:
    entries, fields, width, hidden = sizes
    x = jnp.concatenate([embedding(s, x[:, i], entries, width) for i in range(fields)], -1)
    x = jax.nn.relu(dense(s, x, hidden))
    return dense(s, jax.nn.relu(dense(s, x, hidden // 2)), 1)


def batch_normed_mlp(s: Scope, x: Array, sizes: Sizes) -> Array:
    for units in sizes[1:-1]:
        x = dropout(s, jax.nn.relu(batch_norm(s, dense(s, x, units))), 0.2)
    return dense(s, x, sizes[-1])


def _mlp(s: Scope, x: Array, *units: int) -> Array:
    for n in units[:-1]:
        x = jax.nn.relu(dense(s, x, n))
    return dense(s, x, units[-1])


def gan(s: Scope, x: Array, sizes: Sizes) -> Array:
    _, hidden, data = sizes
    return _mlp(s, _mlp(s, x, hidden, hidden, data), hidden, hidden, 1)


def gan_losses(params: list[Array], z: Array, real: Array, sizes: Sizes) -> tuple[Array, Array]:
    """The sum whose gradient trains both networks, and the critic's loss."""
    hidden, data, half = sizes[1], sizes[2], len(params) // 2
    made = _mlp(Scope(params[:half]), z, hidden, hidden, data)

    def judged(params: Iterable[Array], x: Array) -> Array:
        return _mlp(Scope(params), x, hidden, hidden, 1)

    critic = params[half:]
    fooled = judged(map(lax.stop_gradient, critic), made)
    right, wrong = judged(critic, real), judged(critic, lax.stop_gradient(made))
    loss = jax.nn.softplus(-right).mean() + jax.nn.softplus(wrong).mean()
    return jax.nn.softplus(-fooled).mean() + loss, loss


NETWORKS: dict[str, Callable[[Scope, Array, Sizes], Array]] = {
    "resnet": resnet, "bottleneck": bottleneck, "depthwise": depthwise, "mobilenet": mobilenet,
    "efficientnet": efficientnet, "unet": unet, "convnext": convnext, "densenet": densenet, "wavenet": wavenet,
    "bidirectional-lstm": _bidirectional(_lstm), "bidirectional-gru": _bidirectional(_gru), "gpt": gpt,
    "encoder": encoder, "tabular-transformer": tabular, "autoencoder": autoencoder, "recommender": recommender,
    "batch-normed-mlp": batch_normed_mlp, "gan": gan,
}  # fmt: skip


def network(name: str) -> Callable[[Scope, Array, Sizes], Array]:
    return NETWORKS[name.removesuffix("-1")]


def draw(name: str, sizes: Sizes, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Starting weights and statistics."""
    s = Scope()
    jax.eval_shape(lambda x: network(name)(s, x, sizes), x)
    return s.params, s.stats
