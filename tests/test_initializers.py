"""Initializers: values, configs and lookup."""

import jax
import numpy as np
import pytest

from jaxkeras import initializers, random
from jaxkeras.initializers import compute_fans
from tests.compilations import counting

keras = pytest.importorskip("keras")

CALLS = [
    ("Zeros", {}, (2, 3)),
    ("Ones", {}, (2, 3)),
    ("Constant", {"value": 1.5}, (2, 3)),
    ("Identity", {"gain": 2.0}, (2, 3)),
    ("STFT", {}, (16, 1, 9)),
    ("STFT", {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}, (16, 1, 9)),
    ("STFT", {"window": None}, (16, 1, 9)),
]
RANDOM = [
    ("RandomNormal", {"mean": 1.0}),
    ("RandomUniform", {"maxval": 2.0}),
    ("TruncatedNormal", {"stddev": 0.1}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "normal"}),
    ("Orthogonal", {"gain": 3.0}),
    *((name, {}) for name in "GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal".split()),
]


@pytest.mark.parametrize("name, kwargs, shape", CALLS)
def test_values_equal_keras(name, kwargs, shape):
    ours, theirs = getattr(initializers, name)(**kwargs), getattr(keras.initializers, name)(**kwargs)
    np.testing.assert_allclose(ours(shape), theirs(shape), rtol=1e-5, atol=1e-6)
    assert ours(shape, "bfloat16").dtype == "bfloat16"
    if name != "Identity":  # Keras's config lacks the gain, but Keras reads ours
        assert ours.get_config() == theirs.get_config()


@pytest.mark.parametrize("name, kwargs", RANDOM)
@pytest.mark.parametrize("seed", [None, 7])
def test_configs_equal_keras(name, kwargs, seed):
    ours, theirs = (getattr(m, name)(**kwargs, seed=seed) for m in (initializers, keras.initializers))
    assert initializers.serialize(ours) == keras.initializers.serialize(theirs)
    again = keras.initializers.deserialize(initializers.serialize(ours))
    assert type(again).__name__ == name and again.get_config() == ours.get_config()
    assert initializers.deserialize(keras.initializers.serialize(theirs)).get_config() == ours.get_config()
    assert ours.user_seed == seed and isinstance(ours.seed, int)


def test_seed_generator_in_a_config():
    ours = initializers.HeNormal(random.SeedGenerator(3))
    again = initializers.deserialize(initializers.serialize(ours))
    assert isinstance(again.seed, random.SeedGenerator)
    np.testing.assert_array_equal(again((2, 2)), ours((2, 2)))


def test_every_keras_name_exists():
    for name in dir(keras.initializers):
        if not name.startswith("_"):
            assert hasattr(initializers, name), name
    for name in ["zeros", "Zeros", "zero", "one", "normal", "uniform", "glorot_uniform", "STFTInitializer", "identity"]:
        assert type(initializers.get(name)).__name__ == type(keras.initializers.get(name)).__name__


def test_get():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)
    ones = initializers.Ones()
    assert initializers.get(ones) is ones
    assert initializers.get({"class_name": "Constant", "config": {"value": 2.0}})((1,)) == 2.0
    given = initializers.get(np.arange(3))
    np.testing.assert_array_equal(given((3,), "float32"), [0, 1, 2])
    with pytest.raises(ValueError, match=r"\(3,\).*\(2,\)"):
        given((2,))
    with pytest.raises(ValueError, match="Did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrm")
    with pytest.raises(ValueError, match="expected a name"):
        initializers.get(3)


def test_invalid_arguments_raise():
    for call, message in [
        (lambda: initializers.VarianceScaling(scale=0.0), "positive"),
        (lambda: initializers.VarianceScaling(mode="fan_inn"), "fan_in"),
        (lambda: initializers.VarianceScaling(distribution="gauss"), "distribution"),
        (lambda: initializers.HeNormal(seed="a"), "seed"),
        (lambda: initializers.Identity()((2, 2, 2)), "rows, columns"),
        (lambda: initializers.Orthogonal()((2,)), "two dimensions"),
        (lambda: initializers.STFT("left"), "side"),
        (lambda: initializers.Initializer()((2,)), "__call__"),
    ]:
        with pytest.raises((ValueError, NotImplementedError), match=message):
            call()


def test_constants_compile_nothing():
    with counting() as count:
        for size in range(3, 9):
            for name in ["zeros", "ones", "constant", "identity"]:
                initializers.get(name)((size, 131))
    assert count.value == 0


def test_constants_under_a_trace_are_part_of_the_program():
    assert "broadcast_in_dim" in str(jax.make_jaxpr(lambda: initializers.Ones()((500, 500)))())


def test_orthogonal_in_half_precision():
    q = initializers.Orthogonal(seed=1)((4, 2), "bfloat16")
    assert q.dtype == "bfloat16"
    np.testing.assert_allclose(np.asarray(q.T @ q, "float32"), np.eye(2), atol=0.02)


def test_compute_fans():
    assert compute_fans(()) == (1, 1)
    assert compute_fans((5,)) == (5, 5)
    assert compute_fans((3, 4, 5)) == (12, 15)
    assert compute_fans((3, 4, 5), [0, 1], [2]) == (12, 5)
