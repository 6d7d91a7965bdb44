"""Shapes come from tracing: unknown sizes stay unknown, and placeholder sizes are never mistaken for real ones."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk

L = jk.layers


def test_unknown_sizes_have_no_small_divisors():
    seen = []

    class Look(L.Layer):
        def call(self, x):
            seen.append([x.shape[axis] % n for axis in (0, 1) for n in (2, 3, 5, 7, 8, 10, 32)])
            return x

    y = Look()(jk.Input((None, 4)))
    assert y.shape == (None, None, 4)
    assert len(seen) >= 2 and all(0 not in row for row in seen)


def test_networks_that_need_divisible_sizes():
    class UNet(L.Layer):
        def __init__(self):
            super().__init__()
            self.down, self.up, self.conv = L.MaxPooling2D(8), L.UpSampling2D(8), L.Conv2D(2, 1)

        def call(self, x):
            return jnp.concatenate([x, self.up(self.conv(self.down(x)))], -1)

    assert UNet()(jk.Input((None, None, 3))).shape == (None, None, None, 5)


def test_symbolic_sizes_are_used_when_placeholder_sizes_fail():
    class Only(L.Layer):
        def call(self, x):
            if isinstance(x.shape[0], int):
                raise ValueError(f"a batch of {x.shape[0]}")
            return x + 1

    assert Only()(jk.Input((4,))).shape == (None, 4)


def test_first_error_is_raised():
    class Wrong(L.Layer):
        def call(self, x):
            raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        Wrong()(jk.Input((4,)))


class Inside(L.Layer):
    def __init__(self):
        super().__init__()
        self.lstm = L.LSTM(3, stateful=True)

    def call(self, x):
        return self.lstm(x)


@pytest.mark.parametrize("batch", [6, 32, 64])
def test_nested_stateful_layer_uses_the_batch_size_of_the_data(batch):
    x = np.ones((2 * batch, 4, 2), "float32")
    layer = Inside()
    params, state = layer.init(0, x[:batch])
    assert layer.apply(params, state, x[:batch])[0].shape == (batch, 3)
    model = jk.Sequential([Inside(), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, x[:, 0, :1], batch_size=batch, verbose=0)
    assert model.layers[0].lstm.states[0].shape == (batch, 3)


def test_softmax_over_one_element_warns_once_without_placeholder_sizes():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        jk.ops.softmax(jk.Input((1, 4)), axis=1)
    (warning,) = caught
    assert "axis 1 of size 1" in str(warning.message) and "1009" not in str(warning.message)
