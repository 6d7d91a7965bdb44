"""Embeddings, einsum, masking and layers made of functions."""

from __future__ import annotations

import copy
import inspect
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering, registry
from jaxkeras.core.frame import local
from jaxkeras.core.masks import set_mask
from jaxkeras.layers.arguments import no_quantization, positive_int, settled_weight, weight_settings
from jaxkeras.layers.base import Layer
from jaxkeras.layers.dense import get_activation
from jaxkeras.layers.input_spec import InputSpec
from jaxkeras.layers.lora import LowRank


@registry.register("keras.layers")
class Identity(Layer):
    """Returns its input.

    Example:

    >>> Identity()(jnp.array([1.0]))
    Array([1.], dtype=float32)
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


@registry.register("keras.layers")
class Lambda(Layer):
    """A function as a layer.

    A model with a Lambda around a Python `lambda` cannot be saved; a named function that is registered by
    `jaxkeras.saving.register_keras_serializable` can.

    Args:
        function: takes the input, and `mask` and `training` if it has parameters of these names. It has no weights
            of its own: write a `Layer` for that.
        output_shape: accepted for compatibility and kept in the config; shapes are found by tracing the function.
        mask: the mask of the output, or a function `(inputs, mask)` that returns it.
        arguments: further keyword arguments of the function.

    Example:

    >>> Lambda(lambda x: x**2)(jnp.array([3.0]))
    Array([9.], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(f"Lambda '{self.name}' needs a function; got {function!r}.")
        self.function, self.output_shape, self.mask = function, output_shape, mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        try:
            taken = inspect.signature(function).parameters
        except ValueError:  # some built-in functions tell nothing about themselves
            taken = {}
        self._context = tuple(name for name in ("mask", "training") if name in taken)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        context = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: context[name] for name in self._context})

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {k: v for k, v in config.items() if v is not None or k not in ("output_shape", "mask")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Lambda:
        config = dict(config)
        for key in ("function", "output_shape", "mask"):
            value = config.get(key)
            if isinstance(value, dict) and value.get("class_name") == "__lambda__":
                raise ValueError(
                    f"Lambda {config.get('name', '')!r} was saved with a Python lambda as its `{key}`. Code from files "
                    "is never run here. Write the function by name, register it with "
                    "@jaxkeras.saving.register_keras_serializable(), and rebuild and save the model with it."
                )
            if registry.is_config(value):
                config[key] = registry.deserialize(value)
        return cls(**config)


@registry.register("keras.layers")
class Masking(Layer):
    """Masks the steps of a sequence in which every feature equals a value.

    Args:
        mask_value: that value.

    Input shape: `(batch, steps, ..., features)`. The output is the input with masked steps set to zero; its mask has
    the shape `(batch, steps, ...)`.

    Example:

    >>> from jaxkeras.core.masks import get_mask
    >>> get_mask(Masking()(jnp.array([[[1.0], [0.0]]])))
    Array([[ True, False]], dtype=bool)
    """

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.mask_value = registry.deserialize(mask_value) if registry.is_config(mask_value) else mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: jax.Array, previous_mask: Any) -> jax.Array:
        return jnp.any(inputs != jnp.asarray(self.mask_value, inputs.dtype), axis=-1)

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.where(self.compute_mask(inputs, None)[..., None], inputs, 0)


