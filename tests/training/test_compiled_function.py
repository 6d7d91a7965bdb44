"""Compiled functions are keyed by the same JAX settings as `jax.jit`, not only by their arguments."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras.training.compiled_function import CompiledFunction

MESH = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))


@contextlib.contextmanager
def x64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


CONTEXTS = {
    "promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "precision": lambda: jax.default_matmul_precision("float32"),
    "mesh": lambda: jax.sharding.use_abstract_mesh(MESH.abstract_mesh),
    "x64": x64,
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_program_is_not_reused_under_other_settings(context):
    traced = []

    @CompiledFunction
    def f(x):
        traced.append(jax.sharding.get_abstract_mesh())
        return x @ x

    x = np.ones((2, 2), "float32")
    f(x)
    f(x)
    with CONTEXTS[context]():
        f(x)
        f(x)
    f(x)
    assert len(traced) == f.count == 2


def test_strict_promotion_applies_after_a_standard_program():
    f = CompiledFunction(lambda x, i: x + i)
    x, i = np.ones(2, "float32"), jnp.arange(2)
    f(x, i)
    with jax.numpy_dtype_promotion("strict"), pytest.raises(ValueError, match="promotion"):
        f(x, i)
