"""Every layer on rows that do not divide over the devices: outputs, state and gradients are those of one device.

The compiler pads the parts, and masks the padding wherever rows meet. Padding that is not masked would change a number
by a share of the order of one; rounding changes the least of them (a gradient that cancels) by one in ten thousand.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from tests.contract.computed import DEVICE, arrays, is_float, keywords, randomize, weighed
from tests.distribution.models import difference

ROWS = 6
MESH = Mesh(np.array(jax.devices()), ("rows",), axis_types=(AxisType.Auto,))
assert ROWS % MESH.size


def sharding(*axes):
    return NamedSharding(MESH, PartitionSpec(*axes))


def split(value):
    """Rows split over the devices, with padding by the compiler."""
    return jax.lax.with_sharding_constraint(value, sharding("rows"))


def scattered(value):
    """A gradient of which every device keeps a part, as fully sharded training does."""
    axes = [None] * value.ndim
    fitting = [i for i, n in enumerate(value.shape) if n and n % MESH.size == 0]
    if fitting:
        axes[fitting[0]] = "rows"
    return jax.lax.with_sharding_constraint(value, sharding(*axes))


def program(row, layer, place, keep):
    kwargs = {k: v for k, v in keywords(row).items() if k != "mask"}

    def everything(params, state, x):
        x = jax.tree.map(place, x)
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
    if len(sys.argv) < 2 or str(row) in sys.argv[1:]:
        found = check(row)
        print(row, found, flush=True)
        assert found < 1e-3, (row, found)
print("ok", jax.device_count())
