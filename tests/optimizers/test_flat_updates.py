"""Narrow weights and moments kept as vectors in loops over steps: other shapes, the same numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
import jaxkeras.optimizers as ours
from jaxkeras.core.context import setting
from jaxkeras.lowering import flat

OPTIMIZERS = {
    "Adam": ours.Adam(amsgrad=True, clipnorm=0.1, weight_decay=0.01),
    "SGD": ours.SGD(0.1, momentum=0.9, nesterov=True, global_clipnorm=0.5),
    "Nadam": ours.Nadam(),
    "RMSprop": ours.RMSprop(centered=True, momentum=0.5),
    "Lamb": ours.Lamb(),
    "Adafactor": ours.Adafactor(),
    "accumulating": ours.Adam(gradient_accumulation_steps=2),
    "averaging": ours.Adam(use_ema=True),
    "scaled": ours.LossScaleOptimizer(ours.Adam()),
}


def test_what_is_flat():
    for shape in ((32, 10), (3, 3, 12, 12)):
        assert flat.flattened(jnp.ones(shape)).shape == (np.prod(shape),)
    for shape in ((64, 64), (300,), (40, 8), (9, 9)):
        assert flat.flattened(jnp.ones(shape)).shape == shape
    assert flat.flattened(jnp.ones((3, 32, 10)), leading=1).shape == (3, 320)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_same_update(name):
    optimizer = OPTIMIZERS[name]
    draw = np.random.default_rng(0)
    params = {"narrow": draw.normal(size=(32, 10)).astype("float32"), "bias": np.ones(10, "float32")}
    grads = {"narrow": draw.normal(size=(32, 10)).astype("float32"), "bias": np.ones(10, "float32")}
    state = optimizer.init(params)

    def update(grads, state, params):
        return optimizer.update(grads, state, params)

    expected = jax.jit(update)(grads, state, params)
    with setting(flat_updates=True):
        traced = jax.make_jaxpr(lambda *args: optimizer.update(*args))(grads, state, params)
        found = jax.jit(lambda *args: optimizer.update(*args))(grads, state, params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
    assert ("f32[320]" in str(traced)) == (name in ("Adam", "SGD", "Nadam", "RMSprop", "scaled"))


def test_fit_and_populations_keep_them_flat(monkeypatch):
    x = np.random.default_rng(0).normal(size=(8, 32)).astype("float32")

    def weights(columns):
        monkeypatch.setattr(flat, "COLUMNS", columns)
        model = jk.Sequential([jk.Input((32,)), jk.layers.Dense(10, kernel_initializer="ones")])
        model.compile("adam", "mse")
        model.fit(x, x[:, :10], batch_size=2, shuffle=False, verbose=0)
        population = jk.Population(model, seeds=range(2))
        population.fit(x, x[:, :10], batch_size=2, shuffle=False, verbose=0)
        return [*model.get_weights(), *population.member(1).get_weights()]

    for found, expected in zip(weights(range(9, 64)), weights(range(0)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