class _Table(LowRank):
    """What Embedding and its reversible form share: a matrix, and rows of it by number."""

    adapted = "embeddings"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any,
        embeddings_regularizer: Any,
        embeddings_constraint: Any,
        mask_zero: bool,
        **kwargs: Any,
    ):
        kwargs.pop("input_length", None)  # from Keras 2: the length is that of the input
        super().__init__(**kwargs)
        self.input_dim = positive_int(input_dim, "input_dim", self)
        self.output_dim = positive_int(output_dim, "output_dim", self)
        weight_settings(
            self, embeddings_initializer=embeddings_initializer, embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
        )  # fmt: skip
        self.mask_zero = self.supports_masking = mask_zero
        self.autocast = False  # ids that come as floats must stay exact

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = settled_weight(self, "embeddings", (self.input_dim, self.output_dim))
        self.begin_lora()

    def rows(self, ids: jax.Array) -> jax.Array:
        """The vectors of some ids."""
        ids = ids if ids.dtype in (jnp.int32, jnp.int64) else ids.astype(jnp.int32)
        if local.frame is not None:
            local.frame.check(
                f"Layer '{self.name}' was given an id outside of its table: ids run from 0 to input_dim - 1 = "
                f"{self.input_dim - 1}. Write {type(self).__name__}(input_dim=<largest id + 1>, ...), or look at how "
                "the ids were made.",
                jnp.any((ids < 0) | (ids >= self.input_dim)),
            )
        y = jnp.take(self.embeddings.value, ids, axis=0)
        if self.lora_enabled:
            a, b = self.factors()
            y = y + jnp.matmul(jnp.take(a, ids, axis=0), b).astype(y.dtype)
        return y.astype(self.compute_dtype)

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> jax.Array | None:
        return inputs != 0 if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        penalty = registry.serialize(self.activity_regularizer)
        return {**super().get_config(), "activity_regularizer": penalty, "quantization_config": None}


@registry.register("keras.layers")
class Embedding(_Table):
    """A learned vector for each integer.

    Args:
        input_dim: number of integers; ids run from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the matrix.
        mask_zero: whether id 0 is padding, to be masked in the layers that follow.
        weights: the matrix to start from, `(input_dim, output_dim)`.
        lora_rank, lora_alpha: train a correction of this rank instead of the matrix (Hu et al., 2021).
        quantization_config: accepted for compatibility; must be None.

    Input shape: any, integers. Output shape: that with `output_dim` at the end. An id out of range gives NaN.

    Example:

    >>> Embedding(10, 4)(jnp.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
            **kwargs,
        )  # fmt: skip
        no_quantization(self, quantization_config)
        self.set_lora(lora_rank, lora_alpha)
        if weights is not None:
            self.build(None)
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def call(self, inputs: jax.Array) -> jax.Array:
        return self.rows(inputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("weights", None)
        return config


@registry.register("keras.layers")
class ReversibleEmbedding(_Table):
    """A learned vector for each integer, and the way back: from vectors to scores of the integers.

    Args:
        input_dim: number of integers; ids run from 0 to `input_dim - 1`.
        output_dim: size of a vector.
        tie_weights: whether the way back uses the same matrix; otherwise it has one of its own.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the matrix.
        mask_zero: whether id 0 is padding, to be masked in the layers that follow.
        reverse_dtype: the type of the way back, such as `"float32"` in a 16-bit model.
        logit_soft_cap: scores are limited to this by `cap * tanh(score / cap)`.

    Call arguments:
        inputs: integers of any shape; with `reverse`, floats `(..., output_dim)`.
        reverse: whether to go back, to scores `(..., input_dim)`.

    Example:

    >>> layer = ReversibleEmbedding(10, 4)
    >>> layer(layer(jnp.array([[1, 2, 3]])), reverse=True).shape
    (1, 3, 10)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ):
        lora = kwargs.pop("lora_rank", None), kwargs.pop("lora_alpha", None)
        no_quantization(self, kwargs.pop("quantization_config", None))
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero,
            **kwargs,
        )  # fmt: skip
        self.set_lora(*lora)
        self.tie_weights, self.reverse_dtype, self.logit_soft_cap = tie_weights, reverse_dtype, logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")

    def call(self, inputs: jax.Array, reverse: bool = False) -> jax.Array:
        if not reverse:
            y = self.rows(inputs)
            if self.mask_zero:
                set_mask(y, inputs != 0)
            return y
        kernel = self.corrected().T if self.tie_weights else self.reverse_embeddings.value
        dtype = self.reverse_dtype or jnp.result_type(inputs, kernel)
        scores = jnp.matmul(inputs.astype(dtype), kernel.astype(dtype))
        if self.logit_soft_cap is not None:
            scores = jnp.tanh(scores / self.logit_soft_cap) * self.logit_soft_cap
        return scores

    def compute_mask(self, inputs: jax.Array, previous_mask: Any = None) -> None:
        return None  # `call` sets it, on the way there only


