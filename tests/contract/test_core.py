"""Contracts of the core: weights are variables at rest and trees of arrays inside a trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.core.tracking import walk
from tests.leaks import checking_leaks


class Scale(jk.layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, x):
        return x * self.factor


def model():
    return jk.Sequential(
        [jk.Input((4,)), jk.layers.Dense(8, activation="tanh"), jk.layers.BatchNormalization(),
         jk.layers.Dropout(0.5, seed=3), jk.layers.Dense(2)]
    )  # fmt: skip


def test_creating_a_weight_in_call_raises():
    class Wrong(jk.layers.Layer):
        def call(self, x):
            return x * self.add_weight(shape=(), name="w")

    with pytest.raises(ValueError, match=r"(?s)creates a weight inside `call`.*def build"):
        Wrong()(jnp.ones((2, 3)))


def test_creating_a_sublayer_in_call_raises():
    class Wrong(jk.Model):
        def call(self, x):
            return jk.layers.Dense(2)(x)

    m = Wrong()
    params, state = m.init(0, (None, 3))
    with pytest.raises(ValueError, match="inside `call` or `apply`"):
        m.apply(params, state, jnp.ones((2, 3)))


def test_shared_layer_is_one_subtree():
    shared = jk.layers.Dense(4)
    a, b = jk.Input((4,)), jk.Input((4,))
    m = jk.Model([a, b], shared(shared(a)) + shared(b))
    assert [p for p, _ in jax.tree_util.tree_leaves_with_path(m.params)] and len(jax.tree.leaves(m.params)) == 2
    grads = jax.grad(lambda p: m.apply(p, m.state, [jnp.ones((1, 4))] * 2)[0].sum())(m.params)
    assert grads["layers"]["dense"]["bias"].shape == (4,)


def test_numpy_functions_accept_weights():
    layer = Scale()
    layer.build((None, 3))
    w = layer.factor
    np.testing.assert_array_equal(jnp.matmul(jnp.ones((2, 3)), w), [3.0, 3.0])
    np.testing.assert_array_equal(jax.jit(lambda x: jax.nn.relu(w) * x + jnp.sum(w))(2.0), [5.0, 5.0, 5.0])
    np.testing.assert_array_equal(2 * w - 1 / w + (-w) @ jnp.ones(3), np.full(3, -2.0))


def test_params_are_nested_dicts_keyed_by_weight_paths(tmp_path):
    import h5py

    m = model()
    m.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        for path, _ in jax.tree_util.tree_leaves_with_path(m.params):
            layer = "/".join(k.key for k in path[:-1])
            assert f"{layer}/vars" in file


def test_set_params_validates_paths_and_shapes():
    m = model()
    params = jax.tree.map(jnp.ones_like, m.params)
    m.params = params
    assert float(m.layers[0].kernel[0, 0]) == 1.0
    with pytest.raises(ValueError, match="lacks 'params/layers/dense/kernel'"):
        m.params = {"layers": {**params["layers"], "dense": {"bias": jnp.ones(8)}}}
    params["layers"]["dense"]["bias"] = jnp.ones(9)
    with pytest.raises(ValueError, match=r"'layers/dense/bias'\] must have shape \(8,\)"):
        m.apply(params, m.state, jnp.ones((1, 4)))


def test_apply_changes_no_variable_and_leaks_no_tracer():
    m = model()
    params, state = m.init(1)
    before = [np.asarray(v.cell()) for v in m.variables]
    x = jnp.ones((3, 4))

    def loss(p, s, x):
        y, s = m.apply(p, s, x, training=True)
        return jnp.sum(y**2), s

    with checking_leaks():
        jax.jit(jax.grad(loss, has_aux=True))(params, state, x)
        jax.vmap(lambda x: m.apply(params, state, x[None])[0])(x)
        jax.lax.scan(lambda s, x: (loss(params, s, x[None])[1], None), state, x)
    for a, v in zip(before, m.variables):
        np.testing.assert_array_equal(a, np.asarray(v.cell()))


def test_transformations_of_a_model_with_dropout_and_batch_normalization():
    m = model()
    params, state = m.init(1)
    x = jax.random.normal(jax.random.key(0), (5, 4))

    def loss(p, x):
        return jnp.sum(m.apply(p, state, x, training=True)[0] ** 2)

    grads = jax.grad(loss)(params, x)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads)) and jax.tree.structure(
        grads
    ) == jax.tree.structure(params)
    per_example = jax.vmap(jax.grad(loss), (None, 0))(params, x[:, None])
    assert per_example["layers"]["dense"]["kernel"].shape == (5, 4, 8)
    forward = jax.jacfwd(lambda p: m.apply(p, state, x)[0])(params)
    backward = jax.jacrev(lambda p: m.apply(p, state, x)[0])(params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), forward, backward)
    bias = params["layers"]["dense_1"]["bias"]

    def of_bias(b):
        layers = {**params["layers"], "dense_1": {**params["layers"]["dense_1"], "bias": b}}
        return loss({"layers": layers}, x)

    np.testing.assert_allclose(jax.hessian(of_bias)(bias), 10 * np.eye(2), atol=1e-4)


def test_vmap_over_models():
    m = model()
    params, state = jax.vmap(m.init)(jax.random.split(jax.random.key(0), 3))
    y, _ = jax.vmap(lambda p, s: m.apply(p, s, jnp.ones((2, 4)), training=True))(params, state)
    assert y.shape == (3, 2, 2)
    assert len({float(v) for v in params["layers"]["dense"]["kernel"][:, 0, 0]}) == 3
    assert (
        len({tuple(np.asarray(s)) for s in state["layers"]["dropout"]["seed_generator"]["seed_generator_state"]}) == 3
    )


def test_randomness_is_explicit():
    m = jk.Sequential([jk.Input((64,)), jk.layers.Dropout(0.5), jk.layers.Dropout(0.5)])
    params, state = m.init(0)
    x = jnp.ones((1, 64))
    a, after = m.apply(params, state, x, training=True)
    b, _ = m.apply(params, state, x, training=True)
    c, _ = m.apply(params, after, x, training=True)
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    d, kept = m.apply(params, state, x, training=True, rng=jax.random.key(7))
    e, _ = m.apply(params, state, x, training=True, rng=jax.random.key(7))
    np.testing.assert_array_equal(d, e)
    assert not np.array_equal(a, d)
    jax.tree.map(np.testing.assert_array_equal, kept, state)


def test_identical_models_draw_identical_values():
    def make():
        noise = [jk.layers.Dropout(0.5), jk.Sequential([jk.layers.GaussianNoise(1.0)])]
        return jk.Sequential([jk.Input((4, 6)), *noise, jk.layers.GRU(3, recurrent_dropout=0.5)])

    one, other = make(), make()
    assert one.layers[0].name != other.layers[0].name
    x = jnp.ones((2, 4, 6))
    a, b = ([m.apply(*m.init(5), x, training=True, rng=rng)[0] for rng in (0, 1)] for m in (one, other))
    np.testing.assert_array_equal(a, b)
    assert (a[0] != a[1]).any()


def test_layers_and_repeated_calls_draw_different_values():
    class Twice(jk.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = jk.layers.Dropout(0.5), jk.layers.Dropout(0.5)

        def call(self, x, training=False):
            return self.first(x), self.first(x), self.second(x)

    model, x = Twice(), jnp.ones((1, 64))
    params, state = model.init(0, (1, 64))
    masks, _ = model.apply(params, state, x, training=True, rng=3)
    assert len({np.asarray(mask).tobytes() for mask in masks}) == 3


def test_write_under_a_foreign_trace_error_shows_apply():
    layer = jk.layers.BatchNormalization()
    layer.build((None, 3))
    with pytest.raises(RuntimeError, match=r"layer.apply\(params, state, x, training=True\)"):
        jax.jit(lambda x: layer(x, training=True))(jnp.ones((4, 3)))


def test_stateless_call_equals_call():
    m = model()
    x = jnp.ones((3, 4))
    y, fixed = m.stateless_call(
        [v.value for v in m.trainable_variables], [v.value for v in m.non_trainable_variables], x
    )
    np.testing.assert_allclose(y, m(x), rtol=1e-6)
    assert len(fixed) == len(m.non_trainable_variables)


def test_set_random_seed_makes_weights_reproducible():
    jk.utils.set_random_seed(1)
    a = model().get_weights()
    jk.utils.set_random_seed(1)
    for x, y in zip(a, model().get_weights()):
        np.testing.assert_array_equal(x, y)


def test_masks_propagate_through_tracing():
    m = jk.Sequential([jk.Input((None,), dtype="int32"), jk.layers.Embedding(10, 4, mask_zero=True), jk.layers.LSTM(3)])
    x = jnp.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]])
    short = m(x[:1, :3])
    np.testing.assert_allclose(jax.jit(lambda x: m.apply(m.params, m.state, x)[0])(x)[:1], short, rtol=1e-5)


def test_walk_finds_sublayers_of_temporary_lists():
    """`Sequential.layers` is a new list each time, so a reused `id` must not hide the next list."""
    outer = jk.Sequential([jk.Sequential([jk.Input((2,)), jk.layers.Dense(2)]) for _ in range(20)])
    assert len([path for path, _ in walk(outer)]) == 41


def test_variable_from_an_initializer_name():
    v = jk.Variable("ones", shape=(2, 3), name="v")
    np.testing.assert_array_equal(v, np.ones((2, 3)))
    with pytest.raises(ValueError, match="Did you mean 'zeros'"):
        jk.Variable("zeroes", shape=(2,))
