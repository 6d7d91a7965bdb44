"""What is known of the first value of a run that is not finite, and the error that carries it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core.placement import to_host

SHOWN = 8  # rows and columns that a message lists


@dataclasses.dataclass(frozen=True)
class Fault:
    """The first tensor of a step that holds NaN or infinity.

    Attributes:
        kind: where it arose: `"data"`, `"forward"` (a layer), `"loss"`, `"gradient"` (the backward pass) or
            `"optimizer"` (gradients were finite, the update was not).
        tensor: `"input"`, `"output"`, `"weight"`, `"gradient"`, `"loss"`, `"slot"` (of the optimizer), `"target"` or
            `"sample_weight"`.
        layer: path of the layer; of a loss, that of the layer whose outputs it was given. None if no layer is involved.
        name: the weight, the loss or the part of the data, in words.
        detail: one more sentence for the message.
        shape: the shape of the tensor.
        min, max: the range of its finite values; None if there are none.
        share: the share of its values that are not finite.
        nans, infs: how many there are.
        rows: rows of the batch that hold them, if the tensor has a row for each.
        columns: likewise the columns, for data of shape `(rows, columns)`.
        loss: the loss of the step, if it was reached.
        epoch, step: when, counting from 0 (the message counts from 1).
        data_rows: `rows` as rows of the arrays that `fit` was given.
        member: which member of a population.
    """

    kind: str
    tensor: str
    layer: str | None = None
    name: str | None = None
    detail: str = ""
    shape: tuple[int, ...] = ()
    min: float | None = None
    max: float | None = None
    share: float = 0.0
    nans: int = 0
    infs: int = 0
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    loss: float | None = None
    epoch: int | None = None
    step: int | None = None
    data_rows: tuple[int, ...] = ()
    member: int | None = None

    def __str__(self) -> str:
        lines = [f"{self._when()}The first value that is not finite is in {self._what()}."]
        if self.share:
            lines.append(f"{self._values()}{self._where()}.")
        if self.detail:
            lines.append(self.detail)
        return "\n  ".join(lines)

    def _when(self) -> str:
        parts = [] if self.member is None else [f"member {self.member}"]
        parts += [] if self.epoch is None else [f"epoch {self.epoch + 1}"]
        parts += [] if self.step is None else [f"step {self.step + 1}"]
        if self.loss is not None and not np.isfinite(self.loss):
            parts.append(f"loss {self.loss}")
        text = ", ".join(parts)
        return f"{text[0].upper()}{text[1:]}. " if text else ""

    def _what(self) -> str:
        layer = "" if self.layer is None else f" of layer '{self.layer}'"
        if self.kind == "data":
            return f"the {self.tensor.replace('_', ' ')}s, `{self.name}`"
        if self.kind == "loss":
            name = "" if self.name is None else f" {self.name}"
            return f"the loss{name}{layer.replace(' of', ', computed after', 1)}"
        if self.kind == "optimizer":
            what = "the updated weight" if self.tensor == "weight" else "the optimizer's state"
            return f"{what} '{self.name}'{layer}: the optimizer made it from finite gradients"
        named = "" if self.name is None else f" '{self.name}'"
        return {
            "gradient": f"the gradient with respect to the {self.name}{layer}",
            "weight": f"the weight{named}{layer}",
        }.get(self.tensor, f"the {self.tensor}{layer}")

    def _values(self) -> str:
        found = [f"{n:,} {what}" for n, what in ((self.nans, "NaN"), (self.infs, "infinite")) if n]
        size = int(np.prod(self.shape))
        text = f"It is {found[0][2:]}" if size == 1 else f"{' and '.join(found)} of {size:,} values ({self.share:.2%})"
        return text if self.min is None else f"{text}, the others between {self.min:.4g} and {self.max:.4g}"

    def _where(self) -> str:
        text = f"; {listed('row', self.rows)} of the batch" if self.rows else ""
        if self.data_rows and self.data_rows != self.rows:
            text += f", {listed('row', self.data_rows)} of the data"
        return text + (f"; {listed('column', self.columns)}" if self.columns else "")


class NonFiniteError(FloatingPointError):
    """The loss or a weight became NaN or infinite.

    All attributes of a `Fault` are attributes of the error: `kind`, `tensor`, `layer`, `rows`, `epoch`, `step`, ...

    Args:
        fault: what was found.
    """

    def __init__(self, fault: Fault):
        super().__init__(str(fault))
        self.fault = fault

    def __getattr__(self, name: str) -> Any:
        if name in Fault.__dataclass_fields__:
            return getattr(self.fault, name)
        raise AttributeError(name)

    def __reduce__(self) -> Any:
        return type(self), (self.fault,)


def listed(what: str, numbers: tuple[int, ...]) -> str:
    """`rows 1, 2, 3`, shortened."""
    text = ", ".join(map(str, numbers[:SHOWN])) + (", ..." if len(numbers) > SHOWN else "")
    return f"{what}{'s' if len(numbers) > 1 else ''} {text}"


def statistics(array: Any, batch_size: int | None = None) -> dict[str, Any]:
    """The fields of a `Fault` that describe a tensor's values."""
    values = to_host(array)
    values = values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)
    finite = np.isfinite(values)
    good, bad = np.abs(values[finite]) if np.iscomplexobj(values) else values[finite], ~finite
    by_row = values.ndim and batch_size is not None and values.shape[0] == batch_size
    return {
        "shape": values.shape,
        "min": float(good.min()) if good.size else None,
        "max": float(good.max()) if good.size else None,
        "share": float(bad.mean()) if bad.size else 0.0,
        "nans": int(np.isnan(values).sum()),
        "infs": int(np.isinf(values).sum()),
        "rows": tuple(np.flatnonzero(bad.reshape(len(bad), -1).any(1)).tolist()) if by_row else (),
    }


def columns(array: Any) -> tuple[int, ...]:
    """The columns of a table that are not finite; none if there is one column."""
    values = to_host(array)
    is_table = values.ndim == 2 and values.shape[1] > 1
    return tuple(np.flatnonzero(~np.isfinite(values).all(0)).tolist()) if is_table else ()


def is_finite(array: Any) -> bool:
    """Whether all values of an array are finite; of integers and of other objects True."""
    return all_finite([array])


def all_finite(arrays: Iterable[Any]) -> bool:
    """Whether all values of all arrays are finite, seen at the cost of a sum where they are in the host's memory."""
    arrays = [array for array in arrays if _has_fractions(array)]
    if arrays and isinstance(arrays[0], jax.Array) and not _on_host(arrays[0]):
        return bool(_all_finite(arrays))
    with np.errstate(all="ignore"):
        return all(_finite_on_host(np.asarray(array)) for array in arrays)


def _has_fractions(array: Any) -> bool:
    dtype = getattr(array, "dtype", None)
    return dtype is not None and (dtype.kind in "fc" or dtype.kind == "V" and jnp.issubdtype(dtype, jnp.inexact))


def _finite_on_host(values: np.ndarray) -> bool:
    # NaN and infinity survive a sum, which takes half the time of `isfinite`; finite values may overflow in it.
    total = np.add.reduce(values, axis=None, dtype=np.float32 if values.dtype.itemsize < 4 else None)
    return bool(np.isfinite(total) or np.isfinite(values).all())


@jax.jit
def _all_finite(arrays: list[jax.Array]) -> jax.Array:
    return jnp.array([jnp.isfinite(array).all() for array in arrays]).all()


def _on_host(array: jax.Array) -> bool:
    return array.is_fully_addressable and next(iter(array.devices())).platform == "cpu"
