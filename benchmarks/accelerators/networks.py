"""The networks that are timed on an accelerator, independent of frameworks: two transformers and convolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class LanguageModel:
    """A transformer that predicts a token at every position, with logits from its embedding.

    Attributes:
        name: Name in tables.
        causal: GPT-2's form (normalisation before each part, a position sees earlier ones) or else BERT's (after, all).
        vocabulary: Number of tokens; a multiple of 64, as everybody pads it.
        width: Size of the hidden state.
        blocks: Number of blocks.
        heads: Attention heads of a block.
        time: Tokens of a row.
        batch: Rows of a batch.
    """

    name: str
    causal: bool
    vocabulary: int
    width: int
    blocks: int
    heads: int
    time: int
    batch: int

    @property
    def work(self) -> str:
        """What is counted beside steps."""
        return "tokens"

    @property
    def units(self) -> int:
        """Tokens of a batch."""
        return self.batch * self.time

    @property
    def step_flops(self) -> float:
        """Operations of a train step: 6 a token for every weight in a product, and attention's products.

        The masked half of causal attention is counted, as is usual (Chowdhery et al., 2022, appendix B).
        """
        weights = 12 * self.blocks * self.width**2 + self.vocabulary * self.width
        return self.units * (6 * weights + 12 * self.blocks * self.width * self.time)

    def tiny(self) -> LanguageModel:
        """The same for a test on a CPU."""
        return replace(self, vocabulary=64, width=16, blocks=2, heads=2, time=8, batch=2)

    def data(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and targets, int32 of (steps * batch, time)."""
        draw = np.random.default_rng(0)
        tokens = draw.integers(0, self.vocabulary, (steps * self.batch, self.time + 1), dtype="int32")
        return tokens[:, :-1].copy(), tokens[:, 1:].copy()


@dataclass(frozen=True)
class ConvNet:
    """The network of airbench94 (Jordan, 2024) on CIFAR-10's shapes, by default with its widths and batch size."""

    name: str = "airbench"
    widths: tuple[int, ...] = (64, 256, 256)
    size: int = 32
    batch: int = 1024
    whitening: int = 24

    @property
    def work(self) -> str:
        return "images"

    @property
    def units(self) -> int:
        return self.batch

    @property
    def step_flops(self) -> float:
        """Three times the forward products; no gradients of the first layer, which is fixed, nor of its output."""
        size, channels = self.size - 1, self.whitening
        first, fixed, rest = size**2 * 4 * 3 * channels, size**2 * 9 * channels * self.widths[0], 0
        for width in self.widths:
            rest += size**2 * 9 * channels * width
            size //= 2
            rest += size**2 * 9 * width * width
            channels = width
        return 2.0 * self.batch * (first - fixed + 3 * (rest + channels * 10))

    def tiny(self) -> ConvNet:
        return replace(self, widths=(4, 8, 8), batch=4, whitening=3)

    def data(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Images, float32 of (rows, 32, 32, 3), and labels."""
        draw = np.random.default_rng(0)
        rows = steps * self.batch
        return (
            draw.standard_normal((rows, self.size, self.size, 3), dtype="float32"),
            draw.integers(0, 10, rows, dtype="int32"),
        )


Network = LanguageModel | ConvNet

NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        LanguageModel("gpt2-124m", True, 50_304, 768, 12, 12, 1024, 8),
        LanguageModel("bert-base", False, 30_528, 768, 12, 12, 512, 16),
        ConvNet(),
    )
}

# Dense 16-bit operations a second without sparsity, from the makers' data sheets.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "T4": 65e12,
    "TPU v6": 918e12,
    "TPU v5p": 459e12,
    "TPU v5": 197e12,  # v5 lite
    "TPU v4": 275e12,
}


def peak_flops(device_kind: str) -> float:
    """Operations a second of a device by the name that JAX reports; NaN where it is not in the table."""
    return next((peak for name, peak in PEAKS.items() if name in device_kind), math.nan)
