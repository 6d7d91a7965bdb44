"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.layers._base.arguments import no_quantization, positive_int, settled_weight, weight_settings
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.lora import LowRank


def get_activation(identifier: Any) -> Any:
    """An activation function; None is the identity, named `linear`."""
    return registry.get("keras.activations", "linear" if identifier is None else identifier)


@registry.register("keras.layers")
class Dense(LowRank):
    """`activation(x @ kernel + bias)` over the last axis.

    Args:
        units: size of the output's last axis.
        activation: a name or function; None for none.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.
        lora_rank, lora_alpha: train a correction of this rank instead of the kernel, scaled by `lora_alpha / lora_rank`
            (Hu et al., 2021). Keras's Dense forgets a `lora_alpha` of its constructor and scales by one.
        quantization_config: accepted for compatibility; must be None.

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
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        no_quantization(self, quantization_config)
        self.set_lora(lora_rank, lora_alpha)
        self.units = positive_int(units, "units", self)
        self.activation = get_activation(activation)
        self.use_bias = use_bias
        weight_settings(
            self, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        if features is None:
            raise ValueError(f"Layer '{self.name}' must know the last axis of its input: {input_shape}.")
        self.kernel = settled_weight(self, "kernel", (features, self.units))
        self.bias = settled_weight(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self.begin_lora()

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        x = lowering.dense(inputs, self.kernel.value)
        if self.lora_enabled:
            a, b = self.factors()
            x = x + lowering.dense(lowering.dense(inputs, a), b).astype(x.dtype)
        return self.activation(x if self.bias is None else x + self.bias)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "quantization_config": None}
        if config["activity_regularizer"] is None:  # Keras writes it only when there is one
            del config["activity_regularizer"]
        return config
