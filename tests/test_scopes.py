"""Scopes and transformations under Keras's names."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.remat import current_mode


def test_a_stateless_scope_reads_and_writes_its_own_values():
    layer = jk.layers.BatchNormalization(momentum=0.5)
    layer.build((None, 2))
    x = jnp.array([[0.0, 4.0], [2.0, 4.0]])
    with jk.StatelessScope([(layer.gamma, jnp.full(2, 3.0))], collect_losses=True) as scope:
        y = layer(x, training=True)
        layer.add_loss(jnp.ones(()))
    np.testing.assert_allclose(y[:, 0], [-3, 3], rtol=2e-3)
    np.testing.assert_allclose(scope.get_current_value(layer.moving_mean), [0.5, 2.0])
    np.testing.assert_array_equal(layer.moving_mean, [0, 0])
    np.testing.assert_array_equal(layer.gamma, [1, 1])
    assert len(scope.losses) == 1 and scope.get_current_value(layer.beta) is None


def test_wrong_pairs_are_named():
    v = jk.Variable(jnp.ones(2), name="v")
    with pytest.raises(ValueError, match="'v' must have shape"):
        jk.StatelessScope([(v, jnp.ones(3))])
    with pytest.raises(ValueError, match="as a variable"):
        jk.StatelessScope([(jnp.ones(2), jnp.ones(2))])


def test_remat_computes_again_for_the_gradient():
    def f(x):
        return jnp.sum(jnp.sin(jnp.cos(x)))

    x = jnp.arange(3.0)
    np.testing.assert_allclose(jax.grad(jk.remat(f))(x), jax.grad(f)(x))
    # The backward pass has the forward operations in it once more.
    count = [str(jax.make_jaxpr(jax.grad(g))(x)).count(" cos ") for g in (f, jk.remat(f))]
    assert count[1] > count[0]


def test_devices_by_name():
    with jk.device("cpu:0"):
        assert jnp.ones(1).devices() == {jax.devices("cpu")[0]}
    with pytest.raises(ValueError, match="no device 'gpu:7'; there are cpu:0"):
        jk.device("gpu:7")


def test_scopes_are_not_seen_by_other_threads():
    seen = []

    def look():
        seen.append((jk.saving.get_registered_object("own"), current_mode() is not None))

    with jk.RematScope("full"), jk.saving.CustomObjectScope({"own": jnp.sin}):
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [(jnp.sin, True), (None, False)]
