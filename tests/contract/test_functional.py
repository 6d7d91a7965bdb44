"""The functional core: variables bound by object, writes confined to their trace, interceptors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.functional import functional_call, intercept_calls
from jaxkeras.core.variable import Variable

L = jk.layers


def test_functional_call_returns_new_values_and_keeps_variables():
    v, w = Variable(jnp.ones(2), name="v"), Variable(jnp.zeros(()), name="w")
    result = functional_call({"a": {"v": v}, "b": w}, {"a": {"v": jnp.full(2, 3.0)}, "b": 1.0}, lambda: w.assign(v[0]))
    assert result.output == 3.0 and result.values["b"] == 3.0
    np.testing.assert_array_equal(result.values["a"]["v"], [3.0, 3.0])
    assert float(w) == 0.0 and float(v[0]) == 1.0


def test_unbound_variables_belong_to_the_enclosing_call():
    v, w = Variable(0.0), Variable(0.0)

    def inner():
        functional_call([v], [jnp.float32(5.0)], lambda: (v.assign_add(1.0), w.assign(v.value)))
        return v.value

    result = functional_call([v, w], [1.0, 2.0], inner)
    assert result.output == 1.0 and result.values == [1.0, 6.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"params": {}, "state": {}}, "lacks 'params/w'"),
        ({"params": {"w": jnp.ones(2), "x": 1}, "state": {}}, "has unknown 'params/x'"),
        ({"params": {"w": jnp.ones(3)}, "state": {}}, r"params\['w'\] must have shape \(2,\); got \(3,\)"),
    ],
)
def test_structure_and_shape_mismatches_raise(values, message):
    v = Variable(jnp.ones(2), name="w")
    with pytest.raises(ValueError, match=message):
        functional_call({"params": {"w": v}, "state": {}}, values, lambda: None)


def test_temporary_variables_do_not_inherit_state():
    class Temporary(L.Layer):
        def call(self, x):
            return jnp.stack([jk.random.SeedGenerator(i).next()[1] for i in range(40)])

    counts, _ = Temporary().apply({}, {}, jnp.ones(2))
    np.testing.assert_array_equal(counts, np.zeros(40))


class Scanned(L.Layer):
    def __init__(self, transform):
        super().__init__()
        self.dropout, self.transform = L.Dropout(0.5), transform

    def call(self, x, training=True):
        return self.transform(lambda t: self.dropout(t, training=training), x)


def scan(f, x):
    return jax.lax.scan(lambda carry, t: (carry, f(t)), 0.0, x)[1]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("transform", [scan, jax.lax.map, lambda f, x: jax.jit(f)(x)])
def test_write_inside_a_transformation_raises(transform, jit):
    layer = Scanned(transform)
    layer.build((3, 4))
    params, state = {}, layer.state
    apply = jax.jit(layer.apply) if jit else layer.apply
    with pytest.raises(RuntimeError, match=r"(?s)seed_generator_state.*inside a JAX transformation.*def step\("):
        apply(params, state, jnp.ones((3, 4)))
    y, _ = layer.apply(params, state, jnp.ones((3, 4)), training=False)  # no write
    np.testing.assert_array_equal(y, np.ones((3, 4)))


def test_write_of_an_untransformed_value_is_kept():
    class Penalty(L.Layer):
        def __init__(self):
            super().__init__()
            self.dropout = L.Dropout(0.5, seed=1)

        def call(self, x):
            return jax.grad(lambda x: jnp.sum(self.dropout(x, training=True)))(x)

    layer = Penalty()
    layer.build((3,))
    _, state = jax.jit(layer.apply)({}, layer.state, jnp.ones(3))
    assert jax.tree.leaves(state)[0].tolist() == [1, 1]  # one draw


def test_add_loss_inside_a_transformation_raises():
    class Lossy(L.Layer):
        def call(self, x):
            return jax.lax.map(lambda t: (self.add_loss(jnp.sum(t)), t)[1], x)

    with pytest.raises(RuntimeError, match="`add_loss` was called inside a JAX transformation"):
        Lossy().apply({}, {}, jnp.ones((2, 3)))


def test_variable_under_vmap_has_the_shape_of_its_slice():
    v = Variable(jnp.arange(6.0).reshape(3, 2))
    shapes = []

    def f(v):
        shapes.append((v.shape, v.value.shape, len(v)))
        return v * 2

    np.testing.assert_array_equal(jax.vmap(f)(v), 2 * np.arange(6.0).reshape(3, 2))
    assert shapes == [((2,), (2,), 2)]
    copies = jax.vmap(lambda v: v)(v)
    assert copies.shape == (3, 2)


def test_apply_on_an_unbuilt_layer_accepts_keyword_inputs():
    params, state = L.Dense(2).init(0, (None, 3))
    y, _ = L.Dense(2).apply(params, state, inputs=jnp.ones((1, 3)))
    assert y.shape == (1, 2)


def test_apply_without_state_raises():
    layer = L.Dense(2)
    params, _ = layer.init(0, (None, 3))
    with pytest.raises(TypeError, match=r"`state` of layer 'dense\w*' must be the dict that `init` returned"):
        layer.apply(params, jnp.ones((1, 3)))


def test_interceptors_run_from_outermost_to_innermost():
    model = jk.Sequential([jk.Input((3,)), L.Dense(2, name="a"), L.Dense(1, name="b")], name="m")
    seen = []

    def outer(next_call, layer, args, kwargs):
        seen.append(("outer", layer.name))
        return next_call(*args, **kwargs)

    def double(next_call, layer, args, kwargs):
        y = next_call(*args, **kwargs)
        return 2 * y if layer.name == "a" else y

    x = jnp.ones((1, 3))
    plain = model(x)
    with intercept_calls(outer), intercept_calls(double):
        doubled = model(x)
    assert seen == [("outer", "m"), ("outer", "a"), ("outer", "b")]
    bias = model.layers[1].bias
    np.testing.assert_allclose(doubled - bias, 2 * (plain - bias), rtol=1e-6)
    np.testing.assert_array_equal(model(x), plain)


def test_compiled_steps_are_not_shared_across_interceptors():
    model = jk.Sequential([jk.Input((3,)), L.Dense(1, kernel_initializer="ones")])
    x = np.ones((4, 3), "float32")
    before = model.predict(x, verbose=0)
    with intercept_calls(lambda next_call, layer, args, kwargs: next_call(*args, **kwargs) + 1):
        np.testing.assert_allclose(model.predict(x, verbose=0), before + 2)  # once for the model, once for its layer
    np.testing.assert_allclose(model.predict(x, verbose=0), before)
