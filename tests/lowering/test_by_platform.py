"""Programs use the forms of the platform they are lowered for, in any process and under every transformation."""

import re
from unittest.mock import patch

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import lowering
from jaxkeras.lowering import by_platform as primitive
from jaxkeras.lowering import operations
from tests.cases import by_default


def module(f, platforms, *args):
    """The StableHLO text of `f` lowered for `platforms`."""
    return jax.export.export(jax.jit(f), platforms=platforms)(*args).mlir_module()


def operators(text):
    """The names of the operators in a StableHLO text, in order."""
    return re.findall(r"\bstablehlo\.(\w+)", text)


def zeros(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def conv(x, kernel):
    return lowering.conv(x, kernel, padding="same")


def attention(query, key, value):
    return lowering.dot_product_attention(query, key, value)


def lstm(x_gates, state, kernel):
    return lowering.lstm_sequence(x_gates, state, state, kernel)[0]


def gradient(f, *argnums):
    return jax.grad(lambda *args: jnp.sum(jnp.sin(f(*args))), argnums)


def references():
    """A scope in which operations call their references, as during shape inference."""
    return patch("jaxkeras.lowering.dispatch.wants_reference", lambda: True)


def reference_only(f):
    """A copy of `f` that calls the reference of every operation."""

    def run(*args):
        with references():
            return f(*args)

    return run


CASES = {
    "conv": (conv, (zeros(32, 8, 8, 32), zeros(3, 3, 32, 32))),
    "depthwise": (lambda x, k: lowering.depthwise_conv(x, k), (zeros(2, 8, 8, 4), zeros(3, 3, 4, 1))),
    "max pool": (lambda x: lowering.max_pool(x, 3, 2), (zeros(2, 8, 8, 4),)),
    "average pool": (lambda x: lowering.average_pool(x, 3, 2), (zeros(2, 8, 8, 4),)),
    "attention": (attention, (zeros(2, 8, 2, 4),) * 3),
    "lstm": (lstm, (zeros(3, 2, 16), zeros(2, 4), zeros(4, 16))),
    "gru": (lambda x, s, k: lowering.gru_sequence(x, s, k)[0], (zeros(3, 2, 12), zeros(2, 4), zeros(4, 12))),
}


@pytest.mark.parametrize("name", CASES)
def test_tpu_program_uses_the_references(name):
    f, args = CASES[name]
    found, expected = (operators(module(g, ["tpu"], *args)) for g in (f, reference_only(f)))
    assert found == expected and found


@pytest.mark.parametrize("name", [name for name in CASES if name != "depthwise"])  # the same sum in another form
def test_cpu_program_uses_its_own_forms(name):
    f, args = CASES[name]
    f = gradient(f, 0)  # max pooling and the LSTM differ mainly in the gradient
    assert operators(module(f, ["cpu"], *args)) != operators(module(reference_only(f), ["cpu"], *args))


def test_convolutions_become_matrix_products_on_the_cpu_only():
    """On CPU, forward pass and gradients are sums of matrix products; elsewhere they are three convolutions."""
    f, args = gradient(conv, 0, 1), CASES["conv"][1]
    cpu, tpu = (operators(module(f, [platform], *args)) for platform in ("cpu", "tpu"))
    assert tpu.count("convolution") == 3 and "dot_general" not in tpu
    assert "dot_general" in cpu


def test_forms_know_whether_they_are_differentiated():
    few = zeros(8, 32, 32, 3), zeros(3, 3, 3, 4)
    assert "dot_general" in operators(module(conv, ["cpu"], *few))
    assert "dot_general" not in operators(module(lambda x, k: jax.vjp(conv, x, k)[0], ["cpu"], *few))


def test_lstm_gates_are_one_tanh_on_the_cpu_only():
    f, args = gradient(lstm, 2), CASES["lstm"][1]
    cpu, tpu = (operators(module(f, [platform], *args)) for platform in ("cpu", "tpu"))
    assert "exponential" in tpu and "exponential" not in cpu  # on CPU, one tanh computes all gates


def test_export_for_two_platforms():
    f, args = CASES["conv"]
    both = operators(module(f, ["cpu", "tpu"], *args))
    assert "convolution" in both and "dot_general" in both
    x, kernel = (np.random.default_rng(0).normal(size=a.shape).astype("float32") for a in args)
    exported = jax.export.export(jax.jit(f), platforms=["cpu", "tpu"])(*args)
    np.testing.assert_allclose(exported.call(x, kernel), f(x, kernel), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_forms_are_chosen_at_compile_time(name):
    f, args = CASES[name]
    step = gradient(f, *range(len(args)))
    text = jax.jit(step).lower(*args).compile().as_text()
    assert " conditional(" not in text
    assert not {"case", "if"} & set(operators(module(step, ["cpu"], *args)))


SLOW = ("depthwise", "gru", "lstm")


@pytest.mark.parametrize("name", by_default(CASES, lambda name: name not in SLOW))
def test_gradients_under_transformations(name):
    """Gradients equal the reference's inside remat, scan and vmap over any argument, and without jit."""
    f, args = (conv, (zeros(2, 6, 6, 3), zeros(3, 3, 3, 8))) if name == "conv" else CASES[name]
    draw = np.random.default_rng(0)
    values = [jnp.asarray(draw.permutation(a.size).reshape(a.shape) / a.size - 0.5, a.dtype) for a in args]
    every = tuple(range(len(values)))

    def programs(f):
        slopes = gradient(f, *every)
        yield gradient(jax.checkpoint(f), *every)(*values)
        yield slopes(*values)

        def turn(carry, _):
            return jax.tree.map(lambda c, s: c - 0.01 * s, carry, slopes(*carry)), None

        yield jax.jit(lambda *v: jax.lax.scan(turn, v, None, length=2)[0])(*values)
        for axes in {(0,) * len(every), (0, *(None,) * (len(every) - 1)), (*(None,) * (len(every) - 1), 0)}:
            stacked = [v if axis is None else jnp.stack([v, 2 * v]) for v, axis in zip(values, axes)]
            yield jax.jit(lambda *v, axes=axes: gradient(jax.vmap(f, axes), *every)(*v))(*stacked)
            yield jax.jit(lambda *v, axes=axes: jax.vmap(slopes, axes)(*v))(*stacked)
        yield jax.jit(lambda *v: jax.jvp(f, v, v))(*values)

    for ours, theirs in zip(programs(f), programs(reference_only(f))):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), ours, theirs)


