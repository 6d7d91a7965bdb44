"""Every metric compared with the installed Keras: updates, weights, reset, jit, signatures and configs."""

from __future__ import annotations

import inspect
import json
import warnings
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras import metrics
from jaxkeras.core.masks import set_mask
from jaxkeras.metrics.resolve import create_variables

keras = pytest.importorskip("keras")

RNG = np.random.default_rng(11)


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype("float32")


def _normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype("float32")


def _uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(size=shape).astype("float32")


def _classes(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, n, shape).astype("int32")


ONE_HOT = np.eye(3, dtype="float32")
# Each function draws a new batch of six samples.
DATA = {
    "values": lambda: (_normal(6, 3),),
    "vector": lambda: (_normal(6),),
    "real": lambda: (_normal(6, 3), _normal(6, 3)),
    "real_3d": lambda: (_normal(6, 5, 3), _normal(6, 5, 3)),
    "column": lambda: (_normal(6), _normal(6, 1)),
    "positive": lambda: (np.exp(_normal(6, 3)), np.exp(_normal(6, 3))),
    "bits": lambda: (_classes(2, 6, 3), _uniform(6, 3)),
    "bits_vector": lambda: (_classes(2, 6), _uniform(6)),
    "bits_column": lambda: (_classes(2, 6), _uniform(6, 1)),
    "bits_edges": lambda: (_classes(2, 6), np.array([0.0, 0.25, 0.5, 0.5, 1.0, 0.75], "float32")),
    "bits_logits": lambda: (_classes(2, 6, 3), _normal(6, 3)),
    "signs": lambda: (2 * _classes(2, 6, 3) - 1, _normal(6, 3)),
    "one_hot": lambda: (ONE_HOT[_classes(3, 6)], _softmax(_normal(6, 3))),
    "one_hot_logits": lambda: (ONE_HOT[_classes(3, 6)], _normal(6, 3)),
    "one_hot_3d": lambda: (ONE_HOT[_classes(3, 6, 5)], _softmax(_normal(6, 5, 3))),
    "sparse": lambda: (_classes(3, 6), _softmax(_normal(6, 3))),
    "sparse_column": lambda: (_classes(3, 6, 1), _softmax(_normal(6, 3))),
    "sparse_3d": lambda: (_classes(3, 6, 5), _softmax(_normal(6, 5, 3))),
    "sorted_ids": lambda: (_classes(3, 6), np.stack([RNG.permutation(3) for _ in range(6)]).astype("int32")),
    "two_classes": lambda: (_classes(3, 6), _classes(3, 6)),
    "two_classes_2d": lambda: (_classes(3, 6, 5), _classes(3, 6, 5)),
}  # fmt: skip

ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("Mean", {}, "values"),
    ("Mean", {}, "vector"),
    ("Sum", {}, "values"),
    ("Accuracy", {}, "two_classes"),
    ("Accuracy", {}, "two_classes_2d"),
    ("BinaryAccuracy", {}, "bits"),
    ("BinaryAccuracy", {"threshold": 0.3}, "bits_column"),
    ("CategoricalAccuracy", {}, "one_hot"),
    ("CategoricalAccuracy", {}, "one_hot_3d"),
    ("SparseCategoricalAccuracy", {}, "sparse"),
    ("SparseCategoricalAccuracy", {}, "sparse_column"),
    ("SparseCategoricalAccuracy", {}, "sparse_3d"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one_hot"),
    ("TopKCategoricalAccuracy", {"k": 1}, "one_hot_3d"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse_3d"),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, "sparse_column"),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, "sorted_ids"),
    ("MeanSquaredError", {}, "real"),
    ("MeanSquaredError", {}, "column"),
    ("MeanAbsoluteError", {}, "real_3d"),
    ("MeanAbsolutePercentageError", {}, "positive"),
    ("MeanSquaredLogarithmicError", {}, "positive"),
    ("RootMeanSquaredError", {}, "real"),
    ("RootMeanSquaredError", {}, "column"),
    ("CosineSimilarity", {}, "real"),
    ("CosineSimilarity", {"axis": 1}, "real_3d"),
    ("LogCoshError", {}, "real"),
    ("R2Score", {}, "real"),
    ("R2Score", {"class_aggregation": None}, "real"),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}, "real"),
    ("Hinge", {}, "signs"),
    ("SquaredHinge", {}, "bits_logits"),
    ("CategoricalHinge", {}, "one_hot_logits"),
    ("KLDivergence", {}, "one_hot"),
    ("Poisson", {}, "positive"),
    ("BinaryCrossentropy", {}, "bits"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "bits_logits"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "one_hot"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one_hot_logits"),
    ("SparseCategoricalCrossentropy", {}, "sparse"),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, "sparse_3d"),
    ("PearsonCorrelation", {}, "real"),
    ("PearsonCorrelation", {"axis": 0}, "real"),
    ("ConcordanceCorrelation", {}, "real"),
    ("F1Score", {}, "one_hot"),
    ("F1Score", {"average": "micro", "threshold": 0.4}, "bits"),
    ("FBetaScore", {"average": "macro", "beta": 2.0}, "one_hot"),
    ("FBetaScore", {"average": "weighted", "beta": 0.5, "threshold": 0.5}, "bits"),
    ("TruePositives", {}, "bits"),
    ("TrueNegatives", {"thresholds": [0.2, 0.7]}, "bits"),
    ("FalsePositives", {"thresholds": [0.0, 0.5, 1.0]}, "bits_edges"),
    ("FalseNegatives", {"thresholds": 0.3}, "bits_column"),
    ("Precision", {}, "bits"),
    ("Precision", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, "bits_edges"),
    ("Precision", {"top_k": 2}, "one_hot"),
    ("Precision", {"top_k": 2, "class_id": 1}, "one_hot"),
    ("Recall", {}, "bits_vector"),
    ("Recall", {"thresholds": [0.1, 0.9], "class_id": 2}, "bits"),
    ("Recall", {"top_k": 1}, "bits"),
    ("SensitivityAtSpecificity", {"specificity": 0.4}, "bits_vector"),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "num_thresholds": 11}, "bits"),
    ("PrecisionAtRecall", {"recall": 0.5, "num_thresholds": 1}, "bits"),
    ("RecallAtPrecision", {"precision": 0.6, "class_id": 0}, "bits"),
    ("AUC", {}, "bits_vector"),
    ("AUC", {"curve": "PR"}, "bits"),
    ("AUC", {"curve": "PR", "summation_method": "majoring", "num_thresholds": 5}, "bits_edges"),
    ("AUC", {"curve": "PRGAIN", "summation_method": "minoring", "num_thresholds": 20}, "bits"),
    ("AUC", {"thresholds": [0.3, 0.9, 0.5]}, "bits_column"),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75], "curve": "PR"}, "bits_edges"),
    ("AUC", {"from_logits": True, "num_thresholds": 50}, "bits_logits"),
    ("AUC", {"multi_label": True}, "bits"),
    ("AUC", {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 2.0, 0.5], "curve": "PR"}, "bits"),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 0.0, 3.0], "thresholds": [0.3, 0.4]}, "bits"),
    ("AUC", {"label_weights": [1.0, 2.0, 0.5]}, "bits"),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, "two_classes_2d"),
    ("IoU", {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0, "sparse_y_pred": False}, "sparse_3d"),
    ("BinaryIoU", {}, "bits"),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, "bits_vector"),
    ("MeanIoU", {"num_classes": 3}, "two_classes"),
    ("MeanIoU", {"num_classes": 2, "dtype": "float32"}, "two_classes"),
    ("OneHotIoU", {"num_classes": 3, "target_class_ids": [0, 1]}, "one_hot_3d"),
    ("OneHotMeanIoU", {"num_classes": 3}, "one_hot"),
]
IDS = [f"{i}-{name}-{data}" for i, (name, _, data) in enumerate(ROWS)]
each_row = pytest.mark.parametrize("name, kwargs, data", ROWS, ids=IDS)

