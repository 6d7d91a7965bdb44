"""Preprocessing of images for models trained on ImageNet, and the class names of their predictions."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxkeras import ops
from jaxkeras.applications.files import fetch
from jaxkeras.core import lazy_imports
from jaxkeras.core.config import floatx, standardize_data_format

__all__ = ["decode_predictions", "preprocess_input"]
__dir__ = lazy_imports.public_dir(__name__)

_MODES = ("caffe", "tf", "torch")
# Statistics of ImageNet: for RGB in [0, 1], and for BGR in [0, 255].
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BGR_MEAN = (103.939, 116.779, 123.68)

_CLASSES_URL = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASSES_MD5 = "c2c37ea517e94d9795004a39431a14cb"


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Scale the pixels of images as a pretrained model expects.

    Args:
        x: images with values in [0, 255] and three channels, `(height, width, 3)` or a batch of them: a NumPy array, a
            JAX array or a KerasTensor. A floating-point NumPy array is modified in place; pass `x.copy()` to keep it.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        mode: `"caffe"` turns RGB into BGR and subtracts ImageNet's mean color; `"tf"` scales to [-1, 1]; `"torch"`
            scales to [0, 1] and then by ImageNet's mean and standard deviation.

    Returns:
        The images as floating-point numbers.

    Raises:
        ValueError: for an unknown mode or data format.

    Example:

    >>> preprocess_input(np.array([[[0, 255, 51]]]), mode="tf")
    array([[[-1. ,  1. , -0.6]]], dtype=float32)
    """
    if mode not in _MODES:
        raise ValueError(f"Expected mode to be one of {', '.join(map(repr, _MODES))}; got mode={mode!r}.")
    if data_format not in (None, "channels_first", "channels_last"):
        raise ValueError(
            f"Expected data_format to be 'channels_first' or 'channels_last'; got data_format={data_format!r}."
        )
    channels = -3 if standardize_data_format(data_format) == "channels_first" else -1
    on_host = isinstance(x, np.ndarray)
    if on_host:
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype(floatx())
    elif "float" not in str(x.dtype):
        x = ops.cast(x, floatx())

    def per_channel(values: Sequence[float]) -> np.ndarray:
        return np.reshape(np.array(values, str(x.dtype)), (3,) + (1,) * (-1 - channels))

    # Augmented assignment modifies a NumPy array in place and creates a new JAX array.
    if mode == "tf":
        x /= 127.5
        x -= 1.0
    elif mode == "torch":
        x /= 255.0
        x -= per_channel(IMAGENET_MEAN)
        x /= per_channel(IMAGENET_STD)
    else:
        x = np.flip(x, channels) if on_host else ops.flip(x, channels)
        x -= per_channel(_BGR_MEAN)
    return x


def preprocessing(mode: str | None) -> Callable[..., Any]:
    """Make the `preprocess_input` of a family for a mode; None for models that rescale pixels themselves."""
    what = {
        "caffe": "converted from RGB to BGR, minus ImageNet's mean color",
        "tf": "scaled to [-1, 1]",
        "torch": "scaled to [0, 1] and then by ImageNet's mean and standard deviation",
        None: "unchanged, because these models rescale pixels themselves",
    }

    def family_input(x: Any, data_format: str | None = None) -> Any:
        return x if mode is None else preprocess_input(x, data_format, mode)

    family_input.__name__ = family_input.__qualname__ = "preprocess_input"
    family_input.__doc__ = f"""Prepare images for the models of this family: {what[mode]}.

    Args:
        x: images with values in [0, 255]: a NumPy array (modified in place if it is floating-point), a JAX array or a
            KerasTensor.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Returns:
        The images.
    """
    return family_input


@functools.cache
def _classes() -> dict[str, list[str]]:
    path = fetch("imagenet_class_index.json", _CLASSES_URL, _CLASSES_MD5, "decode_predictions needs")
    with open(path) as file:
        return json.load(file)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Look up the names of the most likely ImageNet classes.

    Args:
        preds: predictions, shape `(batch, 1000)`.
        top: number of classes to return for each sample.

    Returns:
        For each sample a list of `(class id, description, score)`, highest score first.

    Raises:
        ValueError: for another shape.
        FileNotFoundError: if the table of names is not cached and cannot be downloaded; the message says where to put
            it.

    Example:

    >>> decode_predictions(model.predict(images), top=3)  # doctest: +SKIP
    """
    shape = tuple(np.shape(preds))
    if len(shape) != 2 or shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)); got an "
            f"array of shape {shape}."
        )
    scores, classes = np.asarray(preds), _classes()
    best = np.argsort(scores, axis=1)[:, ::-1][:, :top]
    return [[(*classes[str(i)], row[i]) for i in chosen] for row, chosen in zip(scores, best)]  # type: ignore[misc]