def test_checkpoint_policy_applies_to_the_reference():
    f, args = CASES["attention"]

    def saved(policy):
        kept = jax.checkpoint(lambda *a: jnp.sin(f(*a)), policy=policy)
        return len(jax.tree.leaves(jax.eval_shape(lambda *a: jax.vjp(kept, *a)[1], *args)))

    assert saved(jax.checkpoint_policies.dots_saveable) > saved(jax.checkpoint_policies.nothing_saveable)


def test_residuals_that_are_arguments_are_not_copied():
    """Otherwise a loop would stack a copy of the kernel for every step."""
    f, (gates, state, kernel) = CASES["lstm"]
    jaxpr = jax.make_jaxpr(gradient(f, 0))(gates, state, kernel)
    (forward,) = [eqn for eqn in jaxpr.eqns if eqn.primitive is primitive.by_platform_p]
    assert kernel.shape not in [var.aval.shape for var in forward.outvars]


def test_explicitly_sharded_arrays_use_the_reference():
    mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,))
    f, args = CASES["attention"]
    with jax.set_mesh(mesh):
        jaxpr = jax.make_jaxpr(f)(*args)
    assert primitive.by_platform_p not in [eqn.primitive for eqn in jaxpr.eqns]
    assert primitive.by_platform_p in [eqn.primitive for eqn in jax.make_jaxpr(f)(*args).eqns]


@pytest.mark.parametrize(
    "f", [conv, lambda x, k: lowering.max_pool(x @ k[0, 0], 2), lambda x, k: lowering.dense(x, k[0, 0])]
)
def test_gradients_inside_shard_map_are_summed_over_devices(f):
    """The gradient of a replicated weight is summed over sharded data, as for JAX's own operations."""
    mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    rows, same = jax.sharding.PartitionSpec("x"), jax.sharding.PartitionSpec()
    x, kernel = (np.random.default_rng(0).normal(size=s).astype("float32") for s in ((2, 4, 4, 3), (3, 3, 3, 3)))
    mapped = jax.shard_map(gradient(f, 1), mesh=mesh, in_specs=(rows, same), out_specs=same)
    np.testing.assert_allclose(jax.jit(mapped)(x, kernel)[0], gradient(f, 1)(x, kernel)[0], rtol=1e-5, atol=1e-4)


