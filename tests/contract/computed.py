"""Inputs and results for each row of the tables: one compiled program per row, shared by all checks."""

from __future__ import annotations

import functools
import importlib
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.masks import get_mask
from tests.cases import by_default
from tests.contract.row import Row
from tests.leaks import checking_leaks

TABLES = sorted(p.stem for p in pathlib.Path(__file__).parent.glob("*_table.py"))
ROWS: list[Row] = [row for table in TABLES for row in importlib.import_module(f"tests.contract.{table}").ROWS]
DEVICE = [row for row in ROWS if not row.host]
SLOW = (
    "AugMix", "ContrastLimitedAdaptiveHistogramEqualization", "ConvLSTM2D", "ConvLSTM3D", "CutMix", "MixUp", "Mosaic",
    "RandAugment", "RandomColorJitter", "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur", "RandomHue",
    "RandomPerspective", "RandomPosterization", "RandomSharpness", "RandomShear",
)


def computed_rows(chosen: Callable[[Row], bool] = lambda row: True) -> list[Any]:
    """Rows to compute, as parameters; those that take seconds to compile are exhaustive."""
    return by_default([row for row in DEVICE if chosen(row)], lambda row: row.name not in SLOW)


def is_shape(s: Any) -> bool:
    return isinstance(s, tuple) and all(isinstance(n, int) for n in s)


def positional(inputs: Any) -> tuple[Any, ...]:
    """The positional arguments: a tuple of shapes is several arguments, a list or dict is one nested argument."""
    return inputs if isinstance(inputs, tuple) and not is_shape(inputs) else (inputs,)


def fill(row: Row, make: Any) -> tuple[Any, ...]:
    return jax.tree.map(make, positional(row.inputs), is_leaf=is_shape)


def arrays(row: Row) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)

    def make(shape: tuple[int, ...]) -> Any:
        if row.dtype == "string":
            return rng.choice(np.array(["a", "b", "a c", "d"]), shape)
        if row.dtype == "int32":
            return jnp.asarray(rng.integers(0, row.high, shape), row.dtype)
        return jnp.asarray(rng.normal(size=shape), row.dtype)

    return fill(row, make)


def keywords(row: Row) -> dict[str, Any]:
    if not row.mask:
        return row.call_kwargs
    shape = positional(row.inputs)[0]
    shape = shape if is_shape(shape) else jax.tree.leaves(shape, is_leaf=is_shape)[0]
    steps = np.arange(np.prod(shape[:2])).reshape(shape[:2])
    return {**row.call_kwargs, "mask": jnp.asarray(steps % 3 > 0)}


def is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def some(leaves: list[Any], seed: int) -> list[np.ndarray]:
    """A random direction for each leaf, zero for leaves without a derivative."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=x.shape) * is_float(x) for x in leaves]


def weighed(outputs: Any) -> Any:
    """A scalar that depends on all outputs."""
    leaves = [y for y in jax.tree.leaves(outputs) if is_float(y)]
    return sum((y * np.asarray(c, y.dtype)).sum() for y, c in zip(leaves, some(leaves, 1)))


class Computed(NamedTuple):
    """The results of one row.

    Attributes:
        layer: the built layer.
        x: its positional arguments.
        params, state: its trees, with distinct values.
        before: copies of its variables' values.
        train: the training call as a pure function of (params, state, x).
        training: outputs and state in training, compiled.
        inference: outputs at inference, compiled.
        grads: the gradient of `weighed` for the parameters and the leaves of `x`; None if not differentiable.
        masks: masks of the outputs in training; None for an output without one.
    """

    layer: Any
    x: tuple[Any, ...]
    params: Any
    state: Any
    before: list[np.ndarray]
    train: Any
    training: tuple[Any, Any]
    inference: Any
    grads: Any
    masks: list[Any]


def randomize(layer: Any) -> None:
    """Set distinct weights, positive so that they are valid variances too."""
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.2, 1.2, v.shape).astype(v.dtype) if is_float(v) else v.numpy() for v in layer.weights]
    layer.set_weights(values)


@functools.cache
def compute(row: Row) -> Computed:
    """Everything that the checks of a row need, from one compiled program traced without leaks."""
    layer, x, kwargs = row.make(), arrays(row), keywords(row)
    layer.init(jax.random.key(0), *x)  # builds it
    randomize(layer)
    params, state = layer.params, layer.state
    before = [np.asarray(v.cell()) for v in layer.variables]

    def train(params: Any, state: Any, x: Any) -> Any:
        return layer.apply(params, state, *x, training=True, rng=jax.random.key(1), **kwargs)

    def infer(params: Any, state: Any, x: Any, training: bool = False) -> Any:
        return layer.apply(params, state, *x, training=training, **kwargs)[0]

    def loss(params: Any, floats: Any, state: Any, x: Any) -> Any:
        leaves, treedef = jax.tree.flatten(x)
        rest = iter(floats)
        x = treedef.unflatten([next(rest) if is_float(leaf) else leaf for leaf in leaves])
        return weighed(infer(params, state, x, row.batch_stats))

    def everything(params: Any, state: Any, x: Any) -> Any:
        floats = [leaf for leaf in jax.tree.leaves(x) if is_float(leaf)]
        grads = jax.grad(loss, (0, 1))(params, floats, state, x) if row.grad else None
        training = train(params, state, x)
        masks = [get_mask(y) for y in jax.tree.leaves(training[0])]
        return training, infer(params, state, x), grads, masks

    with checking_leaks():
        traced = jax.jit(everything).trace(params, state, x)
    training, inference, grads, masks = traced.lower().compile()(params, state, x)
    return Computed(layer, x, params, state, before, train, training, inference, grads, masks)


@functools.cache
def eager(row: Row) -> tuple[Any, Any]:
    """Outputs and state in training, without jit."""
    done = compute(row)
    return done.train(done.params, done.state, done.x)
