"""Ops on sparse arrays: values are those of Keras on dense arrays, and results are sparse where Keras's on JAX are."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax.experimental.sparse import BCOO
from scipy.sparse import csr_matrix

from jaxkeras import layers, models, ops
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.ops._sparse.rules import RULES

A = np.array([[0, 0.5, -0.7], [0, 0, -1]], "float32")
B = np.array([[0.2, 0, 3], [0, 0, 2]], "float32")


def coo(x, n_dense=0, repeated=False):
    """A sparse array; with `repeated`, every index is there twice."""
    x = BCOO.fromdense(jnp.asarray(x), n_dense=n_dense)
    if not repeated:
        return x
    halves = jnp.concatenate([x.data / 2, x.data / 2]), jnp.concatenate([x.indices, x.indices])
    return BCOO(halves, shape=x.shape)


def dense(x):
    return ops.convert_to_numpy(x) if hasattr(x, "shape") else x


def is_sparse(x):
    return isinstance(x, BCOO) or getattr(x, "sparse", False)


ZERO_PRESERVING = "absolute arcsin arcsinh arctan arctanh ceil conj copy expm1 floor imag isinf isnan log1p negative "
ZERO_PRESERVING += "real round sign signbit sin sinh sqrt square tan tanh"
DENSIFYING = "arccos arccosh cos cosh exp exp2 isfinite log log10 log2 reciprocal"
UNIONS, QUOTIENTS = "add subtract maximum minimum", "divide true_divide"
CALLS = {
    **{name: (name, [coo(A)], {}) for name in f"{ZERO_PRESERVING} {DENSIFYING}".split()},
    "digitize": ("digitize", [coo(A)], {"bins": np.array([0.1, 0.6])}),
    "cast": ("cast", [coo(A)], {"dtype": "int32"}),
    **{f"sum {axis}": ("sum", [coo(A)], {"axis": axis}) for axis in (None, 0, -1, (0, 1))},
    "sum keepdims": ("sum", [coo(A)], {"axis": 1, "keepdims": True}),
    "mean": ("mean", [coo(A)], {"axis": 0}),
    "mean half": ("mean", [coo(A.astype("float16"))], {"axis": 0, "keepdims": True}),
    "expand_dims": ("expand_dims", [coo(A)], {"axis": (0, -1)}),
    "squeeze": ("squeeze", [coo(A[:, None])], {}),
    "squeeze axis": ("squeeze", [coo(A[:, None])], {"axis": 1}),
    "transpose": ("transpose", [coo(A)], {}),
    "transpose axes": ("transpose", [coo(A[None])], {"axes": (2, 0, 1)}),
    "reshape": ("reshape", [coo(A)], {"newshape": (3, -1)}),
    "concatenate": ("concatenate", [[coo(A), coo(B)]], {"axis": -1}),
    "concatenate dense": ("concatenate", [[coo(A), B]], {}),
    "take": ("take", [B, coo(np.array([[1, 0]]))], {"axis": 0}),
    **{
        f"{name} {kind}": (name, pair, {})
        for name in f"{UNIONS} {QUOTIENTS} multiply".split()
        for kind, pair in {
            "sparse sparse": [coo(A), coo(B)],
            "sparse dense": [coo(A), B],
            "dense sparse": [A, coo(B)],
            "sparse scalar": [coo(A), 2.0],
            "slices": [coo(A, n_dense=1), coo(B, n_dense=1)],
        }.items()
    },
    **{
        f"matmul {kind}": ("matmul", pair, {})
        for kind, pair in {
            "sparse sparse": [coo(A), coo(B.T)],
            "sparse dense": [coo(A), B.T],
            "dense sparse": [A, coo(B.T)],
            "batch": [coo(A[None]), coo(B.T[None])],
        }.items()
    },
    "bincount": ("bincount", [np.array([[1, 3, 1]])], {"sparse": True}),
    "one_hot": ("one_hot", [np.array([1, -1, 0]), 3], {"sparse": True}),
    "one_hot axis": ("one_hot", [np.array([[1], [0]]), 3], {"axis": 0, "sparse": True}),
    "multi_hot": ("multi_hot", [np.array([[1, 1, 0]]), 3], {"sparse": True}),
}
DENSE = {
    *DENSIFYING.split(), "take", "concatenate dense", "matmul sparse dense", "matmul dense sparse",
    *(f"{name} {kind}" for name in UNIONS.split() for kind in ("sparse dense", "dense sparse", "sparse scalar")),
    *(f"{name} {kind}" for name in QUOTIENTS.split() for kind in ("sparse sparse", "dense sparse", "slices")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # NumPy's, of logarithms of 0 and the like
@pytest.mark.parametrize("call", CALLS)
def test_values_and_sparseness_are_those_of_keras(call):
    name, args, kwargs = CALLS[call]
    ours = getattr(ops, name)(*args, **kwargs)
    dense_args = jax.tree.map(dense, args, is_leaf=lambda x: isinstance(x, BCOO))
    theirs = getattr(keras.ops, name)(*dense_args, **{k: v for k, v in kwargs.items() if k != "sparse"})
    assert is_sparse(ours) == (call not in DENSE)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    np.testing.assert_allclose(dense(ours), theirs, rtol=1e-6)
    symbols = jax.tree.map(
        lambda x: KerasTensor(x.shape, x.dtype, isinstance(x, BCOO)) if hasattr(x, "shape") else x,
        args, is_leaf=lambda x: isinstance(x, BCOO),
    )  # fmt: skip
    if name != "bincount":  # its size depends on values
        spec = getattr(ops, name)(*symbols, **kwargs)
        assert (spec.sparse, spec.shape, spec.dtype) == (is_sparse(ours), ours.shape, ours.dtype.name)


def test_every_rule_is_tested():
    others = {"conjugate", "saturate_cast", "stop_gradient", "take_along_axis"}
    assert set(RULES) - others <= {name for name, _, _ in CALLS.values()}


@pytest.mark.parametrize("name", ["square", "maximum", "multiply", "minimum", "add"])
def test_repeated_indices_are_summed_where_it_matters(name):
    x, y = coo(A, repeated=True), coo(B, repeated=True)
    args = [x] if name == "square" else [x, y]
    for function in (getattr(ops, name), jax.jit(getattr(ops, name))):
        result = function(*args)
        np.testing.assert_allclose(dense(result), getattr(np, name)(*map(dense, args)), rtol=1e-6)


def test_quotients_of_padded_arrays():
    """Padding has indices beyond the shape, where there is no divisor."""
    x = BCOO((jnp.array([2.0, 0.0]), jnp.array([[1], [3]])), shape=(3,))
    result = jax.jit(ops.divide)(x, jnp.array([1.0, 4.0, 1.0]))
    assert result.data.tolist() == [0.5, 0.0]


def test_sparse_integers_are_counted_in_their_rows():
    x = BCOO((jnp.array([2, 2, 0]), jnp.array([[0, 0], [0, 3], [1, 1]])), shape=(2, 4))
    counts = ops.bincount(x, minlength=4)
    assert is_sparse(counts) and dense(counts).tolist() == [[0, 0, 2, 0], [1, 0, 0, 0]]
    weighted = ops.bincount(x, weights=BCOO((jnp.array([0.5, 1.0, 3.0]), x.indices), shape=x.shape))
    assert dense(weighted).tolist() == [[0, 0, 1.5], [3, 0, 0]]
    with pytest.raises(ValueError, match="sparse too"):
        ops.bincount(x, weights=jnp.ones((2, 4)))


def test_convert_to_tensor():
    x = coo(A)
    assert ops.convert_to_tensor(x) is x and ops.is_tensor(x)
    assert ops.convert_to_tensor(x, "float16").dtype == "float16"
    assert isinstance(ops.convert_to_tensor(x, sparse=False), jax.Array)
    assert isinstance(ops.convert_to_tensor(A, sparse=True), jax.Array)
    assert isinstance(ops.convert_to_tensor(csr_matrix(A), sparse=True), BCOO)
    np.testing.assert_array_equal(ops.convert_to_numpy(x), A)
    assert not ops.convert_to_tensor(KerasTensor((2, 3), sparse=True), sparse=False).sparse


def test_symbolic_sparseness():
    x = KerasTensor((None, 3), sparse=True)
    assert (x * 2).sparse and not (x + 1).sparse and (x + x).sparse and x.T.sparse and (-x).sparse
    with pytest.raises(ValueError, match="sparse or ragged"):
        KerasTensor((2,), sparse=True, ragged=True)
    with pytest.raises(AttributeError):
        x.sparse = False


def test_functional_models_keep_what_is_declared_as_sparse():
    inputs = layers.Input((3,), sparse=True), layers.Input((3,))
    merged = layers.Add()([inputs[0], inputs[0]]), layers.Add()(inputs)
    model = models.Model(inputs, [*merged, layers.Dense(2, kernel_initializer="ones")(inputs[0])])
    assert [y.sparse for y in model.outputs] == [True, False, False]
    twice, both, product = model([coo(A), coo(B)])
    assert is_sparse(twice)
    np.testing.assert_allclose(dense(twice), 2 * A)
    np.testing.assert_allclose(both, A + B, rtol=1e-6)
    np.testing.assert_allclose(product, A.sum(1, keepdims=True).repeat(2, 1), rtol=1e-6)
    assert models.Model.from_config(model.get_config()).inputs[0].sparse


def test_layers():
    x = coo(np.arange(12.0, dtype="float32").reshape(2, 2, 3))
    for layer in (layers.Flatten(), layers.Reshape((3, 2)), layers.Permute((2, 1)), layers.Identity()):
        y = layer(x)
        assert is_sparse(y)
        np.testing.assert_array_equal(dense(y), layer(dense(x)))
    dot = layers.Dot(axes=1)
    np.testing.assert_allclose(dense(dot([coo(A), coo(B)])), dot([A, B]), rtol=1e-6)
    ids = coo(np.array([[0, 2], [1, 0]]))
    embedding = layers.Embedding(3, 2)
    np.testing.assert_array_equal(embedding(ids), embedding(dense(ids)))
    discretize = layers.Discretization([0.0, 1.0], output_mode="count", sparse=True)
    assert dense(discretize(A)).tolist() == [[1, 2, 0], [1, 2, 0]] and is_sparse(discretize(A))
    assert discretize(layers.Input((3,))).sparse
    with pytest.raises(ValueError, match="output_mode='int'"):
        layers.Discretization([0.0], sparse=True)
    with pytest.raises(ValueError):
        layers.Input((3,), ragged=True)


def test_gradients_pass_through_products():
    x = coo(A)
    gradient = jax.grad(lambda w: ops.matmul(x, w).sum())(jnp.ones((3, 2)))
    np.testing.assert_allclose(gradient, A.T @ np.ones((2, 2)), rtol=1e-6)
