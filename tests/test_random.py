"""Random draws: the same bits as Keras on JAX, with few compilations."""

import os
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import initializers, random
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.random import SeedGenerator
from jaxkeras.utils import set_random_seed
from tests.cases import by_default
from tests.compilations import counting

EXPRESSIONS = [
    "k.random.normal((3, 4), seed=1)",
    "k.random.normal((7,), 2.0, 0.3, seed=2**31 + 5)",
    "k.random.normal((2, 3), 1, 2, 'bfloat16', seed=3)",
    "k.random.normal((2, 3), np.float32([1, 2, 3]), 2.0, seed=3)",
    "k.random.uniform((3, 1, 5), seed=4)",
    "k.random.uniform((33, 7), -0.05, 0.05, 'bfloat16', seed=4)",
    "k.random.uniform((), -1.0, 3.0, seed=4)",
    "k.random.uniform((40, 30), -0.3, 0.7, seed=5)",
    "k.random.truncated_normal((11, 3), 0.1, 0.7, seed=5)",
    "k.random.truncated_normal((130, 127), 0.0, 0.7, 'bfloat16', seed=5)",
    "k.random.randint((4, 2), 3, 90, seed=6)",
    "k.random.randint((4,), 0, 9, 'uint8', seed=6)",
    "k.random.categorical(np.log(np.float32([[0.2, 0.8], [0.5, 0.5]])), 6, seed=7)",
    "k.random.binomial((5,), 10.0, 0.3, seed=8)",
    "k.random.gamma((3,), 2.0, seed=10)",
    "k.random.dropout(np.ones((4, 5), 'float32'), 0.4, seed=11)",
    "k.random.dropout(np.ones((4, 5), 'float32'), 0.4, (None, 1), seed=11)",
    "k.random.shuffle(np.arange(12).reshape(4, 3), 0, seed=12)",
    "k.random.shuffle(np.arange(12).reshape(4, 3), axis=1, seed=12)",
    "[[k.random.uniform((2,), seed=g) for _ in range(3)] for g in [k.random.SeedGenerator(13)]]",
    "k.initializers.RandomNormal(1.0, 0.2, seed=1)((3, 2))",
    "k.initializers.RandomUniform(seed=3)((3, 2), 'bfloat16')",
    "k.initializers.GlorotUniform(seed=4)((3, 3, 2, 5))",
    "k.initializers.GlorotNormal(seed=5)((6,))",
    "k.initializers.HeNormal(seed=6)((4, 2))",
    "k.initializers.HeUniform(seed=7)((4, 2))",
    "k.initializers.LecunUniform(8, [0, 1], [2])((4, 2, 3))",
    "k.initializers.VarianceScaling(2.0, 'fan_out', 'untruncated_normal', seed=9)((4, 2))",
    "k.initializers.Orthogonal(seed=10)((4, 2))",
    "k.initializers.Orthogonal(2.0, seed=11)((2, 2, 5))",
    "[[i((2,)) for _ in range(2)] for i in [k.initializers.HeNormal(k.random.SeedGenerator(3))]]",
]

# The other draws build on these; each expression takes a second or more to compile in the other process.
BASIC = ("normal((3, 4)", "uniform((40", "random.shuffle", "(None, 1)", "SeedGenerator(13)", "GlorotUniform")
PARAMETERS = by_default(EXPRESSIONS, lambda e: any(part in e for part in BASIC))

# Our eager draws are slices of longer ones, Keras's are direct. Both run with XLA's default settings, since without
# optimizations loop remainders may round differently from loop bodies.
PROGRAM = """
import pickle, sys
import jax, numpy as np, keras, jaxkeras
results = {
    e: [jax.tree.map(np.asarray, eval(e, {"k": module, "np": np})) for module in (jaxkeras, keras)]
    for e in pickle.loads(sys.stdin.buffer.read())
}
sys.stdout.buffer.write(b"RESULTS" + pickle.dumps(results))
"""


