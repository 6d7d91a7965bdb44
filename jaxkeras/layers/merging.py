"""Layers that make one output of several inputs, and the same as functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.config import epsilon
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.layers.base import Layer
from jaxkeras.layers.normalization import unit
from jaxkeras.registry import register

Shapes = Sequence[Sequence[int | None]]


def _check_list(layer: Layer, shapes: Any, exactly: int | None = None) -> None:
    is_list = isinstance(shapes, (list, tuple)) and bool(shapes) and all(isinstance(s, (list, tuple)) for s in shapes)
    if not is_list or (exactly is not None and len(shapes) != exactly):
        wanted = "one or more" if exactly is None else f"exactly {exactly}"
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}' takes a list of {wanted} tensors, as in "
            f"{type(layer).__name__}()([a, b]); got {'shapes' if is_list else 'one tensor of shape'} {shapes}."
        )


class _Merge(Layer):
    """A layer of a list of inputs; a subclass says how to combine them."""

    exactly: int | None = None

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        raise NotImplementedError

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return self.merge(inputs)


class _Elementwise(_Merge):
    """Inputs are broadcast to each other; those of lower rank get axes of size 1 after the batch."""

    def build(self, input_shape: Shapes) -> None:
        _check_list(self, input_shape, self.exactly)
        rank = max(len(shape) for shape in input_shape)
        aligned = [(*shape[:1], *(1,) * (rank - len(shape)), *shape[1:]) for shape in input_shape]
        for axis, sizes in enumerate(zip(*aligned)):
            if len(set(sizes) - ({None} if axis == 0 else {None, 1})) > 1:
                what = "different batch sizes" if axis == 0 else f"incompatible sizes along axis {axis}"
                raise ValueError(
                    f"{type(self).__name__} '{self.name}' cannot combine inputs of shapes "
                    f"{[tuple(shape) for shape in input_shape]}: they have {what}."
                )

    def call(self, inputs: Sequence[jax.Array]) -> jax.Array:
        rank = max(x.ndim for x in inputs)
        aligned = []
        for x in inputs:
            y = x.reshape((*x.shape[:1], *(1,) * (rank - x.ndim), *x.shape[1:])) if x.ndim < rank else x
            if y is not x and get_mask(x) is not None:
                set_mask(y, get_mask(x))
            aligned.append(y)
        return self.merge(aligned)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> jax.Array | None:
        if previous_mask is None or any(mask is None for mask in previous_mask):
            return None
        return functools.reduce(jnp.logical_or, previous_mask)


@register("keras.layers")
class Add(_Elementwise):
    """The sum of the inputs.

    Example:

    >>> Add()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[3.]], dtype=float32)
    """

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.add, inputs)


@register("keras.layers")
class Subtract(_Elementwise):
    """The first input minus the second.

    Example:

    >>> Subtract()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[-1.]], dtype=float32)
    """

    exactly = 2

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return jnp.subtract(*inputs)


def _spread(mask: jax.Array, x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(mask[..., None], x.shape)


@register("keras.layers")
class Multiply(_Elementwise):
    """The product of the inputs. A masked step of one input counts as 1; masked in all of them, it gives 0.

    Example:

    >>> Multiply()([jnp.array([[3.0]]), jnp.array([[2.0]])])
    Array([[6.]], dtype=float32)
    """

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        masks = [None if get_mask(x) is None else _spread(get_mask(x), x) for x in inputs]
        factors = [x if mask is None else jnp.where(mask, x, 1) for x, mask in zip(inputs, masks)]
        product = functools.reduce(jnp.multiply, factors)
        if any(mask is None for mask in masks):
            return product
        keep = functools.reduce(jnp.logical_or, masks)  # type: ignore[arg-type]
        product = jnp.where(keep, product, 0)
        set_mask(product, jnp.any(keep, axis=-1))
        return product


@register("keras.layers")
class Average(_Elementwise):
    """The mean of the inputs.

    Example:

    >>> Average()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[1.5]], dtype=float32)
    """

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return functools.reduce(jnp.add, inputs) / len(inputs)


class _Extreme(_Elementwise):
    """Of inputs that are masked at a step, the other is taken there."""

    pick: Callable[[jax.Array, jax.Array], jax.Array]

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        masks = [None if get_mask(x) is None else _spread(get_mask(x), x) for x in inputs]
        result, seen = inputs[0], masks[0]
        for x, mask in zip(inputs[1:], masks[1:]):
            x = x if mask is None else jnp.where(mask, x, result)
            result = result if seen is None else jnp.where(seen, result, x)
            seen = None if mask is None or seen is None else jnp.logical_or(seen, mask)
            result = type(self).pick(result, x)
        if seen is not None and len(inputs) > 1:
            set_mask(result, jnp.any(seen, axis=-1))
        return result


@register("keras.layers")
class Maximum(_Extreme):
    """The largest of the inputs, element by element.

    Example:

    >>> Maximum()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[2.]], dtype=float32)
    """

    pick = staticmethod(jnp.maximum)


@register("keras.layers")
class Minimum(_Extreme):
    """The smallest of the inputs, element by element.

    Example:

    >>> Minimum()([jnp.array([[1.0]]), jnp.array([[2.0]])])
    Array([[1.]], dtype=float32)
    """

    pick = staticmethod(jnp.minimum)


@register("keras.layers")
class Concatenate(_Merge):
    """The inputs one after the other along an axis.

    Args:
        axis: the axis; all other axes must agree.

    Raises:
        ValueError: for inputs of other shapes.

    Example:

    >>> Concatenate()([jnp.ones((2, 3)), jnp.ones((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Shapes) -> None:
        _check_list(self, input_shape)
        rank = len(input_shape[0])
        fits = all(len(shape) == rank for shape in input_shape) and -rank <= self.axis < rank
        for axis, sizes in enumerate(zip(*input_shape)):
            fits = fits and (axis == self.axis % rank or len(set(sizes) - {None}) <= 1)
        if not fits:
            raise ValueError(
                f"Concatenate '{self.name}' needs inputs that agree on every axis but axis={self.axis}; got shapes "
                f"{[tuple(shape) for shape in input_shape]}."
            )

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        return jnp.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> jax.Array | None:
        if previous_mask is None or all(mask is None for mask in previous_mask):
            return None
        full = []
        for x, mask in zip(inputs, previous_mask):
            mask = jnp.ones(x.shape, bool) if mask is None else mask
            full.append(_spread(mask, x) if mask.ndim < x.ndim else mask)
        return jnp.any(jnp.concatenate(full, axis=self.axis), axis=-1)


@register("keras.layers")
class Dot(_Merge):
    """The dot product of two inputs along an axis, each sample on its own.

    Args:
        axes: the axis of both inputs, or one for each; never the batch axis 0.
        normalize: whether to scale both to Euclidean norm 1 along the axis first (cosine similarity).

    Output shape: the axes of the first input, then those of the second, without the batch axis and the one that is
    summed over; `(batch, 1)` if none is left.

    Example:

    >>> Dot(axes=1)([jnp.ones((2, 3)), jnp.ones((2, 3))])
    Array([[3.],
           [3.]], dtype=float32)
    """

    exactly = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        pair = [axes] if isinstance(axes, int) else axes
        if not isinstance(pair, (list, tuple)) or not all(isinstance(axis, int) for axis in pair):
            raise TypeError(f"`axes` of Dot must be an integer or two; got {axes!r}.")
        if len(pair) > 2 or (not isinstance(axes, int) and len(pair) != 2) or 0 in pair:
            raise ValueError(f"`axes` of Dot must be an integer or two, and not the batch axis 0; got {axes!r}.")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize
        self.supports_masking = True

    def _pair(self, shapes: Shapes) -> tuple[int, int]:
        first, second = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return first % len(shapes[0]), second % len(shapes[1])

    def build(self, input_shape: Shapes) -> None:
        _check_list(self, input_shape, self.exactly)
        pair = self._pair(input_shape)
        sizes = [shape[axis] for shape, axis in zip(input_shape, pair)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Dot '{self.name}' sums over axes {pair} of its inputs, which must be equal in size; got shapes "
                f"{[tuple(shape) for shape in input_shape]}."
            )

    def merge(self, inputs: Sequence[jax.Array]) -> jax.Array:
        pair = self._pair([x.shape for x in inputs])
        x, y = (unit(x, axis, epsilon()) if self.normalize else x for x, axis in zip(inputs, pair))
        product = jax.lax.dot_general(x, y, (((pair[0],), (pair[1],)), ((0,), (0,))))
        return product if product.ndim > 1 else product[:, None]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None


def _functional(cls: type[Layer]) -> Callable[..., Any]:
    def function(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    function.__name__ = function.__qualname__ = cls.__name__.lower()
    summary = (cls.__doc__ or "").splitlines()[0]
    function.__doc__ = f"{summary}\n\nArgs:\n    inputs: a list of tensors.\n    **kwargs: of `{cls.__name__}`."
    return function


add, subtract, multiply = _functional(Add), _functional(Subtract), _functional(Multiply)
average, maximum, minimum = _functional(Average), _functional(Maximum), _functional(Minimum)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """The inputs one after the other along an axis.

    Args:
        inputs: a list of tensors.
        axis: the axis.
        **kwargs: of `Concatenate`.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """The dot product of two inputs along an axis, each sample on its own.

    Args:
        inputs: a list of two tensors.
        axes: the axis of both inputs, or one for each.
        **kwargs: of `Dot`.
    """
    return Dot(axes=axes, **kwargs)(inputs)
