"""Images in, names of classes out: what models trained on ImageNet expect and what their outputs mean."""

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
# Of the pixels of ImageNet: of red, green, blue in [0, 1], and of blue, green, red in [0, 255].
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BGR_MEAN = (103.939, 116.779, 123.68)

_CLASSES_URL = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"
_CLASSES_MD5 = "c2c37ea517e94d9795004a39431a14cb"


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Scale the pixels of images as a pretrained model expects them.

    Args:
        x: images with values in [0, 255] and three channels, `(height, width, 3)` or a batch of such: a NumPy array, a
            JAX array or a KerasTensor. A NumPy array of a floating type is written over; pass `x.copy()` to keep it.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        mode: `"caffe"` turns RGB into BGR and subtracts ImageNet's mean colour; `"tf"` scales to [-1, 1]; `"torch"`
            scales to [0, 1] and then by ImageNet's mean and standard deviation.

    Returns:
        The images in a floating type.

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

    # Augmented assignment writes into a NumPy array, and makes a new value of anything else.
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
    """The `preprocess_input` of a family, in a mode; None where the models scale pixels by themselves."""
    what = {
        "caffe": "turned from RGB to BGR, less ImageNet's mean colour",
        "tf": "scaled to [-1, 1]",
        "torch": "scaled to [0, 1] and then by ImageNet's mean and standard deviation",
        None: "as they are: these models scale pixels by themselves",
    }

    def family_input(x: Any, data_format: str | None = None) -> Any:
        return x if mode is None else preprocess_input(x, data_format, mode)

    family_input.__name__ = family_input.__qualname__ = "preprocess_input"
    family_input.__doc__ = f"""Images as the models of this family expect them: {what[mode]}.

    Args:
        x: images with values in [0, 255]: a NumPy array (which is written over if its type is floating), a JAX array or
            a KerasTensor.
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
    """The most likely classes of ImageNet, by name.

    Args:
        preds: predictions `(batch, 1000)`.
        top: how many classes to return for each sample.

    Returns:
        For each sample a list of `(class id, description, score)`, the highest score first.

    Raises:
        ValueError: for another shape.
        FileNotFoundError: if the table of names is neither in the cache nor can be downloaded; says where to put it.
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
