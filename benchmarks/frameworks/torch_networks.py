"""Networks of `benchmarks.networks` in PyTorch; images have their channels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def _normed(
    channels: int, filters: int, window: int, strides: int = 1, activation: Any = nn.ReLU, groups: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(channels, filters, window, strides, window // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(filters), *([activation()] if activation else []))


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: bool):
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x) + self.shortcut(x)
        return F.relu(y) if self.activation else y


def _shortcut(channels: int, filters: int, strides: int) -> nn.Module:
    return nn.Identity() if (channels, strides) == (filters, 1) else _normed(channels, filters, 1, strides, None)


def _basic(channels: int, filters: int, strides: int = 1) -> nn.Module:
    body = nn.Sequential(_normed(channels, filters, 3, strides), _normed(filters, filters, 3, 1, None))
    return Residual(body, _shortcut(channels, filters, strides), True)


def _bottleneck(channels: int, filters: int, strides: int = 1) -> nn.Module:
    middle = _normed(filters, filters, 3, strides)
    body = nn.Sequential(_normed(channels, filters, 1), middle, _normed(filters, 4 * filters, 1, 1, None))
    return Residual(body, _shortcut(channels, 4 * filters, strides), True)


def _classes(*parts: nn.Module, width: int, classes: int) -> nn.Module:
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def resnet(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, narrow, wide = sizes
    stem = nn.Sequential(_normed(channels, narrow, 3), nn.MaxPool2d(3, 2, 1))
    blocks = _basic(narrow, narrow), _basic(narrow, wide, 2), _basic(wide, wide)
    return _classes(stem, *blocks, width=wide, classes=classes)


def bottleneck(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, narrow, wide = sizes
    blocks = _bottleneck(2 * narrow, narrow), _bottleneck(4 * narrow, wide, 2), _bottleneck(4 * wide, wide)
    return _classes(_normed(channels, 2 * narrow, 3), *blocks, width=4 * wide, classes=classes)


def depthwise(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, first, *filters = sizes
    parts = [_normed(channels, first, 3)]
    for n, strides in zip(filters, (1, 2, 2)):
        parts += [_normed(first, first, 3, strides, groups=first), _normed(first, n, 1)]
        first = n
    return _classes(*parts, width=first, classes=classes)


class Excite(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int, squeezed: int):
        super().__init__()
        down, up = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), down, nn.SiLU(), up, nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


def _inverted(channels: int, filters: int, window: int, strides: int, activation: Any, squeeze: bool) -> nn.Module:
    wide = 4 * channels
    body = nn.Sequential(
        _normed(channels, wide, 1, activation=activation),
        _normed(wide, wide, window, strides, activation, wide),
        *([Excite(wide, channels // 4)] if squeeze else []),
        _normed(wide, filters, 1, activation=None),
    )
    return Residual(body, nn.Identity(), False) if (channels, strides) == (filters, 1) else body


def mobilenet(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, first, *filters = sizes
    parts: list[nn.Module] = [_normed(channels, first, 3, activation=nn.ReLU6)]
    for n, strides in zip(filters, (1, 2, 1, 2, 1)):
        parts.append(_inverted(first, n, 3, strides, nn.ReLU6, False))
        first = n
    last = _normed(first, 4 * first, 1, activation=nn.ReLU6)
    return _classes(*parts, last, width=4 * first, classes=classes)


def efficientnet(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, first, *filters = sizes
    parts: list[nn.Module] = [_normed(channels, first, 3, activation=nn.SiLU)]
    for n, window, strides in zip(filters, (3, 5, 3), (2, 1, 2)):
        parts.append(_inverted(first, n, window, strides, nn.SiLU, True))
        first = n
    return _classes(*parts, width=first, classes=classes)


class ChannelNorm(nn.LayerNorm):
    """Layer normalization of the channels of images."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, filters: int):
        super().__init__()
        self.depthwise = nn.Conv2d(filters, filters, 7, padding=3, groups=filters)
        self.norm = nn.LayerNorm(filters, 1e-6)
        self.up, self.down = nn.Linear(filters, 4 * filters), nn.Linear(4 * filters, filters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.down(F.gelu(self.up(y))).permute(0, 3, 1, 2)


def convnext(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, *filters = sizes
    parts: list[nn.Module] = []
    for a, b in zip([channels, *filters], filters):
        parts += [nn.Conv2d(a, b, 2, 2), ChannelNorm(b, 1e-6), ConvNeXtBlock(b), ConvNeXtBlock(b)]
    return _classes(*parts, width=filters[-1], classes=classes)


class Dense(nn.Module):
    """A layer of a DenseNet block, which appends its output to its input."""

    def __init__(self, channels: int, growth: int):
        super().__init__()
        wide = 4 * growth
        narrowing = [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, wide, 1, bias=False)]
        mixing = [nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, growth, 3, 1, 1, bias=False)]
        self.body = nn.Sequential(*narrowing, *mixing)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def densenet(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, classes, width, growth = sizes
    parts: list[nn.Module] = [nn.Conv2d(channels, width, 3, 1, 1, bias=False)]
    for block in range(2):
        for _ in range(4):
            parts.append(Dense(width, growth))
            width += growth
        parts += [nn.BatchNorm2d(width), nn.ReLU()]
        if block == 0:
            parts += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
    return _classes(*parts, width=width, classes=classes)


class WaveNet(nn.Module):
    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        vocabulary, _, width, count = sizes
        self.embedding, self.out = nn.Embedding(vocabulary, width), nn.Linear(width, vocabulary)
        self.gated = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**i) for i in range(count))
        self.mixed = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(count))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens).transpose(1, 2)
        for i, (gated, mixed) in enumerate(zip(self.gated, self.mixed)):
            filtered, gate = gated(F.pad(x, (2**i, 0))).chunk(2, 1)
            x = x + mixed(torch.tanh(filtered) * torch.sigmoid(gate))
        return self.out(x.transpose(1, 2))


