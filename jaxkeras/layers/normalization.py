"""Layers that bring activations, or weights, to a common scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import lowering
from jaxkeras.core import config
from jaxkeras.initializers import TruncatedNormal
from jaxkeras.layers.arguments import known_size, settled_weight, weight_settings
from jaxkeras.layers.base import Layer
from jaxkeras.layers.input_spec import InputSpec
from jaxkeras.layers.wrappers import Wrapper
from jaxkeras.registry import register


def _axes_of(layer: Layer, axis: Any) -> int | list[int]:
    """One axis, or a list of axes."""
    items = axis if isinstance(axis, (list, tuple)) else [axis]
    if not all(isinstance(item, int) for item in items):
        raise TypeError(f"`axis` of {type(layer).__name__} must be an integer or several; got {axis!r}.")
    return list(axis) if isinstance(axis, (list, tuple)) else axis


class _Affine(Layer):
    """A layer with a learned scale (gamma) and offset (beta), kept in the variable dtype."""

    def affine(self, shape: Sequence[int], center: bool = True) -> None:
        """Create gamma and beta, where the layer has them."""
        self.gamma = settled_weight(self, "gamma", shape, autocast=False) if self.scale else None
        self.beta = settled_weight(self, "beta", shape, autocast=False) if self.center and center else None


@register("keras.layers")
class BatchNormalization(_Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy, 2015).

    While training, mean and variance are those of the batch, and the moving ones approach them; otherwise they are
    the moving ones. A batch that is spread over devices is one batch: its statistics are always over all of it. With
    `trainable = False` the layer uses the moving statistics and leaves them alone, also while training.

    Args:
        axis: the axis that keeps its own statistics, usually the channels.
        momentum: share of the old moving statistics in the new.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: how they start.
        moving_mean_initializer, moving_variance_initializer: how the moving statistics start.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: applied after each update.
        renorm: batch renormalization (Ioffe, 2017): correct the batch's statistics towards moving ones.
        renorm_clipping: `{"rmin", "rmax", "dmax"}`, limits of the correction; absent ones do not limit.
        renorm_momentum: momentum of the moving statistics of the correction.
        synchronized: accepted for compatibility; statistics are over the whole batch either way.

    Call arguments:
        inputs: any float array.
        training: whether to use the batch's statistics, and move the moving ones.
        mask: `inputs.shape[:-1]`; places where it is false do not count.

    Example:

    >>> BatchNormalization()(jnp.ones((2, 3)), training=True).shape
    (2, 3)
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis, self.momentum, self.epsilon = int(axis), float(momentum), float(epsilon)
        self.center, self.scale, self.synchronized = center, scale, synchronized
        weight_settings(
            self, beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer, moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = renorm_clipping
        if renorm:
            self.renorm_clipping = renorm_clipping or {}
            _check_clipping(self.renorm_clipping)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        size = known_size(self, input_shape, self.axis)
        self.affine((size,))

        def statistic(name: str, initializer: Callable[..., Any]) -> Any:
            return self.add_weight((size,), initializer, trainable=False, autocast=False, name=name)

        def stddev(shape: Any, dtype: Any = None) -> jax.Array:
            return jnp.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

        self.moving_mean = statistic("moving_mean", self.moving_mean_initializer)
        self.moving_variance = statistic("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            self.moving_stddev = statistic("moving_stddev", stddev)
            self.renorm_mean = statistic("renorm_mean", self.moving_mean_initializer)
            self.renorm_stddev = statistic("renorm_stddev", stddev)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: jax.Array, training: bool | None = None, mask: jax.Array | None = None) -> jax.Array:
        if mask is not None and mask.ndim != inputs.ndim - 1:
            raise ValueError(
                f"The mask of BatchNormalization '{self.name}' must have one axis less than its input; got shapes "
                f"{mask.shape} and {inputs.shape}."
            )
        # 16-bit floats overflow in squares, so everything is computed in at least 32 bits.
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        kept = self.axis % x.ndim
        gamma, beta = self.gamma, self.beta
        if training and self.trainable:
            others = [axis for axis in range(x.ndim) if axis != kept]
            mean, variance = lowering.batch_moments(x, others, mask=mask, epsilon=config.epsilon())
            if self.renorm:
                r, d = self._correction(mean, variance)
                beta = _add(d if gamma is None else d * gamma, beta)
                gamma = r if gamma is None else r * gamma
                self._renorm_update(mean, variance)
            else:
                _approach(self.moving_mean, mean, self.momentum)
                _approach(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean.value.astype(x.dtype), self.moving_variance.value.astype(x.dtype)
        inverse = jax.lax.rsqrt(variance + self.epsilon)
        if gamma is not None:
            inverse = inverse * gamma
        shape = [-1 if axis == kept else 1 for axis in range(x.ndim)]
        y = (x - mean.reshape(shape)) * inverse.astype(x.dtype).reshape(shape)
        if beta is not None:
            y = y + jnp.asarray(beta).astype(x.dtype).reshape(shape)
        return y.astype(self.compute_dtype)

    def _correction(self, mean: jax.Array, variance: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Scale and offset that lead from the batch's statistics to the moving ones, as constants."""
        old = jnp.maximum(self.renorm_stddev.value, math.sqrt(self.epsilon))
        r = jnp.sqrt(variance + self.epsilon) / old
        d = (mean - self.renorm_mean.value) / old
        limits = self.renorm_clipping or {}
        r = jnp.clip(r, limits.get("rmin"), limits.get("rmax"))
        if limits.get("dmax") is not None:
            d = jnp.clip(d, -limits["dmax"], limits["dmax"])
        return jax.lax.stop_gradient(r), jax.lax.stop_gradient(d)

    def _renorm_update(self, mean: jax.Array, variance: jax.Array) -> None:
        stddev = jnp.sqrt(variance + self.epsilon)
        _approach(self.renorm_mean, mean, self.renorm_momentum)
        _approach(self.renorm_stddev, stddev, self.renorm_momentum)
        _approach(self.moving_mean, mean, self.momentum)
        _approach(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(jnp.maximum(jnp.square(self.moving_stddev.value) - self.epsilon, 0))


def _check_clipping(limits: dict[str, float]) -> None:
    unknown = set(limits) - {"rmin", "rmax", "dmax"}
    if unknown:
        raise ValueError(f"`renorm_clipping` may have the keys rmin, rmax and dmax; got {sorted(unknown)}.")
    rmin, rmax, dmax = (limits.get(key) for key in ("rmin", "rmax", "dmax"))
    if (rmin is not None and rmax is not None and rmax < rmin) or (dmax is not None and dmax < 0):
        raise ValueError(f"`renorm_clipping` needs rmin <= rmax and dmax >= 0; got {limits}.")


def _add(a: Any, b: Any) -> Any:
    return a if b is None else a + b


def _approach(variable: Any, value: jax.Array, momentum: float) -> None:
    """Move an average towards a new value."""
    variable.assign(variable.value * momentum + value * (1.0 - momentum))


@register("keras.layers")
class LayerNormalization(_Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta`, each sample on its own (Ba et al., 2016).

    Args:
        axis: the axis, or axes, that are normalised together.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: how they start.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: applied after each update.

    Example:

    >>> LayerNormalization(epsilon=0.0)(jnp.array([[1.0, 3.0]])).round(3)
    Array([[-1.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        # An option of earlier versions of Keras, still in saved files: no mean, no offset.
        self.rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(**kwargs)
        self.axis, self.epsilon, self.center, self.scale = _axes_of(self, axis), epsilon, center, scale
        weight_settings(
            self, beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.supports_masking = True
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        axes = sorted(self.axis) if isinstance(self.axis, list) else [self.axis]
        self.affine([known_size(self, input_shape, axis) for axis in axes], center=not self.rms_scaling)

    def call(self, inputs: jax.Array) -> jax.Array:
        gamma = None if self.gamma is None else self.gamma.value
        beta = None if self.beta is None else self.beta.value
        if self.rms_scaling:
            return self._scale_only(inputs, gamma)
        axes = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        return lowering.layer_norm(inputs, gamma, beta, axes, self.epsilon).astype(self.compute_dtype)

    def _scale_only(self, inputs: jax.Array, gamma: jax.Array | None) -> jax.Array:
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axes = [axis % x.ndim for axis in (self.axis if isinstance(self.axis, list) else [self.axis])]
        y = x * jax.lax.rsqrt(jnp.var(x, tuple(axes), keepdims=True) + self.epsilon)
        if gamma is not None:
            y = y * gamma.reshape([n if axis in axes else 1 for axis, n in enumerate(x.shape)])
        return y.astype(self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": self.rms_scaling}


@register("keras.layers")
class GroupNormalization(_Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` over groups of channels (Wu and He, 2018).

    Args:
        groups: into how many groups the channels are split; -1 makes each channel a group (instance normalization).
        axis: the channels.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: how they start.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: applied after each update.

    Example:

    >>> GroupNormalization(groups=2)(jnp.ones((2, 5, 5, 4))).shape
    (2, 5, 5, 4)
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(f"`groups` of GroupNormalization must be a positive integer, or -1; got {groups!r}.")
        self.groups, self.axis, self.epsilon, self.center, self.scale = groups, axis, epsilon, center, scale
        weight_settings(
            self, beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.supports_masking = True
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        size = known_size(self, input_shape, self.axis)
        if self.groups == -1:
            self.groups = size
        if size % self.groups:
            raise ValueError(
                f"`groups` of GroupNormalization '{self.name}' must divide the {size} channels of its input of shape "
                f"{tuple(input_shape)}; got {self.groups}."
            )
        self.affine((size,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})

    def call(self, inputs: jax.Array) -> jax.Array:
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        axis = self.axis % x.ndim
        split = (*x.shape[:axis], self.groups, x.shape[axis] // self.groups, *x.shape[axis + 1 :])
        within = [a for a in range(1, len(split)) if a != axis]
        y = lowering.layer_norm(x.reshape(split), axis=within, epsilon=self.epsilon).reshape(x.shape)
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        if self.gamma is not None:
            y = y * self.gamma.value.reshape(shape)
        if self.beta is not None:
            y = y + self.beta.value.reshape(shape)
        return y.astype(self.compute_dtype)


@register("keras.layers")
class RMSNormalization(Layer):
    """`scale * x / sqrt(mean(x**2) + epsilon)` (Zhang and Sennrich, 2019).

    Args:
        axis: the axis, or axes, that are normalised together.
        epsilon: added to the mean square.

    Example:

    >>> RMSNormalization()(jnp.array([[2.0, -2.0]])).round(3)
    Array([[ 1., -1.]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis, self.epsilon = _axes_of(self, axis), epsilon

    def build(self, input_shape: Any) -> None:
        axes = sorted(self.axis) if isinstance(self.axis, list) else [self.axis]
        shape = tuple(known_size(self, input_shape, axis) for axis in axes)
        self.scale = self.add_weight(shape, "ones", name="scale")

    def call(self, x: jax.Array) -> jax.Array:
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        axes = [axis % x.ndim for axis in (self.axis if isinstance(self.axis, list) else [self.axis])]
        y = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), tuple(axes), keepdims=True) + self.epsilon)
        scale = self.scale.value.reshape([n if axis in axes else 1 for axis, n in enumerate(x.shape)])
        return (y * scale).astype(x.dtype)


@register("keras.layers")
class UnitNormalization(Layer):
    """`x / |x|`: each sample gets Euclidean norm 1 along an axis, or several together.

    Args:
        axis: the axis, or axes.

    Example:

    >>> UnitNormalization()(jnp.array([[3.0, 4.0]]))
    Array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _axes_of(self, axis)
        self.supports_masking = True

    def call(self, inputs: jax.Array) -> jax.Array:
        return unit(inputs, tuple(self.axis) if isinstance(self.axis, list) else self.axis)


@register("keras.layers")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value while training (Miyato et al., 2018).

    The value is estimated by power iteration, from a vector that is kept between calls. A call with `training=True`
    normalizes the kernel in place. A compiled training step normalizes it for that step, differentiably, and leaves
    the kernel itself to the optimizer, as Keras on JAX does; with `training=False` the kernel is used as it is. So call
    the layer once with `training=True` before you use a trained model for inference.

    Args:
        layer: a layer with a `kernel` or with `embeddings`.
        power_iterations: iterations in each call.

    Raises:
        ValueError: for a layer without either, or fewer than one iteration.

    Example:

    >>> from jaxkeras.layers import Dense
    >>> SpectralNormalization(Dense(3))(jnp.ones((2, 4)), training=True).shape
    (2, 3)
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any):
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(f"`power_iterations` of SpectralNormalization must be positive; got {power_iterations!r}.")
        self.power_iterations = power_iterations

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        name = next((name for name in ("kernel", "embeddings") if hasattr(self.layer, name)), None)
        if name is None:
            raise ValueError(
                f"SpectralNormalization goes around a layer with a `kernel` or `embeddings`; "
                f"{type(self.layer).__name__} has neither."
            )
        self.kernel = getattr(self.layer, name)
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), TruncatedNormal(stddev=0.02), trainable=False, name="vector_u",
            dtype=self.kernel.dtype,
        )  # fmt: skip

    def call(self, inputs: jax.Array, training: bool = False) -> jax.Array:
        if training:
            self._normalize()
        return self.layer(inputs).astype(inputs.dtype)

    def _normalize(self) -> None:
        kernel, u = self.kernel.value, self.vector_u.value
        matrix = kernel.reshape(-1, kernel.shape[-1])
        for _ in range(self.power_iterations):
            v = unit(u @ matrix.T)
            u = unit(v @ matrix)
        u, v = jax.lax.stop_gradient((u, v))
        sigma = (v @ matrix @ u.T).reshape(())
        # A kernel of zeros has no direction to normalize.
        zero = jnp.all(kernel == 0)
        self.vector_u.assign(jnp.where(zero, self.vector_u.value, u))
        self.kernel.assign(kernel / jnp.where(zero, jnp.ones_like(sigma), sigma))


def unit(x: jax.Array, axis: int | Sequence[int] | None = None, epsilon: float = 1e-12) -> jax.Array:
    """Vectors divided by their Euclidean norm, or by `epsilon` where that is larger."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    square = jnp.sum(jnp.square(wide), axis, keepdims=True)
    return (wide * jax.lax.rsqrt(jnp.maximum(square, epsilon**2))).astype(x.dtype)
