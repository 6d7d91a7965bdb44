"""What small private helpers of Keras stand for, where jaxkeras has nothing under another name."""

from __future__ import annotations

import functools
import logging as python_logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jaxkeras import activations, ops, registry
from jaxkeras.applications import common
from jaxkeras.core import logging
from jaxkeras.core.context import local
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers._base.arguments import tuple_of

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


#: The activation functions by name.
activation_functions: dict[str, Any] = registry.registered("keras.activations")


def keras_export(path: str | list[str]) -> Callable[[T], T]:
    """A decorator that returns its argument: names are exported by stubs here."""
    return lambda thing: thing


def in_safe_mode() -> bool | None:
    """Whether a config is being loaded with `safe_mode=True`, or None if none is being loaded."""
    return local.safe_mode


def in_grain_data_pipeline() -> bool:
    """False: layers run on NumPy arrays inside a pipeline without being told."""
    return False


def standardize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """A tuple of `n` integers from one integer or a sequence.

    Raises:
        ValueError: if there are not `n` integers, or one is too small.
    """
    return tuple_of(value, n, name, minimum=0 if allow_zero else 1)


def standardize_padding(value: Any, allow_causal: bool = False) -> str:
    """`value` in lower case.

    Raises:
        ValueError: if it is not `"valid"` or `"same"`, nor the allowed `"causal"`.
    """
    allowed = ("valid", "same", "causal") if allow_causal else ("valid", "same")
    padding = value.lower() if isinstance(value, str) else value
    if padding not in allowed:
        raise ValueError(f"`padding` must be {' or '.join(map(repr, allowed))}; got {value!r}.")
    return padding


def compute_pooling_output_shape(
    input_shape: Sequence[int | None], pool_size: Any, strides: Any = None, padding: str = "valid",
    data_format: str = "channels_last",
) -> tuple[int | None, ...]:  # fmt: skip
    """The output shape of a pooling operation, for an input shape with the batch axis."""
    return ops.max_pool(KerasTensor(input_shape), pool_size, strides, padding, data_format).shape


def compute_conv_output_shape(
    input_shape: Sequence[int | None], filters: int, kernel_size: Sequence[int], strides: Any = 1,
    padding: str = "valid", data_format: str = "channels_last", dilation_rate: Any = 1,
) -> tuple[int | None, ...]:  # fmt: skip
    """The output shape of a convolution, for an input shape with the batch axis."""
    channels = input_shape[-1 if data_format == "channels_last" else 1]
    kernel = KerasTensor((*kernel_size, channels, filters))
    return ops.conv(KerasTensor(input_shape), kernel, strides, padding, data_format, dilation_rate).shape


def obtain_input_shape(
    input_shape: Any, default_size: int, min_size: int, data_format: str | None, require_flatten: bool,
    weights: Any = None,
) -> tuple[int | None, ...]:  # fmt: skip
    """Check the image shape given by a user, or return the default. See `applications.common.obtain_input_shape`."""
    return common.obtain_input_shape(input_shape, default_size, min_size, require_flatten, weights == "imagenet")


def validate_activation(classifier_activation: Any, weights: Any) -> None:
    """Raise ValueError if pretrained weights are used with a classifier other than softmax or raw scores."""
    if weights is not None and activations.get(classifier_activation) not in (activations.softmax, activations.linear):
        raise ValueError(
            "With pretrained weights `classifier_activation` must be 'softmax' or None; got "
            f"classifier_activation={classifier_activation!r}."
        )


def print_msg(message: str, line_break: bool = True) -> None:
    """Print a message, or log it if interactive logging is off."""
    if logging.is_interactive_logging_enabled():
        print(message, end="\n" if line_break else "", flush=True)
    else:
        python_logging.getLogger("jaxkeras").info(message)


def no_automatic_dependency_tracking(method: F) -> F:
    """Make a method whose `self.x = ...` are references: layers and weights in them are not part of `self`.

    Args:
        method: a method of a layer or model.
    """

    @functools.wraps(method)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = dict(vars(self))
        result = method(self, *args, **kwargs)
        missing = object()
        changed = [name for name, value in vars(self).items() if before.get(name, missing) is not value]
        if changed:
            self._untracked = self._untracked.union(changed)
        return result

    return wrapped  # type: ignore[return-value]
