"""Requirements on the inputs of a layer, checked before it is called."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.shape_inference import known_shape
from jaxkeras.core.sparse import is_sparse
from jaxkeras.core.variable import standardize_shape


class InputSpec:
    """Requirements on one input of a layer.

    Args:
        dtype: the required dtype, or None for any.
        shape: the required shape, with None for any size.
        ndim: the required rank.
        max_ndim: the largest rank.
        min_ndim: the smallest rank.
        axes: required sizes of single axes, `{axis: size}`.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or extra.
        name: the key of the input in a dict of inputs.
        optional: whether the input may be None.

    Example:

    >>> InputSpec(min_ndim=2, axes={-1: 4})
    InputSpec(min_ndim=2, axes={-1: 4})
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ):
        self.dtype = standardize_dtype(dtype) if dtype is not None else None
        self.shape = standardize_shape(shape) if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        rank = self.ndim if self.ndim is not None else self.max_ndim
        if self.axes and rank is not None and max(self.axes) >= rank:
            raise ValueError(f"Axis {max(self.axes)} of an InputSpec is beyond its rank {rank}.")
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional

    def __repr__(self) -> str:
        parts = [f"{k}={getattr(self, k)}" for k in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")]
        return f"InputSpec({', '.join(p for p in parts if not p.endswith(('=None', '={}')))})"

    def get_config(self) -> dict[str, Any]:
        keys = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        return cls(**config)

    def problem(self, x: Any) -> str | None:
        """A message that says which requirement an input does not meet, or None."""
        shape = known_shape(tuple(x.shape))
        rank = len(shape)
        if self.ndim is not None and not self.allow_last_axis_squeeze and rank != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={rank}. Full shape received: {shape}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}. Full shape received: {shape}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}. Full shape received: {shape}"
        if self.dtype is not None and standardize_dtype(x.dtype) != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={standardize_dtype(x.dtype)}"
        for axis, size in self.axes.items():
            if size is not None and shape[axis] not in (size, None):
                return f"expected axis {axis} of input shape to have value {size}, but received shape {shape}"
        if self.shape is not None:
            mine, theirs = self.shape, shape
            if self.allow_last_axis_squeeze:
                theirs = theirs[:-1] if theirs and theirs[-1] == 1 else theirs
                mine = mine[:-1] if mine and mine[-1] == 1 else mine
            if any(a is not None and b is not None and a != b for a, b in zip(mine, theirs)):
                return f"expected shape={self.shape}, found shape={shape}"
        return None


def check_inputs(spec: Any, inputs: Any, layer_name: str) -> None:
    """Raise unless the inputs meet the requirements of a layer.

    Args:
        spec: an InputSpec or a nested structure of them.
        inputs: a tensor or a nested structure of tensors.
        layer_name: the name of the layer, for the error message.

    Raises:
        ValueError: if an input is missing or does not match its spec.
    """
    specs = jax.tree.leaves(spec, is_leaf=lambda s: s is None)
    if isinstance(inputs, dict) and all(s is not None and s.name for s in specs):
        keys = [s.name for s in specs]
        missing = [k for k in keys if k not in inputs]
        if missing:
            raise ValueError(
                f"Missing data for input {missing[0]!r} of layer '{layer_name}': the dict has keys {sorted(inputs)}, "
                f"expected {keys}."
            )
        inputs = [inputs[k] for k in keys]
    flat = jax.tree.leaves(inputs, is_leaf=lambda x: x is None or is_sparse(x))
    if len(flat) != len(specs):
        raise ValueError(
            f"Layer '{layer_name}' expects {len(specs)} input(s), but it received {len(flat)} input tensors."
        )
    for i, (x, s) in enumerate(zip(flat, specs)):
        if s is None or (x is None and s.optional):
            continue
        if not hasattr(x, "shape"):
            raise ValueError(
                f"Input {i} of layer '{layer_name}' must be a tensor; got {x!r} (of type {type(x).__name__}). "
                "Call the layer on the output of another layer, not on the layer itself."
            )
        problem = s.problem(x)
        if problem:
            label = f"Input {i}" + (f" ('{s.name}')" if s.name else "")
            raise ValueError(f"{label} of layer '{layer_name}' is incompatible with the layer: {problem}")
