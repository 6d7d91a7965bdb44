"""Models as scikit-learn estimators. Only `jaxkeras.wrappers` imports this file, since it needs scikit-learn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxkeras.models import Model, clone_model


class _Estimator(BaseEstimator):
    """Base class of the three estimators.

    A model starts with random weights and sees its data in random order: call `jaxkeras.utils.set_random_seed` first to
    get the same result again.
    """

    def __init__(
        self,
        model: Model | Callable[..., Model],
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ):
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def __sklearn_clone__(self) -> Any:
        model = copy.deepcopy(self.model) if isinstance(self.model, Model) else self.model
        return type(self)(model, self.warm_start, copy.copy(self.model_kwargs), copy.copy(self.fit_kwargs))

    @property
    def epoch_(self) -> int:
        """The number of epochs of the last `fit`."""
        return len(self.history_.epoch) if hasattr(self, "history_") else 0

    def set_fit_request(self, **kwargs: Any) -> Any:
        """Set which further arguments of `fit` scikit-learn may route here.

        Args:
            **kwargs: `name=True`, `False`, `None` or another name, as in scikit-learn's guide to metadata routing.

        Returns:
            The estimator.

        Raises:
            RuntimeError: unless metadata routing is enabled.
        """
        if not sklearn.get_config().get("enable_metadata_routing", False):
            raise RuntimeError(
                "Metadata routing is off: call sklearn.set_config(enable_metadata_routing=True) before "
                "set_fit_request(...)."
            )
        request = MetadataRequest(owner=type(self).__name__)
        for name, alias in kwargs.items():
            request.fit.add_request(param=name, alias=alias)
        self._metadata_request = request
        return self

    def _start_model(self, x: Any, y: Any) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if not isinstance(self.model, Model):
            model = self.model(X=x, y=y, **(self.model_kwargs or {}))
        else:
            model = self.model if self.warm_start else clone_model(self.model)
        if not model.compiled or model.loss is None or model.optimizer is None:
            raise RuntimeError(
                f"The model of {type(self).__name__} must be compiled with an optimizer and a loss: "
                "model.compile(optimizer='adam', loss='mse')."
            )
        return model

    def fit(self, X: Any, y: Any, **kwargs: Any) -> Any:
        """Train the model.

        Args:
            X: array-like, `(samples, features)`.
            y: targets, `(samples,)` or, but for a classifier, `(samples, outputs)`.
            **kwargs: for `Model.fit`; they win over `fit_kwargs`.

        Returns:
            The estimator.
        """
        X, y = validate_data(self, X, y, multi_output=not isinstance(self, SKLearnClassifier))
        y = self._encode(y)
        model = self._start_model(X, y)
        self.history_ = model.fit(X, y, **{**(self.fit_kwargs or {}), **kwargs})
        self.model_ = model
        return self

    def _raw(self, X: Any) -> Any:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.model_.predict(X, verbose=(self.fit_kwargs or {}).get("verbose", "auto"))

    def predict(self, X: Any) -> Any:
        """Predicted targets for `X`, array-like of `(samples, features)`."""
        return self._decode(self._raw(X))

    def _encode(self, y: np.ndarray) -> np.ndarray:
        """Targets as the model takes them: always `(samples, outputs)`."""
        type_of_target(y, raise_unknown=True)
        self._one_output = y.ndim == 1
        return y[:, None] if self._one_output else y

    def _decode(self, y: np.ndarray) -> np.ndarray:
        return y[:, 0] if self._one_output and y.ndim == 2 and y.shape[1] == 1 else y


class SKLearnClassifier(ClassifierMixin, _Estimator):
    """A model as a scikit-learn classifier, trained on one-hot targets `(samples, classes)`.

    Args:
        model: a compiled model, which `fit` clones unless `warm_start`; or a function `f(X, y, **model_kwargs)` that
            returns one, given the data as the model will see them.
        warm_start: whether a further `fit` continues from the current weights.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of `Model.fit`, such as `{"epochs": 5, "verbose": 0}`.

    Attributes:
        model_: the trained model.
        history_: what `Model.fit` returned.
        classes_: the labels, sorted; column i of the model's output is for `classes_[i]`.

    Example:

    >>> import jaxkeras as jk
    >>> def make(X, y):
    ...     model = jk.Sequential([jk.Input(X.shape[1:]), jk.layers.Dense(y.shape[1], activation="softmax")])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> classifier = SKLearnClassifier(make, fit_kwargs={"epochs": 5})
    """

    def decision_function(self, X: Any) -> Any:
        """Return what the model returns, `(samples, classes)`: probabilities or logits."""
        return self._raw(X)

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes, `(samples, classes)`.

        They are the outputs of the model, or their softmax if its loss has `from_logits=True`.
        """
        y = self._raw(X)
        return scipy.special.softmax(y, axis=-1) if getattr(self.model_.loss, "from_logits", False) else y

    def _encode(self, y: np.ndarray) -> np.ndarray:
        kind = type_of_target(y, raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                "Only binary and multiclass targets are supported: Unknown label type for a classifier, "
                f"{kind!r}. SKLearnRegressor takes continuous ones."
            )
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError(f"A classifier cannot learn from one class only; `y` holds {self.classes_[0]!r}.")
        return np.eye(len(self.classes_))[index.ravel()]

    def _decode(self, y: np.ndarray) -> np.ndarray:
        return self.classes_[np.argmax(y, axis=-1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, _Estimator):
    """A model as a scikit-learn regressor.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for `SKLearnClassifier`; the model is trained on targets of
            shape `(samples, outputs)`.

    Attributes:
        model_: the trained model.
        history_: what `Model.fit` returned.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> regressor = SKLearnRegressor(model, fit_kwargs={"epochs": 5})
    """

    def predict(self, X: Any) -> Any:
        """Predicted targets for `X`, array-like of `(samples, features)`, in float64 as scikit-learn's own."""
        return np.asarray(super().predict(X), np.float64)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(TransformerMixin, _Estimator):
    """A model as a scikit-learn transformer (a step that maps features to features, not an attention model).

    In a pipeline, `sklearn.frozen.FrozenEstimator` around it keeps the model as it is.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: as for `SKLearnRegressor`.

    Attributes:
        model_: the trained model.
        history_: what `Model.fit` returned.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(2)])
    >>> model.compile("adam", "mse")
    >>> transformer = SKLearnTransformer(model)
    """

    def transform(self, X: Any) -> Any:
        """The outputs of the model for `X`, array-like of `(samples, features)`."""
        return self._raw(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.multi_output = True
        return tags
