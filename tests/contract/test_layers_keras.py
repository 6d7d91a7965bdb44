"""Every row of the tables compared with the installed Keras: outputs, masks, state after training, gradients.

Keras computes in float64 on NumPy, so finite differences of its outputs give derivatives to eight digits.
"""

import inspect
import json
from unittest.mock import patch

import jax
import numpy as np
import pytest

from jaxkeras import registry
from jaxkeras.core.functional import layer_variables, leaf_paths
from jaxkeras.core.tracking import flatten
from tests.contract.computed import compute, computed_rows, is_float, keywords, some, weighed

keras = pytest.importorskip("keras")
def theirs(row, x):
    """Keras's layer with the same config and weights in float64, and a function that calls it."""
    done = compute(row)
    config = json.dumps(registry.serialize(done.layer)).replace('"float32"', '"float64"')
    layer = keras.layers.deserialize(json.loads(config))
    kwargs = {k: np.asarray(v) if k == "mask" else v for k, v in keywords(row).items()}

    def call(x, training=False):
        more = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}
        # Keras's NumPy backend rounds to float32, like its other backends, and takes some operations from JAX.
        with patch.dict(keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE, float64="float64"), jax.enable_x64(True):
            return layer(*x, **kwargs, **more)

    layer(*jax.tree.map(lambda a: keras.KerasTensor(a.shape, a.dtype.name), x), **row.call_kwargs)  # builds it
    layer.set_weights(done.layer.get_weights())
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()
    return layer, call


def wide(x):
    return np.asarray(x, "float64" if is_float(x) else x.dtype)


@pytest.mark.parametrize("row", computed_rows(lambda row: row.keras), ids=str)
def test_outputs_masks_and_gradients_equal_keras(row):
    done = compute(row)
    x = jax.tree.map(wide, done.x)
    layer, call = theirs(row, x)
    outputs = call(x)
    for a, b in zip(jax.tree.leaves(done.inference), jax.tree.leaves(outputs), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(b).max(initial=0.0))))
    for ours, b in zip(done.masks, jax.tree.leaves(outputs), strict=True):
        other = keras.src.backend.get_keras_mask(b)
        assert (ours is None) == (other is None)
        if ours is not None:
            np.testing.assert_array_equal(ours, other)

    if row.grad:
        weights, (floats, treedef) = layer.get_weights(), jax.tree.flatten(x)
        trainable = {id(v) for v in layer.trainable_weights}
        along = [d * (id(v) in trainable) for v, d in zip(layer.weights, some(weights, 2))]
        across = some(floats, 3)

        def moved(step):
            layer.set_weights([w + step * d for w, d in zip(weights, along)])
            moved_x = treedef.unflatten([a + step * d for a, d in zip(floats, across)])
            return float(weighed(call(moved_x, training=row.batch_stats)))

        slope = (moved(row.step) - moved(-row.step)) / (2 * row.step)
        by_path = {id(v): path for path, v in leaf_paths(layer_variables(done.layer)["params"])}
        pairs = [(flatten(done.grads[0])[by_path[id(v)]], d) for v, d in zip(done.layer.weights, along) if d.any()]
        pairs += zip(done.grads[1], (d for a, d in zip(floats, across) if is_float(a)), strict=True)
        parts = [float(np.sum(np.asarray(g, "float64") * d)) for g, d in pairs]
        rounding = 1e-6 if row.step < 1e-4 else 1e-4
        assert sum(parts) == pytest.approx(slope, rel=10 * rounding, abs=10 * rounding * max(1.0, *map(abs, parts)))

    if row.batch_stats:
        layer.set_weights(weights)
        outputs, state = call(x, training=True), flatten(done.training[1])
        np.testing.assert_allclose(done.training[0], outputs, rtol=1e-5, atol=1e-5)
        paths = {v: path for path, v in leaf_paths(layer_variables(done.layer)["state"])}
        for own, v in zip(done.layer.non_trainable_variables, layer.non_trainable_variables, strict=True):
            np.testing.assert_allclose(state[paths[own]], v.numpy(), rtol=1e-5, atol=1e-6, err_msg=v.path)
