"""Layers that move, repeat, cut or pad."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers.arguments import positive_int, respell, tuple_of
from jaxkeras.layers.base import Layer
from jaxkeras.layers.input_spec import InputSpec
from jaxkeras.layers.spatial import Spatial
from jaxkeras.ops.image import resize


@registry.register("keras.layers")
class Flatten(Layer):
    """All axes but the batch in one.

    Args:
        data_format: `"channels_last"` or `"channels_first"`, which is reordered to channels last before; defaults to
            the global setting.

    Input shape: `(batch, ...)`. Output shape: `(batch, size)`; `(batch, 1)` for `(batch,)`.

    Example:

    >>> Flatten()(jnp.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: jax.Array) -> jax.Array:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = jnp.moveaxis(inputs, 1, -1)
        return inputs.reshape(inputs.shape[0], math.prod(inputs.shape[1:]))


@registry.register("keras.layers")
class Reshape(Layer):
    """Another shape for each sample.

    Args:
        target_shape: the shape without the batch axis; one -1 takes what is left.

    Raises:
        ValueError: if the sizes do not multiply to that of the input.

    Example:

    >>> Reshape((-1, 2))(jnp.ones((5, 6))).shape
    (5, 3, 2)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)
        if self.target_shape.count(-1) > 1 or any(size < -1 for size in self.target_shape):
            raise ValueError(
                f"`target_shape` of Reshape '{self.name}' may hold one -1 and otherwise sizes; got {self.target_shape}."
            )

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        # Not found by tracing: sizes that stand in for unknown ones need not be divisible as the real ones will be.
        given, target = tuple(input_shape[1:]), self.target_shape
        sizes = [size for size in given if size is not None]
        if len(sizes) < len(given):
            return (input_shape[0], *(None if size == -1 else size for size in target))
        total, known = math.prod(sizes), math.prod(size for size in target if size != -1)
        rest = total // known if -1 in target and known else 1
        if known * rest != total:
            raise ValueError(
                f"Reshape '{self.name}' cannot make {target} of an input of shape {tuple(input_shape)}: a sample has "
                f"{total} elements" + (f", which {known} does not divide." if -1 in target else f", not {known}.")
            )
        return (input_shape[0], *(rest if size == -1 else size for size in target))

    def compute_output_spec(self, inputs: KerasTensor) -> KerasTensor:
        return KerasTensor(self.compute_output_shape(inputs.shape), inputs.dtype)

    def call(self, inputs: jax.Array) -> jax.Array:
        return inputs.reshape(self.compute_output_shape(inputs.shape))


@registry.register("keras.layers")
class Permute(Layer):
    """The axes of a sample in another order.

    Args:
        dims: for each output axis, which input axis it is; 1 is the first after the batch.

    Example:

    >>> Permute((2, 1))(jnp.ones((5, 3, 4))).shape
    (5, 4, 3)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"`dims` of Permute '{self.name}' must be the numbers 1 to {len(self.dims)} in some order; got {dims}."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.transpose(inputs, (0, *self.dims))


@registry.register("keras.layers")
class RepeatVector(Layer):
    """The input n times along a new axis.

    Args:
        n: how often.

    Input shape: `(batch, features)`. Output shape: `(batch, n, features)`.

    Example:

    >>> RepeatVector(3)(jnp.ones((2, 4))).shape
    (2, 3, 4)
    """

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = positive_int(n, "n", self)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: jax.Array) -> jax.Array:
        return jnp.broadcast_to(inputs[:, None, :], (inputs.shape[0], self.n, inputs.shape[1]))


class _Ends(Spatial):
    """A layer that cuts or adds places at both ends of each spatial axis."""

    def _amounts(self, value: Any, name: str) -> Any:
        """Places at both ends of each axis, as configs have it: one pair for one axis, else a pair for each."""
        if self.rank == 1:
            return tuple_of(value, 2, name, minimum=0)
        items = (value,) * self.rank if isinstance(value, int) else value
        if not isinstance(items, Sequence) or isinstance(items, str) or len(items) != self.rank:
            raise ValueError(
                f"`{name}` of {type(self).__name__} must be an integer, {self.rank} integers (one a spatial axis) or "
                f"{self.rank} pairs (start, end); got {value!r}."
            )
        return tuple(tuple_of(item, 2, name, minimum=0) for item in items)

    def _ends(self, amounts: Any) -> dict[int, tuple[int, int]]:
        return dict(zip(self.spatial_axes, (amounts,) if self.rank == 1 else amounts))


class _Cropping(_Ends):
    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.cropping = self._amounts(cropping, "cropping")

    def call(self, inputs: jax.Array) -> jax.Array:
        cuts = [slice(None)] * inputs.ndim
        for axis, (low, high) in self._ends(self.cropping).items():
            size = inputs.shape[axis]
            if low + high >= size:
                raise ValueError(
                    f"{type(self).__name__} '{self.name}' would cut {low} + {high} places off axis {axis}, which has "
                    f"only {size} in an input of shape {inputs.shape}."
                )
            cuts[axis] = slice(low, size - high)
        return inputs[tuple(cuts)]


