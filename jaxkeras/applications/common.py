"""Code shared by all architectures: argument checks, inputs, classifier heads and weights.

A family of architectures is a function whose first parameter, a `Row`, holds what distinguishes its members; the other
parameters are those of the public functions. `member` makes a public function from a family and a row.
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from jaxkeras import activations
from jaxkeras.applications.files import Pretrained
from jaxkeras.core.config import image_data_format
from jaxkeras.core.symbolic import KerasTensor, is_keras_tensor
from jaxkeras.layers import Dense, Dropout, GlobalAveragePooling2D, GlobalMaxPooling2D, Input, Layer
from jaxkeras.models import Model
from jaxkeras.utils.graphs import get_source_inputs

Shape = tuple[int | None, ...]
P = ParamSpec("P")
T = TypeVar("T")

_ARGUMENTS = """
    include_top: whether the model ends in a classifier.
    weights: None for random weights, `"imagenet"` for weights trained on ImageNet, or the path of a `.weights.h5`,
        `.keras` or `.h5` file. The ImageNet files are Keras's and are cached in `~/.keras/models`.
    input_tensor: the output of `Input()`, or of layers called on one, to use as the image.
    input_shape: shape of an image, without the batch axis. With a classifier its size must be known.
    pooling: without a classifier, `"avg"` or `"max"` pools the features of each image to a vector; None returns the
        feature maps.
    classes: number of classes; 1000 for the classifier trained on ImageNet.
    classifier_activation: activation of the classifier; None for logits. If `weights` are given, it must be None or
        `"softmax"`.
    name: name of the model.
"""
_RAISES = """
    ValueError: for inconsistent arguments, or an image that is too small.
    FileNotFoundError: if the weights are not cached and cannot be downloaded; the message says which file to put where.
