"""The language models in PyTorch: `torch.compile`, autocast to 16 bits, fused AdamW."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.accelerators.networks import LanguageModel, Network


class Block(nn.Module):
    def __init__(self, m: LanguageModel):
        super().__init__()
        self.heads, self.causal = m.heads, m.causal
        self.qkv, self.out = nn.Linear(m.width, 3 * m.width), nn.Linear(m.width, m.width)
        self.up, self.down = nn.Linear(m.width, 4 * m.width), nn.Linear(4 * m.width, m.width)
        self.norm_0, self.norm_1 = nn.LayerNorm(m.width), nn.LayerNorm(m.width)

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        rows, steps, width = x.shape
        q, k, v = self.qkv(x).view(rows, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).reshape(rows, steps, width))

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x), approximate="tanh"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.causal:
            x = x + self.attention(self.norm_0(x))
            return x + self.mlp(self.norm_1(x))
        x = self.norm_0(x + self.attention(x))
        return self.norm_1(x + self.mlp(x))


class Transformer(nn.Module):
    def __init__(self, m: LanguageModel):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(m.vocabulary, m.width), nn.Embedding(m.time, m.width)
        for table in (self.embedding, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.Sequential(*(Block(m) for _ in range(m.blocks)))
        self.norm = nn.LayerNorm(m.width) if m.causal else nn.Identity()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.blocks(self.embedding(tokens) + self.positions.weight))
        return F.linear(x, self.embedding.weight)


def seconds_a_step(network: Network, steps: int, rounds: int) -> list[float]:
    """Time epochs of compiled steps over tensors on the device."""
    assert isinstance(network, LanguageModel)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    model = torch.compile(Transformer(network).to(device))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.1, fused=device == "cuda")
    x, y = (torch.from_numpy(a).long().to(device) for a in network.data(steps))
    marks = []
    for _ in range(rounds + 1):
        losses = []
        for rows in torch.randperm(len(x), device=device).split(network.batch):
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x[rows]).flatten(0, 1), y[rows].flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        assert np.isfinite(torch.stack(losses).cpu().numpy()).all()
        marks.append(time.perf_counter())
    return list(np.diff(marks) / steps)