@pytest.fixture(scope="module")
def results(request):
    """`{expression: [ours, Keras's]}` for the selected tests, from a process where Keras runs on JAX."""
    pytest.importorskip("keras")
    selected = [i.callspec.params for i in request.session.items if i.originalname == "test_bits_equal_keras"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=pickle.dumps([params["expression"] for params in selected]),
        capture_output=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": ""},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    return pickle.loads(done.stdout.split(b"RESULTS", 1)[1])


@pytest.mark.parametrize("expression", PARAMETERS)
def test_bits_equal_keras(expression, results):
    jax.tree.map(_assert_same, *results[expression])


def _assert_same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("draw", [random.normal, random.uniform, random.truncated_normal])
def test_draws_under_a_trace(draw):
    traced = jax.jit(lambda: draw((3, 5), 0.0, 2.0, seed=3))()
    np.testing.assert_allclose(traced, draw((3, 5), 0.0, 2.0, seed=3), rtol=1e-6)


def test_one_compilation_serves_many_shapes():
    draws = (random.normal, random.uniform, random.truncated_normal)
    for draw in draws:
        draw((2, 2), seed=1)
    with counting() as count:
        for size in range(3, 40, 6):
            for draw in draws:
                draw((size, 2), seed=size)
    assert count.value == 0


@pytest.mark.parametrize("size", [0, 1, 7, 2**14 + 1])
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-0.05, 0.05), (-0.3, 0.7), (2, 5)])
def test_host_draws_equal_jax(size, bounds):
    key = random.draw_key(size + 3)
    drawn = random.uniform((size,), *bounds, seed=key)
    expected = random._flat(jax.random.uniform, key, size, "float32", *bounds)
    # With the suite's XLA flags, code rounds twice where it usually rounds once; the comparison with Keras, which
    # runs without them, requires equal bits for all bounds.
    atol = 0 if bounds == (0.0, 1.0) else 3e-7 * max(map(abs, bounds))
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=atol)
    assert drawn.dtype == "float32"


def test_large_draws_are_direct(monkeypatch):
    monkeypatch.setattr(random, "_LARGEST_BUCKET", 4)
    np.testing.assert_array_equal(random.uniform((5,), seed=1), jax.random.uniform(jnp.array([1, 0], jnp.uint32), (5,)))


def test_seeds():
    assert (random.normal((3,), seed=1) == random.normal((3,), seed=1)).all()
    assert (random.normal((3,)) != random.normal((3,))).all()
    draws = SeedGenerator(1)
    assert (random.normal((3,), seed=draws) != random.normal((3,), seed=draws)).all()
    key = jax.random.key(1)
    np.testing.assert_array_equal(random.uniform((3,), seed=key), jax.random.uniform(key, (3,)))
    with pytest.raises(ValueError, match="seed"):
        random.normal((3,), seed="one")


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="randint"):
        random.uniform((3,), dtype="int32")
    with pytest.raises(ValueError, match="uniform"):
        random.randint((3,), 0, 2, dtype="float32")
    with pytest.raises(ValueError, match="batch, classes"):
        random.categorical(np.zeros(3), 2)


def test_symbolic_draws():
    x = KerasTensor((None, 4))
    assert random.dropout(x, 0.5, seed=1).shape == (None, 4)
    assert random.categorical(x, 3, seed=1).shape == (None, 3)


def test_initializers_under_jit_and_vmap():
    key = jax.random.key(0)
    for name in ["glorot_uniform", "random_normal", "orthogonal"]:
        initializer = initializers.get(name)
        keys = jax.random.split(key, 3)
        many = jax.jit(jax.vmap(lambda k, i=initializer: i.draw(k, (4, 2), "float32")))(keys)
        one = initializer.draw(keys[1], (4, 2), "float32")
        np.testing.assert_allclose(many[1], one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1"])
def test_set_random_seed_rejects_invalid_seeds(seed):
    with pytest.raises(ValueError, match=r"an integer in \[0, 2\*\*32\)"):
        set_random_seed(seed)


def test_unordered_states_of_a_seed_generator():
    seeds = SeedGenerator(7, name="draws", backend=None)
    assert [seeds.next(ordered=False).tolist() for _ in range(3)] == [[7, 0], [43096, 5387], [730187, 95987]]
    assert seeds.get_config() == {"seed": 7, "name": "draws"}


def test_draws_without_a_seed_under_a_trace_raise():
    with pytest.raises(ValueError, match="without a seed"):
        jax.jit(lambda: random.normal((2,)))()