@registry.register("keras.layers")
class Cropping1D(_Cropping):
    """Cuts the ends off a sequence.

    Args:
        cropping: steps to cut: an integer, or a pair (start, end).

    Input shape: `(batch, steps, features)`.

    Raises:
        ValueError: when called on an input of which nothing would be left.

    Example:

    >>> Cropping1D(1)(jnp.ones((2, 5, 3))).shape
    (2, 3, 3)
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__(cropping, "channels_last", **kwargs)


@registry.register("keras.layers")
@respell(cropping=((0, 0), (0, 0)))
class Cropping2D(_Cropping):
    """Cuts the borders off an image.

    Args:
        cropping: places to cut: an integer, one for height and width each, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Raises:
        ValueError: when called on an input of which nothing would be left.

    Example:

    >>> Cropping2D(((1, 0), (2, 2)))(jnp.ones((2, 5, 6, 3))).shape
    (2, 4, 2, 3)
    """

    rank = 2


@registry.register("keras.layers")
@respell(cropping=((1, 1), (1, 1), (1, 1)))
class Cropping3D(_Cropping):
    """Cuts the borders off a volume.

    Args:
        cropping: places to cut: an integer, one for each spatial axis, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Raises:
        ValueError: when called on an input of which nothing would be left.

    Example:

    >>> Cropping3D(1)(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 2, 3, 4, 3)
    """

    rank = 3


class _ZeroPadding(_Ends):
    def __init__(self, padding: Any, data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.padding = self._amounts(padding, "padding")

    def call(self, inputs: jax.Array) -> jax.Array:
        ends = self._ends(self.padding)
        return jnp.pad(inputs, [ends.get(axis, (0, 0)) for axis in range(inputs.ndim)])


@registry.register("keras.layers")
@respell(padding=1)
class ZeroPadding1D(_ZeroPadding):
    """Zeros at the ends of a sequence.

    Args:
        padding: steps to add: an integer, or a pair (start, end).
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, steps, features)`, or features second for `"channels_first"`.

    Example:

    >>> ZeroPadding1D((0, 2))(jnp.ones((2, 5, 3))).shape
    (2, 7, 3)
    """

    rank = 1


@registry.register("keras.layers")
@respell(padding=(1, 1))
class ZeroPadding2D(_ZeroPadding):
    """Zeros around an image.

    Args:
        padding: places to add: an integer, one for height and width each, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> ZeroPadding2D((1, 2))(jnp.ones((2, 5, 6, 3))).shape
    (2, 7, 10, 3)
    """

    rank = 2


@registry.register("keras.layers")
@respell(padding=((1, 1), (1, 1), (1, 1)))
class ZeroPadding3D(_ZeroPadding):
    """Zeros around a volume.

    Args:
        padding: places to add: an integer, one for each spatial axis, or a pair (start, end) for each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> ZeroPadding3D(1)(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 6, 7, 8, 3)
    """

    rank = 3


def _repeat(x: jax.Array, factors: dict[int, int]) -> jax.Array:
    for axis, factor in factors.items():
        x = jnp.repeat(x, factor, axis)
    return x


@registry.register("keras.layers")
class UpSampling1D(Spatial):
    """Every step of a sequence several times.

    Args:
        size: how often.

    Input shape: `(batch, steps, features)`. Output shape: `(batch, steps * size, features)`.

    Example:

    >>> UpSampling1D(2)(jnp.ones((2, 5, 3))).shape
    (2, 10, 3)
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__("channels_last", **kwargs)
        self.size = positive_int(size, "size", self)

    def call(self, inputs: jax.Array) -> jax.Array:
        return _repeat(inputs, {1: self.size})


_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@registry.register("keras.layers")
class UpSampling2D(Spatial):
    """Enlarges images by whole factors.

    Args:
        size: the factor, or one for height and width each.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        interpolation: `"nearest"` (repeat), `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.

    Input shape: `(batch, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> UpSampling2D((1, 2))(jnp.ones((2, 5, 6, 3))).shape
    (2, 5, 12, 3)
    """

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ):
        super().__init__(data_format, **kwargs)
        self.size = tuple_of(size, 2, "size")
        self.interpolation = interpolation.lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise registry.unknown("interpolation of UpSampling2D", interpolation, _INTERPOLATIONS)

    def call(self, inputs: jax.Array) -> jax.Array:
        factors = dict(zip(self.spatial_axes, self.size))
        if self.interpolation == "nearest":
            return _repeat(inputs, factors)
        size = [inputs.shape[axis] * factor for axis, factor in factors.items()]
        return resize(inputs, size, self.interpolation, data_format=self.data_format)


@registry.register("keras.layers")
class UpSampling3D(Spatial):
    """Every voxel of a volume several times along each axis.

    Args:
        size: the factor, or one for each spatial axis.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.

    Input shape: `(batch, depth, height, width, channels)`, or channels second for `"channels_first"`.

    Example:

    >>> UpSampling3D((1, 2, 3))(jnp.ones((2, 4, 5, 6, 3))).shape
    (2, 4, 10, 18, 3)
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any):
        super().__init__(data_format, **kwargs)
        self.size = tuple_of(size, 3, "size")

    def call(self, inputs: jax.Array) -> jax.Array:
        return _repeat(inputs, dict(zip(self.spatial_axes, self.size)))
