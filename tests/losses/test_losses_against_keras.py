"""Every loss compared with the installed Keras: values, weights, masks, reductions, signatures and configs."""

from __future__ import annotations

import inspect
import json
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import losses
from jaxkeras.core.masks import set_mask

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(7)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def _classes(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, n, shape).astype("int32")


ONE_HOT = np.eye(3, dtype="float32")
DATA: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "real": (_normal(4, 3), _normal(4, 3)),
    "real_3d": (_normal(4, 5, 3), _normal(4, 5, 3)),
    "column": (_normal(4), _normal(4, 1)),
    "positive": (np.exp(_normal(4, 3)), np.exp(_normal(4, 3))),
    "bits": (_classes(2, 4, 3), _softmax(_normal(4, 3))),
    "bits_vector": (_classes(2, 4), _softmax(_normal(4, 3))[:, :1]),
    "bits_logits": (_classes(2, 4, 3), _normal(4, 3)),
    "signs": (2 * _classes(2, 4, 3) - 1, _normal(4, 3)),
    "one_hot": (ONE_HOT[_classes(3, 4)], _softmax(_normal(4, 3))),
    "one_hot_logits": (ONE_HOT[_classes(3, 4)], _normal(4, 3)),
    "one_hot_3d": (ONE_HOT[_classes(3, 4, 5)], _softmax(_normal(4, 5, 3))),
    "sparse": (_classes(3, 4), _softmax(_normal(4, 3))),
    "sparse_column": (_classes(3, 4, 1), _softmax(_normal(4, 3))),
    "sparse_logits": (_classes(3, 4), _normal(4, 3)),
    "sparse_3d": (_classes(3, 4, 5), _softmax(_normal(4, 5, 3))),
    "embeddings": (_classes(2, 4), _unit(_normal(4, 3))),
    "sequences": (np.array([[1, 2, 2], [3, 0, 0], [1, 1, 0], [2, 0, 0]], "int32"), _normal(4, 7, 4)),
}  # fmt: skip

ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("MeanSquaredError", {}, "real"),
    ("MeanSquaredError", {}, "real_3d"),
    ("MeanSquaredError", {}, "column"),
    ("MeanAbsoluteError", {}, "real"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanSquaredLogarithmicError", {}, "real"),
    ("CosineSimilarity", {}, "real"),
    ("CosineSimilarity", {"axis": 1}, "real_3d"),
    ("Huber", {}, "real"),
    ("Huber", {"delta": 0.3}, "real"),
    ("LogCosh", {}, "real"),
    ("Hinge", {}, "signs"),
    ("Hinge", {}, "bits_logits"),
    ("SquaredHinge", {}, "signs"),
    ("SquaredHinge", {}, "bits_logits"),
    ("CategoricalHinge", {}, "one_hot_logits"),
    ("KLDivergence", {}, "one_hot"),
    ("Poisson", {}, "positive"),
    ("BinaryCrossentropy", {}, "bits"),
    ("BinaryCrossentropy", {}, "bits_vector"),
    ("BinaryCrossentropy", {"from_logits": True}, "bits_logits"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "bits"),
    ("BinaryFocalCrossentropy", {}, "bits"),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.5}, "bits_logits"),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.4, "label_smoothing": 0.1}, "bits"),
    ("CategoricalCrossentropy", {}, "one_hot"),
    ("CategoricalCrossentropy", {}, "one_hot_3d"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one_hot_logits"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.3}, "one_hot"),
    ("CategoricalFocalCrossentropy", {}, "one_hot"),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "alpha": 0.5, "gamma": 1.0}, "one_hot_logits"),
    ("CategoricalFocalCrossentropy", {"label_smoothing": 0.1}, "one_hot_3d"),
    ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("SparseCategoricalCrossentropy", {}, "sparse_column"),
    ("SparseCategoricalCrossentropy", {}, "sparse_3d"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse_logits"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "sparse_3d"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 0, "from_logits": True}, "sparse_logits"),
    ("CategoricalGeneralizedCrossEntropy", {}, "sparse"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.8}, "sparse"),
    ("Dice", {}, "bits"),
    ("Dice", {"axis": (1,)}, "bits"),
    ("Tversky", {}, "bits"),
    ("Tversky", {"alpha": 0.4, "beta": 0.4, "axis": (1,)}, "bits"),
    ("Circle", {}, "embeddings"),
    ("Circle", {"gamma": 10.0, "margin": 0.2, "remove_diagonal": False}, "embeddings"),
    ("CTC", {}, "sequences"),
]
IDS = [f"{i}-{name}-{data}" for i, (name, _, data) in enumerate(ROWS)]
each_row = pytest.mark.parametrize("name, kwargs, data", ROWS, ids=IDS)

