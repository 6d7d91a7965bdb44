"""What all architectures share: the checks of their arguments, their inputs, their tops and their weights.

A family of architectures is a function whose first parameter is a row of a table, and whose others are what its users
may choose. `member` makes a public function of it and one row.
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

Shape = tuple[int | None, ...]
P = ParamSpec("P")
T = TypeVar("T")

_ARGUMENTS = """
    include_top: whether to end in the classifier.
    weights: None for random weights, `"imagenet"` for those trained on ImageNet, or the path of a `.weights.h5`,
        `.keras` or `.h5` file. The files of ImageNet are Keras's, looked up and kept in `~/.keras/models`.
    input_tensor: the output of `Input()`, or of layers on one, to use as the image.
    input_shape: shape of an image, without the batch axis. With a classifier its size must be known.
    pooling: without a classifier, `"avg"` or `"max"` pools the features of each image to a vector; None leaves
        the feature maps.
    classes: number of classes; 1000 for the classifier trained on ImageNet.
    classifier_activation: activation of the classifier, None for logits. With given weights it must be None or
        `"softmax"`.
    name: of the model.
"""
_RAISES = """
    ValueError: for arguments that do not fit together, or an image that is too small.
    FileNotFoundError: if the weights are neither in the cache nor can be downloaded; says where to put which file.
"""


# -- public functions ------------------------------------------------------------------------------------------------
def document(function: Callable[P, Model]) -> Callable[P, Model]:
    """Complete the docstring of a public function by the arguments and errors that all share."""
    text = inspect.cleandoc(function.__doc__ or "")
    head, _, own = text.partition("\n\nArgs:\n")
    arguments = f"{own}{_ARGUMENTS}" if own else _ARGUMENTS
    function.__doc__ = (
        f"{head}\n\nArgs:\n    {arguments.strip()}\n\nReturns:\n    The model, not compiled.\n\nRaises:{_RAISES}"
    )
    return function


def member(family: Callable[Concatenate[T, P], Model], row: T, function: str) -> Callable[P, Model]:
    """The public function of one architecture.

    Args:
        family: the function of the family; its first parameter takes the row.
        row: what sets this member apart; `row.name` is the default name of its models.
        function: the name of the public function.
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


# -- the frame of an architecture ------------------------------------------------------------------------------------
class Application:
    """The arguments that every architecture takes, checked, and the parts of its graph that follow from them.

    Args:
        include_top, ..., name: as given by the user; see the public functions.
        size: rows and columns of an image if the user gives none.
        smallest: the least rows and columns.
        any_size: whether even with a classifier the size may be unknown.
        file: of the weights trained on ImageNet, or a function of the shape of an image that returns it.

    Attributes:
        image: what the layers start from.
        shape: of an image, without the batch axis.
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
        if self.pretrained:  # looked up before any layer is built for nothing
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
                f"classes={self.classes}. For classes of your own pass include_top=False, and put a classifier on "
                "the features."
            )
        if activations.get(self.activation) not in (activations.get(None), activations.get("softmax")):
            raise ValueError(
                "With given weights and include_top=True, `classifier_activation` must be None or 'softmax'; got "
                f"{self.activation!r}."
            )

    def rows(self, sizes: Sequence[int]) -> int | None:
        """The rows of an image, or of those that the pretrained weights were trained on: part of default names."""
        rows, columns = rows_and_columns(self.shape)
        return 224 if self.pretrained and (rows != columns or rows not in sizes) else rows

    def pool(self, x: KerasTensor, named: bool = True) -> Any:
        """The features of each image as a vector, if asked for; `named` tells whether the layer has a fixed name."""
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
        """The usual end: the classifier on the average of each feature map, or the features.

        Args:
            x: feature maps.
            average: name of the layer that averages for the classifier.
            named: whether the layer that pools without a classifier has a fixed name.
            dropout: rate of the dropout before the classifier; 0 for none.
            **dense: arguments of the classifier.
        """
        if not self.include_top:
            return self.pool(x, named)
        x = GlobalAveragePooling2D(name=average)(x)
        if dropout > 0:
            x = Dropout(dropout, name="top_dropout")(x)
        return Dense(self.classes, activation=self.activation, name="predictions", **dense)(x)

    def model(self, outputs: KerasTensor) -> Model:
        """The finished model, with its weights."""
        inputs = self.image if self._tensor is None else source_inputs(self._tensor)
        model = Model(inputs, outputs, name=self.name)
        if self._weights is not None:
            model.load_weights(self._weights)
        return model


def source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs of the graph that a tensor was computed from."""
    found: dict[int, KerasTensor] = {}
    seen, stack = {id(tensor)}, [tensor]
    while stack:
        x = stack.pop()
        history = x._keras_history
        node = history.operation._inbound_nodes[history.node_index] if history is not None else None
        if node is None or node.is_input:
            found[id(x)] = x
            continue
        parents = [parent for parent in node.inputs if id(parent) not in seen]
        seen.update(map(id, parents))
        stack.extend(reversed(parents))
    return list(found.values())


