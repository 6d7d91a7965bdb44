"""Dropout of whole feature maps."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras import lowering, registry
from jaxkeras.core.config import standardize_data_format
from jaxkeras.core.seeds import draw_key
from jaxkeras.layers._base.input_spec import InputSpec
from jaxkeras.layers.regularization.base import RandomLayer


class _SpatialDropout(RandomLayer):
    """Drops whole channels."""

    rank = 1
    rate: float

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(rate, "rate", seed, name=name, dtype=dtype)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def perturb(self, x: jax.Array) -> jax.Array:
        channels = 1 if self.data_format == "channels_first" else x.ndim - 1
        shape = [size if axis in (0, channels) else 1 for axis, size in enumerate(x.shape)]
        return lowering.dropout(x, self.rate, draw_key(self.seed_generator), shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["trainable"]  # not a parameter of the constructor, as in Keras
        return {**config, "dtype": self.dtype}


@registry.register("keras.layers")
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole features of a sequence, `(batch, steps, features)` (Tompson et al., 2014).

    Args:
        rate: the fraction to drop, from 0 to 1.
        seed: an integer, or None.

    Example:

    >>> SpatialDropout1D(0.5)(jnp.ones((2, 3, 4)), training=True).shape
    (2, 3, 4)
    """

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None):
        super().__init__(rate, "channels_last", seed, name, dtype)


@registry.register("keras.layers")
class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of images (Tompson et al., 2014).

    Args:
        rate: the fraction to drop, from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        seed: an integer, or None.

    Example:

    >>> SpatialDropout2D(0.5)(jnp.ones((2, 3, 3, 4)), training=True).shape
    (2, 3, 3, 4)
    """

    rank = 2


@registry.register("keras.layers")
class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of volumes (Tompson et al., 2014).

    Args:
        rate: the fraction to drop, from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; defaults to the global setting.
        seed: an integer, or None.

    Example:

    >>> SpatialDropout3D(0.5)(jnp.ones((2, 3, 3, 3, 4)), training=True).shape
    (2, 3, 3, 3, 4)
    """

    rank = 3
