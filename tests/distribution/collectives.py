"""On eight devices: the memory of each, what they exchange in a step, and how many rows of a batch each computes."""

import re

import jax
import numpy as np

import jaxkeras as jk
from jaxkeras.distribution.collectives import collectives
from tests.distribution.models import convolutional, recurrent, train


def mlp():
    model = jk.Sequential([jk.Input((64,)), jk.layers.Dense(256, "relu"), jk.layers.Dense(256), jk.layers.Dense(8)])
    model.compile(jk.optimizers.Adam(), "mse")
    x = np.random.default_rng(0).normal(size=(64, 64)).astype("float32")
    return model, x, x[:, :8], None


def programs(model):
    """The texts of the programs for full batches."""
    return [p.result().as_text() for key, p in model._session.train._compiled._made.items() if "loop" in str(key)]


def of_step(way, make=mlp):
    model, _, _ = train(make, way)
    (text,) = programs(model)
    # The loss and the check bits are scalars.
    return model, [c for c in collectives(text) if c.nbytes > 64]


def bytes_of(model):
    """Bytes of parameters and optimizer state: of all, and the most on a device."""
    variables = [v.value for v in (*model.weights, *model.optimizer.variables)]
    on_device: dict = {}
    for v in variables:
        for shard in v.addressable_shards:
            on_device[shard.device] = on_device.get(shard.device, 0) + shard.data.nbytes
    return sum(v.nbytes for v in variables), max(on_device.values())


model, found = of_step("data")
parameters = sum(v.value.nbytes for v in model.weights)
print("data", [(c.kind, c.nbytes) for c in found], parameters)
assert {c.kind for c in found} == {"all-reduce"}
assert parameters <= sum(c.nbytes for c in found) <= parameters + 64  # every gradient once, and the loss

model, found = of_step("fsdp")
whole, most = bytes_of(model)
print("fsdp", [(c.kind, c.nbytes) for c in found], whole, most)
assert most <= whole / 8 * 1.05
gathered = sum(c.nbytes for c in found if c.kind == "all-gather")
assert parameters * 0.99 <= gathered <= parameters
assert {c.kind for c in found} <= {"all-gather", "reduce-scatter", "all-reduce"}
assert sum(c.nbytes for c in found if c.kind == "all-reduce") <= parameters + 64

# Weights split over the axis of the data do not make the compiler move activations, nor split batch statistics.
model, found = of_step("fsdp", convolutional)
parameters = sum(v.value.nbytes for v in model.weights)
print("fsdp, convolutional", [(c.kind, c.arrays) for c in found], parameters)
assert {c.kind for c in found} <= {"all-gather", "reduce-scatter", "all-reduce"}
assert max(len(shape) == 4 and shape[0] for c in found for shape in c.arrays) == 3  # kernels, and no images

# Nor are sequences gathered whose first axis is time.
model, found = of_step("data", recurrent)
parameters = sum(v.value.nbytes for v in model.trainable_variables)
print("data, recurrent", [(c.kind, c.nbytes) for c in found], parameters)
assert {c.kind for c in found} == {"all-reduce"}
assert parameters <= sum(c.nbytes for c in found) <= parameters + 64

# Of 54 rows every device computes 7, on a mesh with copies of the batch, too, and all layers but those of the input.
for way in ("data", "fsdp", {"data": 4, "model": 2}):
    jk.distribution.set_distribution(way)
    model, x, y, _ = mlp()
    model.fit(x[:54], y[:54], batch_size=54, verbose=0)
    (text,) = programs(model)
    rows = {int(n) for n in re.findall(r"f32\[(\d+),256\]", text)}
    print(way, "rows", rows)
    assert 7 in rows and not rows & {54, 56}
print("ok", jax.device_count())