# -- shapes ----------------------------------------------------------------------------------------------------------
def channel_axis(last: int = 3) -> int:
    """The axis of channels in a batch of images; `last` is how its being the last one is spelled."""
    return 1 if image_data_format() == "channels_first" else last


def only_channels_last(family: str) -> None:
    """Raise ValueError if images have their channels first."""
    if image_data_format() == "channels_first":
        raise ValueError(
            f"{family} does not support the `channels_first` image data format: call "
            "jaxkeras.config.set_image_data_format('channels_last') first."
        )


def rows_and_columns(shape: Shape) -> Shape:
    """The size of an image from its shape without the batch axis."""
    return shape[1:3] if image_data_format() == "channels_first" else shape[:2]


def image_shape(size: int | None, channels: int | None = 3) -> Shape:
    """The shape of a square image without the batch axis."""
    return (channels, size, size) if image_data_format() == "channels_first" else (size, size, channels)


def obtain_input_shape(
    input_shape: Any, default_size: int, smallest: int, known: bool, pretrained: bool = False
) -> Shape:
    """The shape of an image: the user's, checked, or the default.

    Args:
        input_shape: what the user gave.
        default_size: rows and columns if the user gave nothing and they must be known.
        smallest: the least rows and columns.
        known: whether the size must be known.
        pretrained: whether weights are those trained on ImageNet, on images with three channels.

    Raises:
        ValueError: for a shape that does not fit.
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
    """The size of a square image if there are pretrained weights for it, else 224."""
    if not input_shape and is_keras_tensor(input_tensor):
        input_shape = input_tensor.shape[1:]
    rows, columns = rows_and_columns(tuple(input_shape)) if input_shape else (None, None)
    return rows if rows is not None and rows == columns and rows in sizes else 224


def trained_size(shape: Shape, sizes: Sequence[int]) -> int:
    """The size of the images that pretrained weights for images of a shape were trained on; warns if it is another."""
    size = wanted_size(shape, sizes)
    if rows_and_columns(shape) != (size, size):
        warnings.warn(
            f"`input_shape` is unknown, not square or not one of {list(sizes)}; the weights for images of 224 by 224 "
            "are loaded.",
            stacklevel=5,
        )
    return size


def check_same_size(input_tensor: Any, input_shape: Any) -> None:
    """Raise ValueError if an image and its shape are both given and disagree."""
    if not is_keras_tensor(input_tensor) or not input_shape:
        return
    if rows_and_columns(input_tensor.shape[1:]) != rows_and_columns(tuple(input_shape)):
        raise ValueError(
            f"`input_shape` must equal the shape of `input_tensor`; got input_shape={tuple(input_shape)} and an "
            f"input_tensor of shape {input_tensor.shape}."
        )


def correct_pad(x: KerasTensor, kernel_size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What to pad before a strided convolution, so that its windows lie where the pretrained weights expect them."""
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