API = [n for n in dir(keras.metrics) if not n.startswith("_")]
QUICK = {"xla_backend_optimization_level": 0}  # each program runs once, so compile time dominates
WEIGHT = np.array([0.5, 1.0, 0.0, 2.0, 3.0, 1.0], "float32")


def _close(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-6)


def _pair(name: str, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(metrics, name)(**kwargs), getattr(keras.metrics, name)(**kwargs)


def _weight(name: str, kwargs: dict[str, Any], data: str) -> np.ndarray | None:
    if kwargs.get("axis") in (0, 1):  # the sample axis is reduced: Keras takes no weights here
        return None
    if "ignore_class" in kwargs and "IoU" not in name:  # weights must have the shape of the mask
        return np.repeat(WEIGHT[:, None], 5, axis=1)
    if "IoU" not in name:
        return WEIGHT
    positions = {"two_classes_2d": 5, "sparse_3d": 5, "one_hot_3d": 5, "bits": 3}
    return np.repeat(WEIGHT.astype("int32"), positions.get(data, 1))


def _batches(name: str, kwargs: dict[str, Any], data: str) -> list[tuple[tuple, np.ndarray | None]]:
    return [(DATA[data](), None), (DATA[data](), _weight(name, kwargs, data)), (DATA[data](), None)]


@each_row
def test_compiled_updates_with_and_without_weights(name, kwargs, data):
    ours, theirs = _pair(name, kwargs)
    batches = _batches(name, kwargs, data)[:2]
    for args, weight in batches:
        theirs.update_state(*args, sample_weight=weight)
    if name == "R2Score":  # Keras 3.16 counts samples of a weight other than zero, 3.15 values
        counts = [len(args[0]) if weight is None else np.count_nonzero(weight) for args, weight in batches]
        theirs.num_samples.assign(sum(counts))
    if len(batches[0][0]) == 2:
        create_variables(ours, *batches[0][0])

    @partial(jax.jit, compiler_options=QUICK)
    def run(state):
        for args, weight in batches:
            state = ours.stateless_update_state(state, *args, sample_weight=weight)
        return ours.stateless_result(state), state

    result, state = run(ours.stateless_reset_state())
    _close(result, theirs.result())
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    assert [v.aggregation for v in ours.variables] == [v.aggregation for v in theirs.variables]
    for mine, other in zip(state, theirs.variables, strict=True):
        assert mine.dtype == keras.backend.standardize_dtype(other.dtype)
        _close(mine, other.value)
    assert not any(np.asarray(v.value).any() for v in ours.variables)


@each_row
def test_states_are_additive_and_16_bit_dtypes_are_supported(name, kwargs, data):
    """States are sums, so the states of devices that each saw part of the data add up to the state for all of it."""
    metric = getattr(metrics, name)(**kwargs)
    parts = [DATA[data](), DATA[data]()]
    if len(parts[0]) == 2:
        create_variables(metric, *parts[0])

    @partial(jax.jit, compiler_options=QUICK)
    def run(zero):
        update = metric.stateless_update_state
        states = [update(zero, *part) for part in parts]
        whole = update(states[0], *parts[1])
        added = jax.tree.map(jnp.add, *states)
        return whole, added, metric.stateless_result(whole), metric.stateless_result(added)

    whole, added, result, result_of_added = run(metric.stateless_reset_state())
    assert {v.aggregation for v in metric.variables} == {"sum"}
    for a, b in zip(added, whole, strict=True):
        _close(a, b)
    _close(result_of_added, result)

    for dtype in ("float16", "bfloat16"):
        narrow = getattr(metrics, name)(**{**kwargs, "dtype": dtype})
        value = narrow(*parts[0])
        assert narrow.dtype == dtype and np.isfinite(np.asarray(value, "float32")).all(), dtype


EAGER = ["Mean", "BinaryAccuracy", "MeanSquaredError", "RootMeanSquaredError", "R2Score", "F1Score", "TruePositives",
         "Precision", "RecallAtPrecision", "AUC", "MeanIoU"]  # fmt: skip


@pytest.mark.parametrize("name, kwargs, data", [next(row for row in ROWS if row[0] == name) for name in EAGER])
def test_eager_updates_and_reset(name, kwargs, data):
    ours, theirs = _pair(name, kwargs)
    for args, weight in _batches(name, kwargs, data):
        ours.update_state(*args, sample_weight=weight)
        theirs.update_state(*args, sample_weight=weight)
        _close(ours.result(), theirs.result())
    assert [v.path.split("/")[-1] for v in ours.variables] == [v.path.split("/")[-1] for v in theirs.variables]
    ours.reset_state()
    assert not any(np.asarray(v.value).any() for v in ours.variables)
    args, weight = _batches(name, kwargs, data)[1]
    theirs.reset_state()
    _close(ours(*args, sample_weight=weight), theirs(*args, sample_weight=weight))


@each_row
def test_configs_round_trip_through_keras(name, kwargs, data):
    ours, theirs = _pair(name, {**kwargs, "name": "it"})
    own, other = ours.get_config(), theirs.get_config()
    forgotten = set(own) - set(other)  # settings missing from Keras's own config
    assert forgotten <= {"axis"} and all(own[k] == kwargs[k] for k in forgotten)
    for key, value in other.items():
        np.testing.assert_array_equal(own[key], value, err_msg=key)

    serialized = json.loads(json.dumps(metrics.serialize(ours)))
    read = keras.metrics.deserialize(serialized)
    assert type(read) is type(theirs)
    np.testing.assert_equal(read.get_config(), other)
    back = metrics.deserialize(serialized)
    assert type(back) is type(ours) and back.get_config() == own
    if kwargs.get("label_weights") is None:  # Keras writes an array, which it cannot read back
        again = metrics.deserialize(keras.metrics.serialize(theirs)).get_config()
        assert {**again, **{k: own[k] for k in forgotten}} == own


@pytest.mark.parametrize(
    "weight", [None, np.array([[1.0], [2.0], [0.5], [1.0], [0.0], [1.0]], "float32"), _uniform(6, 5)]
)
def test_mask_of_predictions(weight):
    y_true, y_pred = DATA["real_3d"]()
    mask = _classes(2, 6, 5).astype(bool)
    theirs_pred = np.array(y_pred)
    keras.src.backend.set_keras_mask(theirs_pred, mask)
    ours_pred = jnp.asarray(y_pred)
    set_mask(ours_pred, mask)
    ours, theirs = _pair("MeanSquaredError", {})
    weight = None if weight is None else np.broadcast_to(weight, (6, 5))
    _close(ours(y_true, ours_pred, sample_weight=weight), theirs(y_true, theirs_pred, sample_weight=weight))


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("shape", [(), (6,), (6, 1), (6, 5), (6, 5, 3)], ids=str)
def test_shapes_of_sample_weight(name, shape):
    values, weight = _normal(6, 5, 3), _uniform(*shape)
    ours, theirs = _pair(name, {})
    if shape == (6, 1):
        values = values[..., 0]
    _close(ours(values, sample_weight=weight), theirs(values, sample_weight=weight))


@pytest.mark.parametrize("name", API)
def test_signatures(name):
    ours, theirs = getattr(metrics, name), getattr(keras.metrics, name)

    def parameters(thing):
        found = [(p.name, p.default, p.kind) for p in inspect.signature(thing).parameters.values()]
        return [p for p in found if p[2] is not inspect.Parameter.VAR_POSITIONAL]

    newer = {"label_smoothing"} if name == "sparse_categorical_crossentropy" else set()
    newer -= {p[0] for p in parameters(theirs)}  # since Keras 3.16
    assert [p for p in parameters(ours) if p[0] not in newer] == parameters(theirs)


@pytest.mark.parametrize("name", sorted(keras.src.metrics.ALL_OBJECTS_DICT))
def test_names(name):
    theirs = keras.src.metrics.ALL_OBJECTS_DICT[name]
    try:
        expected = type(keras.metrics.get(name))
    except TypeError:  # a class that needs arguments
        with pytest.raises(TypeError):
            metrics.get(name)
        return
    assert expected is theirs
    assert type(metrics.get(name)).__name__ == theirs.__name__


def test_wrapped_functions_round_trip_through_keras():
    for function in ("binary_accuracy", "squared_hinge", "pearson_correlation"):
        ours = metrics.MeanMetricWrapper(getattr(metrics, function), name="it")
        theirs = keras.metrics.deserialize(metrics.serialize(ours))
        assert theirs._fn is getattr(keras.metrics, function)
        back = metrics.deserialize(keras.metrics.serialize(theirs))
        assert back._fn is getattr(metrics, function) and back.get_config() == ours.get_config()


def test_adjusted_r2_with_too_few_values():
    y_true, y_pred = np.array([[1.0], [3.0]], "float32"), np.array([[1.5], [2.0]], "float32")
    for regressors in (1, 5):
        ours, theirs = _pair("R2Score", {"num_regressors": regressors})
        with pytest.warns(UserWarning, match="not adjusted"):
            result = ours(y_true, y_pred)
        with warnings.catch_warnings(action="ignore"):
            _close(result, theirs(y_true, y_pred))
        state = [v.value for v in ours.variables]
        _close(jax.jit(ours.stateless_result)(state), result)


def test_deferred_variables_are_created_without_an_update():
    for name, kwargs, data in (
        ("R2Score", {}, "real"),
        ("F1Score", {}, "bits"),
        ("AUC", {"multi_label": True}, "bits"),
    ):
        metric, expected = getattr(metrics, name)(**kwargs), getattr(metrics, name)(**kwargs)
        args = DATA[data]()
        create_variables(metric, *args)
        expected.update_state(*args)
        assert [(v.name, v.shape) for v in metric.variables] == [(v.name, v.shape) for v in expected.variables]
        assert not any(np.asarray(v.value).any() for v in metric.variables)


def test_shapes_of_weights_of_f1_score():
    ours, theirs = _pair("F1Score", {})
    y_true, y_pred = np.eye(4, dtype="float32")[_classes(4, 6)], _uniform(6, 4)
    _close(ours(y_true, y_pred, sample_weight=[0.5]), theirs(y_true, y_pred, sample_weight=[0.5]))
    expected = metrics.F1Score()(y_true, y_pred, sample_weight=WEIGHT[:6])
    for weight in (WEIGHT[:6, None], np.repeat(WEIGHT[:6, None], 4, axis=1)):
        _close(metrics.F1Score()(y_true, y_pred, sample_weight=weight), expected)
    _close(metrics.F1Score()(y_true, y_pred, sample_weight=0.5), metrics.F1Score()(y_true, y_pred))
