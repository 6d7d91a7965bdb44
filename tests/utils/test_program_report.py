"""`program_report`: operations against formulas, memory against what is seen, displays."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import lowering
from jaxkeras.training.flops import count_flops
from jaxkeras.utils.costs import count, prepare

L = jk.layers
B = 32  # rows


# -- formulas: (forward, backward) of products; `first` layers have no gradient of their input 
def product(*sizes, first=False):
    """A product with a kernel: one in the forward pass, one for each gradient in the backward pass."""
    flops = 2 * math.prod(sizes)
    return flops, flops if first else 2 * flops


def total(*parts):
    return tuple(map(sum, zip(*parts)))


def mlp(*widths):
    return total(*(product(B, i, o, first=n == 0) for n, (i, o) in enumerate(zip(widths, widths[1:]))))


def attention(length, width, heads, dim, first=False):
    """Projections to queries, keys and values and back; logits and weighted sums."""
    projections = [product(B, length, width, heads * dim, first=first)] * 3 + [product(B, length, heads * dim, width)]
    return total(*projections, *[product(B, heads, length, length, dim)] * 2)


def recurrent(gates, length, inputs, units, first=False):
    inside = product(B, length, inputs, gates * units, first=first)
    return total(inside, product(B, length, units, gates * units))


def block(x):
    """A transformer's block on a width of 256."""
    y = L.MultiHeadAttention(8, 32)(x, x)
    x = L.LayerNormalization()(x + y)
    y = L.Dense(256)(L.Dense(1024, activation="relu")(x))
    return L.LayerNormalization()(x + y)


def residual(x, filters, stride):
    y = L.Conv2D(filters, 3, stride, padding="same")(x)
    y = L.Conv2D(filters, 3, padding="same")(y)
    return y + L.Conv2D(filters, 1, stride)(x)


def functional(shape, function, dtype="float32"):
    x = jk.Input(shape, dtype=dtype)
    return jk.Model(x, function(x))


def of_layers(*layers):
    return lambda: jk.Sequential(list(layers))


class Twice(jk.Model):
    """A shared layer, called in a loop."""

    def __init__(self):
        super().__init__()
        self.dense = L.Dense(512)

    def call(self, x):
        return jax.lax.fori_loop(0, 4, lambda i, x: x @ self.dense.kernel, self.dense(x))


