"""Tuned forms against references in float64: values, first and second derivatives, vmap and loops."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import lowering
from jaxkeras.lowering import dispatch, matmul, operations, reference, table
from jaxkeras.lowering.cpu import attention as cpu_attention
from jaxkeras.lowering.cpu import conv as cpu_conv
from jaxkeras.lowering.cpu import im2col, microbatch, pool, tap_products, winograd
from jaxkeras.lowering.cpu.fusion import end_fusion
from jaxkeras.lowering.geometry import ConvSpec, PoolSpec, window_pads
from jaxkeras.lowering.hash_rng import Drop
from tests.cases import by_default

QUICK = {"xla_backend_optimization_level": 0}  # each program runs once
RNG = np.random.default_rng(0)
CPU = pytest.mark.skipif(jax.default_backend() != "cpu", reason="the tuned forms under test are those of the CPU")


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def normal(*shape):
    return jnp.asarray(RNG.standard_normal(shape))


def close(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for path, a in jax.tree.leaves_with_path(ours):
        b = functools.reduce(lambda tree, key: tree[getattr(key, "key", getattr(key, "idx", None))], path, theirs)
        assert a.shape == b.shape and a.dtype == b.dtype, path
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8, err_msg=str(path))


def derivatives(f, args, second_order):
    """All derivatives of `f` under test, as one function of float arrays."""
    argnums = tuple(range(len(args)))
    directions = tuple(jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape) for a in args)

    def scalar(g):
        return lambda *a: sum(jnp.sum(jnp.sin(leaf + 0.1)) for leaf in jax.tree.leaves(g(*a)))

    def along(g):
        return lambda *a: jax.jvp(g, a, directions)[1]

    gradient = jax.grad(scalar(f), argnums)

    def descend(carry, _):
        return jax.tree.map(lambda c, s: c - 0.01 * s, carry, gradient(*carry)), None

    stacked = tuple(jnp.stack([a, 0.5 * a + 0.1]) for a in args)
    only_first = (0,) + (None,) * (len(args) - 1)
    results = {
        "value": lambda *a: f(*a),
        "forward": along(f),
        "reverse in a loop": lambda *a: jax.lax.scan(descend, a, None, length=2)[0],
        "mapped": lambda *a: jax.vmap(gradient)(*stacked),
        "vmap over the first": lambda *a: jax.vmap(gradient, only_first)(stacked[0], *a[1:]),
    }
    if second_order:
        results["forward over reverse"] = along(gradient)
        results["reverse over reverse"] = jax.grad(scalar(gradient), argnums)
        results["reverse over forward"] = jax.grad(scalar(along(f)), argnums)
    return jax.jit(lambda *a: {name: g(*a) for name, g in results.items()}, compiler_options=QUICK)(*args)


def check(tuned, reference, *args, second_order=True):
    """Compare values and all derivatives of two functions of float arrays."""
    close(derivatives(tuned, args, second_order), derivatives(reference, args, second_order))


def conv_spec(x, window, strides=1, padding="valid", dilation=1, input_dilation=1, groups=1, channels_first=False):
    rank = len(window)

    def full(v):
        return (v,) * rank if isinstance(v, int) else v

    sizes = x.shape[2:] if channels_first else x.shape[1:-1]
    pads = window_pads(padding, sizes, window, full(strides), full(dilation), True)
    return ConvSpec(full(strides), pads, full(dilation), full(input_dilation), groups, channels_first)


CONVS = {
    "plain": ((2, 6, 5, 5), (3, 3, 5, 4), {}),
    "same": ((2, 6, 5, 5), (3, 2, 5, 4), {"padding": "same"}),
    "strided": ((2, 7, 6, 5), (3, 3, 5, 4), {"padding": "same", "strides": (2, 3)}),
    "stride beyond window": ((2, 7, 6, 5), (2, 2, 5, 4), {"strides": 3}),
    "dilated": ((2, 7, 7, 5), (3, 3, 5, 4), {"dilation": 2}),
    "strided and dilated": ((2, 9, 9, 5), (2, 3, 5, 4), {"dilation": 2, "strides": 2, "padding": "same"}),
    "one channel": ((2, 6, 5, 1), (3, 3, 1, 4), {}),
    "few channels": ((2, 7, 6, 3), (3, 3, 3, 4), {"padding": "same", "strides": 2}),
    "pointwise": ((2, 4, 5, 3), (1, 1, 3, 4), {}),
    "pointwise strided": ((2, 4, 5, 3), (1, 1, 3, 4), {"strides": 2}),
    "transposed": ((2, 4, 3, 5), (3, 3, 5, 4), {"input_dilation": 2, "padding": [(2, 2), (1, 2)]}),
    "pointwise transposed": ((2, 4, 3, 5), (1, 1, 5, 4), {"input_dilation": 2, "padding": [(0, 1), (0, 1)]}),
    "transposed, dilated": (
        (2, 4, 5, 3), (3, 2, 3, 4), {"input_dilation": (2, 3), "dilation": (2, 2), "padding": [(4, 1), (2, 3)]},
    ),
    "transposed, strides beyond window": (
        (2, 3, 4, 3), (2, 2, 3, 4), {"input_dilation": (3, 4), "padding": [(1, 2), (1, 3)]},
    ),
    "transposed, cut": ((2, 4, 3, 5), (3, 3, 5, 4), {"input_dilation": 2, "padding": [(-1, 1), (1, -1)]}),
    "transposed, three dimensions": (
        (1, 3, 2, 3, 3), (2, 3, 2, 3, 4), {"input_dilation": (2, 1, 2), "padding": [(1, 1), (1, 1), (0, 1)]},
    ),
    "grouped": ((2, 6, 5, 6), (3, 3, 3, 4), {"groups": 2}),
    "depthwise": ((2, 6, 5, 3), (3, 3, 1, 3), {"groups": 3, "padding": "same"}),
    "depthwise strided": ((2, 7, 6, 3), (3, 2, 1, 6), {"groups": 3, "padding": "same", "strides": 2}),
    "one dimension": ((2, 9, 5), (3, 5, 4), {"padding": "causal", "dilation": 2}),
    "depthwise 1-D": ((2, 9, 3), (3, 1, 3), {"groups": 3}),
    "three dimensions": ((1, 4, 5, 4, 3), (2, 3, 2, 3, 4), {"padding": "same", "strides": (1, 2, 1)}),
    "channels first": ((2, 5, 6, 5), (3, 3, 5, 4), {"channels_first": True, "strides": 2}),
    "wide": ((1, 3, 3, 128), (2, 2, 128, 64), {}),
}  # fmt: skip


TWICE = ("same", "few channels", "pointwise strided", "strided and dilated", "transposed", "depthwise strided")


@CPU
@pytest.mark.parametrize("name", by_default(CONVS, ("same", "pointwise strided", "transposed", "depthwise strided")))
def test_conv(name):
    shape, kernel, options = CONVS[name]
    x, kernel = normal(*shape), normal(*kernel) / 3
    spec = conv_spec(x, kernel.shape[:-2], **options)
    assert operations.conv.choose("cpu", x, kernel, spec) is cpu_conv.conv
    tuned, plain = (lambda x, k, f=f: f(x, k, spec) for f in (operations.conv, reference.conv))
    check(tuned, plain, x, kernel, second_order=name in TWICE)


# Forms that the table chooses only for larger arrays, tested on small ones.
FORMS = {
    "winograd": (("same", "one dimension, plain"), cpu_conv.forward, winograd.forward),
    "winograd, pieces": (("same",), cpu_conv.forward, winograd.forward),
    "winograd gradient": (("wide rows",), cpu_conv.kernel_gradient, winograd.kernel_gradient),
    "winograd gradient, pieces": (("same",), cpu_conv.kernel_gradient, winograd.kernel_gradient),
    "strips": (("strided and dilated", "three dimensions"), cpu_conv.forward, im2col.strip_forward),
    "patches": (("few channels",), cpu_conv.forward, im2col.patch_forward),
    "joined strips": (("strided and dilated", "three dimensions"), cpu_conv.forward, im2col.joined_strip_forward),
    "strip gradient": (
        ("strided and dilated", "three dimensions"),
        cpu_conv.kernel_gradient,
        im2col.strip_kernel_gradient,
    ),
    "strip gradient, pieces": (("strided",), cpu_conv.kernel_gradient, im2col.strip_kernel_gradient),
    "tap gradient": (("strided",), cpu_conv.kernel_gradient, im2col.tap_kernel_gradient),
    "cotangent patches": (
        ("same", "strided and dilated", "transposed"),
        cpu_conv.kernel_gradient,
        im2col.cotangent_patch_kernel_gradient,
    ),
    "cotangent patches, pieces": (
        ("one dimension",),
        cpu_conv.kernel_gradient,
        im2col.cotangent_patch_kernel_gradient,
    ),
    "patch input gradient": (("strided",), cpu_conv.input_gradient, im2col.patch_input_gradient),
    "planes": (("strided and dilated", "three dimensions"), cpu_conv.forward, tap_products.plane_forward),
    "planes, pieces": (("same",), cpu_conv.forward, tap_products.plane_forward),
    "spread input, pieces": (("transposed",), cpu_conv.forward, tap_products.spread_forward),
    "fused": (("few channels",), cpu_conv.forward, im2col.fused_forward),
    "tap input gradient": (("dilated",), cpu_conv.input_gradient, im2col.tap_input_gradient),
}
FORM_CASES = {
    **CONVS,
    "wide rows": ((3, 4, 11, 5), (2, 3, 5, 4), {"padding": "same", "strides": (2, 1), "dilation": (2, 1)}),
    "one dimension, plain": ((3, 9, 5), (3, 5, 4), {"padding": "causal"}),
}


@CPU
@pytest.mark.parametrize("form, case", [(form, case) for form, (cases, *_) in FORMS.items() for case in cases])
def test_form(form, case, monkeypatch):
    _, operation, run = FORMS[form]
    shape, window, options = FORM_CASES[case]

    def fits(x, other, *rest):
        """The form's minimum requirements; the table's are stricter."""
        *sizes, spec = rest
        width = sizes[0] if sizes else other.shape[:-2]
        if "spread" in form:
            return max(spec.strides) == 1
        return "winograd" not in form or table._threes(width, spec)

    for other in (cpu_conv.forward, cpu_conv.input_gradient, cpu_conv.kernel_gradient):
        monkeypatch.setattr(other, "rows", ())
    monkeypatch.setattr(operation, "rows", (dispatch.Row(operation, "cpu", fits, run),))
    if "pieces" in form:  # five images in pieces of two leave a remainder
        for module in (im2col, tap_products, winograd):
            monkeypatch.setattr(module, "rows_of_a_piece", lambda batch, size: 2)
        shape = (5, *shape[1:])
    x, kernel = normal(*shape), normal(*window) / 3
    spec = conv_spec(x, kernel.shape[:-2], **options)

    def results(f):
        def loss(x, kernel):
            return jnp.sum(jnp.sin(f(x, kernel, spec)))

        slopes = jax.grad(loss, (0, 1))
        curved = jax.jvp(slopes, (x, kernel), (x + 1, kernel + 1))[1] if case == "same" and "pieces" not in form else ()
        mapped = jax.vmap(slopes, (0, None))(jnp.stack([x, 2 * x]), kernel)
        return f(x, kernel, spec), slopes(x, kernel), mapped, curved

    ours, theirs = (
        jax.jit(lambda f=f: results(f), compiler_options=QUICK)() for f in (operations.conv, reference.conv)
    )
    close(ours, theirs)


def test_pieces_of_the_batch():
    assert microbatch.rows_of_a_piece(32, microbatch.WHOLE) == 32
    assert microbatch.rows_of_a_piece(32, 4 * microbatch.PIECE) == 8
    assert microbatch.rows_of_a_piece(3, 100 * microbatch.PIECE) == 1
    x, dy = normal(7, 2), normal(7, 2)
    for rows in (1, 2, 3, 7):
        close(microbatch.mapped(lambda x: 2 * x, x, rows), 2 * x)
        close(microbatch.summed(lambda x, dy: x.T @ dy, x, dy, rows), x.T @ dy)


@CPU
@pytest.mark.parametrize("form", (None, im2col.depthwise_kernel_gradient_by_row), ids=("by tap", "by row"))
@pytest.mark.parametrize("name", [name for name in CONVS if "depthwise" in name])
def test_depthwise_gradient_by_another_form(name, form, monkeypatch):
    """The forms for large images, which the table does not choose for this size."""
    shape, kernel, options = CONVS[name]
    rows = [row for row in cpu_conv.depthwise_kernel_gradient.rows if row.form is form]
    monkeypatch.setattr(cpu_conv.depthwise_kernel_gradient, "rows", tuple(rows))
    x, kernel = normal(*shape), normal(*kernel)
    spec = conv_spec(x, kernel.shape[:-2], **options)
    ours, theirs = (
        jax.jit(jax.grad(lambda k, f=f: jnp.sum(jnp.sin(f(x, k, spec)))), compiler_options=QUICK)(kernel)
        for f in (operations.conv, reference.conv)
    )
    close(ours, theirs)


LARGE = {
    "winograd": ((32, 16, 16, 64), (3, 3, 64, 64), 1, winograd.forward, winograd.kernel_gradient),
    "strided": ((32, 16, 16, 64), (3, 3, 64, 128), 2, im2col.strip_forward, im2col.strip_kernel_gradient),
    "windows side by side": ((32, 16, 16, 64), (2, 2, 64, 64), 2, im2col.strip_forward, im2col.tap_kernel_gradient),
    "few filters": ((8, 32, 32, 12), (3, 3, 12, 12), 1, im2col.joined_strip_forward, winograd.kernel_gradient),
    "one filter": (
        (64, 28, 28, 16),
        (3, 3, 16, 1),
        1,
        tap_products.plane_forward,
        im2col.cotangent_patch_kernel_gradient,
    ),
    "fewer filters": (
        (8, 32, 32, 24),
        (3, 3, 24, 12),
        1,
        im2col.joined_strip_forward,
        im2col.cotangent_patch_kernel_gradient,
    ),
    "three channels": ((32, 24, 24, 3), (3, 3, 3, 16), 1, im2col.patch_forward, im2col.patch_kernel_gradient),
    "one channel": ((32, 28, 28, 1), (3, 3, 1, 32), 1, im2col.fused_forward, im2col.patch_kernel_gradient),
    "few images of many channels": ((16, 4, 4, 512), (3, 3, 512, 512), 1, reference.conv, winograd.kernel_gradient),
    "one small image": ((1, 6, 6, 48), (3, 3, 48, 48), 1, reference.conv, im2col.patch_kernel_gradient),
    "huge image": ((1, 512, 512, 64), (3, 3, 64, 64), 1, reference.conv, cpu_conv.kernel_gradient.reference),
}


@CPU
@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_forms_chosen_by_the_table(name, dtype):
    shape, kernel, strides, forward, gradient = LARGE[name]
    x, k = jax.ShapeDtypeStruct(shape, dtype), jax.ShapeDtypeStruct(kernel, dtype)
    spec = conv_spec(x, kernel[:-2], strides=strides, padding="same")
    dy = jax.eval_shape(lambda x, k: reference.conv(x, k, spec), x, k)
    exact = dtype == "float32"  # in 16 bits, partial sums are rounded separately
    assert cpu_conv.forward.choose("cpu", x, k, spec) is (forward if exact else reference.conv)
    if exact:
        assert cpu_conv.kernel_gradient.choose("cpu", x, dy, kernel[:-2], spec) is gradient


POOLS = {
    "side by side": ((2, 6, 5, 3), (2, 2), 2, "valid"),
    "side by side, same": ((2, 5, 7, 3), (2, 3), (2, 3), "same"),
    "overlapping": ((2, 7, 6, 3), (3, 3), 2, "same"),
    "with gaps": ((2, 8, 7, 3), (2, 1), 3, "valid"),
    "large": ((1, 7, 7, 2), (7, 7), 7, "valid"),
    "one dimension": ((2, 9, 3), (3,), 2, "valid"),
    "three dimensions": ((1, 4, 5, 4, 2), (2, 2, 2), 2, "same"),
    "channels first": ((2, 3, 7, 6), (2, 2), 2, "valid"),
}
POOLINGS = [("max_pool", name) for name in POOLS]
POOLINGS += [("average_pool", name) for name in ("overlapping", "with gaps")]


def pool_spec(shape, window, strides, padding, channels_first=False):
    strides = (strides,) * len(window) if isinstance(strides, int) else strides
    sizes = shape[2:] if channels_first else shape[1:-1]
    return PoolSpec(window, strides, window_pads(padding, sizes, window, strides, (1,) * len(window)), channels_first)


@CPU
@pytest.mark.parametrize("operation, name", POOLINGS)
def test_pool(operation, name):
    shape, *window = POOLS[name]
    spec = pool_spec(shape, *window, channels_first=name == "channels first")
    x = jnp.asarray(RNG.permutation(np.prod(shape)).reshape(shape) / 7.0)
    run = getattr(operations, operation)
    assert run.choose("cpu", x, spec) is not run.reference
    check(
        lambda x: run(x, spec),
        lambda x: run.reference(x, spec),
        x,
        second_order=name in ("side by side", "overlapping"),
    )


@CPU
@pytest.mark.parametrize("window, strides", [(2, 2), (3, 2)])
def test_max_pool_gradient_of_ties_uses_the_first_as_in_xla(window, strides):
    spec = pool_spec((1, 7, 7, 1), (window, window), strides, "valid")
    x = jnp.asarray(RNG.integers(0, 2, (1, 7, 7, 1)).astype("float64"))
    slopes = [
        jax.grad(lambda x, f=f: jnp.sum(f(x, spec) * jnp.arange(9.0).reshape(1, 3, 3, 1)))(x)
        for f in (operations.max_pool, reference.max_pool)
    ]
    close(*slopes)


@CPU
@pytest.mark.parametrize("offset", [0.5, 50.0])  # of the mean; from 4 deviations on, sums are centred
def test_batch_norm(offset):
    x, gamma, beta = normal(5, 3, 2) + jnp.array([offset, 0.0]), normal(1, 1, 2), normal(1, 1, 2)
    run = operations.batch_norm
    assert run.choose("cpu", x, gamma, beta, (0, 1), 1e-3) is not run.reference
    check(
        lambda *a: run(*a, (0, 1), 1e-3),
        lambda *a: run.reference(*a, (0, 1), 1e-3),
        x,
        gamma,
        beta,
        second_order=offset < 1,
    )
    close(run(x, None, None, (0, 1), 1e-3), run.reference(x, None, None, (0, 1), 1e-3))


@CPU
def test_layer_norm():
    x, gamma, beta = normal(2, 3, 5) + 2.0, normal(1, 1, 5), normal(1, 1, 5)
    run = operations.layer_norm
    assert run.choose("cpu", x, gamma, beta, (2,), 1e-3) is not run.reference
    assert run.choose("cpu", x, normal(1, 3, 1), None, (2,), 1e-3) is run.reference
    assert run.choose("cpu", x, None, None, (1, 2), 1e-3) is run.reference
    check(lambda *a: run(*a, (2,), 1e-3), lambda *a: run.reference(*a, (2,), 1e-3), x, gamma, beta)
    close(run(x, None, None, (2,), 1e-3), run.reference(x, None, None, (2,), 1e-3))


@CPU
def test_gelu():
    x = 3 * normal(4, 5)
    assert operations.gelu.choose("cpu", x) is not operations.gelu.reference
    check(operations.gelu, operations.gelu.reference, x)
    low = jnp.linspace(-30, 30, 601, dtype="float32")
    np.testing.assert_allclose(operations.gelu(low), operations.gelu.reference(low), rtol=2e-6, atol=1e-6)


@CPU
def test_global_average_pool():
    run = operations.global_average_pool
    for shape, form in (((2, 3, 4, 5), pool.global_average_by_product), ((2, 64, 8, 5), pool.global_average_pool)):
        x = normal(*shape)
        assert run.choose("cpu", x, (1, 2), True) is form
        check(lambda x: run(x, (1, 2), False), lambda x: run.reference(x, (1, 2), False), x)
        close(run(x, (1, 2), True), run.reference(x, (1, 2), True))
    ours, theirs = (f(jnp.arange(12).reshape(2, 3, 2), (1,), True) for f in (run, run.reference))  # integers
    assert ours.dtype == theirs.dtype
    close(ours, theirs)


@CPU
def test_depthwise_in_blocks_of_channels(monkeypatch):
    x, kernel = normal(1, 4, 5, 20), normal(3, 2, 20)
    spec = conv_spec(x, kernel.shape[:-1], padding="same")
    whole = im2col.depthwise_forward(x, kernel, spec)
    monkeypatch.setattr(im2col, "TAPS", 2)
    monkeypatch.setattr(im2col, "BLOCK", 2**8)
    close(im2col.depthwise_forward(x, kernel, spec), whole)


@CPU
def test_end_fusion_changes_nothing():
    for dtype in ("float32", "bfloat16", "float16"):
        x = jnp.array([0.1, -0.0, jnp.inf, -jnp.inf, jnp.nan, 65504.0], dtype)
        y, dy = jax.jit(lambda x: jax.jvp(end_fusion, (x,), (x,)))(x)
        for found in (y, dy):
            np.testing.assert_array_equal(found.astype("float32"), x.astype("float32"))
            np.testing.assert_array_equal(jnp.signbit(found)[:4], jnp.signbit(x)[:4])


@CPU
def test_argmax():
    x = jnp.asarray(RNG.integers(0, 9, (3, 4, 40)) / 1.0).at[1, 2, 7].set(jnp.nan)
    run = operations.argmax
    assert run.choose("cpu", x) is not run.reference
    close(run(x), run.reference(x))
    close(jax.vmap(run)(x), run.reference(x))
    slope = jax.jit(jax.grad(lambda x: jnp.sum(x * (lowering.argmax(x)[..., None] == 0))))(x)
    assert slope.shape == x.shape


@CPU
def test_batch_norm_keeps_its_digits_where_the_mean_is_large():
    x = jnp.asarray(1e4 + RNG.standard_normal((64, 3)), "float32")
    exact = jnp.var(x.astype("float64"), 0)
    np.testing.assert_allclose(operations.batch_norm(x, None, None, (0,), 0.0)[2][0], exact, rtol=1e-3)


@CPU
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("operation", by_default(("lstm", "gru", "simple_rnn"), {"lstm"}))
def test_recurrent(operation, masked):
    gates = {"lstm": 4, "gru": 3, "simple_rnn": 1}[operation]
    x, h, kernel, bias = normal(4, 3, gates * 2), normal(3, 2), normal(2, gates * 2), normal(gates * 2)
    mask = jnp.asarray([[1, 1, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]], bool) if masked else None
    functions = (jnp.tanh, jax.nn.sigmoid)

    def arguments(x, h, kernel, *rest):
        if operation == "lstm":
            return x, (h, *rest), kernel, mask, *functions
        if operation == "gru":
            return x, (h,), kernel, *rest, mask, *functions, True
        return x, (h,), kernel, mask, functions[0]

    rest = {"lstm": (normal(3, 2),), "gru": (bias,), "simple_rnn": ()}[operation]
    run = getattr(operations, operation)
    assert run.choose("cpu", *arguments(x, h, kernel, *rest)) is not run.reference
    tuned, plain = (lambda *a, f=f: f(*arguments(*a)) for f in (run, run.reference))
    check(tuned, plain, x, h, kernel, *rest, second_order=masked)


ATTENTIONS = {
    "plain": {},
    "masked": {"mask": (2, 1, 3, 4)},
    "biased": {"bias": (1, 2, 3, 4), "mask": (1, 1, 3, 4)},
    "dropped": {"drop": True, "mask": (1, 1, 3, 4)},
    "targets": {"query_mask": True},
    "padded": {"query_mask": True, "bias": (1, 2, 3, 4), "mask": (2, 1, 1, 4)},
    "padded, causal": {"query_mask": True, "mask": (2, 1, 1, 4), "is_causal": True},
}


@CPU
@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name):
    options = ATTENTIONS[name]
    query, key, value = normal(2, 3, 2, 3), normal(2, 4, 2, 3), normal(2, 4, 2, 2)
    rest = (normal(*options["bias"]),) if "bias" in options else ()
    mask = jnp.asarray(RNG.random(options["mask"]) > 0.4).at[0, 0, 0].set(False) if "mask" in options else None
    drop = Drop(0.3, jax.random.key(1)) if "drop" in options else None

    query_mask = jnp.asarray([[1, 1, 0], [0, 1, 1]], bool) if "query_mask" in options else None

    def arguments(query, key, value, bias=None):
        return query, key, value, bias, mask, 0.7, drop, options.get("is_causal", False), query_mask

    assert operations.attention.choose("cpu", *arguments(query, key, value)) is cpu_attention.attention
    tuned, plain = (lambda *a, f=f: f(*arguments(*a)) for f in (operations.attention, reference.attention))
    check(tuned, plain, query, key, value, *rest, second_order=name in ("plain", "biased", "dropped", "padded"))


@CPU
def test_dense_on_sequences():
    check(matmul.dense, jnp.matmul, normal(2, 3, 4), normal(4, 2))


@CPU
@pytest.mark.parametrize(
    "equation, x, kernel, is_product",
    [
        ("abc,cde->abde", (2, 3, 4), (4, 2, 3), True),
        ("abcd,cde->abe", (2, 3, 4, 2), (4, 2, 3), True),
        ("abc,cd->abd", (2, 3, 4), (4, 5), True),
        ("abc,dc->abd", (2, 3, 4), (5, 4), False),
        ("abc,cde->abed", (2, 3, 4), (4, 2, 3), False),
        ("abc,bc->ab", (2, 3, 4), (3, 4), False),
        ("ab,b->a", (2, 3), (3,), True),
        ("...x,xy->...y", (2, 3, 4), (4, 5), False),
        ("aab,bc->ac", (2, 2, 3), (3, 4), False),
    ],
)
def test_projection(equation, x, kernel, is_product):
    x, kernel = normal(*x), normal(*kernel)
    assert (matmul.product_axes(equation) is not None) == is_product
    ours, theirs = (functools.partial(f, equation) for f in (matmul.projection, jnp.einsum))
    check(ours, theirs, x, kernel, second_order=False)