# The first row of each loss, the others with the exhaustive tests.
each_loss = pytest.mark.parametrize("name, kwargs, data", [
    pytest.param(*row, marks=() if row[0] not in [name for name, *_ in ROWS[:i]] else pytest.mark.exhaustive)
    for i, row in enumerate(ROWS)
], ids=IDS)  # fmt: skip

QUICK = {"xla_backend_optimization_level": 0}  # each program runs once, so compile time dominates
API = [n for n in dir(keras.losses) if not n.startswith("_")]


def _close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-6)


def _pair(name: str, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(losses, name)(**kwargs), getattr(keras.losses, name)(**kwargs)


@each_row
def test_unreduced_values_and_weights(name, kwargs, data):
    y_true, y_pred = DATA[data]
    ours, theirs = _pair(name, {**kwargs, "reduction": None})
    expected = theirs(y_true, y_pred)
    weight = np.linspace(0, 2, expected.size, dtype="float32").reshape(expected.shape)
    both = jax.jit(lambda t, p, w: (ours(t, p), ours(t, p, w)), compiler_options=QUICK)
    got, weighted = both(y_true, y_pred, weight)
    assert got.dtype == jnp.float32 and got.shape == expected.shape
    _close(got, expected)
    _close(weighted, theirs(y_true, y_pred, weight))


@each_loss
def test_gradients_shapes_and_16_bit_dtypes(name, kwargs, data):
    y_true, y_pred = DATA[data]
    towards = RNG.normal(size=y_pred.shape)
    ours, theirs = _pair(name, {**kwargs, "reduction": "sum", "dtype": "float64"})
    wide = y_pred.astype("float64")
    # Keras's NumPy backend rounds to float32, like its other backends.
    with patch.dict(keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE, float64="float64"):
        above, below = (float(theirs(y_true, wide + step * towards)) for step in (1e-6, -1e-6))
    with jax.enable_x64(True):
        slope = jax.jit(lambda p, d: jax.jvp(lambda p: ours(y_true, p), (p,), (d,))[1], compiler_options=QUICK)
        gradient = jax.grad(lambda p: ours(y_true, p))(wide)
        assert float(slope(wide, towards)) == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-7)
        assert float(jnp.sum(gradient * towards)) == pytest.approx(float(slope(wide, towards)), rel=1e-9, abs=1e-12)

    bare = getattr(losses, name)(**kwargs, reduction=None)
    value = bare(y_true, y_pred)
    longer = [jax.ShapeDtypeStruct((len(a) + 3, *a.shape[1:]), a.dtype) for a in (y_true, y_pred)]
    assert jax.eval_shape(bare, *longer).shape == (len(y_true) + 3, *value.shape[1:])[: value.ndim]
    for dtype, tolerance in (("float16", 1e-2), ("bfloat16", 6e-2)):
        narrow = getattr(losses, name)(**kwargs, reduction=None, dtype=dtype)(y_true, y_pred)
        assert narrow.dtype == dtype
        np.testing.assert_allclose(narrow.astype("float32"), value, rtol=tolerance, atol=tolerance, err_msg=dtype)


# Ordinary losses, one that masks its own values, and one that already returns a scalar.
REDUCED = [
    ("MeanSquaredError", {}, "real_3d"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "sparse_3d"),
    ("Circle", {}, "embeddings"),
    ("Dice", {}, "bits"),
]


REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"]


@pytest.mark.parametrize("name, kwargs, data", REDUCED)
def test_reductions(name, kwargs, data):
    y_true, y_pred = DATA[data]
    pairs = [_pair(name, {**kwargs, "reduction": reduction}) for reduction in REDUCTIONS]
    shape = pairs[-1][1](y_true, y_pred).shape
    weight = np.linspace(0, 2, int(np.prod(shape)), dtype="float32").reshape(shape)
    got = jax.jit(lambda w: [(loss(y_true, y_pred), loss(y_true, y_pred, w)) for loss, _ in pairs])(weight)
    for (plain, weighted), (_, theirs) in zip(got, pairs):
        _close(plain, theirs(y_true, y_pred))
        _close(weighted, theirs(y_true, y_pred, sample_weight=weight))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
@pytest.mark.parametrize(
    "weight", [None, np.linspace(0, 1, 20, dtype="float32").reshape(4, 5)], ids=["bare", "weighted"]
)
@pytest.mark.parametrize("valid", [0, 7])
def test_mask_of_predictions(reduction, weight, valid):
    y_true, y_pred = DATA["real_3d"]
    mask = np.arange(20).reshape(4, 5) < valid
    theirs_pred = np.array(y_pred)
    keras.src.backend.set_keras_mask(theirs_pred, mask)
    expected = keras.losses.MeanSquaredError(reduction=reduction)(y_true, theirs_pred, weight)

    def ours(t, p, m, w):
        set_mask(p, m)
        return losses.MeanSquaredError(reduction=reduction)(t, p, w)

    _close(ours(y_true, jnp.asarray(y_pred), mask, weight), expected)


