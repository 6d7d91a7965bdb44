"""The workloads written by hand in JAX, as the reference for jaxkeras."""

from __future__ import annotations

import functools
import math
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.workloads import Workload, named

Array = jax.Array


# -- plain operations ------------------------------------------------------------------------------------------------
def _conv(x: Array, kernel: Array) -> Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _max_pool(x: Array, size: int) -> Array:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, size, size, 1), "VALID")


def _layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    mean = jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + epsilon) * gamma + beta


def _attention(query: Array, key: Array, value: Array) -> Array:
    scores = jnp.einsum("bthd,bshd->bhts", query, key) / math.sqrt(query.shape[-1])
    return jnp.einsum("bhts,bshd->bthd", jax.nn.softmax(scores), value)


def _lstm_last(gates: Array, recurrent: Array) -> Array:
    """Last hidden state from (time, batch, 4 * units)."""

    def step(carry: Any, x: Array) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(x + h @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((gates.shape[1], recurrent.shape[0]))
    return lax.scan(step, (zeros, zeros), gates)[0][0]


PLAIN = SimpleNamespace(
    dense=jnp.matmul, conv=_conv, max_pool=_max_pool, layer_norm=_layer_norm, attention=_attention,
    lstm_last=_lstm_last, keep=lambda key, shape, rate: jax.random.bernoulli(key, 1 - rate, shape),
)  # fmt: skip


def lowered() -> SimpleNamespace:
    """The same operations from `jaxkeras.lowering`."""
    from jaxkeras import lowering

    def lstm_last(gates: Array, recurrent: Array) -> Array:
        zeros = jnp.zeros((gates.shape[1], recurrent.shape[0]))
        return lowering.lstm_sequence(gates, zeros, zeros, recurrent)[1][0]

    return SimpleNamespace(
        dense=lowering.dense, conv=lowering.conv, max_pool=lowering.max_pool, keep=lowering.dropout_mask,
        attention=lowering.dot_product_attention, lstm_last=lstm_last,
        layer_norm=lambda x, gamma, beta, epsilon: lowering.layer_norm(x, gamma, beta, epsilon=epsilon),
    )  # fmt: skip


# -- models ----------------------------------------------------------------------------------------------------------
def forward(w: Workload, ops: Any, params: dict[str, Array], x: Array, key: Array | None = None) -> Array:
    """Logits, or numbers for "mse"; dropout is active if a key is given."""

    def dense(name: str, x: Array) -> Array:
        return ops.dense(x, params[f"{name}/kernel"]) + params[f"{name}/bias"]

    if w.kind == "dense":
        for i in range(len(w.sizes) - 2):
            x = jax.nn.relu(dense(f"dense_{i}", x))
            if w.dropout and key is not None:
                keep = ops.keep(jax.random.fold_in(key, i), x.shape, w.dropout)
                x = jnp.where(keep, x / (1 - w.dropout), 0)
        return dense(f"dense_{len(w.sizes) - 2}", x)
    if w.kind == "cnn":
        filters = w.sizes[1:-2]
        for i in range(len(filters)):
            x = jax.nn.relu(ops.conv(x, params[f"conv_{i}/kernel"]) + params[f"conv_{i}/bias"])
            x = ops.max_pool(x, 2) if i < len(filters) - 1 else x
        return dense("out", jax.nn.relu(dense("hidden", x.reshape(len(x), -1))))
    x = params["embedding"][x]
    if w.kind == "lstm":
        gates = ops.dense(x.swapaxes(0, 1), params["lstm/kernel"]) + params["lstm/bias"]
        return dense("out", ops.lstm_last(gates, params["lstm/recurrent"]))
    width, blocks, heads = w.sizes[2:5]
    for b in range(blocks):

        def head(part: str, x: Array, b: int = b) -> Array:
            kernel, bias = params[f"{b}/{part}/kernel"], params[f"{b}/{part}/bias"]
            y = ops.dense(x, kernel.reshape(width, -1)) + bias.reshape(-1)
            return y.reshape(*x.shape[:2], heads, -1)

        mixed = ops.attention(head("query", x), head("key", x), head("value", x)).reshape(x.shape)
        mixed = ops.dense(mixed, params[f"{b}/output/kernel"].reshape(-1, width)) + params[f"{b}/output/bias"]
        x = ops.layer_norm(x + mixed, params[f"{b}/norm_0/gamma"], params[f"{b}/norm_0/beta"], 1e-6)
        mixed = dense(f"{b}/down", jax.nn.relu(dense(f"{b}/up", x)))
        x = ops.layer_norm(x + mixed, params[f"{b}/norm_1/gamma"], params[f"{b}/norm_1/beta"], 1e-6)
    return dense("out", x.mean(axis=1))


def loss_and_hits(w: Workload, z: Array, y: Array) -> tuple[Array, Array]:
    """Mean loss, and the number of correct rows (0 for "mse")."""
    if w.loss == "mse":
        return jnp.mean(jnp.square(z - y)), jnp.zeros(())
    if w.loss == "binary":
        losses = jax.nn.relu(z) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return jnp.mean(losses), jnp.sum((z > 0) == (y > 0.5)).astype("float32")
    picked = jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=-1)
    return -jnp.mean(picked), jnp.sum(jnp.argmax(z, axis=-1) == y).astype("float32")


