"""Equal layers are traced only once."""

import pytest

import jaxkeras as jk
from jaxkeras import layers
from jaxkeras.core.masks import get_mask
from jaxkeras.layers._base import layer_call, output_spec_cache


@pytest.fixture
def traced(monkeypatch):
    """The number of calls that were traced."""
    count = []

    def infer(*args):
        count.append(1)
        return real(*args)

    real = layer_call.infer
    monkeypatch.setattr(layer_call, "infer", infer)
    monkeypatch.setattr(output_spec_cache, "_outputs", {})
    return count


def test_an_equal_layer_is_not_traced_again(traced):
    x = jk.Input((8, 8, 3))
    first = layers.Conv2D(4, 3, strides=2, activation="relu", name="first")
    second = layers.Conv2D(4, 3, strides=2, activation="relu", kernel_initializer="zeros", name="second")
    y, z = first(x), second(x)
    assert len(traced) == 1
    assert (y.shape, y.dtype) == (z.shape, z.dtype) == ((None, 3, 3, 4), "float32")
    assert y is not z and z._keras_history.operation is second
    assert second.built and second.path == "second" and [w.path for w in second.weights] == [
        "second/kernel", "second/bias",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [{"strides": 2}, {"filters": 5}, {"padding": "same"}, {"activation": "tanh"}, {"dtype": "mixed_bfloat16"}],
    ids=lambda settings: next(iter(settings)),
)
def test_a_different_argument_is_traced(traced, settings):
    x = jk.Input((8, 8, 3))
    layers.Conv2D(filters=4, kernel_size=3)(x)
    y = layers.Conv2D(**{"filters": 4, "kernel_size": 3, **settings})(x)
    assert len(traced) == 2
    plain = layers.Conv2D(**{"filters": 4, "kernel_size": 3, **settings})
    assert y.shape == plain.compute_output_shape((None, 8, 8, 3))


def test_a_different_input_and_a_changed_attribute_are_traced(traced):
    x = jk.Input((8, 8, 3))
    layer = layers.MaxPooling2D(2)
    assert layer(x).shape == (None, 4, 4, 3)
    assert layer(jk.Input((6, 8, 3))).shape == (None, 3, 4, 3)
    layer.strides = (1, 1)
    assert layer(x).shape == (None, 7, 7, 3)
    assert len(traced) == 3


def test_the_context_is_part_of_the_key(traced):
    x = jk.Input((8, 8, 3))
    layers.Dropout(0.5)(x)
    layers.Dropout(0.5)(x, training=True)
    assert len(traced) == 2
    layers.Dropout(0.5)(x)
    assert len(traced) == 2


def test_masks_and_custom_functions_and_classes_are_always_traced(traced):
    class Twice(layers.Dense):
        pass

    tokens, x = jk.Input((5,), dtype="int32"), jk.Input((4,))
    for _ in range(2):
        y = layers.Embedding(7, 3, mask_zero=True)(tokens)
        assert get_mask(y) is not None and get_mask(layers.Dropout(0.5)(y)) is not None
        Twice(3)(x)
        layers.Dense(3, activation=lambda y: y)(x)
        layers.Dense(3, activity_regularizer="l2")(x)
        layers.Bidirectional(layers.LSTM(2))(jk.Input((5, 3)))
    assert len(traced) == 2 * 6
