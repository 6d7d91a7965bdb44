"""Models as scikit-learn estimators. scikit-learn is imported when the first of them is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxkeras.core import lazy_imports

if TYPE_CHECKING:
    from jaxkeras.wrappers.estimators import SKLearnClassifier as SKLearnClassifier
    from jaxkeras.wrappers.estimators import SKLearnRegressor as SKLearnRegressor
    from jaxkeras.wrappers.estimators import SKLearnTransformer as SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]
__dir__ = lazy_imports.public_dir(__name__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'jaxkeras.wrappers' has no attribute {name!r}")
    try:
        from jaxkeras.wrappers import estimators
    except ImportError as error:
        if (error.name or "").split(".")[0] == "jaxkeras":
            raise
        raise ImportError(
            f'wrappers.{name} needs scikit-learn 1.6 or newer: pip install "scikit-learn>=1.6"'
        ) from error
    return getattr(estimators, name)
