"""Activations as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import activations, constraints, initializers, registry, regularizers
from jaxkeras.layers._base.arguments import add_configured_weight
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.layer import Layer


class _Elementwise(Layer):
    """A layer whose output has the mask of its input."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True


def _check_not_negative(layer: Layer, **values: Any) -> None:
    for name, value in values.items():
        if value is None or value < 0:
            raise ValueError(f"`{name}` of {type(layer).__name__} must be a number of at least 0; got {value!r}.")


@registry.register("keras.layers")
class Activation(_Elementwise):
    """An activation function as a layer.

    Args:
        activation: a name or a function.

    Example:

    >>> Activation("relu")(jnp.array([-1.0, 2.0]))
    Array([0., 2.], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: jax.Array) -> jax.Array:
        return self.activation(inputs)


@registry.register("keras.layers")
class ReLU(_Elementwise):
    """`x` where it is at least `threshold` (at most `max_value`), else `negative_slope * (x - threshold)`.

    Args:
        max_value: the largest output, or None.
        negative_slope: slope below the threshold.
        threshold: inputs below it are scaled by `negative_slope`.

    Raises:
        ValueError: for a negative argument.

    Example:

    >>> ReLU(max_value=1.0)(jnp.array([-1.0, 0.5, 2.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        _check_not_negative(self, negative_slope=negative_slope, threshold=threshold)
        if max_value is not None:
            _check_not_negative(self, max_value=max_value)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: jax.Array) -> jax.Array:
        return activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )


@registry.register("keras.layers")
class LeakyReLU(_Elementwise):
    """`x` where it is positive, else `negative_slope * x`.

    Args:
        negative_slope: slope below zero.

    Raises:
        ValueError: for a negative slope.

    Example:

    >>> LeakyReLU(0.5)(jnp.array([-2.0, 2.0]))
    Array([-1.,  2.], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        negative_slope = kwargs.pop("alpha", negative_slope)  # the name in Keras 2
        super().__init__(**kwargs)
        _check_not_negative(self, negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def call(self, inputs: jax.Array) -> jax.Array:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)


@registry.register("keras.layers")
class PReLU(_Elementwise):
    """`x` where it is positive, else `alpha * x` with learned `alpha` (He et al., 2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: settings of the slopes.
        shared_axes: axes along which the slopes are shared; axis 1 is the first after the batch.

    Example:

    >>> PReLU(shared_axes=[1])(-jnp.ones((1, 2, 3))).shape
    (1, 2, 3)
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes and list(shared_axes)

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or []
        shape = [1 if axis in shared else size for axis, size in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(
                f"PReLU '{self.name}' has one slope for each position of its input, whose shape {tuple(input_shape)} "
                "is not fully known. Share the slopes along the unknown axes: PReLU(shared_axes=[1, ...])."
            )
        self.alpha = add_configured_weight(self, "alpha", shape)
        axes = {axis: input_shape[axis] for axis in range(1, len(input_shape)) if axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes if shared else None)

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.maximum(inputs, 0) + self.alpha * jnp.minimum(inputs, 0)


@registry.register("keras.layers")
class ELU(_Elementwise):
    """`x` where it is positive, else `alpha * (exp(x) - 1)` (Clevert et al., 2015).

    Args:
        alpha: scale of the negative part.

    Example:

    >>> ELU()(jnp.array([0.0, 2.0]))
    Array([0., 2.], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: jax.Array) -> jax.Array:
        return activations.elu(inputs, alpha=self.alpha)


@registry.register("keras.layers")
class Softmax(_Elementwise):
    """`exp(x) / sum(exp(x))`.

    Args:
        axis: the axis, or the axes that are normalized together.

    Call arguments:
        inputs: logits.
        mask: True where a value takes part; broadcastable to `inputs`. Masked values get probability 0, even if
            all values along the axis are masked.

    Example:

    >>> Softmax()(jnp.array([1.0, 1.0, 5.0]), mask=jnp.array([True, True, False]))
    Array([0.5, 0.5, 0. ], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        if mask is None:
            return jax.nn.softmax(inputs, axis=axis)
        sizes = zip(mask.shape[::-1], inputs.shape[::-1])
        if mask.ndim > inputs.ndim or any(m not in (1, n) for m, n in sizes):
            raise ValueError(
                f"The mask of Softmax '{self.name}' must be broadcastable to its input: got shapes {mask.shape} and "
                f"{inputs.shape}."
            )
        keep = mask if mask.dtype == bool else mask > 0.5
        low = jnp.asarray(-3e4 if inputs.dtype == jnp.float16 else -1e9, inputs.dtype)
        return jnp.where(keep, jax.nn.softmax(jnp.where(keep, inputs, low), axis=axis), 0)