def test_shape_inference_uses_the_references_only():
    x, calls = jk.Input((8, 8, 3)), []
    with patch("jaxkeras.lowering.dispatch.by_platform", lambda *args, **_: calls.append(args)):
        assert jk.layers.MaxPooling2D(2)(jk.layers.Conv2D(4, 3)(x)).shape == (None, 3, 3, 4)
    assert not calls


def test_first_matching_form_is_chosen_and_operations_have_names():
    assert operations.conv.__name__ == "conv" and repr(operations.conv) == "Operation(conv)"
    spec = lowering.geometry.ConvSpec((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, False)
    x, kernel = zeros(2, 4, 4, 1), zeros(1, 1, 1, 32)  # pointwise with few channels
    assert lowering.table.conv.forward.choose("cpu", x, kernel, spec) is lowering.table.im2col.pointwise_forward
    assert lowering.table.conv.forward.choose("tpu", x, kernel, spec) is lowering.reference.conv


def images(batch):
    return batch, 8, 8, 3


def sequences(batch):
    return batch, 6, 8


LAYERS = {
    "Dense": (lambda: jk.layers.Dense(4), sequences),
    "EinsumDense": (lambda: jk.layers.EinsumDense("abc,cd->abd", (None, 4)), sequences),
    "Conv2D": (lambda: jk.layers.Conv2D(4, 3, padding="same"), images),
    "Conv2D, wide": (lambda: jk.layers.Conv2D(32, 3, padding="same"), lambda batch: (batch, 16, 16, 32)),
    "Conv2DTranspose": (lambda: jk.layers.Conv2DTranspose(4, 3, strides=2), images),
    "SeparableConv2D": (lambda: jk.layers.SeparableConv2D(4, 3), images),
    "Conv1D": (lambda: jk.layers.Conv1D(4, 3, padding="causal"), sequences),
    "MaxPooling2D": (lambda: jk.layers.MaxPooling2D(2), images),
    "MaxPooling2D, overlapping": (lambda: jk.layers.MaxPooling2D(3, 2, padding="same"), images),
    "AveragePooling2D": (lambda: jk.layers.AveragePooling2D(3, 2), images),
    "LSTM": (lambda: jk.layers.LSTM(4), sequences),
    "GRU": (lambda: jk.layers.GRU(4, return_sequences=True), sequences),
    "SimpleRNN": (lambda: jk.layers.SimpleRNN(4), sequences),
    "BatchNormalization": (lambda: jk.layers.BatchNormalization(), images),
    "LayerNormalization": (lambda: jk.layers.LayerNormalization(), sequences),
}


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_exports_with_a_symbolic_batch(name, platform):
    make, shape = LAYERS[name]
    layer = make()
    params, state = layer.init(0, shape(2))
    (batch,) = jax.export.symbolic_shape("batch")
    exported = jax.export.export(jax.jit(lambda x: layer.apply(params, state, x)[0]), platforms=[platform])(
        jax.ShapeDtypeStruct(shape(batch), "float32")
    )
    assert exported.out_avals[0].shape[0] == batch
    if platform == jax.default_backend():
        x = np.random.default_rng(0).normal(size=shape(3)).astype("float32")
        np.testing.assert_allclose(exported.call(x), layer.apply(params, state, x)[0], rtol=1e-4, atol=1e-5)


def test_attention_exports_with_a_symbolic_batch():
    layer = jk.layers.MultiHeadAttention(2, 4)
    model = jk.Sequential([jk.Input((6, 8)), jk.layers.Dense(8)])
    params, state = layer.init(0, (2, 6, 8), (2, 6, 8))
    head = model.init(0, (2, 6, 8))
    x = jax.ShapeDtypeStruct((*jax.export.symbolic_shape("batch"), 6, 8), "float32")

    def both(x):
        return model.apply(*head, layer.apply(params, state, x, x)[0])[0]

    exported = jax.export.export(jax.jit(both))(x)
    values = np.random.default_rng(0).normal(size=(3, 6, 8)).astype("float32")
    np.testing.assert_allclose(exported.call(values), both(values), rtol=1e-4, atol=1e-5)
