"""Output specs of ops whose sizes tracing cannot find: they depend on values, or on which of two sizes is smaller."""

from __future__ import annotations

from typing import Any

import jax

from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.core.variable import Variable
from jaxkeras.ops._arrays import as_array


def _spec(x: Any) -> KerasTensor:
    x = x if isinstance(x, (KerasTensor, Variable)) else as_array(x)
    return KerasTensor(x.shape, x.dtype)


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> KerasTensor | None:
    if minlength:
        return None
    dtype = "int32" if weights is None else _spec(weights).dtype
    return KerasTensor((*_spec(x).shape[:-1], None), dtype, sparse or _spec(x).sparse)


def cond(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    """The outputs of the branches, which must agree."""
    outputs = [infer(branch, (), {}) for branch in (true_fn, false_fn)]
    leaves, structures = zip(*(jax.tree.flatten(output) for output in outputs))
    specs = [[(x.shape, x.dtype) for x in branch] for branch in leaves]
    if specs[0] != specs[1] or structures[0] != structures[1]:
        raise ValueError(
            "`true_fn` and `false_fn` of `cond` must return the same structure, shapes and dtypes; got "
            f"{outputs[0]} and {outputs[1]}."
        )
    return outputs[0]


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> KerasTensor | None:
    if x.shape[axis1] is not None and x.shape[axis2] is not None:
        return None
    planes = axis1 % len(x.shape), axis2 % len(x.shape)
    return KerasTensor((*(n for i, n in enumerate(x.shape) if i not in planes), None), x.dtype)


def diag(x: Any, k: int = 0) -> KerasTensor | None:
    return diagonal(x) if len(x.shape) == 2 else None


def nonzero(x: Any) -> tuple[KerasTensor, ...]:
    return tuple(KerasTensor((None,), "int32") for _ in x.shape)


def reshape(x: Any, newshape: Any) -> KerasTensor | None:
    """Sizes are unknown that a KerasTensor holds."""
    if isinstance(newshape, KerasTensor):
        return KerasTensor((None,) * (newshape.shape[0] or 0), _spec(x).dtype)
    if isinstance(newshape, (list, tuple)) and any(isinstance(n, KerasTensor) for n in newshape):
        return KerasTensor([n if isinstance(n, int) and n >= 0 else None for n in newshape], _spec(x).dtype)
    if isinstance(newshape, (list, tuple)) and None in newshape:
        free = sum(n in (None, -1) for n in newshape) - (newshape[0] is None)
        return KerasTensor([None if n == -1 else n for n in newshape], _spec(x).dtype) if free > 1 else None
    return None


def segments(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> KerasTensor | None:
    if num_segments is not None:
        return None
    return KerasTensor((None, *_spec(data).shape[1:]), _spec(data).dtype)


def slice(inputs: Any, start_indices: Any, shape: Any) -> KerasTensor | None:
    """A block that extends to the end of an axis from a start that is a value."""
    known = not any(isinstance(x, KerasTensor) for x in jax.tree.leaves(start_indices))
    if known or -1 not in shape:
        return None
    return KerasTensor([None if n == -1 else n for n in shape], _spec(inputs).dtype)


def solve(a: Any, b: Any, lower: bool = False) -> None:
    """Refuse systems of an unknown size."""
    square(a)
    if b.shape and b.shape[-1 if len(b.shape) < len(a.shape) else -2] is None:
        raise ValueError(f"The number of rows of `b` must be known; got shape {tuple(b.shape)}.")


def square(x: Any, *args: Any, **kwargs: Any) -> None:
    """Refuse matrices that are not known to be square."""
    if len(x.shape) < 2 or x.shape[-1] is None or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"The last two axes must have the same, known size; got shape {tuple(x.shape)}.")


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    if size is not None:
        return None
    shape = (None,) if axis is None else tuple(None if i == axis % len(x.shape) else n for i, n in enumerate(x.shape))
    outputs = [KerasTensor(shape, x.dtype)]
    if return_index:
        outputs.append(KerasTensor((None,), "int32"))
    if return_inverse:
        outputs.append(KerasTensor(x.shape if axis is None else (x.shape[axis],), "int32"))
    if return_counts:
        outputs.append(KerasTensor((None,), "int32"))
    return tuple(outputs) if len(outputs) > 1 else outputs[0]


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[KerasTensor] | None:
    if not -len(x.shape) <= axis < len(x.shape):
        raise ValueError(f"axis {axis} is out of bounds for an array with {len(x.shape)} axes.")
    if x.shape[axis] is not None:
        return None
    if num is None:
        raise ValueError(f"The size of axis {axis} of shape {x.shape} is unknown: give `unstack` the number `num`.")
    shape = tuple(n for i, n in enumerate(x.shape) if i != axis % len(x.shape))
    return [KerasTensor(shape, x.dtype) for _ in range(num)]


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    return nonzero(condition) if x1 is None and x2 is None else None


def while_loop(cond: Any, body: Any, loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """The loop variables keep their shapes."""
    return jax.tree.map(_spec, loop_vars, is_leaf=lambda x: isinstance(x, Variable))
