"""Every op: Keras's numbers, the same shapes for KerasTensors, Keras's signatures."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxkeras import ops
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.core.variable import Variable
from tests.compilations import counting
from tests.ops.calls import ARRAYS, CALLS, NEWER

keras = pytest.importorskip("keras")

# Absolute tolerances: resized integers may round a tie the other way, the others sum many rounding errors.
LOOSE = {"image.resize(PIX": 1.0, "stft(": 1e-4, "image.ssim": 1e-4, "lu_factor": 1e-4, "pinv": 1e-4}


def names(module):
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("__")}


def evaluate(module, call, arrays):
    return eval(call, {**names(module), **arrays, "np": np})


@pytest.fixture(scope="module")
def results():
    """The value of every call, or its error. Calls that can be traced share programs, which saves compilations."""
    found = {}
    for start in range(0, len(CALLS), 64):
        chunk = CALLS[start : start + 64]

        def program(arrays, chunk=chunk):
            traced = {}
            for call in chunk:
                try:
                    result = evaluate(ops, call, arrays)
                except Exception:  # some need concrete values; real errors are raised again below
                    continue
                if all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(result)):
                    traced[call] = result
            return traced

        found.update(jax.jit(program, compiler_options={"xla_backend_optimization_level": "0"})(ARRAYS))
    for call in CALLS:
        if call not in found:
            try:
                found[call] = evaluate(ops, call, ARRAYS)
            except Exception as error:
                found[call] = error
    return found


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore")
def test_numbers_of_keras(call, results):
    ours = results[call]
    if isinstance(ours, Exception):
        raise ours
    arrays = {name: array.copy() for name, array in ARRAYS.items()}  # Keras modifies some in place
    if call in NEWER:
        expected = eval(NEWER[call], {"np": np, "special": special, **arrays})
    else:
        expected = evaluate(keras.ops, call, arrays)
    ours, theirs = (jax.tree.leaves(x) for x in (ours, expected))
    assert len(ours) == len(theirs)
    tolerance = next((t for start, t in LOOSE.items() if start in call), 1e-5)
    for a, b in zip(map(np.asarray, ours), map(np.asarray, theirs)):
        assert a.shape == b.shape
        if a.dtype.kind in "US":
            assert a == b
        else:
            wide = "complex128" if "c" in (a.dtype.kind, b.dtype.kind) else "float64"
            np.testing.assert_allclose(a.astype(wide), b.astype(wide), rtol=1e-5, atol=tolerance)


# These need concrete values, take no arrays of the table, or do not return arrays.
NOT_SYMBOLIC = """
bincount nonzero unique where(Z) convert_to_numpy is_tensor dtype( shape( ndim( histogram vectorize cond( add([
convert_to_tensor([ arange linspace logspace geomspace array( eye full( identity ones( tri( zeros( bartlett blackman
hamming hanning kaiser switch while_loop fori_loop scan associative_scan custom_gradient grad(
"""


@pytest.mark.parametrize("call", [call for call in CALLS if not call.startswith(tuple(NOT_SYMBOLIC.split()))])
@pytest.mark.filterwarnings("ignore")
def test_symbolic_calls(call, results):
    symbols = {
        name: KerasTensor(array.shape, array.dtype.name) if isinstance(array, np.ndarray) else array
        for name, array in ARRAYS.items()
    }
    symbolic = jax.tree.leaves(evaluate(ops, call, symbols))
    eager = [jnp.asarray(leaf) for leaf in jax.tree.leaves(results[call])]
    assert [(x.shape, x.dtype) for x in symbolic] == [(x.shape, x.dtype.name) for x in eager]


def test_every_op_is_called():
    called = " ".join(CALLS)
    missing = [name for name, op in names(ops).items() if callable(op) and f"{name}(" not in called]
    missing += [name for name in names(keras.ops.image) if f"image.{name}(" not in called]
    assert missing == ["jvp"]  # tested below


# Parameters that newer versions of Keras have added to those of the installed one.
ADDED = {"amax": ["initial"], "amin": ["initial"], "top_k": ["is_stable"]}


@pytest.mark.parametrize("module", ["", "numpy", "nn", "linalg", "image"])
def test_signatures_of_keras(module):
    ours, theirs = (getattr(m.ops, module) if module else m.ops for m in (__import__("jaxkeras"), keras))
    for name, function in names(theirs).items():
        if not callable(function):
            continue
        parameters = inspect.signature(getattr(ours, name)).parameters.values()
        own = [p for p in parameters if p.name not in ADDED.get(name, ())]
        expected = inspect.signature(function).parameters.values()
        assert [(p.name, p.kind) for p in own] == [(p.name, p.kind) for p in expected], name
        assert [p.default for p in own] == [p.default for p in expected], name


def test_symbolic_switch_and_while_loop():
    x = KerasTensor((2, 3))
    assert ops.switch(KerasTensor((), "int32"), [lambda a: a, lambda a: -a], x).shape == (2, 3)
    assert ops.while_loop(lambda a: ops.sum(a) < 3, lambda a: (a + 1,), (x,))[0].shape == (2, 3)


def test_variables_and_lists():
    v = Variable(np.ones((2, 3), "float32"))
    assert float(ops.sum(v)) == 6
    assert ops.concatenate([v, [[1.0, 2.0, 3.0]]]).shape == (3, 3)
    assert ops.matmul(v, ops.transpose(v)).shape == (2, 2)
    assert ops.while_loop(lambda x: ops.sum(x) < 20, lambda x: x * 2, v).shape == (2, 3)
    assert ops.convert_to_tensor(v) is v.value


def test_no_compilation_for_conversions():
    with counting() as count:
        for size in range(3, 7):
            ops.convert_to_tensor(np.zeros((size, 137), "float32"))
            ops.convert_to_tensor([[1.0] * size])
    assert count.value == 0


def test_under_jit_and_grad():
    @jax.jit
    def f(x):
        return ops.sum(ops.softmax(ops.matmul(x, ops.transpose(x))) * ops.where(x[:, :1] > 0, 1.0, 2.0))

    x = jnp.asarray(ARRAYS["A"])
    assert jnp.isfinite(jax.grad(f)(x)).all()
    text = str(jax.make_jaxpr(lambda x: ops.add(ops.multiply(x, 2.0), 1.0))(x))
    assert text == str(jax.make_jaxpr(lambda x: x * 2.0 + 1.0)(x))


def test_calls_that_keras_does_not_take():
    A = ARRAYS["A"]
    assert ops.slice(A, (1, 2), (-1, -1)).shape == (2, 2)
    value, slope = ops.jvp(lambda x: x * x, (A,), (A,))
    np.testing.assert_allclose(slope, 2 * A * A, rtol=1e-6)
    assert ops.max_pool(ARRAYS["X2"], 2).shape == (2, 3, 4, 4)
    assert ops.segment_sum(A, [0, 2, 2]).shape == (3, 4)
    assert ops.rearrange(A, "(x y) b -> y x b", x=3).shape == (1, 3, 4)
    assert ops.dot_product_attention(ARRAYS["ATT"], ARRAYS["KEY"], ARRAYS["KEY"]).shape == (2, 5, 4, 8)
    assert float(ops.image.ssim(ARRAYS["IMG"][0], ARRAYS["IMG"][0], filter_size=5)) == pytest.approx(1.0, abs=1e-5)


def test_ctc_loss_sums_over_all_alignments():
    logits = ARRAYS["LOGITS"][:1, :3]
    p = np.exp(logits[0]) / np.exp(logits[0]).sum(-1, keepdims=True)
    paths = [(a, b, c) for a in range(5) for b in range(5) for c in range(5)]

    def labels(path):
        kept = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        return [c for c in kept if c]

    total = sum(p[0, a] * p[1, b] * p[2, c] for a, b, c in paths if labels((a, b, c)) == [2, 1])
    assert float(ops.ctc_loss([[2, 1]], logits, [2], [3])[0]) == pytest.approx(-np.log(total), rel=1e-5)


@pytest.mark.parametrize(
    "call, message",
    [
        ("where(M, A)", "both"),
        ("clip(A, 0)", "x_max"),
        ("sum(A, axes=1)", r"sum\(x, axis=None, keepdims=False\).*axes"),
        ("sum(A, 1, axis=1)", "sum.*axis"),
        ("expand_dims(A)", "expand_dims.*axis"),
        ("scatter_update(A, [[0]], B[:1], 'avg')", "reduction"),
        ("segment_sum(A, [0, 1])", "vector"),
        ("ldexp(A, A)", "integer"),
        ("fabs(CX)", "real"),
        ("rearrange(A, 'a b -> a c')", "pattern"),
        ("cholesky(-SPD)", "positive definite"),
        ("qr(A, 'full')", "reduced"),
        ("stft(SIG, 12, 4, 8)", "fft_length"),
        ("fft(A)", "pair"),
        ("scan(lambda c, x: (c, x), V, A, unroll=0)", "unroll"),
        ("normalize(A, order=0)", "order"),
        ("ctc_decode(LOGITS, [6, 4], 'best')", "greedy"),
        ("categorical_crossentropy(A, Q)", "same shape"),
        ("depth_to_space(X2, 1)", "block_size"),
        ("adaptive_max_pool(A, 2)", "spatial"),
        ("dot_product_attention(A, A, A)", "rank|heads"),
        ("image.resize(IMG, (5,))", "size"),
        ("image.resize(IMG, (5, 5), 'cubic')", "bicubic"),
        ("image.pad_images(IMG, 1, 1)", "exactly two"),
        ("image.crop_images(IMG, 1, 0, target_height=20, right_cropping=0)", "negative"),
        ("image.rgb_to_hsv(PIX)", "floating"),
        ("image.map_coordinates(A, A, 1)", "coordinates"),
        ("vectorize(3)", "function"),
        ("histogram(A)", "vector"),
        ("searchsorted(A, V)", "vectorized_map"),
        ("matrix_power(Q, 0.5)", "integer"),
        ("matrix_power(A, 2)", "square"),
        ("matrix_power(V, 2)", "matrices"),
        ("image.reconstruct_patches(X2, 2, strides=1)", "overlap"),
        ("image.reconstruct_patches(X2, 3)", "patches of size"),
        ("image.reconstruct_patches(X2, 2, padding='same')", "output_size"),
        ("image.reconstruct_patches(X2, 2, (14, 15))", "output_size"),
        ("image.reconstruct_patches(X2, 2.5)", "size"),
        ("image.reconstruct_patches(V, 2)", "axes"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        evaluate(ops, call, ARRAYS)


@pytest.mark.parametrize("dtype", ["int8", "int32"])
def test_divisors_of_the_most_negative_integer(dtype):
    least = np.iinfo(dtype).min
    x1, x2 = np.array([least, least, 6, -6], dtype), np.array([6, 0, -4, 4], dtype)
    for name in ("gcd", "lcm"):
        expected = getattr(np, name)(x1.astype("int64"), x2.astype("int64")).astype(dtype)
        result = getattr(ops, name)(x1, x2)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, expected, err_msg=name)