# name: (model, input shape, (forward, backward))
MODELS = {
    "linear": (of_layers(L.Dense(512)), (1024,), mlp(1024, 512)),
    "mlp": (of_layers(*[L.Dense(n, activation="relu") for n in (512, 256)], L.Dense(10)), (784,),
            mlp(784, 512, 256, 10)),
    "wide mlp": (of_layers(L.Dense(2048, activation="tanh"), L.Dense(2048)), (1024,), mlp(1024, 2048, 2048)),
    "dense on sequences": (of_layers(L.Dense(512), L.Dense(512)), (20, 256),
                           total(product(B, 20, 256, 512, first=True), product(B, 20, 512, 512))),
    "einsum dense": (of_layers(L.EinsumDense("abc,cde->abde", (None, 8, 64))), (20, 512),
                     product(B, 20, 512, 512, first=True)),
    "shared in a loop": (Twice, (512,), total(product(B, 512, 512, first=True), *[product(B, 512, 512)] * 4)),
    "conv same": (of_layers(L.Conv2D(64, 3, padding="same")), (32, 32, 64),
                  product(B, 32 * 32, 9 * 64, 64, first=True)),
    "conv valid": (of_layers(L.Conv2D(32, 5), L.Conv2D(64, 3)), (32, 32, 64),
                   total(product(B, 28 * 28, 25 * 64, 32, first=True), product(B, 26 * 26, 9 * 32, 64))),
    "conv strided": (of_layers(L.Conv2D(64, 3, 2, padding="same"), L.Conv2D(128, 3, 2, padding="same")), (32, 32, 64),
                     total(product(B, 256, 9 * 64, 64, first=True), product(B, 64, 9 * 64, 128))),
    "conv dilated, groups": (of_layers(L.Conv2D(256, 3, dilation_rate=2, groups=4)), (24, 24, 256),
                             product(B, 400, 9 * 64, 256, first=True)),
    "conv transposed": (of_layers(L.Dense(64, use_bias=False), L.Conv2DTranspose(64, 3, 2, padding="same")),
                        (16, 16, 64), total(product(B, 256, 64, 64, first=True), product(B, 256, 9 * 64, 64))),
    "conv 1d": (of_layers(L.Conv1D(128, 9, padding="causal")), (200, 64), product(B, 200, 9 * 64, 128, first=True)),
    "conv 3d": (of_layers(L.Conv3D(32, 3)), (10, 12, 14, 32), product(B, 8 * 10 * 12, 27 * 32, 32, first=True)),
    "depthwise": (of_layers(L.SeparableConv2D(512, 7, padding="same")), (16, 16, 256),
                  total(product(B, 256, 49, 256, first=True), product(B, 256, 256, 512))),
    "residual net": (lambda: functional((32, 32, 64), lambda x: residual(residual(x, 64, 1), 128, 2)), (32, 32, 64),
                     total(*[product(B, 1024, 9 * 64, 64, first=True), product(B, 1024, 9 * 64, 64),
                             product(B, 1024, 64, 64, first=True)],
                           product(B, 256, 9 * 64, 128), product(B, 256, 9 * 128, 128), product(B, 256, 64, 128))),
    "attention": (lambda: functional((128, 256), lambda x: L.MultiHeadAttention(4, 128)(x, x)), (128, 256),
                  attention(128, 256, 4, 128, first=True)),
    "transformer": (lambda: functional((64, 256), lambda x: block(block(x))), (64, 256),
                    total(attention(64, 256, 8, 32, first=True), *[product(B, 64, 256, 1024)] * 4,
                          attention(64, 256, 8, 32))),
    "lstm": (of_layers(L.LSTM(512)), (30, 1024), recurrent(4, 30, 1024, 512, first=True)),
    "gru": (of_layers(L.GRU(512)), (30, 1024), recurrent(3, 30, 1024, 512, first=True)),
    "simple rnn": (of_layers(L.SimpleRNN(512, return_sequences=True), L.Dense(512)), (30, 512),
                   total(recurrent(1, 30, 512, 512, first=True), product(B, 30, 512, 512))),
    "bidirectional": (of_layers(L.Bidirectional(L.LSTM(512))), (30, 1024),
                      total(*[recurrent(4, 30, 1024, 512, first=True)] * 2)),
    "text": (of_layers(L.Embedding(1000, 128), L.Flatten(), L.Dense(1024)), (32,), product(B, 4096, 1024)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_operations_against_formulas(name):
    """Within 1 % of the products, forward and backward; what else a layer computes is part of that."""
    make, shape, (forward, backward) = MODELS[name]
    model = make()
    model.compile(jk.optimizers.SGD(), loss=lambda y, out: jnp.mean(out, -1))
    counted = count(model, prepare(model, (None, *shape), (None, 1), B))
    layers = [cost for cost in counted.layers if cost.kind]
    assert sum(cost.forward_flops for cost in layers) == counted.forward.total
    assert counted.forward.total == pytest.approx(forward, rel=0.01)
    assert sum(cost.backward_flops for cost in layers) == pytest.approx(backward, rel=0.01)
    assert counted.step.total == pytest.approx(
        sum(cost.forward_flops + cost.backward_flops for cost in counted.layers), rel=1e-9
    )
    assert not counted.unknown_loops


# -- programs ---------------------------------------------------------------------------------------------------------
W, X = jnp.ones((8, 8)), jnp.ones((4, 8))
PRODUCT = 2 * 4 * 8 * 8

PROGRAMS = {
    "scan": (lambda w, x: jax.lax.scan(lambda x, _: (x @ w, None), x, None, 5)[0], 5 * PRODUCT),
    "nested": (lambda w, x: jax.lax.fori_loop(0, 3, lambda i, x: jax.lax.fori_loop(0, 2, lambda j, x: x @ w, x), x),
               6 * PRODUCT),
    "counted while": (lambda w, x: jax.lax.while_loop(lambda c: c[0] < 7, lambda c: (c[0] + 2, c[1] @ w), (0, x))[1],
                      4 * PRODUCT),
    "cond": (lambda w, x: jax.lax.cond(x[0, 0] > 0, lambda: x @ w @ w, lambda: x), 2 * PRODUCT + 1),
    "jit": (lambda w, x: jax.jit(lambda x: x @ w)(x), PRODUCT),
    "checkpoint": (lambda w, x: jax.grad(lambda x: jax.checkpoint(lambda x: jnp.sin(x @ w))(x).sum())(x),
                   2 * PRODUCT + 2 * 32),
    "unused": (lambda w, x: (x @ w, x)[1], 0),
    "vmap": (lambda w, x: jax.vmap(lambda row: row @ w)(x), PRODUCT),
    "sort, fft": (lambda w, x: (jnp.sort(x[0]), jnp.fft.fft(x[0]).real), 8 * 3 + 5 * 8 * 3),
    "integers": (lambda w, x: jnp.arange(10) * 3 + 1, 0),
    "custom derivative": (lambda w, x: jax.grad(lambda x: jax.nn.relu(x).sum())(x), 32),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_operations_of_programs(name):
    function, flops = PROGRAMS[name]
    assert count_flops(jax.make_jaxpr(function)(W, X)).total == flops


def test_a_loop_that_depends_on_data_is_named():
    def f(w, x):
        with jax.named_scope("solver"):
            return jax.lax.while_loop(lambda x: x.sum() < 100, lambda x: x @ w, x)

    counted = count_flops(jax.make_jaxpr(f)(W, X))
    assert [place.scopes for place in counted.unknown_loops] == [("solver",)]
    assert counted.total == PRODUCT + 33  # a sum and a comparison


def test_forms_for_a_platform_count_as_their_reference():
    x = jnp.ones((4, 20, 8))
    traced = jax.make_jaxpr(jax.grad(lambda w: lowering.dense(x, w).sum()))(W)
    assert "linear_with_transpose" in str(traced)
    assert count_flops(traced).total == 2 * 4 * 20 * 8 * 8
    image, kernel = jnp.ones((2, 8, 8, 32)), jnp.ones((3, 3, 32, 32))
    traced = jax.make_jaxpr(L.Conv2D(32, 3, padding="same", use_bias=False))(image)
    assert "by_platform" in str(traced)
    assert count_flops(traced).total == 2 * image.size * kernel.size // 32


# -- the report --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def report():
    jk.utils.clear_session()
    model = jk.Sequential([jk.Input((8,)), L.Dense(16, activation="relu"), L.Dropout(0.5), L.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    before = [np.asarray(w) for w in model.weights]
    report = jk.utils.program_report(model, np.ones((100, 8)), np.ones((100, 1)), batch_size=4, measure=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights))
    return report


def test_report(report):
    assert report.parameters == 8 * 16 + 16 + 16 + 1
    assert report.forward_flops == 4 * (2 * 8 * 16 + 16 + 16 + 16 + 2 * 16 + 1)  # bias, relu, dropout; bias
    assert report.step_flops > 2 * report.forward_flops
    assert report.activation_bytes == sum(cost.activation_bytes for cost in report.layers)
    assert report.peak_bytes > 4 * 3 * report.parameters  # weights and two moments
    assert 0 < report.share_of_peak < 1
    assert [cost.path for cost in report.layers] == ["dense", "dropout", "dense_1", "loss", "metrics", "optimizer"]


def test_displays(report):
    text = repr(report)
    for shown in ('Program of "sequential", 4 rows', "dense_1 (Dense)", "(4, 16)", "Peak memory", "ms"):
        assert shown in text
    assert report._repr_html_().count("<tr>") > 10
    frame = report.to_frame()
    assert frame.loc["dense", "forward_flops"] == 4 * (2 * 8 * 16 + 16 + 16)
    assert frame["parameters"].sum() == report.parameters


def test_without_compile_and_nested_models():
    inner = jk.Sequential([L.Dense(4), L.Dense(4)], name="inner")
    model = jk.Sequential([L.Embedding(10, 4), inner, L.LSTM(3)], name="outer")
    report = jk.utils.program_report(model, jax.ShapeDtypeStruct((7, 5), "int32"), batch_size=2)
    assert report.step_flops is None and report.forward_flops > 0
    paths = [cost.path for cost in report.layers]
    assert paths[1].startswith("inner/dense") and paths[2].startswith("inner/dense")
    assert report.layers[0].output_shape == (2, 5, 4)
