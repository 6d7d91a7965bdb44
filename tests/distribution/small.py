"""What the default suite checks on eight devices, in one process: numbers, layouts, errors, and one device again."""

import functools
import re
import warnings

import jax
import numpy as np
from jax.sharding import PartitionSpec as P

import jaxkeras as jk
from jaxkeras.callbacks import NonFinite, NonFiniteError
from tests.distribution.models import difference, embedding, train

assert jk.distribution.get_device_count() == 8
assert isinstance(jk.distribution.distribution(), jk.distribution.DataParallel)  # of the environment variable
_, expected, _ = train(embedding, None, False)
model, numbers, counts = train(embedding, {"data": 4, "model": 2}, False)
assert difference(expected, numbers) < 1e-6
assert counts[0] == counts[-1], f"recompiled: {counts}"

# Batches of 50 rows on all eight devices: the parts of the last one are padded.
_, padded, _ = train(embedding, "fsdp", False)
assert difference(expected, padded) < 1e-6

# Weights and optimizer state are split, and stay so when they are written.
kernel = model.layers[-1].kernel
assert kernel.value.sharding.spec == P(None, "model")
kernel.assign(np.ones(kernel.shape))
assert kernel.value.sharding.spec == P(None, "model")
print(jk.distribution.layouts(model))

# Without a distribution the same model runs on one device again.
jk.distribution.set_distribution(None)
assert model.predict(np.zeros((3, 5), "int32"), verbose=0).shape == (3, 8)
assert len(kernel.value.sharding.device_set) == 1

# One array, at rest and in compiled code.
layout = jk.distribution.TensorLayout(("batch", None), jk.distribution.DeviceMesh((2, 4), ["batch", "model"]))
split = functools.partial(jk.distribution.distribute_tensor, layout=layout)
for place in (split, jax.jit(split)):
    assert place(jax.numpy.ones((4, 2))).sharding.shard_shape((4, 2)) == (2, 2)

# A Keras object; a rule that matches nothing; large variables made in parts.
mesh = jk.distribution.DeviceMesh((2, 4), ["batch", "model"])
rules = jk.distribution.LayoutMap(mesh)
rules[".*/kernel"] = (None, "model")
rules["last/output"] = ("batch", None)
with jk.distribution.ModelParallel(layout_map=rules).scope():
    model = jk.Sequential([jk.Input((1024,)), jk.layers.Dense(2048, name="big"), jk.layers.Dense(8, name="last")])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 1024), "float32"), np.ones((8, 8), "float32"), verbose=0)
    assert model.get_layer("big").kernel.value.addressable_shards[0].data.shape == (1024, 512)
    slot = next(v for v in model.optimizer.variables if v.shape == (1024, 2048))
    assert slot.value.sharding.spec == P(None, "model")
    rules["kernle"] = (None, "model")
    try:
        jk.distribution.layouts(model)
    except ValueError as error:
        assert re.search("'kernle'.*matches no variable.*/big/kernel'", str(error)), error
    else:
        raise AssertionError("a rule that matches nothing was accepted")

for wrong, message in [
    ({"data": 3, "model": 2}, "multiply to 6, but there are 8 devices"),
    ({"data": 4, "modle": 2}, "Unknown axis 'modle'"),
    ("fdsp", "Unknown distribution 'fdsp'"),
]:
    try:
        jk.distribution.set_distribution(wrong)
    except ValueError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"{wrong} was accepted")
jk.distribution.set_distribution("data")
model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
model.compile("sgd", "mse")
try:
    model.fit(np.ones((16, 4)), np.ones((16, 1)), batch_size=4, verbose=0)
except ValueError as error:
    assert "batch_size=4 is smaller than the 8 parts" in str(error) and "batch_size=8" in str(error), error
else:
    raise AssertionError("a batch smaller than the devices was accepted")

# What is not finite is named.
x = np.ones((16, 4), "float32")
x[9, 2] = np.nan
try:
    with warnings.catch_warnings(action="ignore"):
        model.fit(x, x[:, :1], batch_size=8, shuffle=False, verbose=0, callbacks=[NonFinite("raise")])
except NonFiniteError as error:
    assert (error.kind, error.step, error.data_rows, error.columns) == ("data", 1, (9,), (2,)), error
else:
    raise AssertionError("a NaN was not found")
print("ok", jax.device_count())