"""


# -- public functions ------------------------------------------------------------------------------------------------
def document(function: Callable[P, Model]) -> Callable[P, Model]:
    """Add the shared arguments and errors, and an example, to the docstring of a public function."""
    text = inspect.cleandoc(function.__doc__ or "")
    head, _, own = text.partition("\n\nArgs:\n")
    arguments = f"{own}{_ARGUMENTS}" if own else _ARGUMENTS
    function.__doc__ = (
        f"{head}\n\nArgs:\n    {arguments.strip()}\n\nReturns:\n    The model, not compiled.\n\nRaises:{_RAISES}\n"
        f"Example:\n\n>>> model = jk.applications.{function.__name__}(weights=None, classes=10)  # doctest: +SKIP\n"
    )
    return function


def member(family: Callable[Concatenate[T, P], Model], row: T, function: str) -> Callable[P, Model]:
    """Make the public function of one architecture.

    Args:
        family: function that builds any member of the family; its first parameter takes the row.
        row: what distinguishes this member; `row.name` is the default name of its models.
        function: name of the public function.

    Returns:
        The function, with the signature of `family` without the row.
    """
    name = row.name  # type: ignore[attr-defined]
    _, *parameters = inspect.signature(family).parameters.values()
    signature = inspect.Signature([p.replace(default=name) if p.name == "name" else p for p in parameters])

    def build(*args: Any, **kwargs: Any) -> Model:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{function}() {error}.") from None
        bound.apply_defaults()
        return family(row, *bound.args, **bound.kwargs)

    build.__name__ = build.__qualname__ = function
    build.__module__ = family.__module__
    build.__signature__ = signature  # type: ignore[attr-defined]
    build.__doc__ = f"{function}: {inspect.cleandoc(family.__doc__ or '')}"
    return document(build)


# -- inputs, head and weights -----------------------------------------------------------------------------------------
class Application:
    """The checked common arguments of an architecture, and the parts of its graph that depend on them only.

    Args:
        include_top, ..., name: as given by the user; see the public functions.
        size: default height and width of an image.
        smallest: smallest allowed height and width.
        any_size: whether the size may be unknown even with a classifier.
        file: the file of weights trained on ImageNet, or a function that returns it for the shape of an image.

    Attributes:
        image: the tensor that the first layer is called on.
        shape: shape of an image, without the batch axis.
        pretrained: whether the weights are those trained on ImageNet.
    """

    def __init__(
        self,
        include_top: bool,
        weights: Any,
        input_tensor: Any,
        input_shape: Any,
        pooling: str | None,
        classes: int,
        classifier_activation: Any,
        name: str,
        *,
        size: int = 224,
        smallest: int = 32,
        any_size: bool = False,
        file: Pretrained | Callable[[Shape], Pretrained],
    ):
        self.include_top, self.pooling, self.name = include_top, pooling, name
        self.classes, self.activation = classes, classifier_activation
        self.pretrained = isinstance(weights, str) and weights == "imagenet"
        self._check(weights)
        shape = obtain_input_shape(input_shape, size, smallest, include_top and not any_size, self.pretrained)
        self.shape = shape
        if input_tensor is not None and not is_keras_tensor(input_tensor):
            raise ValueError(
                "`input_tensor` must be a symbolic tensor, the output of `Input()` or of layers on one; got "
                f"{type(input_tensor).__name__}. Call the finished model on arrays."
            )
        self._tensor = input_tensor
        if self.pretrained:  # fails before any layer is built
            weights = (file(shape) if callable(file) else file).path(include_top)
        self._weights = weights
        self.image: KerasTensor = Input(shape) if input_tensor is None else input_tensor

    def _check(self, weights: Any) -> None:
        if weights is not None and not self.pretrained and not os.path.exists(weights):
            raise ValueError(
                "The `weights` argument should be either `None` (random initialization), `'imagenet'` (trained on "
                f"ImageNet) or the path of a weights file that exists; got weights={weights!r}."
            )
        if self.pooling not in (None, "avg", "max"):
            raise ValueError(f"`pooling` must be None, 'avg' or 'max'; got {self.pooling!r}.")
        if not self.include_top or weights is None:
            return
        if self.pretrained and self.classes != 1000:
            raise ValueError(
                "With weights='imagenet' and include_top=True, `classes` must be 1000, the classes of ImageNet; got "
                f"classes={self.classes}. For other classes pass include_top=False and add a classifier of your own."
            )
        if activations.get(self.activation) not in (activations.get(None), activations.get("softmax")):
            raise ValueError(
                "With given weights and include_top=True, `classifier_activation` must be None or 'softmax'; got "
                f"{self.activation!r}."
            )

    def rows(self, sizes: Sequence[int]) -> int | None:
        """The height in a default model name: that of the image, or the one the pretrained weights were trained on."""
        rows, columns = rows_and_columns(self.shape)
        return 224 if self.pretrained and (rows != columns or rows not in sizes) else rows

    def pool(self, x: KerasTensor, named: bool = True) -> Any:
        """Pool the feature maps as `pooling` says; `named` gives the layer a fixed name."""
        if self.pooling == "avg":
            return GlobalAveragePooling2D(name="avg_pool" if named else None)(x)
        return GlobalMaxPooling2D(name="max_pool" if named else None)(x) if self.pooling == "max" else x

    def top(
        self,
        x: KerasTensor,
        average: str | None = "avg_pool",
        named: bool = True,
        dropout: float = 0.0,
        **dense: Any,
    ) -> Any:
        """The usual head: a classifier on globally averaged features, or the features themselves.

        Args:
            x: feature maps.
            average: name of the pooling layer before the classifier.
            named: whether the pooling layer has a fixed name if there is no classifier.
            dropout: dropout rate before the classifier; 0 for none.
            **dense: arguments of the classifier layer.
        """
        if not self.include_top:
            return self.pool(x, named)
        x = GlobalAveragePooling2D(name=average)(x)
        if dropout > 0:
            x = Dropout(dropout, name="top_dropout")(x)
        return Dense(self.classes, activation=self.activation, name="predictions", **dense)(x)

    def model(self, outputs: KerasTensor) -> Model:
        """Create the model and load its weights."""
        inputs = self.image if self._tensor is None else get_source_inputs(self._tensor)
        model = Model(inputs, outputs, name=self.name)
        if self._weights is not None:
            model.load_weights(self._weights)
        return model


# -- shapes ----------------------------------------------------------------------------------------------------------
def channel_axis(last: int = 3) -> int:
    """The channel axis of a batch of images; `last` (3 or -1) is returned if the channels come last."""
    return 1 if image_data_format() == "channels_first" else last


def only_channels_last(family: str) -> None:
    """Raise ValueError if the image data format is `channels_first`."""
    if image_data_format() == "channels_first":
        raise ValueError(
            f"{family} does not support the `channels_first` image data format: call "
            "jaxkeras.config.set_image_data_format('channels_last') first."
        )


def rows_and_columns(shape: Shape) -> Shape:
    """Height and width in the shape of an image."""
    return shape[1:3] if image_data_format() == "channels_first" else shape[:2]


def image_shape(size: int | None, channels: int | None = 3) -> Shape:
    """The shape of a square image, without the batch axis."""
    return (channels, size, size) if image_data_format() == "channels_first" else (size, size, channels)


def obtain_input_shape(
    input_shape: Any, default_size: int, smallest: int, known: bool, pretrained: bool = False
) -> Shape:
    """Check the image shape given by the user, or return the default.

    Args:
        input_shape: the argument of the user, or None.
        default_size: default height and width, used if they must be known.
        smallest: smallest allowed height and width.
        known: whether height and width must be known.
        pretrained: whether the weights are those trained on ImageNet, which need three channels.

    Returns:
        The shape, without the batch axis.

    Raises:
        ValueError: for an unsuitable shape.
    """
    if not input_shape:
        return image_shape(default_size if known else None)
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must be a tuple of three integers; got input_shape={shape}.")
    channels = shape[channel_axis() - 1]
    if pretrained and known and shape != image_shape(default_size):
        raise ValueError(
            "With weights='imagenet' and include_top=True, `input_shape` should be "
            f"{image_shape(default_size)}; got input_shape={shape}."
        )
    if pretrained and channels != 3:
        raise ValueError(f"With weights='imagenet' the input must have 3 channels; got input_shape={shape}.")
    if channels not in (1, 3):
        warnings.warn(
            f"This model usually expects 1 or 3 input channels; input_shape={shape} has {channels}.", stacklevel=5
        )
    if any(size is not None and size < smallest for size in rows_and_columns(shape)):
        raise ValueError(f"Input size must be at least {smallest}x{smallest}; got input_shape={shape}.")
    if known and None in shape:
        raise ValueError(f"If `include_top` is True, `input_shape` must be fully known; got input_shape={shape}.")
    return shape


def wanted_size(input_shape: Any, sizes: Sequence[int], input_tensor: Any = None) -> int:
    """The height of the image if it is square and one of `sizes`, else 224."""
    if not input_shape and is_keras_tensor(input_tensor):
        input_shape = input_tensor.shape[1:]
    rows, columns = rows_and_columns(tuple(input_shape)) if input_shape else (None, None)
    return rows if rows is not None and rows == columns and rows in sizes else 224


def trained_size(shape: Shape, sizes: Sequence[int]) -> int:
    """The image size of the pretrained weights to load for a shape; warns if the shape has another size."""
    size = wanted_size(shape, sizes)
    if rows_and_columns(shape) != (size, size):
        warnings.warn(
            f"`input_shape` is unknown, not square or not one of {list(sizes)}; the weights for images of 224 by 224 "
            "are loaded.",
            stacklevel=5,
        )
    return size


def check_same_size(input_tensor: Any, input_shape: Any) -> None:
    """Raise ValueError if both are given and their heights or widths differ."""
    if not is_keras_tensor(input_tensor) or not input_shape:
        return
    if rows_and_columns(input_tensor.shape[1:]) != rows_and_columns(tuple(input_shape)):
        raise ValueError(
            f"`input_shape` must equal the shape of `input_tensor`; got input_shape={tuple(input_shape)} and an "
            f"input_tensor of shape {input_tensor.shape}."
        )


def correct_pad(x: KerasTensor, kernel_size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Padding before a strided convolution that puts its windows where the pretrained weights expect them."""
    rows, columns = (0 if size is None else size % 2 for size in rows_and_columns(x.shape[1:]))
    half = kernel_size // 2
    return (half - 1 + rows, half), (half - 1 + columns, half)


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `value`, at least `divisor` and not below nine tenths of `value`."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def chain(x: KerasTensor, *layers: Layer) -> Any:
    """Call layers one after the other."""
    for layer in layers:
        x = layer(x)
    return x
