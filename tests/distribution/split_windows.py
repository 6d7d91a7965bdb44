"""Kernels of convolutions that a layout splits along their window give the numbers of one device."""

import numpy as np

import jaxkeras as jk
from tests.distribution.models import difference

LAYERS = {
    "Conv1D": (lambda: jk.layers.Conv1D(4, 4, padding="same", name="target"), (6, 4)),
    "DepthwiseConv2D": (lambda: jk.layers.DepthwiseConv2D(4, padding="same", name="target"), (6, 6, 4)),
    "Conv2DTranspose": (lambda: jk.layers.Conv2DTranspose(4, 4, 2, padding="same", name="target"), (6, 6, 4)),
    "ConvLSTM2D": (lambda: jk.layers.ConvLSTM2D(4, 4, padding="same", name="target"), (3, 6, 6, 4)),  # was wrong
}


def numbers(make, shape, way, run_eagerly):
    jk.distribution.set_distribution(way)
    jk.utils.set_random_seed(0)
    model = jk.Sequential([jk.Input(shape), make(), jk.layers.Flatten(), jk.layers.Dense(2)])
    model.compile(jk.optimizers.SGD(0.1), "mse", run_eagerly=run_eagerly)
    x = np.random.default_rng(0).normal(size=(8, *shape)).astype("float32")
    losses = model.fit(x, x.reshape(8, -1)[:, :2], 4, 2, 0, shuffle=False).history["loss"]
    split = [w.value.sharding.spec[0] for w in model.layers[0].weights if w.ndim > 2 and way]
    return split, [np.array(losses), model.predict(x, 4, 0), *model.get_weights()]


mesh = jk.distribution.DeviceMesh((2, 2), ("batch", "model"))
rules = jk.distribution.LayoutMap(mesh)
rules[".*target.*kernel"] = ("model",)
way = jk.distribution.ModelParallel(layout_map=rules, batch_dim_name="batch")
for name, (make, shape) in LAYERS.items():
    _, expected = numbers(make, shape, None, False)
    for run_eagerly in (False, True):
        split, found = numbers(make, shape, way, run_eagerly)
        assert split and set(split) == {"model"}, (name, split)
        assert difference(expected, found) < 1e-5, (name, run_eagerly, difference(expected, found))
        print(name, run_eagerly, difference(expected, found), flush=True)
