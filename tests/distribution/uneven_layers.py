"""Every layer on rows that do not divide over the devices: outputs, state and gradients are those of one device.

The compiler pads the parts, and masks the padding wherever rows meet. Padding that is not masked would change a number
by a share of the order of one; rounding changes the least of them (a gradient that cancels) by one in ten thousand.

`1` takes a mesh of one axis, over which weights and gradients are split, too, as in fully sharded training; `2` one of
two axes, with weights split over the second, and rows over both.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from tests.contract.computed import DEVICE, arrays, is_float, keywords, randomize, weighed
from tests.distribution.models import difference

AXES, ROWS = int(sys.argv[1]), 5
DEVICES = np.array(jax.devices()).reshape([-1, 2][:AXES])
MESH = Mesh(DEVICES, ("rows", "model")[:AXES], axis_types=(AxisType.Auto,) * AXES)
WEIGHTS = MESH.axis_names[-1]
assert ROWS % MESH.size


def sharding(*axes):
    return NamedSharding(MESH, PartitionSpec(*axes))


def split(value):
    """Rows split over the devices, with padding by the compiler."""
    return jax.lax.with_sharding_constraint(value, sharding(MESH.axis_names))


def scattered(value):
    """A weight, or its gradient, of which every device keeps a part."""
    axes = [None] * value.ndim
    fitting = [i for i, n in enumerate(value.shape) if n and n % MESH.shape[WEIGHTS] == 0]
    if fitting:
        axes[fitting[0 if AXES == 1 else -1]] = WEIGHTS
    return jax.lax.with_sharding_constraint(value, sharding(*axes))


def program(row, layer, place, keep):
    kwargs = {k: v for k, v in keywords(row).items() if k != "mask"}

    def everything(params, state, x):
        x = jax.tree.map(place, x)
        params = jax.tree.map(keep, params) if AXES == 2 else params
        leaves, treedef = jax.tree.flatten(x)

        def loss(params, floats):
            rest = iter(floats)
            x = treedef.unflatten([next(rest) if is_float(leaf) else leaf for leaf in leaves])
            y, new = layer.apply(params, state, *x, training=True, rng=jax.random.key(1), **kwargs)
            return weighed(y), (y, new)

        if not row.grad:
            return loss(params, [leaf for leaf in leaves if is_float(leaf)])[1]
        grads, rest = jax.grad(loss, (0, 1), has_aux=True)(params, [leaf for leaf in leaves if is_float(leaf)])
        return rest, jax.tree.map(keep, grads[0]), grads[1]

    return everything


def check(row):
    layer, x = row.make(), arrays(row)
    layer.init(jax.random.key(0), *x)
    randomize(layer)
    x = jax.tree.map(lambda a: np.resize(np.asarray(a), (ROWS, *a.shape[1:])), x)
    params, state = jax.tree.map(np.asarray, (layer.params, layer.state))
    plain = jax.jit(program(row, layer, lambda a: a, lambda a: a))
    padded = jax.jit(program(row, layer, split, scattered), out_shardings=sharding())
    expected, found = (jax.tree.leaves(run(params, state, x)) for run in (plain, padded))
    return difference(numbers(expected), numbers(found))


def numbers(leaves):
    """Arrays of numbers, of leaves among which are keys and gradients of integers."""
    return [np.asarray(a, "float64") for a in leaves if jnp.issubdtype(a.dtype, jnp.number) or a.dtype == bool]


for row in DEVICE:
    if len(sys.argv) < 3 or str(row) in sys.argv[2:]:
        found = check(row)
        print(row, found, flush=True)
        assert found < 1e-3, (row, found)
print("ok", jax.device_count())
