"""The hash behind dropout: rates, independence of neighbours, steps, seeds and layers, and reproducible bits.

Seeds are fixed. Bounds are in standard deviations of an ideal generator; the largest of n deviations is about
sqrt(2 log n), and the bounds add a margin.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import lowering
from jaxkeras.lowering.hash_rng import random_bits

SIZE = 1 << 14
SEEDS = [0, 1, 2, 1234567]
STEPS = [0, 1, 2, 3, 1 << 16]


@pytest.fixture(scope="module")
def bits():
    """{(seed, step): bits}: the keys that a `SeedGenerator` gives."""
    keys = np.array(list(itertools.product(SEEDS, STEPS)), np.uint32)
    drawn = jax.jit(jax.vmap(lambda key: random_bits(key, (SIZE,))))(keys)
    return {tuple(map(int, key)): np.asarray(b) for key, b in zip(keys, drawn)}


def kept(bits, rate):
    return bits >= np.uint32(rate * 2**32)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_dropout_rates(bits, rate):
    deviation = np.sqrt(rate * (1 - rate) / SIZE)
    shares = [(kept(b, rate).mean() - (1 - rate)) / deviation for b in bits.values()]
    assert np.abs(shares).max() < 3.5 and 0.5 < np.std(shares) < 1.6


def test_bytes_are_uniformly_distributed(bits):
    for shift in (0, 8, 16, 24):
        counts = sum(np.bincount((b >> shift) & 255, minlength=256) for b in bits.values())
        expected = SIZE * len(bits) / 256
        chi = np.sum((counts - expected) ** 2 / expected)  # mean 255, standard deviation 22.6
        assert 255 - 4 * 22.6 < chi < 255 + 4 * 22.6


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_masks_are_uncorrelated_at_all_shifts(bits, rate):
    """Correlations of all pairs at all shifts: along rows, across rows, steps and seeds."""
    standard = {key: (kept(b, rate) - (1 - rate)) / np.sqrt(rate * (1 - rate) * SIZE) for key, b in bits.items()}
    spectra = {key: np.fft.rfft(s) for key, s in standard.items()}
    for one, other in itertools.combinations_with_replacement(spectra, 2):
        correlation = np.fft.irfft(spectra[one] * np.conj(spectra[other])) * np.sqrt(SIZE)
        worst = np.abs(correlation[1:] if one == other else correlation).max()
        assert worst < 6.5, (one, other)  # of 3.4 million numbers the largest is about 5.5


def test_positions_are_independent_across_steps():
    """Patterns of eight steps at one position, and of eight neighbours in one step, are equally frequent."""
    keys = np.stack([np.full(SIZE, 7), np.arange(SIZE)], 1).astype(np.uint32)
    drawn = np.asarray(jax.jit(jax.vmap(lambda key: random_bits(key, (8,))))(keys)) >> 31
    for ones in (drawn, drawn.reshape(-1, 8, 8).swapaxes(1, 2).reshape(-1, 8)):
        counts = np.bincount(np.packbits(ones.astype(bool), axis=1)[:, 0], minlength=256)
        chi = np.sum((counts - SIZE / 256) ** 2 / (SIZE / 256))
        assert 255 - 4 * 22.6 < chi < 255 + 4 * 22.6


def test_every_key_bit_affects_the_output():
    keys = np.array([[5, 9]], np.uint32) ^ np.concatenate(
        [np.zeros((1, 2)), np.eye(64).reshape(64, 2, 32) @ 2.0 ** np.arange(32)]
    ).astype(np.uint32)
    drawn = np.asarray(jax.vmap(lambda key: random_bits(key, (64,)))(keys))
    changed = np.unpackbits((drawn[1:] ^ drawn[0]).view(np.uint8), axis=1).mean(1)
    assert np.all(np.abs(changed - 0.5) < 0.06)  # 4096 bits: standard deviation 0.008


def test_bits_are_reproducible():
    """Golden values from integer arithmetic, identical on every platform and under transformations."""
    expected = [3042273338, 1843745859, 2897349006, 1096634690]
    keys = np.array([[1, 2], [3, 4]], np.uint32)
    single = random_bits(jnp.asarray(keys[0]), (2, 2))
    assert single.ravel().tolist() == expected
    assert random_bits(jax.random.wrap_key_data(keys[0]), (4,)).tolist() == expected
    mapped = jax.vmap(lambda key: random_bits(key, (4,)))(keys)
    looped = jax.lax.map(lambda key: random_bits(key, (4,)), keys)
    assert mapped.tolist() == looped.tolist() and mapped[0].tolist() == expected
    assert random_bits(jax.random.key(0, impl="rbg"), (4,)).shape == (4,)  # a key of four words


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dropout(dtype):
    x, key = jnp.ones((8, 512), dtype), jax.random.key(3)
    y = lowering.dropout(x, 0.25, key)
    assert y.dtype == dtype and set(np.unique(y.astype("float32"))) == {0.0, float(jnp.asarray(1 / 0.75, dtype))}
    assert lowering.dropout(x, 0.0, key) is x and not lowering.dropout(x, 1.0, key).any()
    rows = lowering.dropout(x, 0.5, key, (8, 1))
    np.testing.assert_array_equal(rows, jnp.broadcast_to(rows[:, :1], x.shape))
    slope = jax.grad(lambda x: jnp.sum(lowering.dropout(x, 0.25, key)))(x)
    np.testing.assert_array_equal(slope, y)


def test_normal_noise():
    z = np.sort(np.asarray(lowering.normal_noise(jax.random.key(1), (SIZE,), jnp.float32)))
    probability = np.asarray(jax.scipy.stats.norm.cdf(z))
    distance = np.abs(probability - (np.arange(SIZE) + 0.5) / SIZE).max()
    assert distance < 1.63 / np.sqrt(SIZE)  # Kolmogorov-Smirnov test at the 1 % level
    assert abs(z.mean()) < 3 / np.sqrt(SIZE) and abs(z.std() - 1) < 3 / np.sqrt(2 * SIZE)
    with jax.enable_x64(True):
        assert lowering.normal_noise(jax.random.key(1), (3,), jnp.float64).dtype == "float64"
    assert lowering.normal_noise(jax.random.key(1), (3,), jnp.bfloat16).dtype == "bfloat16"


def test_layers_of_a_model_draw_independent_masks():
    x = jnp.ones((16, 64))
    model = jk.Sequential([jk.Input((64,)), jk.layers.Dropout(0.5), jk.layers.Dropout(0.5)])
    params, state = model.init(0, x.shape)
    y, after = jax.jit(lambda s: model.apply(params, s, x, training=True))(state)
    again, _ = model.apply(params, after, x, training=True)
    for a in (y, again):  # equal masks would keep half of the values
        assert abs(float((a != 0).mean()) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / x.size)
    both = float(((y != 0) & (again != 0)).mean())
    assert abs(both - 0.0625) < 4 * np.sqrt(0.0625 * 0.9375 / x.size)
