"""The networks written by hand in JAX and optax: 32-bit weights, 16-bit products, one donated step, epochs by scan."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks.accelerators.networks import ConvNet, LanguageModel, Network

Array = jax.Array
Params = dict[str, Array]


# -- language models -------------------------------------------------------------------------------------------------
def _language_params(m: LanguageModel) -> Params:
    shapes: dict[str, tuple[int, ...]] = {"embedding": (m.vocabulary, m.width), "positions": (m.time, m.width)}
    for i in range(m.blocks):
        shapes |= {f"{i}/qkv": (m.width, 3 * m.width), f"{i}/out": (m.width, m.width)}
        shapes |= {f"{i}/up": (m.width, 4 * m.width), f"{i}/down": (4 * m.width, m.width)}
    params = _normal(shapes, 0.02)
    for name, shape in shapes.items():
        if "/" in name:
            params[f"{name}/bias"] = jnp.zeros(shape[-1:])
    for name in [f"{i}/norm_{j}" for i in range(m.blocks) for j in range(2)] + ["norm"] * m.causal:
        params |= {f"{name}/gamma": jnp.ones(m.width), f"{name}/beta": jnp.zeros(m.width)}
    return params


def _language_logits(m: LanguageModel, p: Params, tokens: Array) -> Array:
    on_gpu = jax.default_backend() == "gpu"

    def dense(name: str, x: Array) -> Array:
        return x @ p[name].astype(x.dtype) + p[f"{name}/bias"].astype(x.dtype)

    def norm(name: str, x: Array) -> Array:
        wide = x.astype("float32")
        wide = jax.nn.standardize(wide, epsilon=1e-5)
        return (wide * p[f"{name}/gamma"] + p[f"{name}/beta"]).astype(x.dtype)

    def attention(i: int, x: Array) -> Array:
        q, k, v = (part.reshape(*x.shape[:2], m.heads, -1) for part in jnp.split(dense(f"{i}/qkv", x), 3, axis=-1))
        mixed = jax.nn.dot_product_attention(
            q, k, v, is_causal=m.causal, implementation="cudnn" if on_gpu else None
        )
        return dense(f"{i}/out", mixed.reshape(x.shape))

    def mlp(i: int, x: Array) -> Array:
        return dense(f"{i}/down", jax.nn.gelu(dense(f"{i}/up", x)))

    x = (p["embedding"][tokens] + p["positions"]).astype("bfloat16")
    for i in range(m.blocks):
        for j, part in enumerate((attention, mlp)):
            name = f"{i}/norm_{j}"
            x = x + part(i, norm(name, x)) if m.causal else norm(name, x + part(i, x))
    x = norm("norm", x) if m.causal else x
    return x @ p["embedding"].T.astype(x.dtype)


# -- the convolutional network ---------------------------------------------------------------------------------------
def _conv_params(m: ConvNet) -> Params:
    shapes: dict[str, tuple[int, ...]] = {"whiten": (2, 2, 3, m.whitening)}
    channels = m.whitening
    for i, width in enumerate(m.widths):
        shapes |= {f"{i}/0": (3, 3, channels, width), f"{i}/1": (3, 3, width, width)}
        channels = width
    params = _normal({**shapes, "head": (channels, 10)}, 0.05)
    betas = {f"{i}/{j}/beta": jnp.zeros(width) for i, width in enumerate(m.widths) for j in range(2)}
    return {**params, "whiten/bias": jnp.zeros(m.whitening), **betas}


def _conv_logits(m: ConvNet, p: Params, x: Array) -> Array:
    def conv(name: str, x: Array, padding: str = "SAME") -> Array:
        kernel = p[name].astype(x.dtype)
        return lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def pool(x: Array, size: int) -> Array:
        window = (1, size, size, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")

    def norm(name: str, x: Array) -> Array:
        wide = x.astype("float32")
        mean, variance = jnp.mean(wide, (0, 1, 2)), jnp.var(wide, (0, 1, 2))
        return ((wide - mean) * lax.rsqrt(variance + 1e-3) + p[f"{name}/beta"]).astype(x.dtype)

    x = jax.nn.gelu(conv("whiten", x.astype("bfloat16"), "VALID") + p["whiten/bias"].astype("bfloat16"))
    x = lax.stop_gradient(x)
    for i in range(len(m.widths)):
        x = jax.nn.gelu(norm(f"{i}/0", pool(conv(f"{i}/0", x), 2)))
        x = jax.nn.gelu(norm(f"{i}/1", conv(f"{i}/1", x)))
    x = pool(x, 3).reshape(len(x), -1)
    return x @ p["head"].astype(x.dtype)


# -- training --------------------------------------------------------------------------------------------------------
def _normal(shapes: dict[str, tuple[int, ...]], deviation: float) -> Params:
    draw = np.random.default_rng(0)
    return {name: jnp.asarray(draw.standard_normal(shape, "float32") * deviation) for name, shape in shapes.items()}


def parts(network: Network) -> tuple[Params, Callable[[Params, Array], Array], optax.GradientTransformation]:
    """The weights, the function to logits, and the optimizer."""
    if isinstance(network, LanguageModel):
        language = network
        return _language_params(language), lambda p, x: _language_logits(language, p, x), optax.adamw(3e-4, 0.9, 0.999)
    conv = network
    return _conv_params(conv), lambda p, x: _conv_logits(conv, p, x), optax.sgd(0.1, 0.85, nesterov=True)


def loss(logits: Callable[[Params, Array], Array], params: Params, x: Array, y: Array) -> Array:
    """The mean cross-entropy."""
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x).astype("float32"), y).mean()


def seconds_a_step(network: Network, steps: int, rounds: int) -> list[float]:
    """Time epochs in which one program scans over batches gathered on the device."""
    params, logits, optimizer = parts(network)
    x, y = map(jnp.asarray, network.data(steps))

    def step(carry: Any, rows: Array) -> Any:
        params, state = carry
        value, grads = jax.value_and_grad(functools.partial(loss, logits))(params, x[rows], y[rows])
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    epoch = jax.jit(lambda carry, order: lax.scan(step, carry, order), donate_argnums=0)
    carry, draw, marks = (params, optimizer.init(params)), np.random.default_rng(0), []
    for _ in range(rounds + 1):
        order = draw.permutation(len(x)).astype("int32").reshape(steps, network.batch)
        carry, losses = epoch(carry, order)
        assert np.isfinite(np.asarray(losses)).all()
        marks.append(time.perf_counter())
    return list(np.diff(marks) / steps)
