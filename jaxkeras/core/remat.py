"""Layers that recompute their intermediate values in the backward pass instead of storing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from jaxkeras.core.context import local, setting
from jaxkeras.core.functional import Frame, functional_call
from jaxkeras.core.masks import get_mask, set_mask

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematMode(NamedTuple):
    """What a `RematScope` requests for layers created in it."""

    mode: str | None
    output_size_threshold: int
    layer_names: tuple[str, ...]


class RematScope:
    """Layers created in this scope recompute their intermediate values in the backward pass, by `jax.checkpoint`,
    instead of storing them: training needs less memory and more time. Random masks are the same in both passes.

    Reference: [Chen et al., 2016](https://arxiv.org/abs/1604.06174).

    Args:
        mode: `"full"` for all layers (of nested layers the outermost one, of a model its layers); `"activations"` for
            the `activation` of layers that have one; `"larger_than"` for layers whose outputs have more elements than
            `output_size_threshold`; `"list_of_layers"` for those named in `layer_names`; None for none, inside
            another scope.
        output_size_threshold: number of elements, the batch axis included.
        layer_names: names of layers.

    Raises:
        ValueError: for another mode.

    Example:

    >>> import jaxkeras as jk
    >>> with RematScope(mode="full"):
    ...     block = jk.Sequential([jk.layers.Dense(64, activation="relu"), jk.layers.Dense(1)])
    """

    def __init__(
        self, mode: str | None = "full", output_size_threshold: int = 1024, layer_names: Sequence[str] | None = None
    ):
        if mode not in _MODES:
            raise ValueError(f"`mode` of RematScope must be one of {', '.join(map(repr, _MODES))}; got {mode!r}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = list(layer_names or ())

    def __enter__(self) -> RematScope:
        local.remat_scopes += (self,)
        return self

    def __exit__(self, *exception: object) -> None:
        local.remat_scopes = local.remat_scopes[:-1]


def current_mode() -> RematMode | None:
    """The request of the innermost open scope, or None."""
    scope: RematScope | None = local.remat_scopes[-1] if local.remat_scopes else None
    if scope is None or scope.mode is None:
        return None
    return RematMode(scope.mode, scope.output_size_threshold, tuple(scope.layer_names))


def rematerialized(call: Callable[..., Any], larger_than: int = -1) -> Callable[..., Any]:
    """The call of a layer under `jax.checkpoint`; everything it writes to the frame leaves it as a result.

    Args:
        call: reads and writes variables of the functional call in progress.
        larger_than: do not checkpoint a call whose outputs have at most this many elements.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        frame = local.frame
        if frame is None or frame.abstract or local.remat:  # no gradient is taken, or an outer checkpoint recomputes
            return call(*args, **kwargs)
        leaves, structure = jax.tree.flatten((args, kwargs))
        moving = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
        known = _visible_values(frame)
        messages: list[str] = []
        masked: list[bool] = []

        def pure(arrays: list[Any]) -> Any:
            given = list(leaves)
            for i, array in zip(moving, arrays):
                set_mask(array, get_mask(leaves[i]))
                given[i] = array
            args, kwargs = structure.unflatten(given)

            def counted() -> Any:
                inner = local.frame
                assert inner is not None  # that of the `functional_call` below
                inner.rng, inner.draws = frame.rng, frame.draws
                outputs = call(*args, **kwargs)
                frame.draws = inner.draws
                return outputs

            with setting(remat=True):
                outputs, _, inner = functional_call(list(known), list(known.values()), counted)
            messages[:] = inner.checks
            masks = [get_mask(y) for y in jax.tree.leaves(outputs)]
            masked[:] = [mask is not None for mask in masks]
            written = list(inner.updates)
            written_variables[:] = written
            return (
                outputs,
                [inner.updates[v] for v in written],
                inner.losses,
                list(inner.checks.values()),
                [mask for mask in masks if mask is not None],
            )

        written_variables: list[Any] = []
        arrays, draws = [leaves[i] for i in moving], frame.draws
        if larger_than >= 0:
            outputs = jax.eval_shape(pure, arrays)[0]
            frame.draws = draws
            if sum(math.prod(y.shape) for y in jax.tree.leaves(outputs)) <= larger_than:
                return call(*args, **kwargs)
        outputs, updates, losses, checks, masks = jax.checkpoint(pure)(arrays)
        frame.merge_updates(dict(zip(written_variables, updates)))
        for loss in losses:
            frame.add_loss(loss)
        for message, failed in zip(messages, checks):
            frame.check(message, failed)
        rest = iter(masks)
        for y, has_mask in zip(jax.tree.leaves(outputs), masked):
            if has_mask:
                set_mask(y, next(rest))
        return outputs

    return run


def _visible_values(frame: Frame | None) -> dict[Any, Any]:
    """Everything that a call can read: bound values, and what was written since."""
    known: dict[Any, Any] = {}
    while frame is not None:
        known = {**frame.values, **frame.updates, **known}
        frame = frame.outer
    return known
