"""Fully connected layers and embeddings."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.layers.base import Layer
from jaxkeras.layers.input_spec import InputSpec


def get_activation(identifier: Any) -> Any:
    """An activation function; None is the identity, named `linear`."""
    return registry.get("keras.activations", "linear" if identifier is None else identifier)


@registry.register("keras.layers")
class Dense(Layer):
    """`activation(x @ kernel + bias)` over the last axis.

    Args:
        units: size of the output's last axis.
        activation: a name or function; None for none.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.

    Input shape: `(batch, ..., features)`. Output shape: `(batch, ..., units)`.

    Example:

    >>> Dense(3, activation="relu")(jnp.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, int) or isinstance(units, bool) or units <= 0:
            raise ValueError(f"`units` of Dense layer '{self.name}' must be a positive integer; got {units!r}.")
        self.units = units
        self.activation = get_activation(activation)
        self.use_bias = use_bias
        self.kernel_initializer = registry.get("keras.initializers", kernel_initializer)
        self.bias_initializer = registry.get("keras.initializers", bias_initializer)
        self.kernel_regularizer = registry.get("keras.regularizers", kernel_regularizer)
        self.bias_regularizer = registry.get("keras.regularizers", bias_regularizer)
        self.kernel_constraint = registry.get("keras.constraints", kernel_constraint)
        self.bias_constraint = registry.get("keras.constraints", bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        if features is None:
            raise ValueError(f"Layer '{self.name}' must know the last axis of its input: {input_shape}.")
        self.kernel = self.add_weight(
            (features, self.units), self.kernel_initializer, name="kernel",
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,), self.bias_initializer, name="bias",
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        x = lowering.dense(inputs, self.kernel.value)
        if self.bias is not None:
            x = x + self.bias
        return self.activation(x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "quantization_config": None}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return super().from_config({k: v for k, v in config.items() if k != "quantization_config"})
