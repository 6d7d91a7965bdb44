"""The workloads in eager PyTorch, with a hand-written loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.frameworks import torch_networks
from benchmarks.workloads import Workload, named


class Recurrent(nn.Module):
    def __init__(self, vocabulary: int, width: int, units: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, units, batch_first=True)
        self.out = nn.Linear(units, 1)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        sequence, _ = self.lstm(self.embedding(tokens))
        return self.out(sequence[:, -1])


class Block(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm_0, self.norm_1 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm_0(x + self.attention(x, x, x, need_weights=False)[0])
        return self.norm_1(x + self.down(F.relu(self.up(x))))


class Transformer(nn.Module):
    def __init__(self, vocabulary: int, width: int, blocks: int, heads: int, hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.blocks = nn.Sequential(*(Block(width, heads, hidden) for _ in range(blocks)))
        self.out = nn.Linear(width, 1)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.blocks(self.embedding(tokens)).mean(dim=1))


def _dense(w: Workload) -> nn.Module:
    parts: list[nn.Module] = []
    for a, b in zip(w.sizes, w.sizes[1:-1]):
        parts += [nn.Linear(a, b), nn.ReLU(), *([nn.Dropout(w.dropout)] if w.dropout else [])]
    return nn.Sequential(*parts, nn.Linear(w.sizes[-2], w.sizes[-1]))


def _cnn(w: Workload) -> nn.Module:
    size, *filters, units, classes = w.sizes
    parts: list[nn.Module] = []
    channels = 1
    for i, n in enumerate(filters):
        parts += [nn.Conv2d(channels, n, 3), nn.ReLU()]
        channels, size = n, size - 2
        if i < len(filters) - 1:
            parts.append(nn.MaxPool2d(2))
            size //= 2
    return nn.Sequential(
        *parts, nn.Flatten(), nn.Linear(size * size * channels, units), nn.ReLU(), nn.Linear(units, classes)
    )


def build(w: Workload) -> nn.Module:
    if w.kind == "network":
        return torch_networks.MODELS[w.name.removesuffix("-1")](w.sizes)
    if w.kind == "dense":
        return _dense(w)
    if w.kind == "cnn":
        return _cnn(w)
    if w.kind == "lstm":
        return Recurrent(w.sizes[0], *w.sizes[2:])
    return Transformer(w.sizes[0], *w.sizes[2:])


def load(model: nn.Module, w: Workload, weights: list[np.ndarray]) -> None:
    """Copy weights in Keras's layouts into the model."""
    of = {name: torch.from_numpy(a) for name, a in named(w, weights).items()}

    def put(layer: Any, name: str) -> None:
        kernel = of[f"{name}/kernel"]
        layer.weight.copy_(kernel.permute(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T)
        layer.bias.copy_(of[f"{name}/bias"])

    with torch.no_grad():
        if w.kind == "dense":
            for i, layer in enumerate(m for m in model if isinstance(m, nn.Linear)):
                put(layer, f"dense_{i}")
            return
        if w.kind == "cnn":
            for i, layer in enumerate(m for m in model if isinstance(m, nn.Conv2d)):
                put(layer, f"conv_{i}")
            hidden, out = (m for m in model if isinstance(m, nn.Linear))
            put(hidden, "hidden")
            # PyTorch flattens channels first, Keras channels last.
            side = int((hidden.in_features // w.sizes[3]) ** 0.5)
            kernel = of["hidden/kernel"].reshape(side, side, w.sizes[3], -1)
            hidden.weight.copy_(kernel.permute(3, 2, 0, 1).reshape(hidden.weight.shape))
            put(out, "out")
            return
        model.embedding.weight.copy_(of["embedding"])
        put(model.out, "out")
        if w.kind == "lstm":
            model.lstm.weight_ih_l0.copy_(of["lstm/kernel"].T)
            model.lstm.weight_hh_l0.copy_(of["lstm/recurrent"].T)
            model.lstm.bias_ih_l0.copy_(of["lstm/bias"])
            model.lstm.bias_hh_l0.zero_()
            return
        for b, block in enumerate(model.blocks):
            width = w.sizes[2]
            parts = [f"{b}/{part}" for part in ("query", "key", "value")]
            block.attention.in_proj_weight.copy_(torch.cat([of[f"{p}/kernel"].reshape(width, width).T for p in parts]))
            block.attention.in_proj_bias.copy_(torch.cat([of[f"{p}/bias"].reshape(-1) for p in parts]))
            block.attention.out_proj.weight.copy_(of[f"{b}/output/kernel"].reshape(width, width).T)
            block.attention.out_proj.bias.copy_(of[f"{b}/output/bias"])
            for name in ("up", "down"):
                put(getattr(block, name), f"{b}/{name}")
            for name in ("norm_0", "norm_1"):
                getattr(block, name).weight.copy_(of[f"{b}/{name}/gamma"])
                getattr(block, name).bias.copy_(of[f"{b}/{name}/beta"])


def _loss(w: Workload, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if w.loss == "classes":  # of every row, token or pixel
        z, y = (z if z.ndim == 4 else z.reshape(-1, z.shape[-1])), (y if z.ndim == 4 else y.reshape(-1))
    return {"mse": F.mse_loss, "binary": F.binary_cross_entropy_with_logits, "classes": F.cross_entropy}[w.loss](z, y)


def _hits(w: Workload, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((z > 0) == (y > 0.5)).sum() if w.loss == "binary" else (z.argmax(1 if z.ndim == 4 else -1) == y).sum()


def run(task: str, w: Workload, data: Any, gate: Any, compiled: bool = False) -> None:
    """Run `task`; see `benchmarks.comparisons`."""
    x, y, weights = data
    model = build(w)
    if weights:
        load(model, w, weights)
    if x.ndim == 4:
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
        y = np.ascontiguousarray(np.moveaxis(y, -1, 1)) if y.ndim == 4 else y
    inputs = torch.from_numpy(x).long() if x.dtype == np.int32 else torch.from_numpy(x)
    targets = torch.from_numpy(y).long() if w.loss == "classes" else torch.from_numpy(y)
    if w.optimizer == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    elif w.optimizer == "momentum":
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    model = torch.compile(model) if compiled else model
    counts_hits = w.loss in ("binary", "classes")

    def logs(total: Any, hits: Any) -> dict[str, float]:
        result = {"loss": float(total) / (len(x) // w.batch)}
        return {**result, "accuracy": float(hits) / targets.numel()} if counts_hits else result

    def step(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        optimizer.zero_grad()
        z = a if w.loss == "gan" else model(a)
        loss = model.loss(z, b) if w.loss == "gan" else _loss(w, z, b)
        loss.backward()
        optimizer.step()
        return loss.detach(), _hits(w, z.detach(), b) if counts_hits else torch.zeros(())

    def fit() -> dict[str, float]:
        model.train()
        order = torch.randperm(len(x))
        total, hits = torch.zeros(()), torch.zeros(())
        for rows in order.split(w.batch):
            loss, right = step(inputs[rows], targets[rows])
            total, hits = total + loss, hits + right
        return logs(total, hits)

    def train_on_batch() -> dict[str, float]:
        model.train()
        total = hits = 0.0
        for a, b in zip(inputs.split(w.batch), targets.split(w.batch)):
            loss, right = step(a, b)
            total, hits = total + loss.item(), hits + right.item()  # every step returns its numbers
        return logs(total, hits)

    @torch.inference_mode()
    def evaluate() -> dict[str, float]:
        model.eval()
        total, hits = torch.zeros(()), torch.zeros(())
        for a, b in zip(inputs.split(w.batch), targets.split(w.batch)):
            z = model(a)
            total = total + _loss(w, z, b)
            hits = hits + _hits(w, z, b) if counts_hits else hits
        return logs(total, hits)

    @torch.inference_mode()
    def predict() -> dict[str, float]:
        model.eval()
        return {"mean": float(np.concatenate([model(a).numpy() for a in inputs.split(w.batch)]).mean())}

    @torch.inference_mode()
    def predict_one() -> dict[str, float]:
        model.eval()
        return {"mean": float(np.mean([model(a).numpy() for a in inputs.split(1)]))}

    if task == "turns":
        gate.serve(fit, predict if w.loss == "gan" else evaluate, predict)
    gate.serve({task.__name__: task for task in (fit, train_on_batch, evaluate, predict, predict_one)}[task])
