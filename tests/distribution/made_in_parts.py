"""Weights of all sizes are made in parts, by one program, and are those of one device."""

import jax
import numpy as np
from jax._src import monitoring

import jaxkeras as jk
from jaxkeras.training.placement import Placement
from jaxkeras.training.state import StateSpec

compiled: list[str] = []
monitoring.register_event_duration_secs_listener(lambda event, *_, **__: compiled.append(event))


def made(initializer="glorot_uniform"):
    jk.utils.set_random_seed(0)
    layers = [jk.layers.Dense(16 * n, kernel_initializer=initializer) for n in (1, 2, 3)]
    model = jk.Sequential([jk.Input((16,)), *layers])
    model.compile("adam", "mse")
    return model


def state(model):
    where = Placement(jk.distribution.distribution())
    compiled.clear()
    values = StateSpec(model, model._all_metrics(), where).values()
    programs = sum("backend_compile" in event for event in compiled)
    return values, programs


def fixed(shape, dtype):
    """What cannot be traced: numbers of NumPy that depend on values."""
    return np.full(shape, float(jax.numpy.ones(())), dtype)


class Counted(jk.initializers.Initializer):
    """Values that depend on how often it was called."""

    seed = jk.random.SeedGenerator(3)

    def __call__(self, shape, dtype=None):
        return jk.random.normal(shape, dtype=dtype, seed=self.seed)


for way in ("fsdp", {"data": 2, "model": jax.device_count() // 2}):
    for name, initializer in (("own", "glorot_uniform"), ("NumPy", fixed), ("counted", Counted())):
        jk.distribution.set_distribution(None)
        Counted.seed = jk.random.SeedGenerator(3)
        expected = made(initializer).get_weights()
        jk.distribution.set_distribution(way)
        Counted.seed = jk.random.SeedGenerator(3)
        model = made(initializer)
        values, programs = state(model)
        print(way, name, programs, flush=True)
        if name == "own":
            split = [v for v in jax.tree.leaves(values) if not v.sharding.is_fully_replicated]
            assert programs == 1 and len(split) > 6 and max(v.size for v in split) < 2**20
        for a, b in zip(expected, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
print("ok", jax.device_count())
