"""Shapes and dtypes of a function's outputs, by abstract tracing.

There are no hand-written shape rules: `jax.eval_shape` traces a function twice, with two different numbers for each
unknown size. Output sizes that differ are unknown too.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local

Shape = tuple[int | None, ...]


class Probe(NamedTuple):
    """The numbers used for an unknown batch size and for all other unknown sizes."""

    batch: Any
    other: Any


# Primes that programs hardly use, large enough for strides, pooling and dilation.
PRIMES = (Probe(1009, 97), Probe(2003, 151))
# For functions that need sizes to be divisible, such as a network that halves and doubles them.
DIVISIBLE = (Probe(1024, 96), Probe(2048, 160))
# For long windows, such as those of audio.
LONG = (Probe(1009, 16411), Probe(2003, 32771))
# For functions that need all unknown sizes to be equal.
EQUAL = (Probe(97, 97), Probe(151, 151))

_PROBED_BATCHES = frozenset(probe.batch for probe in (*PRIMES, *DIVISIBLE, *LONG))
_MAX_ATTEMPTS = 60


class Spec(NamedTuple):
    """Shape, with None for unknown sizes, and dtype of an array."""

    shape: Shape
    dtype: str


class Inferred(NamedTuple):
    """What a function returns: the specs of the leaves, a note on each, and the structure."""

    specs: list[Spec]
    notes: list[Any]
    structure: Any


class Traced(NamedTuple):
    """What a traced function returns: flat arrays, a note on each, such as whether it has a mask, and the structure."""

    leaves: list[Any]
    notes: list[Any]
    structure: Any


Function = Callable[[list[Any], list[Any]], Traced]  # takes arrays, and their masks or None


def known_shape(shape: tuple[Any, ...]) -> Shape:
    """A shape as `build` sees it: during shape inference, with None for an unknown batch size."""
    current = local.frame
    if current is not None and current.abstract and shape and shape[0] in _PROBED_BATCHES:
        shape = (None, *shape[1:])
    return tuple(size if isinstance(size, int) else None for size in shape)


def infer_specs(function: Function, specs: Sequence[Spec], masks: Sequence[Spec | None]) -> Inferred:
    """Trace a function abstractly.

    Args:
        function: a function over arrays.
        specs: the shapes and dtypes of its arguments.
        masks: those of their masks.

    Returns:
        The outputs, with None for sizes that depend on unknown ones.
    """
    run = functools.partial(_trace, function, specs, masks)
    if not any(None in spec.shape for spec in specs):
        first = second = run(PRIMES[0])
    else:
        first, second = _probe(run)
    return _merge(first, second)


def infer_leniently(
    function: Function, specs: Sequence[Spec], masks: Sequence[Spec | None], sizes: Sequence[int]
) -> Inferred:
    """Like `infer_specs`, for arguments that fit only if unknown sizes are what the other arguments need.

    `(None, 3) + (2, None)` is `(2, 3)`. Floats are taken where a function needs integers, since graphs are made before
    there are values.

    Args:
        function: a function over arrays.
        specs: the shapes and dtypes of its arguments.
        masks: those of their masks.
        sizes: further sizes that the function knows, such as those of a shape to broadcast to.

    Raises:
        ValueError: if no sizes fit.
    """
    try:
        return infer_specs(function, specs, masks)
    except (TypeError, ValueError, IndexError) as error:
        reason = error
    for attempt in itertools.islice(_relaxations(specs, sizes), _MAX_ATTEMPTS):
        for probes in (PRIMES, EQUAL):
            try:
                with warnings.catch_warnings(action="ignore"):
                    return _merge(*(_trace(function, attempt, [None] * len(specs), probe) for probe in probes))
            except (TypeError, ValueError, IndexError):
                pass
    raise reason


def _merge(first: Inferred, second: Inferred) -> Inferred:
    specs = [
        Spec(tuple(m if isinstance(m, int) and m == n else None for m, n in zip(a.shape, b.shape)), a.dtype)
        for a, b in zip(first.specs, second.specs)
    ]
    return Inferred(specs, first.notes, first.structure)


def _trace(function: Function, specs: Sequence[Spec], masks: Sequence[Spec | None], probe: Probe) -> Inferred:
    traced: list[Traced] = []

    def call(arrays: list[Any], mask_arrays: list[Any]) -> list[Any]:
        traced.append(function(arrays, mask_arrays))
        return [jnp.asarray(y) for y in traced[0].leaves]

    arrays = [_stand_in(spec, probe) for spec in specs]
    shapes = jax.eval_shape(call, arrays, [None if mask is None else _stand_in(mask, probe) for mask in masks])
    return Inferred([Spec(x.shape, x.dtype.name) for x in shapes], traced[0].notes, traced[0].structure)


def _stand_in(spec: Spec, probe: Probe) -> jax.ShapeDtypeStruct:
    if spec.dtype == "string":
        raise ValueError(
            "Text was given to a layer that computes with numbers. Turn it into numbers first: "
            "vectorize = jaxkeras.layers.TextVectorization(); vectorize.adapt(x); fit(vectorize(x), y), or make that "
            "layer (or StringLookup) the first one of a Sequential or functional model."
        )
    shape = tuple(size if size is not None else probe[axis > 0] for axis, size in enumerate(spec.shape))
    return jax.ShapeDtypeStruct(shape, jnp.dtype(spec.dtype))


def _probe(run: Callable[[Probe], Inferred]) -> tuple[Inferred, Inferred]:
    """Run with two sets of sizes; if that fails, with symbolic dimensions."""

    def again(probe: Probe) -> Inferred:
        with warnings.catch_warnings(action="ignore"):  # the first run has shown them
            return run(probe)

    try:
        return run(PRIMES[0]), again(PRIMES[1])
    except (TypeError, ValueError) as error:
        reason = error
    for first, second in (DIVISIBLE, LONG):
        try:
            return again(first), again(second)
        except (TypeError, ValueError):
            pass
    try:
        inferred = again(Probe(*_symbolic_sizes()))
    except Exception:
        raise reason from None
    return inferred, inferred


@functools.cache
def _symbolic_sizes() -> tuple[Any, ...]:
    from jax import export

    return tuple(export.symbolic_shape("batch, size"))


def _relaxations(specs: Sequence[Spec], sizes: Sequence[int]) -> Iterator[list[Spec]]:
    """The specs with unknown sizes replaced by known ones, then also with integers for floats; the likeliest first."""
    shapes = list(_assignments([spec.shape for spec in specs], sizes))
    floats = [i for i, spec in enumerate(specs) if "float" in spec.dtype]
    for integers in ([], floats[1:], floats, *([i] for i in floats)):
        for attempt in shapes:
            yield [Spec(s, "int32" if i in integers else specs[i].dtype) for i, s in enumerate(attempt)]


def _assignments(shapes: list[Shape], sizes: Sequence[int]) -> Iterator[list[Shape]]:
    yield shapes
    unknown = [(i, axis) for i, shape in enumerate(shapes) for axis, size in enumerate(shape) if size is None]

    def with_sizes(values: dict[tuple[int, int], int]) -> list[Shape]:
        return [tuple(values.get((i, k), size) for k, size in enumerate(s)) for i, s in enumerate(shapes)]

    aligned = {}  # sizes of other arguments at the same place, as in broadcasting
    for i, axis in unknown:
        from_end = axis - len(shapes[i])
        others = [s[from_end] for s in shapes if len(s) >= -from_end and s[from_end] not in (None, 1)]
        if others:
            aligned[i, axis] = others[0]
    if aligned:
        yield with_sizes(aligned)
    known = dict.fromkeys(size for size in (*itertools.chain(*shapes), *sizes) if size is not None and size > 1)
    for count in (1, 2):
        for places in itertools.combinations(unknown, count):
            for values in itertools.product(known, repeat=count):
                yield with_sizes(dict(zip(places, values)))