class UNet(nn.Module):
    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        _, channels, classes, *filters = sizes

        def twice(a: int, b: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(a, b, 3, 1, 1), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1), nn.ReLU())

        self.down = nn.ModuleList(twice(a, b) for a, b in zip([channels, *filters], filters))
        turned = filters[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in zip(turned, turned[1:]))
        self.mix = nn.ModuleList(twice(2 * b, b) for b in turned[1:])
        self.out = nn.Conv2d(filters[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for i, part in enumerate(self.down):
            kept.append(part(x if i == 0 else F.max_pool2d(kept[-1], 2)))
        x = kept.pop()
        for up, mix in zip(self.up, self.mix):
            x = mix(torch.cat([kept.pop(), up(x)], 1))
        return self.out(x)


class Bidirectional(nn.Module):
    def __init__(self, kind: Any, sizes: tuple[int, ...]):
        super().__init__()
        vocabulary, _, width, units = sizes
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = kind(width, units, 2, batch_first=True, bidirectional=True)
        self.out, self.units = nn.Linear(2 * units, 1), units

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        y, _ = self.layers(self.embedding(tokens))
        return self.out(torch.cat([y[:, -1, : self.units], y[:, 0, self.units :]], -1))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm_0, self.norm_1 = nn.LayerNorm(width, 1e-3), nn.LayerNorm(width, 1e-3)
        self.mixed, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        batch, time, width = x.shape
        parts = self.mixed(self.norm_0(x)).reshape(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*parts, attn_mask=mask, is_causal=self.causal)
        x = x + self.joined(y.transpose(1, 2).reshape(batch, time, width))
        return x + self.down(F.gelu(self.up(self.norm_1(x))))


class Transformer(nn.Module):
    """A decoder that gives logits of every next token, or an encoder with a mask of zeros and one output."""

    def __init__(self, sizes: tuple[int, ...], decoder: bool):
        super().__init__()
        vocabulary, _, width, blocks, heads = sizes
        self.decoder = decoder
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, decoder) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, 1e-3) if decoder else nn.Identity()
        self.out = nn.Linear(width, vocabulary if decoder else 1)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x, mask = self.embedding(tokens), None if self.decoder else tokens != 0
        for block in self.blocks:
            x = block(x, None if mask is None else mask[:, None, None, :])
        if mask is not None:
            x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.out(self.norm(x))