_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


def einsum_shapes(
    equation: str, bias_axes: str | None, input_shape: Sequence[int | None], output_shape: Sequence[int | None]
) -> tuple[tuple[int, ...], tuple[int, ...] | None, tuple[int, ...], tuple[int, ...]]:
    """Shapes of the weights of an `EinsumDense`.

    Args:
        equation: such as `"abc,cd->abd"`, with `...` at the left or at the right of input and output.
        bias_axes: letters of the output that the bias has, or None.
        input_shape: of the input, with the batch axis.
        output_shape: of the output, without the batch axis and without what `...` stands for.

    Returns:
        The kernel's shape, the bias's (or None), and the kernel's input and output axes.

    Raises:
        ValueError: for an equation of another form, or shapes that do not fit it.
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
    """The equation for a kernel that is the product of two along its last axis."""
    source, rest = equation.replace(" ", "").split(",")
    kernel, target = rest.split("->")
    inner = next(letter for letter in string.ascii_letters if letter not in equation)
    return f"{source},{kernel[:-1]}{inner},{inner}{kernel[-1]}->{target}"


@registry.register("keras.layers")
class EinsumDense(LowRank):
    """`activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: input, kernel and output, such as `"abc,cd->abd"`; `...` may stand at the left of input and output,
            or at their right.
        output_shape: sizes of the output without the batch axis and without what `...` stands for; None where the
            equation takes the size from the input.
        activation: a name or function; None for none.
        bias_axes: letters of the output that the bias has; None for no bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: penalties added to the loss.
        kernel_constraint, bias_constraint: applied to the weights after each update.
        lora_rank, lora_alpha: train a correction of this rank instead of the kernel (Hu et al., 2021).
        gptq_unpacked_column_size, quantization_config: accepted for compatibility; must be None.

    Example:

    >>> EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")(jnp.ones((2, 32, 128))).shape
    (2, 32, 64)
    """

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
        no_quantization(self, quantization_config or gptq_unpacked_column_size)
        self.set_lora(lora_rank, lora_alpha)
        self.equation, self.bias_axes = equation, bias_axes
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = get_activation(activation)
        weight_settings(
            self, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        kernel_shape, bias_shape, input_axes, output_axes = einsum_shapes(
            self.equation, self.bias_axes, input_shape, self.partial_output_shape
        )
        self.input_spec = InputSpec(ndim=len(input_shape))
        initializer = self.kernel_initializer
        if hasattr(initializer, "input_axes") and None in (initializer.input_axes, initializer.output_axes):
            # The fans of an einsum's kernel follow from the equation, not from the order of its axes.
            initializer = copy.copy(initializer)
            initializer.input_axes, initializer.output_axes = input_axes, output_axes
        self.kernel = self.add_weight(
            kernel_shape, initializer, name="kernel", regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None if bias_shape is None else settled_weight(self, "bias", bias_shape)
        self.begin_lora()

    def call(self, inputs: jax.Array, training: bool | None = None) -> jax.Array:
        y = lowering.projection(self.equation, inputs, self.kernel.value)
        if self.lora_enabled:
            y = y + jnp.einsum(_factored(self.equation), inputs, *self.factors()).astype(y.dtype)
        return self.activation(y if self.bias is None else y + self.bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "activity_regularizer": registry.serialize(self.activity_regularizer),
            "quantization_config": None,
        }
