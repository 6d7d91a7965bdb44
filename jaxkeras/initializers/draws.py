"""Random initializers: each has a pure function `draw(key, shape, dtype)` and a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import random, registry
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.seeds import SeedGenerator, draw_key, make_default_seed
from jaxkeras.initializers.base import KIND, Initializer


class RandomInitializer(Initializer):
    """Base class of random initializers: override `draw`.

    With an integer seed, or none, every call returns the same numbers; with a `SeedGenerator` every call
    returns new ones.

    Args:
        seed: integer, `SeedGenerator`, or None for a seed from Python's generator.

    Attributes:
        seed: the seed in use.
        user_seed: the seed that was given, possibly None.

    Raises:
        ValueError: for any other seed.

    Example:

    >>> class Signs(RandomInitializer):
    ...     def draw(self, key, shape, dtype=None):
    ...         return jax.random.rademacher(key, shape, dtype or "float32")
    >>> Signs(seed=0)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, seed: Any = None):
        self.user_seed = seed
        if seed is None:
            seed = make_default_seed()
        elif isinstance(seed, dict):
            seed = registry.deserialize(seed, kind="keras.random")
        elif not isinstance(seed, (int, np.integer, SeedGenerator)):
            raise ValueError(f"`seed` must be an integer, a SeedGenerator or None, got {seed!r}.")
        self.seed = seed

    def draw(self, key: jax.Array, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        """Return the array as a pure function of a key, which `jit` and `vmap` can trace.

        Args:
            key: JAX key.
            shape: shape of the result.
            dtype: dtype of the result; `floatx()` by default.

        Returns:
            Array of `shape`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `draw(self, key, shape, dtype=None)`.")

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return self.draw(draw_key(self.seed), shape, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": registry.serialize(self.user_seed)}


@registry.register(KIND, "normal")
class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation of the distribution.
        seed: integer, `SeedGenerator` or None.

    Example:

    >>> RandomNormal(stddev=0.1, seed=0)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def draw(self, key: jax.Array, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return random.normal(shape, self.mean, self.stddev, dtype, key)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@registry.register(KIND)
class TruncatedNormal(RandomNormal):
    """Normal distribution without values further than two standard deviations from the mean.

    Args:
        mean: mean before truncation.
        stddev: standard deviation before truncation.
        seed: integer, `SeedGenerator` or None.

    Example:

    >>> TruncatedNormal(stddev=0.1, seed=0)((2, 3)).shape
    (2, 3)
    """

    def draw(self, key: jax.Array, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, key)


@registry.register(KIND, "uniform")
class RandomUniform(RandomInitializer):
    """Uniform distribution.

    Args:
        minval: lower bound, included.
        maxval: upper bound, excluded.
        seed: integer, `SeedGenerator` or None.

    Example:

    >>> RandomUniform(0.0, 1.0, seed=0)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def draw(self, key: jax.Array, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        return random.uniform(shape, self.minval, self.maxval, dtype, key)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")
# Standard deviation of a standard normal distribution cut at two: what a truncated draw is divided by to have unit
# variance.
_TRUNCATED_STDDEV = 0.87962566103423978


def compute_fans(
    shape: Sequence[int], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Number of inputs that each output of a weight sums, and of outputs that each input reaches.

    Args:
        shape: shape of the weight. Without axes: `(..., inputs, outputs)`, leading axes being a receptive field.
        input_axes: axes that count as inputs.
        output_axes: axes that count as outputs.

    Returns:
        `(fan_in, fan_out)`.

    Example:

    >>> compute_fans((3, 3, 8, 16))
    (72, 144)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return int(size), int(size)
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


@registry.register(KIND)
class VarianceScaling(RandomInitializer):
    """Random with a variance of `scale / fan`, so that signals keep their size through a layer.

    Args:
        scale: positive factor of the variance.
        mode: which fan: `"fan_in"`, `"fan_out"` or `"fan_avg"`, their mean.
        distribution: `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; by default the last axis.

    Raises:
        ValueError: for a scale that is not positive, or an unknown mode or distribution.

    Reference:
        [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)

    Example:

    >>> VarianceScaling(scale=2.0, mode="fan_out", seed=0)((3, 4)).shape
    (3, 4)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(seed)
        if scale <= 0.0:
            raise ValueError(f"`scale` must be positive, got {scale!r}.")
        if mode not in _MODES:
            raise registry.unknown("mode of VarianceScaling", mode, _MODES)
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in _DISTRIBUTIONS:
            raise registry.unknown("distribution of VarianceScaling", distribution, _DISTRIBUTIONS)
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def draw(self, key: jax.Array, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(shape, -limit, limit, dtype, key)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, key)
        return random.truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV, dtype, key)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Preset(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are fixed."""

    preset: tuple[float, str, str]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        super().__init__(*self.preset, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        return {
            "seed": registry.serialize(self.user_seed),
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


@registry.register(KIND)
class GlorotUniform(_Preset):
    """Uniform in [-limit, limit] with `limit = sqrt(6 / (fan_in + fan_out))`; also called Xavier.

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; the last one by default.

    A call with `(shape, dtype=None)` returns a random array of that shape.

    Reference: [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html).

    Example:

    >>> GlorotUniform(seed=0)((3, 4)).shape
    (3, 4)
    """

    preset = (1.0, "fan_avg", "uniform")


@registry.register(KIND)
class GlorotNormal(_Preset):
    """Truncated normal with standard deviation `sqrt(2 / (fan_in + fan_out))`; also called Xavier.

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; the last one by default.

    A call with `(shape, dtype=None)` returns a random array of that shape.

    Reference: [Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html).

    Example:

    >>> GlorotNormal(seed=0)((3, 4)).shape
    (3, 4)
    """

    preset = (1.0, "fan_avg", "truncated_normal")


@registry.register(KIND)
class LecunUniform(_Preset):
    """Uniform in [-limit, limit] with `limit = sqrt(3 / fan_in)`.

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; the last one by default.

    A call with `(shape, dtype=None)` returns a random array of that shape.

    Reference: [Klambauer et al., 2017](https://arxiv.org/abs/1706.02515).

    Example:

    >>> LecunUniform(seed=0)((3, 4)).shape
    (3, 4)
    """

    preset = (1.0, "fan_in", "uniform")


@registry.register(KIND)
class LecunNormal(_Preset):
    """Truncated normal with standard deviation `sqrt(1 / fan_in)`.

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; the last one by default.

    A call with `(shape, dtype=None)` returns a random array of that shape.

    Reference: [Klambauer et al., 2017](https://arxiv.org/abs/1706.02515).

    Example:

    >>> LecunNormal(seed=0)((3, 4)).shape
    (3, 4)
    """

    preset = (1.0, "fan_in", "truncated_normal")


@registry.register(KIND)
class HeUniform(_Preset):
    """Uniform in [-limit, limit] with `limit = sqrt(6 / fan_in)`, for layers followed by a ReLU.

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; the last one by default.

    A call with `(shape, dtype=None)` returns a random array of that shape.

    Reference: [He et al., 2015](https://arxiv.org/abs/1502.01852).

    Example:

    >>> HeUniform(seed=0)((3, 4)).shape
    (3, 4)
    """

    preset = (2.0, "fan_in", "uniform")


@registry.register(KIND)
class HeNormal(_Preset):
    """Truncated normal with standard deviation `sqrt(2 / fan_in)`, for layers followed by a ReLU.

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count as inputs, together with `output_axes`.
        output_axes: axes of the weight that count as outputs; the last one by default.

    A call with `(shape, dtype=None)` returns a random array of that shape.

    Reference: [He et al., 2015](https://arxiv.org/abs/1502.01852).

    Example:

    >>> HeNormal(seed=0)((3, 4)).shape
    (3, 4)
    """

    preset = (2.0, "fan_in", "truncated_normal")


@registry.register(KIND, "OrthogonalInitializer")
class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal columns (or rows, if there are fewer of them), times a factor.

    A weight of more than two dimensions is one matrix of `prod(shape[:-1])` rows.

    Args:
        gain: the factor.
        seed: integer, `SeedGenerator` or None.

    Raises:
        ValueError: when called with a shape of fewer than two dimensions.

    Reference:
        [Saxe et al., 2014](https://arxiv.org/abs/1312.6120)

    Example:

    >>> q = Orthogonal(seed=0)((4, 2))
    >>> bool(jnp.allclose(q.T @ q, jnp.eye(2), atol=1e-5))
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain = gain

    def draw(self, key: jax.Array, shape: Sequence[int], dtype: Any = None) -> jax.Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least two dimensions, got {tuple(shape)}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        dtype = standardize_dtype(dtype)
        wide = dtype if dtype == "float64" else "float32"  # LAPACK has no 16-bit types
        q, r = jnp.linalg.qr(random.normal((max(rows, columns), min(rows, columns)), dtype=wide, seed=key))
        q = q * jnp.sign(jnp.diag(r))  # else the signs, and so the distribution, would depend on the QR algorithm
        return self.gain * jnp.reshape(q if rows >= columns else q.T, tuple(shape)).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}