# -- training --------------------------------------------------------------------------------------------------------
def start(w: Workload, weights: list[np.ndarray]) -> dict[str, Any]:
    """The state of a run: parameters, Adam's moments, step counter and key, running metrics."""
    params = {name: jnp.asarray(a) for name, a in named(w, weights).items()}
    state = {"params": params, "step": jnp.zeros((), "int32"), "key": jax.random.key(0)}
    if w.optimizer == "adam":
        state |= {"m": jax.tree.map(jnp.zeros_like, params), "v": jax.tree.map(jnp.zeros_like, params)}
    return state | {"loss": jnp.zeros(()), "hits": jnp.zeros(())}


def train_step(w: Workload, ops: Any, state: dict[str, Any], x: Array, y: Array) -> dict[str, Any]:
    """One update; accumulates loss and hits, as `fit` does."""
    key = jax.random.fold_in(state["key"], state["step"]) if w.dropout else None

    def objective(params: dict[str, Array]) -> tuple[Array, Array]:
        return loss_and_hits(w, forward(w, ops, params, x, key), y)

    (loss, hits), grads = jax.value_and_grad(objective, has_aux=True)(state["params"])
    state = {**state, "step": state["step"] + 1, "loss": state["loss"] + loss, "hits": state["hits"] + hits}
    if w.optimizer == "sgd":
        return {**state, "params": jax.tree.map(lambda p, g: p - 0.01 * g, state["params"], grads)}
    t = state["step"].astype("float32")
    rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    m = jax.tree.map(lambda m, g: m + (g - m) * (1 - 0.9), state["m"], grads)
    v = jax.tree.map(lambda v, g: v + (g * g - v) * (1 - 0.999), state["v"], grads)
    params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), state["params"], m, v)
    return {**state, "params": params, "m": m, "v": v}


def epoch_by_scan(w: Workload, ops: Any) -> Any:
    """`state, x, y, order -> state`: the whole epoch in one program."""

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch(state: dict[str, Any], x: Array, y: Array, order: Array) -> dict[str, Any]:
        def body(state: dict[str, Any], rows: Array) -> Any:
            return train_step(w, ops, state, x[rows], y[rows]), None

        return lax.scan(body, state, order)[0]

    return epoch


def epoch_by_steps(w: Workload, ops: Any, wait: bool = False) -> Any:
    """The same with one call per step; with `wait`, every step returns its numbers."""
    step = jax.jit(functools.partial(train_step, w, ops), donate_argnums=0)

    def epoch(state: dict[str, Any], x: np.ndarray, y: np.ndarray, order: np.ndarray) -> dict[str, Any]:
        for rows in order:
            state = step(state, x[rows], y[rows])
            if wait:
                jax.device_get((state["loss"], state["hits"]))
        return state

    return epoch


def run(task: str, w: Workload, data: Any, gate: Any, form: str, operations: str = "plain") -> None:
    """Run `task`; see `benchmarks.comparisons`."""
    x, y, weights = data
    ops = lowered() if operations == "lowered" else PLAIN
    state = start(w, weights)
    steps = len(x) // w.batch
    in_order = np.arange(len(x), dtype="int32").reshape(steps, w.batch)
    draw = np.random.default_rng(0)
    resident = form == "scan" or task in ("evaluate", "predict")
    arrays = (jnp.asarray(x), jnp.asarray(y)) if resident else (x, y)

    def logs(state: dict[str, Any]) -> dict[str, float]:
        result = {"loss": float(state["loss"]) / steps}
        return result if w.loss == "mse" else {**result, "accuracy": float(state["hits"]) / len(x)}

    def training(shuffle: bool, wait: bool = False) -> Any:
        epoch = epoch_by_scan(w, ops) if form == "scan" else epoch_by_steps(w, ops, wait)

        def one() -> dict[str, float]:
            nonlocal state
            order = draw.permutation(len(x)).astype("int32").reshape(in_order.shape) if shuffle else in_order
            state = epoch({**state, "loss": jnp.zeros(()), "hits": jnp.zeros(())}, *arrays, order)
            return logs(state)

        return one

    def evaluating() -> Any:
        @jax.jit
        def totals(params: Any, x: Array, y: Array, order: Array) -> Any:
            def body(carry: Any, rows: Array) -> Any:
                loss, hits = loss_and_hits(w, forward(w, ops, params, x[rows]), y[rows])
                return {"loss": carry["loss"] + loss, "hits": carry["hits"] + hits}, None

            return lax.scan(body, {"loss": jnp.zeros(()), "hits": jnp.zeros(())}, order)[0]

        return lambda: logs(totals(state["params"], *arrays, in_order))

    def predicting(rows: int) -> Any:
        outputs = jax.jit(functools.partial(forward, w, ops))

        def all_rows() -> dict[str, float]:
            parts = [np.asarray(outputs(state["params"], x[i : i + rows])) for i in range(0, len(x), rows)]
            return {"mean": float(np.concatenate(parts).mean())}

        return all_rows

    tasks = {
        "fit": lambda: training(shuffle=True),
        "in_order": lambda: training(shuffle=False),
        "train_on_batch": lambda: training(shuffle=False, wait=True),
        "evaluate": evaluating,
        "predict": lambda: predicting(min(len(x), 1024)),
        "predict_one": lambda: predicting(1),
    }
    gate.serve(tasks[task]())
