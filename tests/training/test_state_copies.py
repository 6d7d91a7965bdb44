"""Copies of a state, which are made by one program once `fit` is called often."""

import concurrent.futures

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.training.state import StateCopies, TrainState


def test_copies_are_of_equal_numbers_elsewhere():
    copies = StateCopies()
    ts = TrainState({"w": jnp.arange(6.0)}, {}, {"m": jnp.ones((2, 3)), "step": jnp.int32(3)}, {})
    other = ts._replace(opt_state={})
    for _ in range(copies.OFTEN + 1):
        copies(ts)
    concurrent.futures.wait([copies._compiled])
    for state in (ts, other, ts):
        copied = copies(state)
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(copied), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype and a.unsafe_buffer_pointer() != b.unsafe_buffer_pointer()
            assert not b.committed
