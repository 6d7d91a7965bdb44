"""Models as scikit-learn estimators."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

import jaxkeras as jk
from jaxkeras.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer

X = np.linspace(-1, 1, 24).reshape(12, 2)
LABELS = np.array(["low", "high"])[(X[:, 0] > 0).astype(int)]


def make(X, y, loss="mse"):
    model = jk.Sequential([jk.Input(X.shape[1:]), jk.layers.Dense(y.shape[1])])
    model.compile("sgd", loss)
    return model


def linear(X, y, activation=None, loss="mse"):
    """A model with deterministic initial weights, as many of scikit-learn's checks expect."""
    model = jk.Sequential([jk.Input(X.shape[1:]), jk.layers.Dense(y.shape[1], activation, kernel_initializer="zeros")])
    model.compile("sgd", loss)
    return model


# Keras's own wrappers fail the first two as well, and five more with the same model; they have no `predict_proba`.
EXPECTED = {
    SKLearnClassifier: dict.fromkeys(
        ("check_classifiers_train", "check_classifiers_classes", "check_decision_proba_consistency"),
        "decision_function returns a column for each class, of two classes too",
    ),
    SKLearnRegressor: {},
    SKLearnTransformer: {},
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("wrapper", EXPECTED, ids=lambda c: c.__name__)
def test_scikit_learn_estimator_checks(wrapper):
    classifies = {"activation": "softmax", "loss": "categorical_crossentropy"} if wrapper is SKLearnClassifier else {}
    fitting = {"batch_size": 512, "shuffle": False, "verbose": 0}
    results = check_estimator(
        wrapper(linear, model_kwargs=classifies, fit_kwargs=fitting),
        expected_failed_checks=EXPECTED[wrapper], on_fail=None, on_skip=None,
    )  # fmt: skip
    failed = {r["check_name"]: str(r["exception"])[:300] for r in results if r["status"] == "failed"}
    assert not failed and sum(r["status"] == "passed" for r in results) >= 39
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == EXPECTED[wrapper].keys()


def test_fit_and_predict():
    classifier = SKLearnClassifier(make, fit_kwargs={"verbose": 0, "epochs": 2})
    assert classifier.fit(X, LABELS) is classifier and classifier.epoch_ == 2
    scores = classifier.decision_function(X)
    np.testing.assert_array_equal(classifier.predict(X), classifier.classes_[scores.argmax(1)])
    assert list(classifier.classes_) == ["high", "low"] and scores.shape == (12, 2)
    assert classifier.fit_kwargs == {"verbose": 0, "epochs": 2}
    regressor = SKLearnRegressor(make, fit_kwargs={"verbose": 0}).fit(X, X[:, 0], epochs=1)
    assert regressor.predict(X).shape == (12,)
    again = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_allclose(again.predict(X), regressor.predict(X), rtol=1e-6)
    assert clone(regressor).fit_kwargs == {"verbose": 0}


@pytest.mark.parametrize("activation, from_logits", [("softmax", False), (None, True)])
def test_probabilities_of_classes(activation, from_logits):
    settings = {"activation": activation, "loss": jk.losses.CategoricalCrossentropy(from_logits=from_logits)}
    classifier = SKLearnClassifier(linear, model_kwargs=settings, fit_kwargs={"verbose": 0, "epochs": 2}).fit(X, LABELS)
    outputs, probabilities = classifier.decision_function(X), classifier.predict_proba(X)
    expected = scipy.special.softmax(outputs, axis=1) if from_logits else outputs
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)
    scores = cross_val_score(classifier, X, LABELS, cv=2, scoring="neg_log_loss", error_score="raise")
    assert (scores > np.log(0.5)).all()


def test_given_model_is_cloned_without_warm_start():
    model = make(X, X)
    before = model.get_weights()[0]
    regressor = SKLearnRegressor(model, fit_kwargs={"verbose": 0})
    regressor.fit(X, X)
    assert regressor.model_ is not model and regressor.model_.compiled
    np.testing.assert_array_equal(model.get_weights()[0], before)
    regressor.set_params(warm_start=True, model=model)
    del regressor.model_
    assert regressor.fit(X, X).model_ is model
    assert not np.array_equal(model.get_weights()[0], before)
    transformed = SKLearnTransformer(model, fit_kwargs={"verbose": 0}, warm_start=True).fit(X, X).transform(X)
    np.testing.assert_allclose(transformed, model.predict(X, verbose=0))


def test_invalid_usage_raises():
    with pytest.raises(RuntimeError, match="must be compiled with an optimizer and a loss"):
        SKLearnRegressor(jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])).fit(X, X[:, 0])
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        SKLearnRegressor(make).set_fit_request(sample_weight=True)
    with pytest.raises(ValueError, match="one class only"):
        SKLearnClassifier(make).fit(X, np.ones(12, int))


@jk.saving.register_keras_serializable("wrappers")
def my_loss(y_true, y_pred):
    return (y_true - y_pred) ** 2


class Own(jk.layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_models_can_be_copied_and_pickled(twin):
    model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1), Own()])
    model.compile("adam", my_loss)
    model.train_on_batch(X, X[:, :1])  # creates the session, which cannot be pickled
    other = twin(model)
    for a, b in zip(model.variables + model.optimizer.variables, other.variables + other.optimizer.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
        assert a is not b
    assert other.loss is my_loss and isinstance(other.layers[1], Own)


def test_clones_are_compiled_with_separate_optimizers():
    model = make(X, X, loss=lambda a, b: (a - b) ** 2)
    other = jk.models.clone_model(model)
    assert other.compiled and other.loss is model.loss and other.optimizer is not model.optimizer


def test_scikit_learn_is_imported_lazily():
    code = "import sys, jaxkeras; w = jaxkeras.wrappers; print('sklearn' in sys.modules, w.SKLearnRegressor.__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "SKLearnRegressor"]
