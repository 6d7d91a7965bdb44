"""The fully connected layer."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import activations, constraints, initializers, lowering, ops, registry, regularizers
from jaxkeras.core.sparse import is_sparse
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import add_configured_weight, positive_int, reject_quantization
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.lora import LowRank


@registry.register("keras.layers")
class Dense(LowRank):
    """`activation(x @ kernel + bias)` over the last axis.

    Args:
        units: size of the output's last axis.
        activation: a name or function; None for the identity.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.
        lora_rank, lora_alpha: train a low-rank update of this rank instead of the kernel, scaled by
            `lora_alpha / lora_rank` (Hu et al., 2021). Unlike in Keras, the constructor's `lora_alpha` has an effect.
        quantization_config: accepted for compatibility; must be None.

    Input shape: `(batch, ..., features)`. Output shape: `(batch, ..., units)`.

    Example:

    >>> Dense(3, activation="relu")(jnp.ones((2, 4))).shape
    (2, 3)
    """

    lora_kernel_a: Variable
    lora_kernel_b: Variable

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
        reject_quantization(self, quantization_config)
        self.set_lora(lora_rank, lora_alpha)
        self.units = positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        if features is None:
            raise ValueError(f"Layer '{self.name}' must know the last axis of its input: {input_shape}.")
        self.kernel = add_configured_weight(self, "kernel", (features, self.units))
        self.bias = add_configured_weight(self, "bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self.begin_lora()

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        dense = ops.matmul if is_sparse(inputs) else lowering.dense
        x = dense(inputs, self.kernel.value)
        if self.lora_enabled:
            a, b = self.factors()
            x = x + lowering.dense(dense(inputs, a), b).astype(x.dtype)
        return self.activation(x if self.bias is None else x + self.bias)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "quantization_config": None}
        if config["activity_regularizer"] is None:  # Keras writes it only when there is one
            del config["activity_regularizer"]
        return config