class Tabular(nn.Module):
    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        features, width, blocks, heads = sizes
        self.scale, self.bias = nn.Parameter(torch.randn(features, width)), nn.Parameter(torch.zeros(features, width))
        self.blocks = nn.Sequential(*(Block(width, heads, False) for _ in range(blocks)))
        self.out = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.blocks(x[..., None] * self.scale + self.bias).mean(1))


def autoencoder(sizes: tuple[int, ...]) -> nn.Module:
    _, channels, _, *filters = sizes
    parts: list[nn.Module] = []
    for a, b in zip([channels, *filters], filters):
        parts += [nn.Conv2d(a, b, 3, 2, 1), nn.ReLU()]
    turned = filters[::-1]
    for a, b in zip([turned[0], *turned], turned):
        parts += [nn.ConvTranspose2d(a, b, 3, 2, 1, 1), nn.ReLU()]
    return nn.Sequential(*parts, nn.Conv2d(filters[0], channels, 3, 1, 1))


class Recommender(nn.Module):
    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        entries, fields, width, hidden = sizes
        self.tables = nn.ModuleList(nn.Embedding(entries, width) for _ in range(fields))
        mlp = [nn.Linear(fields * width, hidden), nn.ReLU(), nn.Linear(hidden, hidden // 2), nn.ReLU()]
        self.mlp = nn.Sequential(*mlp, nn.Linear(hidden // 2, 1))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.mlp(torch.cat([table(ids[:, i]) for i, table in enumerate(self.tables)], -1))


def batch_normed_mlp(sizes: tuple[int, ...]) -> nn.Module:
    parts: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:-1]):
        parts += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]))


class GAN(nn.Module):
    """Both networks, whose losses are added; sizes: width of noise, hidden, data."""

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        noise, hidden, data = sizes

        def mlp(inputs: int, outputs: int) -> nn.Module:
            middle = [nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
            return nn.Sequential(*middle, nn.Linear(hidden, outputs))

        self.generator, self.critic = mlp(noise, data), mlp(data, 1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.critic(self.generator(z))

    def loss(self, z: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        made = self.generator(z)
        frozen = {name: weight.detach() for name, weight in self.critic.named_parameters()}
        fooled = torch.func.functional_call(self.critic, frozen, made)
        right, wrong = self.critic(real), self.critic(made.detach())
        return F.softplus(-fooled).mean() + F.softplus(-right).mean() + F.softplus(wrong).mean()


MODELS: dict[str, Callable[[tuple[int, ...]], nn.Module]] = {
    "resnet": resnet, "bottleneck": bottleneck, "depthwise": depthwise, "mobilenet": mobilenet,
    "efficientnet": efficientnet, "unet": UNet, "convnext": convnext, "densenet": densenet, "wavenet": WaveNet,
    "bidirectional-lstm": lambda sizes: Bidirectional(nn.LSTM, sizes),
    "bidirectional-gru": lambda sizes: Bidirectional(nn.GRU, sizes),
    "gpt": lambda sizes: Transformer(sizes, True), "encoder": lambda sizes: Transformer(sizes, False),
    "tabular-transformer": Tabular, "autoencoder": autoencoder, "recommender": Recommender,
    "batch-normed-mlp": batch_normed_mlp, "gan": GAN,
}  # fmt: skip
