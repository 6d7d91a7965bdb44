"""Scopes and transformations with Keras's names."""

import itertools
import threading

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.backend.common.symbolic_scope import in_symbolic_scope as keras_in_symbolic_scope

import jaxkeras as jk
from jaxkeras import backend
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


def test_variables_of_a_stateless_scope_get_their_values_after_it():
    assert backend.get_stateless_scope() is None and not backend.in_stateless_scope()
    with jk.StatelessScope() as scope:
        assert backend.get_stateless_scope() is scope and backend.in_stateless_scope()
        v = jk.Variable("ones", shape=(2,))
        assert v._value is None and (v + 1).shape == (2,)
        v.assign_add([1.0, 2.0])
        for wrong in (lambda: jk.Variable(0.0), v._deferred_initialize):
            with pytest.raises(ValueError, match="scope"):
                wrong()
        assert jk.random.SeedGenerator(3).next().tolist() == [3, 0]
        scope.add_update((v, v.value + 1))
        with jk.StatelessScope() as inner:
            v.assign([0.0, 0.0])
            assert not inner.get_current_value(v).any()
    np.testing.assert_array_equal(scope.get_current_value(v), [3, 4])
    np.testing.assert_array_equal(v._value, [1, 1])
    with pytest.raises(ValueError, match="already"):
        v._deferred_initialize()


def test_stateless_scope_of_a_functional_call():
    class Counter(jk.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(name="count", initializer="zeros", trainable=False)

        def call(self, x):
            scope = backend.get_stateless_scope()
            scope.add_update((self.count, scope.get_current_value(self.count) + 1))
            return x

    layer = Counter()
    layer.build((1,))
    _, state = layer.stateless_call([], [jnp.float32(4)], jnp.ones(1))
    assert float(state[0]) == 5 and float(layer.count.value) == 0


def test_autocast_scope():
    v, count = jk.Variable(jnp.ones(2)), jk.Variable(jnp.ones(2, "int32"))
    with backend.AutocastScope("bfloat16") as scope:
        assert (v.value.dtype, v.dtype, count.dtype) == (jnp.bfloat16, "bfloat16", "int32")
        assert scope.maybe_cast(jnp.ones(1)).dtype == jnp.bfloat16
        assert backend.get_autocast_scope().dtype == "bfloat16"
    assert v.dtype == "float32" and backend.get_autocast_scope() is None
    with pytest.raises(ValueError, match="floating-point"):
        backend.AutocastScope("int32")


def test_autocast_of_nested_layers_equals_keras():
    """`autocast=False` turns off the scope of an outer layer, and opens one where there is none."""

    def dtypes_read(keras, outer, inner):
        read = []

        class Inner(keras.layers.Layer):
            def build(self, shape):
                self.w = self.add_weight(shape=())

            def call(self, x):
                read.append(str(np.dtype(self.w.value.dtype)))
                return x

        class Outer(Inner):
            def __init__(self, inner, **kwargs):
                super().__init__(**kwargs)
                self.inner = inner

            def call(self, x):
                return self.inner(super().call(x))

        policies = {"dtype": "mixed_bfloat16"}
        Outer(Inner(autocast=inner, **policies), autocast=outer, **policies)(np.ones(1, "float32"))
        return read

    for flags in itertools.product((True, False), repeat=2):
        assert dtypes_read(jk, *flags) == dtypes_read(keras, *flags), flags


def test_name_scopes_equal_keras():
    caller = object()
    for package in (jk, keras):
        paths = []
        with package.name_scope("a", caller=caller), package.name_scope("a", caller=caller):
            paths.append(package.Variable(1.0, name="v").path)
            with package.name_scope("a"), package.name_scope("a"):
                paths.append(package.Variable(1.0, name="v").path)
            with package.name_scope("b", override_parent="/x/y") as scope:
                paths += [package.Variable(1.0, name="v").path, scope.name]
        assert paths == ["a/v", "a/a/a/v", "x/y/b/v", "b"]
        for name in ("a/b", 4):
            with pytest.raises(ValueError):
                package.name_scope(name)


@pytest.mark.parametrize("dtypes", [("bool", "bool"), ("int32", "uint8"), ("float32", "bfloat16"), ("float32", "int8")])
def test_operators_of_variables_are_logical(dtypes):
    values = [[1, 1, 0, 0], [1, 0, 1, 0]]
    ours, theirs = ([p.Variable(np.array(x), dtype=d) for x, d in zip(values, dtypes)] for p in (jk, keras))
    for operator in ("__and__", "__or__", "__xor__", "__rand__", "__ror__", "__rxor__"):
        got = getattr(ours[0], operator)(ours[1])
        expected = getattr(theirs[0], operator)(theirs[1])
        assert str(got.dtype) == keras.backend.standardize_dtype(expected.dtype)
        np.testing.assert_array_equal(got, expected)
    symbolic = ours[0] & jk.KerasTensor((4,), "bool")
    assert symbolic.dtype == "bool"


def test_attributes_of_variables_are_checked():
    v = jk.Variable(np.ones(2))
    errors = {"regularizer": ValueError, "constraint": ValueError, "overwrite_with_gradient": TypeError}
    for attribute, error in errors.items():
        with pytest.raises(error):
            setattr(v, attribute, "text")
    v.constraint = abs
    assert v.constraint is abs and v.regularizer is None and not v.overwrite_with_gradient
    with pytest.raises(TypeError, match="truth value"):
        bool(v)
    with pytest.raises(ValueError, match="synchronization"):
        jk.Variable(1.0, synchronization="never")
    np.testing.assert_array_equal(v + [1, 2], [2, 3])


def test_specs_masks_and_symbolic_arguments():
    x = jk.KerasTensor((None, 3))
    y = backend.compute_output_spec(lambda a, n: {"y": jnp.concatenate([a] * n)}, x, n=2)
    assert y["y"].shape == (None, 3)
    assert backend.any_symbolic_tensors((1, [x])) and not backend.any_symbolic_tensors((1,), {"a": jnp.ones(1)})
    array, mask = jnp.ones(3), jnp.array([True, False, True])
    backend.set_keras_mask(array, mask)
    assert backend.get_keras_mask(array) is mask and backend.get_keras_mask(mask) is None
