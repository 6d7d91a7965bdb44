"""The `Loss` base class, and the arithmetic all losses share: ranks, masks, weights and reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import config
from jaxkeras.core.masks import get_mask
from jaxkeras.core.names import auto_name
from jaxkeras.core.policy import get_policy
from jaxkeras.core.symbolic import op
from jaxkeras.core.variable import Variable
from jaxkeras.ops._numpy.arithmetic import divide_no_nan
from jaxkeras.registry import register

P = ParamSpec("P")
R = TypeVar("R")

_REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def loss_function(*aliases: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function of arrays a public loss: an op, registered under its name and `aliases`.

    Configs name functions without their module, as Keras's do.
    """
    return lambda function: register("keras.losses", *aliases, module="builtins")(op(function))


def standardize_reduction(reduction: str | None) -> str | None:
    """Return `reduction` if it is one that Keras knows.

    Raises:
        ValueError: for any other value.
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"Unknown reduction {reduction!r}; expected one of {', '.join(map(repr, _REDUCTIONS))}.")
    return reduction


def squeeze_or_expand_to_same_rank(
    x1: jax.Array, x2: jax.Array, expand_rank_1: bool = True
) -> tuple[jax.Array, jax.Array]:
    """Give two arrays the same rank if they differ only by a last axis of size 1.

    Args:
        x1, x2: arrays whose ranks differ by at most 1; others are returned as they are.
        expand_rank_1: if one is a vector `(n,)` and the other `(n, 1)`, append an axis to the vector rather than
            drop one from the other.
    """
    if x1.ndim < x2.ndim:
        x2, x1 = squeeze_or_expand_to_same_rank(x2, x1, expand_rank_1)
        return x1, x2
    if x1.ndim == x2.ndim + 1 and x1.shape[-1] == 1:
        if x2.ndim == 1 and expand_rank_1:
            return x1, x2[:, None]
        return x1[..., 0], x2
    return x1, x2


def prepare(y_true: Any, y_pred: Any) -> tuple[jax.Array, jax.Array]:
    """Arrays of targets and predictions, both in the dtype of the predictions."""
    y_pred = jnp.asarray(y_pred)
    return jnp.asarray(y_true, y_pred.dtype), y_pred


def prepare_same_rank(y_true: Any, y_pred: Any) -> tuple[jax.Array, jax.Array]:
    """`prepare` followed by `squeeze_or_expand_to_same_rank`."""
    return squeeze_or_expand_to_same_rank(*prepare(y_true, y_pred))


def _times(values: jax.Array, weights: jax.Array, what: str) -> jax.Array:
    try:
        return values * weights
    except (TypeError, ValueError):
        each = f", or one for each value, shape {values.shape}" if values.ndim > 1 else ""
        raise ValueError(
            f"`sample_weight` of shape {weights.shape} does not fit {what} of shape {values.shape}. Give one weight "
            f"for each sample, shape {(*values.shape[:1], *(1,) * (values.ndim - 1))}{each}."
        ) from None


def apply_mask(
    sample_weight: jax.Array | None, mask: jax.Array | None, dtype: Any, reduction: str | None
) -> jax.Array | None:
    """Merge a mask into sample weights.

    Args:
        sample_weight: weights, or None for all ones.
        mask: which values count, or None for all.
        dtype: dtype of the result.
        reduction: for `"mean"` and `"sum_over_batch_size"` the weights of valid entries are scaled by
            `total / valid`, so that the later division by `total` averages valid entries only.

    Returns:
        The weights, or None without mask and weights.
    """
    if mask is None:
        return sample_weight
    mask = jnp.asarray(mask)
    weight = mask.astype(dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        scale = divide_no_nan(jnp.asarray(mask.size, dtype), jnp.sum(weight))
        weight = jnp.where(mask.astype(bool), scale, jnp.zeros((), dtype))
    if sample_weight is None:
        return weight
    weight, sample_weight = squeeze_or_expand_to_same_rank(weight, jnp.asarray(sample_weight, dtype))
    return _times(weight, sample_weight, "the mask")


def reduce_values(
    values: jax.Array, sample_weight: jax.Array | None = None, reduction: str | None = "sum_over_batch_size"
) -> jax.Array:
    """Reduce losses to a scalar; a scalar, an empty vector and reduction `None` or `"none"` stay as they are."""
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    total = jnp.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        count = jnp.sum(sample_weight).astype(total.dtype)
    else:
        count = jnp.asarray(values.size, total.dtype)
    return divide_no_nan(total, count)


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: Any = None,
) -> jax.Array:
    """Weight, mask and reduce the losses of a batch.

    Args:
        values: losses, shape `(batch, ...)`.
        sample_weight: broadcastable to `values`, or None.
        mask: shape of `values`; zero or False where a value does not count. Or None.
        reduction: see `Loss`.
        dtype: dtype to compute in; that of `values` by default.

    Returns:
        A scalar, or the weighted losses for reduction `None`.
    """
    reduction = standardize_reduction(reduction)
    values = jnp.asarray(values, dtype)
    if sample_weight is not None:
        sample_weight = jnp.asarray(sample_weight, values.dtype)
    sample_weight = apply_mask(sample_weight, mask, values.dtype, reduction)
    if sample_weight is not None:
        values, sample_weight = squeeze_or_expand_to_same_rank(values, sample_weight)
        values = _times(values, sample_weight, "losses")
    return reduce_values(values, sample_weight, reduction)


def _is_plain_list(x: Any) -> bool:
    """Whether a (nested) list is an array of numbers rather than a structure of arrays."""
    return isinstance(x, (list, tuple)) and all(
        isinstance(leaf, (bool, int, float, np.number, np.bool_)) for leaf in jax.tree.leaves(x)
    )


def to_arrays(tree: Any, dtype: str) -> Any:
    """Convert all leaves of a structure to arrays; a nested list of numbers is one array."""
    if isinstance(tree, (jax.Array, np.ndarray)) or _is_plain_list(tree):
        return jnp.asarray(tree, dtype)
    is_leaf = lambda x: isinstance(x, Variable) or _is_plain_list(x)  # noqa: E731
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree, is_leaf=is_leaf)


def _both(mask1: Any, mask2: Any) -> Any:
    if mask1 is None or mask2 is None:
        return mask2 if mask1 is None else mask1
    return jnp.logical_and(mask1, mask2)


@register("keras.losses")
class Loss:
    """Base class of losses: subclass it and define `call(y_true, y_pred)`.

    Calling a loss weights the values that `call` returns by `sample_weight` and by the mask of `y_pred` (or of the
    values themselves), and reduces them.

    Args:
        name: name of the loss in logs; made from the class's name by default.
        reduction: `"sum_over_batch_size"` (or `"mean"`) divides the sum by the number of values, `"sum"` sums,
            `"mean_with_sample_weight"` divides by the sum of the weights, `None` (or `"none"`) keeps the values.
        dtype: dtype or policy to compute in; `floatx()` by default. Targets and predictions are cast to it.

    Input shape: `y_true` and `y_pred`, `(batch, ...)`, as `call` takes them; `sample_weight`, `(batch,)` or any shape
    that broadcasts to the values.

    Output shape: a scalar, or the shape of the values that `call` returns with `reduction=None`.

    Raises:
        ValueError: for an unknown reduction, or a `sample_weight` that does not fit when called.
        NotImplementedError: when called without `call` being defined.

    Example:

    >>> class Quartic(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return jnp.mean((y_true - y_pred) ** 4, axis=-1)
    >>> float(Quartic()([[0.0, 0.0]], [[1.0, 1.0]]))
    1.0
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        self.name = name or auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype = get_policy(dtype or config.floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        """Name of the dtype the loss computes in."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> jax.Array:
        in_mask = get_mask(y_pred)
        with jax.named_scope(self.name):
            values = self.call(to_arrays(y_true, self.dtype), to_arrays(y_pred, self.dtype))
            if values is None:
                raise ValueError(f"Loss '{self.name}' returned None; it must return an array. Does it lack a `return`?")
            mask = _both(in_mask, get_mask(values))
            return reduce_weighted_values(values, sample_weight, mask, self.reduction, self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses of a batch, not yet reduced.

        Args:
            y_true: targets, an array or a structure of arrays of the loss's dtype.
            y_pred: predictions, likewise.

        Returns:
            Losses, shape `(batch, ...)`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `call(self, y_true, y_pred)`.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create a loss from the return value of `get_config`."""
        return cls(**config)
