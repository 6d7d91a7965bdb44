"""A dense layer defined by an einsum equation."""

from __future__ import annotations

import copy
import re
import string
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import activations, constraints, initializers, lowering, registry, regularizers
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.arguments import add_configured_weight, as_tuple, reject_quantization
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers._base.lora import LowRank, adapted_weight

_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


def einsum_shapes(
    equation: str, bias_axes: str | None, input_shape: Sequence[int | None], output_shape: Sequence[int | None]
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...], tuple[int, ...]]:
    """The shapes of the weights of an `EinsumDense`.

    Args:
        equation: such as `"abc,cd->abd"`, optionally with `...` at the left or the right of input and output.
        bias_axes: letters of the output that the bias has, or None.
        input_shape: of the input, with the batch axis.
        output_shape: of the output, without the batch axis and the axes covered by `...`.

    Returns:
        The kernel's shape, the bias's (or None), and the kernel's input and output axes.

    Raises:
        ValueError: for an equation of another form, or shapes that do not match it.
    """
    match = _EQUATION.fullmatch(equation.replace(" ", ""))
    left, right = (match.group(1), match.group(3)) if match else (None, None)
    if match is None or (left, right) != (match.group(5), match.group(7)) or (left and right):
        raise ValueError(
            f"EinsumDense cannot use the equation {equation!r}. Write 'ab,bc->ac', '...ab,bc->...ac' or "
            "'ab...,bc->ac...': input, kernel and output, one letter an axis."
        )
    source, kernel, target = match.group(2), match.group(4), match.group(6)
    elided = len(input_shape) - len(source)
    if elided < 0 or (elided and not (left or right)):
        raise ValueError(f"The equation {equation!r} does not fit an input of shape {tuple(input_shape)}.")
    start = elided if left else 0
    sizes_in = dict(zip(source, input_shape[start : start + len(source)]))
    given = list(output_shape) if left and elided else [input_shape[0], *output_shape]
    if len(given) != len(target):
        raise ValueError(
            f"`output_shape` of EinsumDense does not fit the output {target!r} of {equation!r}: give a size for each "
            f"letter but the batch axis; got {tuple(output_shape)}."
        )
    sizes_out = dict(zip(target, given))
    for letter in source:
        if sizes_out.get(letter) not in (None, sizes_in[letter]):
            raise ValueError(
                f"Axis {letter!r} of equation {equation!r} is {sizes_in[letter]} in the input of shape "
                f"{tuple(input_shape)} but {sizes_out[letter]} in output_shape={tuple(output_shape)}."
            )
    lost = [letter for letter in target if letter not in source + kernel]
    loose = [letter for letter in kernel if letter not in source + target]
    missing = [letter for letter in bias_axes or "" if letter not in target]
    for letters, problem in (
        (lost, "appears in the output but in neither input nor kernel"),
        (loose, "appears in the kernel but in neither input nor output"),
        (missing, "is named in bias_axes but is not in the output"),
    ):
        if letters:
            raise ValueError(f"Axis {letters[0]!r} of equation {equation!r} {problem}.")
    sizes = {**sizes_in, **sizes_out}
    kernel_shape = tuple(sizes[letter] for letter in kernel)
    input_axes = tuple(i for i, letter in enumerate(kernel) if letter not in target)
    output_axes = tuple(i for i, letter in enumerate(kernel) if letter in target)
    if None in kernel_shape:
        raise ValueError(
            f"EinsumDense with equation {equation!r} must know every axis of its kernel {kernel!r}: got {kernel_shape} "
            f"from input shape {tuple(input_shape)} and output_shape={tuple(output_shape)}."
        )
    bias_shape = None
    if bias_axes is not None:
        first = min(target.index(letter) for letter in bias_axes)
        bias_shape = tuple(sizes[letter] if letter in bias_axes else 1 for letter in target[first:])
        bias_shape += (1,) * (elided if right else 0)
    return kernel_shape, bias_shape, input_axes, output_axes  # type: ignore[return-value]


def _factored(equation: str) -> str:
    """The equation with the kernel replaced by the product of two factors along its last axis."""
    source, rest = equation.replace(" ", "").split(",")
    kernel, target = rest.split("->")
    inner = next(letter for letter in string.ascii_letters if letter not in equation)
    return f"{source},{kernel[:-1]}{inner},{inner}{kernel[-1]}->{target}"


@registry.register("keras.layers")
class EinsumDense(LowRank):
    """`activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: input, kernel and output, such as `"abc,cd->abd"`; input and output may both
            have `...` at their left or at their right.
        output_shape: sizes of the output, without the batch axis and the axes covered by `...`; None for a size that is
            taken from the input.
        activation: a name or function; None for the identity.
        bias_axes: letters of the output that the bias has; None for no bias.
        kernel_initializer, bias_initializer: initializers of the weights.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.
        lora_rank, lora_alpha: train a low-rank update of this rank instead of the kernel (Hu et al., 2021).
        gptq_unpacked_column_size, quantization_config: accepted for compatibility; must be None.

    Example:

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")(jnp.ones((2, 32, 128))).shape
    (2, 32, 64)
    """

    kernel = adapted_weight("kernel")
    _kernel: Variable
    lora_kernel_a: Variable
    lora_kernel_b: Variable

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        reject_quantization(self, quantization_config or gptq_unpacked_column_size)
        self.set_lora(lora_rank, lora_alpha)
        self.equation, self.bias_axes = equation, bias_axes
        self.partial_output_shape = as_tuple(output_shape)
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        kernel_shape, bias_shape, input_axes, output_axes = einsum_shapes(
            self.equation, self.bias_axes, input_shape, self.partial_output_shape
        )
        self.input_spec = InputSpec(ndim=len(input_shape))
        initializer = self.kernel_initializer
        if (
            initializer is not None
            and hasattr(initializer, "input_axes")
            and None in (initializer.input_axes, initializer.output_axes)
        ):
            # Fan-in and fan-out of the kernel depend on the equation, not on the order of its axes.
            initializer = copy.copy(initializer)
            initializer.input_axes, initializer.output_axes = input_axes, output_axes
        self._kernel = self.add_weight(
            kernel_shape, initializer, name="kernel", regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None if bias_shape is None else add_configured_weight(self, "bias", bias_shape)
        self.begin_lora()

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        y = lowering.projection(self.equation, inputs, self._kernel.value)
        if self.lora_enabled:
            y = y + jnp.einsum(_factored(self.equation), inputs, *self.factors()).astype(y.dtype)
        x = y if self.bias is None else y + self.bias
        return x if self.activation is None else self.activation(x)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "activity_regularizer": registry.serialize(self.activity_regularizer),
            "quantization_config": None,
        }
