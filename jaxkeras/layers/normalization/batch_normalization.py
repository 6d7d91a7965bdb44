"""Batch normalization."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import constraints, initializers, lowering, regularizers
from jaxkeras.core import config
from jaxkeras.layers._base.arguments import known_size
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers.normalization.base import Affine
from jaxkeras.registry import register


@register("keras.layers")
class BatchNormalization(Affine):
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` (Ioffe and Szegedy, 2015).

    In training, mean and variance are those of the batch, and the moving averages are updated with them; otherwise
    the moving averages are used. A batch that is sharded over devices is one batch, with one mean and variance. With
    `trainable = False` the layer uses the moving averages and does not update them, in training too.

    Args:
        axis: the axis with separate statistics for each index, usually the channels.
        momentum: weight of the old value in an update of the moving averages.
        epsilon: added to the variance.
        center, scale: whether there is a learned offset (beta) and scale (gamma).
        beta_initializer, gamma_initializer: their initializers.
        moving_mean_initializer, moving_variance_initializer: initializers of the moving statistics.
        beta_regularizer, gamma_regularizer: penalties added to the loss.
        beta_constraint, gamma_constraint: applied after each update.
        renorm: whether to use batch renormalization (Ioffe, 2017), which corrects batch statistics by moving averages.
        renorm_clipping: `{"rmin", "rmax", "dmax"}`, limits of the correction; a missing key sets no limit.
        renorm_momentum: momentum of the moving averages of the correction.
        synchronized: accepted for compatibility; statistics are always those of the whole batch.

    Call arguments:
        inputs: any float array.
        training: whether to use the statistics of the batch and update the moving averages.
        mask: `inputs.shape[:-1]`; positions where it is False are ignored.

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
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm, self.renorm_momentum = renorm, renorm_momentum
        self.renorm_clipping = renorm_clipping
        if renorm:
            self.renorm_clipping = renorm_clipping or {}
            _check_clipping(self.renorm_clipping)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        size = known_size(self, input_shape, self.axis)
        self.affine((size,))

        def statistic(name: str, initializer: Callable[..., Any] | None) -> Any:
            return self.add_weight((size,), initializer, trainable=False, autocast=False, name=name)

        self.moving_mean = statistic("moving_mean", self.moving_mean_initializer)
        self.moving_variance = statistic("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            initial_variance = self.moving_variance_initializer
            if initial_variance is None:
                raise ValueError(
                    f"BatchNormalization '{self.name}' with renorm=True needs a `moving_variance_initializer`, such as "
                    "'ones'; got None."
                )

            def stddev(shape: Any, dtype: Any = None) -> jax.Array:
                return jnp.sqrt(initial_variance(shape, dtype=dtype))

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
        # Squares overflow in 16-bit floats, so compute in at least 32 bits.
        x = inputs.astype(jnp.promote_types(inputs.dtype, jnp.float32))
        kept = self.axis % x.ndim
        gamma, beta = self.gamma, self.beta
        if training and self.trainable and mask is None and not self.renorm:
            y, mean, variance = lowering.batch_norm(x, gamma, beta, kept, self.epsilon)
            _update_average(self.moving_mean, mean, self.momentum)
            _update_average(self.moving_variance, variance, self.momentum)
            return y.astype(self.compute_dtype)
        if training and self.trainable:
            others = [axis for axis in range(x.ndim) if axis != kept]
            mean, variance = lowering.batch_moments(x, others, mask=mask, epsilon=config.epsilon())
            if self.renorm:
                r, d = self._correction(mean, variance)
                beta = _add(d if gamma is None else d * gamma, beta)
                gamma = r if gamma is None else r * gamma
                self._renorm_update(mean, variance)
            else:
                _update_average(self.moving_mean, mean, self.momentum)
                _update_average(self.moving_variance, variance, self.momentum)
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
        """Scale r and offset d that map batch statistics to moving averages, without gradient."""
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
        _update_average(self.renorm_mean, mean, self.renorm_momentum)
        _update_average(self.renorm_stddev, stddev, self.renorm_momentum)
        _update_average(self.moving_mean, mean, self.momentum)
        _update_average(self.moving_stddev, stddev, self.momentum)
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


def _update_average(variable: Any, value: jax.Array, momentum: float) -> None:
    """Update an exponential moving average."""
    variable.assign(variable.value * momentum + value * (1.0 - momentum))
