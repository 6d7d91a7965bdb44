"""Comparison of a layer with Keras's layer of the same name: signature, config, weights, outputs."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

import jaxkeras.layers
from jaxkeras import registry
from jaxkeras.core.masks import get_mask


def make_input(shape: Any, dtype: str = "float32", high: int = 4) -> Any:
    """Random data of the given shape, or a list of such data for a list of shapes."""
    if isinstance(shape, list):
        return [make_input(s, dtype, high) for s in shape]
    rng = np.random.default_rng(sum(shape) + len(shape))
    if dtype.startswith("int"):
        return rng.integers(0, high, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def randomize(layer: Any) -> None:
    """Set all weights to distinct random values, positive so that they can serve as variances."""
    rng = np.random.default_rng(0)
    layer.set_weights([rng.uniform(0.2, 1.2, w.shape).astype(w.dtype) for w in layer.get_weights()])


def same_signature(keras: Any, name: str) -> None:
    """Check that parameters, their order and their defaults equal Keras's."""

    def plain(function: Any) -> list[Any]:
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in parameters]

    assert plain(getattr(jaxkeras.layers, name)) == plain(getattr(keras.layers, name))


def same_layer(
    keras: Any,
    name: str,
    kwargs: dict[str, Any],
    shape: Any,
    dtype: str = "float32",
    training: tuple[bool | None, ...] = (None,),
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """Check that a layer agrees with Keras's: config and its round trip, weights, outputs, and updates in training.

    Args:
        keras: the installed Keras.
        name: the name of the class.
        kwargs: arguments of the constructor.
        shape: the shape of the input, or a list of shapes.
        dtype: the dtype of the input.
        training: values of `training` for consecutive calls; None for a call without it.
        rtol, atol: tolerance of outputs and weights.
    """
    theirs = getattr(keras.layers, name)(**kwargs, name="it")
    ours = getattr(jaxkeras.layers, name)(**kwargs, name="it")
    config = ours.get_config()
    assert config == theirs.get_config()
    full, expected = registry.serialize(ours), keras.saving.serialize_keras_object(theirs)
    assert {k: full[k] for k in ("module", "class_name", "registered_name")} == {
        k: expected[k] for k in ("module", "class_name", "registered_name")
    }
    x = make_input(shape, dtype)
    theirs.build([s for s in shape] if isinstance(shape, list) else shape)
    randomize(theirs)
    inferred = ours.compute_output_shape(shape)
    if not ours.built:
        ours(x)
    assert [(w.name, w.shape, str(w.dtype), w.trainable) for w in ours.weights] == [
        (w.name, tuple(w.shape), str(w.dtype), w.trainable) for w in theirs.weights
    ]
    ours.set_weights(theirs.get_weights())
    again = type(ours).from_config(config)
    assert again.get_config() == config
    for flag in training:
        given = {} if flag is None else {"training": flag}
        y, z = ours(x, **given), theirs(x, **given)
        assert inferred == y.shape == tuple(z.shape)
        assert y.dtype == z.dtype
        np.testing.assert_allclose(y, z, rtol, atol)
        same_mask(keras, y, z)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol, atol)


def same_mask(keras: Any, y: Any, z: Any) -> None:
    """Check that the masks of two outputs agree."""
    ours, theirs = get_mask(y), keras.src.backend.get_keras_mask(z)
    assert (ours is None) == (theirs is None)
    if ours is not None:
        np.testing.assert_array_equal(ours, theirs)
