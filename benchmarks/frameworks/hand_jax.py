"""The workloads written by hand in JAX, as the reference for jaxkeras."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.frameworks import hand_networks, lax_operations
from benchmarks.workloads import Workload, named

Array = jax.Array


# -- operations ------------------------------------------------------------------------------------------------------
PLAIN = SimpleNamespace(
    dense=jnp.matmul, conv=lax_operations.conv, max_pool=lax_operations.max_pool, layer_norm=lax_operations.layer_norm,
    attention=lax_operations.attention, lstm_last=lax_operations.lstm_last,
    keep=lambda key, shape, rate: jax.random.bernoulli(key, 1 - rate, shape),
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


def outputs(
    w: Workload, ops: Any, params: Any, stats: Any, x: Array, key: Array | None = None, training: bool = False
) -> tuple[Array, Any]:
    """The outputs of `forward` or of a network, and the moving statistics."""
    if w.kind != "network":
        return forward(w, ops, params, x, key), stats
    scope = hand_networks.Scope(params, stats, training, key)
    return hand_networks.network(w.name)(scope, x, w.sizes), scope.stats


def loss_and_hits(w: Workload, z: Array, y: Array) -> tuple[Array, Array]:
    """Mean loss, and the number of correct rows, tokens or cells (0 for "mse")."""
    if w.loss == "mse":
        return jnp.mean(jnp.square(z - y)), jnp.zeros(())
    if w.loss == "binary":
        losses = jax.nn.relu(z) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return jnp.mean(losses), jnp.sum((z > 0) == (y > 0.5)).astype("float32")
    picked = jnp.take_along_axis(jax.nn.log_softmax(z), y[..., None], axis=-1)
    return -jnp.mean(picked), jnp.sum(jnp.argmax(z, axis=-1) == y).astype("float32")


# -- training --------------------------------------------------------------------------------------------------------
def start(w: Workload, params: Any, stats: Any = ()) -> dict[str, Any]:
    """The state of a run: parameters, moving statistics, moments, step counter and key, running metrics."""
    params, stats = jax.tree.map(jnp.asarray, (params, stats))
    state = {"params": params, "stats": stats, "step": jnp.zeros((), "int32"), "key": jax.random.key(0)}
    if w.optimizer != "sgd":
        state["m"] = jax.tree.map(jnp.zeros_like, params)
    if w.optimizer == "adam":
        state["v"] = jax.tree.map(jnp.zeros_like, params)
    return state | {"loss": jnp.zeros(()), "hits": jnp.zeros(())}


def train_step(w: Workload, ops: Any, state: dict[str, Any], x: Array, y: Array) -> dict[str, Any]:
    """One update; accumulates loss and hits, as `fit` does."""
    key = jax.random.fold_in(state["key"], state["step"]) if w.dropout else None

    def objective(params: Any) -> Any:
        if w.loss == "gan":
            total, loss = hand_networks.gan_losses(params, x, y, w.sizes)
            return total, (loss, jnp.zeros(()), state["stats"])
        z, stats = outputs(w, ops, params, state["stats"], x, key, training=True)
        loss, hits = loss_and_hits(w, z, y)
        return loss, (loss, hits, stats)

    grads, (loss, hits, stats) = jax.grad(objective, has_aux=True)(state["params"])
    sums = {"loss": state["loss"] + loss, "hits": state["hits"] + hits}
    state = {**state, **sums, "stats": stats, "step": state["step"] + 1}
    if w.optimizer == "sgd":
        return {**state, "params": jax.tree.map(lambda p, g: p - 0.01 * g, state["params"], grads)}
    if w.optimizer == "momentum":
        m = jax.tree.map(lambda m, g: 0.9 * m - 0.01 * g, state["m"], grads)
        return {**state, "params": jax.tree.map(jnp.add, state["params"], m), "m": m}
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
    params = hand_networks.draw(w.name, w.sizes, x[: w.batch]) if w.kind == "network" else (named(w, weights),)
    state = start(w, *params)
    steps = len(x) // w.batch
    in_order = np.arange(len(x), dtype="int32").reshape(steps, w.batch)
    draw = np.random.default_rng(0)
    resident = form == "scan" or task in ("evaluate", "predict")
    arrays = (jnp.asarray(x), jnp.asarray(y)) if resident else (x, y)
    zeros = {"loss": np.zeros((), "float32"), "hits": np.zeros((), "float32")}

    def logs(state: dict[str, Any]) -> dict[str, float]:
        result = {"loss": float(state["loss"]) / steps}
        return {**result, "accuracy": float(state["hits"]) / y.size} if w.loss in ("binary", "classes") else result

    def training(shuffle: bool, wait: bool = False) -> Any:
        epoch = epoch_by_scan(w, ops) if form == "scan" else epoch_by_steps(w, ops, wait)

        def one() -> dict[str, float]:
            nonlocal state
            order = draw.permutation(len(x)).astype("int32").reshape(in_order.shape) if shuffle else in_order
            state = epoch({**state, **zeros}, *arrays, order)
            return logs(state)

        return one

    def evaluating() -> Any:
        def add(weights: Any, sums: dict[str, Any], x: Array, y: Array) -> dict[str, Any]:
            loss, hits = loss_and_hits(w, outputs(w, ops, *weights, x)[0], y)
            return {"loss": sums["loss"] + loss, "hits": sums["hits"] + hits}

        @jax.jit
        def scan(weights: Any, x: Array, y: Array, order: Array) -> Any:
            return lax.scan(lambda sums, rows: (add(weights, sums, x[rows], y[rows]), None), zeros, order)[0]

        step = jax.jit(add)

        def one() -> dict[str, float]:
            weights = state["params"], state["stats"]
            if resident:
                return logs(scan(weights, *arrays, in_order))
            sums = zeros
            for rows in in_order:
                sums = step(weights, sums, x[rows], y[rows])
            return logs(sums)

        return one

    def predicting(rows: int) -> Any:
        predict = jax.jit(lambda params, stats, x: outputs(w, ops, params, stats, x)[0])

        def all_rows() -> dict[str, float]:
            starts = range(0, len(x), rows)
            parts = [np.asarray(predict(state["params"], state["stats"], x[i : i + rows])) for i in starts]
            return {"mean": float(np.concatenate(parts).mean())}

        return all_rows

    if task == "turns":
        predict = predicting(w.batch)
        gate.serve(training(shuffle=True), predict if w.loss == "gan" else evaluating(), predict)
    tasks = {
        "fit": lambda: training(shuffle=True),
        "in_order": lambda: training(shuffle=False),
        "train_on_batch": lambda: training(shuffle=False, wait=True),
        "evaluate": evaluating,
        "predict": lambda: predicting(min(len(x), 1024)),
        "predict_one": lambda: predicting(1),
    }
    gate.serve(tasks[task]())