def test_mask_inside_jit():
    y_true, y_pred = DATA["real_3d"]

    def masked(t, p, m):
        set_mask(p, m)
        return losses.MeanSquaredError()(t, p)

    mask = np.arange(20).reshape(4, 5) < 7
    _close(jax.jit(masked)(y_true, y_pred, mask), np.mean((y_true - y_pred)[mask] ** 2))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 5), ()], ids=str)
def test_shapes_of_sample_weight(shape):
    y_true, y_pred = DATA["real_3d"] if shape in ((4, 5), (4, 1)) else DATA["real"]
    weight = np.linspace(0.5, 2, int(np.prod(shape)), dtype="float32").reshape(shape)
    ours, theirs = _pair("MeanAbsoluteError", {})
    _close(ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight))


def test_structures():
    (t1, p1), (t2, p2) = DATA["real"], DATA["positive"]

    def fn(t, p, scale=1.0):
        return scale * (abs(t["a"] - p["a"]) + abs(t["b"] - p["b"]))

    ours = losses.LossFunctionWrapper(fn, name="pair", scale=2.0)
    theirs = keras.src.losses.losses.LossFunctionWrapper(fn, name="pair", scale=2.0)
    y_true, y_pred = {"a": t1, "b": t2}, {"a": p1, "b": p2}
    _close(ours(y_true, y_pred), theirs(y_true, y_pred))
    with pytest.raises(ValueError, match="same structure"):
        ours({"a": t1}, y_pred)


@each_row
def test_configs_round_trip_through_keras(name, kwargs, data):
    ours, theirs = _pair(name, {**kwargs, "name": "it", "reduction": "sum"})
    own = ours.get_config()
    forgotten = set(own) - set(theirs.get_config())  # settings missing from Keras's own config
    assert {k: v for k, v in own.items() if k not in forgotten} == theirs.get_config()
    assert forgotten <= {"delta", "axis"} and all(own[k] == kwargs[k] for k in forgotten)

    serialized = json.loads(json.dumps(losses.serialize(ours)))
    read = keras.saving.deserialize_keras_object(serialized)
    assert type(read) is type(theirs)
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in own.items()}
    assert {**read._fn_kwargs, **read.get_config()}.items() >= plain.items()
    back = losses.deserialize(serialized)
    assert type(back) is type(ours) and back.get_config() == plain
    again = losses.deserialize(json.loads(json.dumps(keras.losses.serialize(theirs)))).get_config()
    assert {**again, **{k: plain[k] for k in forgotten}} == plain


@pytest.mark.parametrize("name", API)
def test_signatures(name):
    ours, theirs = getattr(losses, name), getattr(keras.losses, name)

    def parameters(thing):
        return [(p.name, p.default, p.kind) for p in inspect.signature(thing).parameters.values()]

    newer = {"label_smoothing"} if name.lower().replace("_", "") == "sparsecategoricalcrossentropy" else set()
    newer -= {p[0] for p in parameters(theirs)}  # since Keras 3.16
    assert [p for p in parameters(ours) if p[0] not in newer] == parameters(theirs)


@pytest.mark.parametrize("name", sorted(keras.src.losses.ALL_OBJECTS_DICT))
def test_names(name):
    if name == "LossFunctionWrapper":
        return
    ours, theirs = losses.get(name), keras.losses.get(name)
    if inspect.isfunction(theirs):
        assert ours.__name__ == theirs.__name__ and inspect.isfunction(ours)
        assert keras.losses.deserialize(losses.serialize(ours)) is theirs
        assert losses.deserialize(keras.losses.serialize(theirs)) is ours
    else:
        assert type(ours).__name__ == type(theirs).__name__


def test_functions_accept_lists_and_integers():
    for name in ("mean_squared_error", "mean_absolute_error", "hinge", "poisson"):
        y_true, y_pred = [[0, 1, 1]], [[0.25, 0.5, 2.0]]
        _close(getattr(losses, name)(y_true, y_pred), getattr(keras.losses, name)(y_true, y_pred))


def test_huge_logits_stay_finite():
    """Keras's NumPy backend clips where its JAX backend does not, so compare with exact values."""
    t, p = np.array([[1.0, 0.0, 1.0, 0.0]], "float32"), np.array([[-100.0, 100.0, 100.0, -100.0]], "float32")
    value, grad = jax.jit(jax.value_and_grad(lambda p: losses.binary_crossentropy(t, p, from_logits=True)[0]))(p)
    _close(value, 50.0)
    _close(grad, [[-0.25, 0.25, 0.0, 0.0]])
    one_hot = np.array([[0.0, 1.0]], "float32")
    _close(losses.categorical_crossentropy(one_hot, np.array([[200.0, 0.0]], "float32"), from_logits=True), [200.0])
    _close(losses.sparse_categorical_crossentropy([1], np.array([[200.0, 0.0]], "float32"), from_logits=True), [200.0])
