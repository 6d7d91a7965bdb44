"""Seeds: explicit keys, and the seed state of random layers.

A key is the raw `uint32[2]` threefry key `[seed, counter]`, the same that Keras uses on JAX, so that the same seeds
give the same numbers.
"""

from __future__ import annotations

import random as python_random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.context import local
from jaxkeras.core.names import auto_name, name_scope
from jaxkeras.core.variable import Variable


def make_default_seed() -> int:
    """A fresh seed from Python's generator (which `set_random_seed` makes repeatable)."""
    return python_random.randint(1, int(1e9))


def set_random_seed(seed: int) -> None:
    """Make all following random draws repeatable: initial weights, dropout, the order of batches.

    Args:
        seed: an integer in [0, 2**32); seeds Python's, NumPy's and the library's own generators.

    Raises:
        ValueError: for anything else.

    Example:

    >>> set_random_seed(0)
    """
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed needs an integer in [0, 2**32); got {seed!r}.")
    global _global
    python_random.seed(int(seed))
    np.random.seed(int(seed))
    _global = None


class SeedGenerator:
    """A stream of keys whose position is a variable.

    Args:
        seed: an integer, or None for one drawn from the global generator.
        name: for the paths of its state.

    Attributes:
        state: `Variable` of shape (2,), uint32: the seed and how many keys were drawn.

    Example:

    >>> draws = SeedGenerator(seed=1)
    >>> draws.next()
    Array([1, 0], dtype=uint32)
    >>> draws.next()
    Array([1, 1], dtype=uint32)
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        if kwargs:
            raise ValueError(f"Unknown arguments of SeedGenerator: {', '.join(kwargs)}.")
        if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
            raise ValueError(f"The seed of a SeedGenerator must be a non-negative integer or None; got {seed!r}.")
        self.name = name or auto_name(type(self).__name__)
        self._initial_seed = seed
        with name_scope(self.name):
            start = make_default_seed() if seed is None else int(seed)
            self.state = Variable(
                np.array([start, 0], np.uint32),
                trainable=False,
                aggregation="only_first_replica",
                name="seed_generator_state",
            )

    def next(self, ordered: bool = True) -> jax.Array:
        """The next key, uint32 of shape (2,). Inside a functional call with `rng`, a key derived from that."""
        current = local.frame
        if current is not None and current.rng is not None:
            key = current.draw(self.state)
            return key if key.dtype == jnp.uint32 else jax.random.key_data(key)
        if current is None:
            # Computed now even under a user's own trace, so that no tracer leaks into the cell.
            with jax.ensure_compile_time_eval():
                state = self.state.cell()
                self.state.set_cell(jnp.asarray(np.asarray(state) + np.array([0, 1], np.uint32)))
            return state
        state = self.state.value
        self.state.assign(state + np.array([0, 1], np.uint32))
        return state

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._initial_seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


_global: SeedGenerator | None = None


def global_seed_generator() -> SeedGenerator:
    """The generator behind `seed=None` in `jaxkeras.random`."""
    global _global
    if _global is None:
        _global = SeedGenerator(name="global_seed_generator")
    return _global


def reset_global_generator() -> None:
    """Let the next draw with `seed=None` start a new generator."""
    global _global
    _global = None


def draw_key(seed: Any) -> jax.Array:
    """A PRNG key for one draw.

    Args:
        seed: None (the global generator), an integer, a `SeedGenerator`, or a JAX key.

    Returns:
        uint32 of shape (2,).

    Raises:
        ValueError: for anything else.
    """
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, (int, np.integer)):
        with jax.ensure_compile_time_eval():
            return jnp.asarray(np.array([int(seed) % 2**32, 0], np.uint32))
    if hasattr(seed, "dtype") and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(seed)
    if hasattr(seed, "dtype") and seed.dtype == jnp.uint32 and seed.shape == (2,):
        return seed
    raise ValueError(f"A seed must be an integer, a SeedGenerator, a JAX key or None; got {seed!r}.")
