"""Assigns numbers to ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import registry
from jaxkeras.layers._base.layer import Layer
from jaxkeras.layers.preprocessing.categorical.output_modes import check_output_mode, check_sparse, encode
from jaxkeras.layers.preprocessing.host_layer import as_array, batches, is_whole


@registry.register("keras.layers")
class Discretization(Layer):
    """Maps numbers to the indices of the ranges that contain them.

    Args:
        bin_boundaries: boundaries between the ranges, increasing; `[0, 1]` gives `(-inf, 0)`, `[0, 1)` and `[1, inf)`.
        num_bins: alternatively, the number of ranges for `adapt` to find, with equal shares of the data.
        epsilon: error tolerance of their quantiles, as a fraction of the data.
        output_mode: "int" for indices, or "one_hot", "multi_hot" or "count", as in `CategoryEncoding`.
        sparse: whether to return `BCOO` arrays, in the modes that give vectors.

    Example:

    >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])(jnp.array([[-1.5, 1.0, 3.4, 0.5]]))
    Array([[0, 2, 3, 1]], dtype=int32)
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        check_sparse(self, sparse, output_mode)
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(f"Give layer '{self.name}' either `bin_boundaries` or `num_bins`; got both or none.")
        if num_bins is not None and num_bins < 0:
            raise ValueError(f"`num_bins` of layer '{self.name}' must not be negative; got {num_bins}.")
        self.bin_boundaries, self.num_bins, self.epsilon = bin_boundaries, num_bins, epsilon
        self.output_mode = check_output_mode(output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.sparse = sparse
        self.reset_state()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find `num_bins` ranges that contain equal shares of the data.

        Args:
            data: an array, or a stream of batches.
            steps: number of batches of a stream to read; defaults to all.

        Raises:
            ValueError: if the boundaries were given to the constructor.
        """
        if self.num_bins is None:
            raise ValueError(f"Layer '{self.name}' was given `bin_boundaries`; to adapt it must be given `num_bins`.")
        self.reset_state()
        for batch in [data] if is_whole(data) else batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Merge one batch into the summary of the data."""
        new = _summary(as_array(data).astype(np.float32), self.epsilon)
        merged = np.concatenate([new, self.summary], axis=1)
        self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Compute the boundaries from the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Reset the summary, but not the boundaries."""
        self.summary = np.zeros((2, 0), np.float32)

    def call(self, inputs: jax.Array) -> jax.Array:
        if self.bin_boundaries is None:
            raise ValueError(f"Layer '{self.name}' has no boundaries yet: call `adapt`, or give it `bin_boundaries`.")
        boundaries = jnp.asarray(self.bin_boundaries, jnp.float32)
        indices = jnp.searchsorted(boundaries, inputs, side="right")
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encode(indices, self.output_mode, len(boundaries) + 1, dtype, sparse=self.sparse)

    def get_config(self) -> dict[str, Any]:
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        config = {name: getattr(self, name) for name in names}
        return {**config, "bin_boundaries": None if self.bin_boundaries is None else list(self.bin_boundaries)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        adapted = config.get("num_bins") is not None and config.pop("bin_boundaries", None)
        layer = cls(**config)
        if adapted:
            layer.bin_boundaries = adapted
        return layer


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Quantiles at steps of `epsilon`, `(2, count)`: values, and the number of data points that each represents."""
    values = np.sort(values.ravel())
    step = max(values.size * epsilon, 1)
    boundaries = values[int(step - 1) :: int(step)]
    return np.stack([boundaries, np.full_like(boundaries, step)])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A finer summary reduced to steps of `epsilon`."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    seen = summary[1].cumsum()
    values = np.interp(shares, seen / seen[-1], summary[0])
    counts = np.interp(shares, seen / seen[-1], seen)
    return np.stack([values, np.diff(counts, prepend=0)]).astype(np.float32)
