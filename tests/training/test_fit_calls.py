"""What a second call of `fit` takes over from the first: how many steps a call may run, and a program that copies."""

import concurrent.futures

import jax
import jax.numpy as jnp
import numpy as np

import jaxkeras as jk
from jaxkeras.training.loop import CALL_SECONDS, StepsPerCallTuner
from jaxkeras.training.state import StateCopies, TrainState

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")


def test_calls_grow_while_they_are_short_and_shrink_when_they_are_long():
    tuner = StepsPerCallTuner(None)
    for seconds, expected in ((0.0, 16), (CALL_SECONDS / 2, 32)):
        tuner.record(tuner.steps(), seconds)
        assert tuner.steps() == expected
    tuner.record(8, CALL_SECONDS / 2)  # the end of an epoch
    assert tuner.steps() == 32
    tuner.record(8, 2 * CALL_SECONDS)
    assert tuner.steps() == 4


def test_the_length_of_calls_is_kept_for_the_same_data_and_steps():
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")

    def fit(rows):
        model.fit(X[:rows], X[:rows, :1], batch_size=4, verbose=0)
        return list(model._session.tuners.values())

    (first,) = fit(24)
    assert fit(24) == [first]
    assert len(fit(20)) == 2
    model.add(jk.layers.Dense(1))
    assert first not in fit(24)


def test_copies_are_of_equal_numbers_elsewhere():
    copies = StateCopies()
    ts = TrainState({"w": jnp.arange(6.0)}, {}, {"m": jnp.ones((2, 3)), "step": jnp.int32(3)}, {})
    other = ts._replace(opt_state={})
    copies(ts), copies(ts)
    concurrent.futures.wait([copies._compiled])
    for state in (ts, other, ts):
        copied = copies(state)
        for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(copied), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype and a.unsafe_buffer_pointer() != b.unsafe_buffer_pointer()
            assert not b.committed
