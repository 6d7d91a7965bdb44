"""Layers that compute their intermediate values again for the gradient instead of keeping them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from jaxkeras.core.frame import Frame, bind, local, setting
from jaxkeras.core.masks import get_mask, set_mask

_MODES = ("full", "activations", "larger_than", "list_of_layers", None)


class RematMode(NamedTuple):
    """What a `RematScope` asks of the layers that are made in it."""

    mode: str | None
    output_size_threshold: int
    layer_names: tuple[str, ...]


class RematScope:
    """Layers made in this scope need less memory for training, and more time: for the gradient they compute again what
    happens inside them, by `jax.checkpoint`, instead of keeping it (Chen et al., 2016,
    https://arxiv.org/abs/1604.06174). Random masks are the same the second time.

    Args:
        mode: which of them: `"full"` for all (of layers within layers the outer one, of a model its layers);
            `"activations"` for the `activation` of those that have one; `"larger_than"` for those whose outputs have
            more elements than `output_size_threshold`; `"list_of_layers"` for those named in `layer_names`; None for
            none, within another scope.
        output_size_threshold: number of elements, with those of the batch.
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
    """What the innermost open scope asks for, or None."""
    scope: RematScope | None = local.remat_scopes[-1] if local.remat_scopes else None
    if scope is None or scope.mode is None:
        return None
    return RematMode(scope.mode, scope.output_size_threshold, tuple(scope.layer_names))


def rematerialized(call: Callable[..., Any], larger_than: int = -1) -> Callable[..., Any]:
    """A call of a layer under `jax.checkpoint`. What it writes into the frame leaves it as a result.

    Args:
        call: reads and writes variables of the frame in progress.
        larger_than: leave alone what gives no more elements than this.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        frame = local.frame
        if frame is None or frame.abstract or local.remat:  # no gradient is taken, or one around this computes it again
            return call(*args, **kwargs)
        leaves, structure = jax.tree.flatten((args, kwargs))
        moving = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
        known = _known(frame)
        messages: list[str] = []
        masks: list[Any] = []

        def pure(arrays: list[Any]) -> Any:
            given = list(leaves)
            for i, array in zip(moving, arrays):
                set_mask(array, get_mask(leaves[i]))
                given[i] = array
            args, kwargs = structure.unflatten(given)
            with setting(remat=True), bind(known, frame.rng) as inner:
                inner.draws = frame.draws
                outputs = call(*args, **kwargs)
                frame.draws = inner.draws
            messages[:] = inner.checks
            found = [get_mask(y) for y in jax.tree.leaves(outputs)]
            masks[:] = [mask is not None for mask in found]
            return (
                outputs,
                inner.updates,
                inner.losses,
                list(inner.checks.values()),
                [m for m in found if m is not None],
            )

        arrays, draws = [leaves[i] for i in moving], frame.draws
        if larger_than >= 0:
            outputs = jax.eval_shape(pure, arrays)[0]
            frame.draws = draws
            if sum(math.prod(y.shape) for y in jax.tree.leaves(outputs)) <= larger_than:
                return call(*args, **kwargs)
        outputs, updates, losses, checks, found = jax.checkpoint(pure)(arrays)
        frame.take(updates)
        frame.losses += losses
        for message, failed in zip(messages, checks):
            frame.check(message, failed)
        rest = iter(found)
        for y, has in zip(jax.tree.leaves(outputs), masks):
            if has:
                set_mask(y, next(rest))
        return outputs

    return run


def _known(frame: Frame | None) -> dict[int, Any]:
    """What a call can read: what is bound, and what was written since."""
    known: dict[int, Any] = {}
    while frame is not None:
        known = {**frame.values, **frame.updates, **known}
        frame = frame.outer
    return known
