"""Scopes and transformations with Keras's names."""

import threading

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.backend.common.symbolic_scope import in_symbolic_scope as keras_in_symbolic_scope

import jaxkeras as jk
from jaxkeras.core.remat import current_mode
from jaxkeras.core.scopes import in_symbolic_scope


def test_stateless_scope_reads_and_writes_its_own_values():
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


def test_invalid_state_mapping_raises():
    v = jk.Variable(jnp.ones(2), name="v")
    with pytest.raises(ValueError, match="'v' must have shape"):
        jk.StatelessScope([(v, jnp.ones(3))])
    with pytest.raises(ValueError, match="as a variable"):
        jk.StatelessScope([(jnp.ones(2), jnp.ones(2))])


def test_symbolic_scope_is_active_where_it_is_in_keras():
    def program(library, in_symbolic_scope):
        seen = []

        class Layer(library.Layer):
            def call(self, x):
                seen.append(in_symbolic_scope())
                return x + 1

        layer, x = Layer(), np.ones((1, 2), "float32")
        layer(x)
        layer(library.KerasTensor((None, 2)))
        with library.SymbolicScope() as outer:
            layer(x)
            with library.SymbolicScope():
                layer(x)
            seen.append(type(outer) is library.SymbolicScope)
            layer(x)
        with library.SymbolicScope() as again, library.StatelessScope():
            layer(x)
        with pytest.raises(KeyError), again:
            raise KeyError
        layer(x)
        return [seen[0], seen[-1], all(seen[1:-1]), len(set(seen))]

    assert program(jk, in_symbolic_scope) == program(keras, keras_in_symbolic_scope) == [False, False, True, 2]


def test_penalties_in_a_symbolic_scope_use_current_values():
    penalties = []
    for library in (jk, keras):
        layer = library.layers.Dense(1, kernel_initializer="ones", kernel_regularizer="l2")
        layer.build((None, 2))
        for mapping in ([], [(layer.kernel, np.full((2, 1), 3.0, "float32"))]):
            with library.StatelessScope(mapping), library.SymbolicScope():
                penalties.append(float(layer.losses[0]))
    np.testing.assert_allclose(penalties, [0.02, 0.18, 0.02, 0.18], rtol=1e-6)


def test_remat_recomputes_in_the_backward_pass():
    def f(x):
        return jnp.sum(jnp.sin(jnp.cos(x)))

    x = jnp.arange(3.0)
    np.testing.assert_allclose(jax.grad(jk.remat(f))(x), jax.grad(f)(x))
    # The backward pass repeats the forward operations.
    count = [str(jax.make_jaxpr(jax.grad(g))(x)).count(" cos ") for g in (f, jk.remat(f))]
    assert count[1] > count[0]


def test_devices_by_name():
    with jk.device("cpu:0"):
        assert jnp.ones(1).devices() == {jax.devices("cpu")[0]}
    with pytest.raises(ValueError, match="no device 'gpu:7'; available: cpu:0"):
        jk.device("gpu:7")


def test_scopes_are_thread_local():
    seen = []

    def look():
        seen.append((jk.saving.get_registered_object("own"), current_mode() is not None))

    with jk.RematScope("full"), jk.saving.CustomObjectScope({"own": jnp.sin}):
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [(jnp.sin, True), (None, False)]
