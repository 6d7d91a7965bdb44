"""`find_batch_size`: the largest batch whose compiled training step fits into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from jaxkeras.training.memory import free_bytes, program_bytes
from jaxkeras.training.placement import fits_on_device
from jaxkeras.utils.costs import is_shape, prepare

RESERVE = 0.9  # of what is free: the rest is for fragments, the host's own needs and the prefetched batch


def find_batch_size(
    model: Any, x: Any, y: Any = None, limit_bytes: float | None = None, max_batch_size: int | None = None
) -> int:
    """Find the largest batch size with which `fit` fits into memory, without running anything.

    The training step is compiled for a few sizes, and XLA's analysis tells the memory that each needs.

    Args:
        model: a model; of one that is not compiled, `predict` must fit.
        x, y: inputs and targets, as for `fit`: arrays, or only shapes: `jax.ShapeDtypeStruct`s, or tuples of integers
            with the number of rows first, which may be None. No batch is larger than the number of rows. Arrays that
            `fit` keeps on the device are part of what must fit.
        limit_bytes: memory of a device for weights, optimizer, data and step together; by default nine tenths of what
            the device, or for a CPU the host or its control group, has free.
        max_batch_size: an upper bound.

    Returns:
        The batch size; under a distribution a multiple of the number of parts of a batch.

    Raises:
        MemoryError: if not even one row fits.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.layers.Dense(256), jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> find_batch_size(model, (None, 64), (None, 1), limit_bytes=2e6) > 100
    True
    """
    prepared = prepare(model, x, y, 2)
    where = prepared.session.where
    limit = RESERVE * free_bytes() / where.in_one_memory if limit_bytes is None else limit_bytes
    leaves = jax.tree.leaves((x, y))
    if leaves and all(hasattr(leaf, "nbytes") for leaf in leaves) and fits_on_device((x, y)):
        limit -= sum(leaf.nbytes for leaf in leaves)
    bounds = [bound for bound in (_rows(x), max_batch_size) if bound is not None]
    size = largest(lambda rows: program_bytes(prepared.compile(rows)), limit, min(bounds, default=2**20))
    if not size:
        raise MemoryError(
            f"One row of model '{model.name}' needs {program_bytes(prepared.compile(1)):,} bytes, of which only "
            f"{int(limit):,} are free. Make the model smaller, keep fewer activations "
            "(jaxkeras.RematScope), or choose a lighter optimizer."
        )
    return size - size % where.shards if size > where.shards else size


def _rows(x: Any) -> int | None:
    """The number of rows of arrays or shapes; None if unknown."""
    first = next(iter(jax.tree.leaves(x, is_leaf=is_shape)))
    return (first if is_shape(first) else first.shape)[0]


def largest(needs: Callable[[int], int], limit: float, upper: int, tries: int = 14) -> int:
    """The largest number up to `upper` for which `needs` is at most `limit`; 0 if there is none.

    `needs` is costly and nearly linear: the next number to try is where a line through what is known meets the limit,
    and now and then the middle. After `tries` calls the largest number known to fit is returned.
    """
    known: dict[int, int] = {}
    fits, too_large = 0, upper + 1  # the answer is at least the first and less than the second
    guess = min(upper, 32)
    while too_large - fits > 1 and len(known) < tries:
        known[guess] = needs(guess)
        if known[guess] <= limit:
            fits = guess
        else:
            too_large = guess
        if fits in known and too_large in known and len(known) % 3 == 0:
            guess = (fits + too_large) // 2
        else:
            ends = [size for size in (fits, too_large) if size in known]
            points = ends if len(ends) == 2 else sorted(known, key=lambda size: abs(size - ends[0]))[:2]
            guess = _meeting(limit, *((size, known[size]) for size in sorted(points)))
        guess = min(max(guess, fits + 1), too_large - 1)
    return fits


def _meeting(limit: float, *points: tuple[int, int]) -> int:
    """Where a line through two points meets the limit; far from a single one, towards the limit."""
    (a, low), (b, high) = points[0], points[-1]
    if low >= high:
        return 2 * b if high <= limit else a // 2
    return int(a + (limit - low) * (b - a) / (high - low))
