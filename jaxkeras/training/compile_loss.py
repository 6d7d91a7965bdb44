"""`CompileLoss`: the losses of `compile`, bound to the outputs of a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxkeras import registry
from jaxkeras.core.context import local
from jaxkeras.core.functional import Frame
from jaxkeras.core.tracebacks import explain
from jaxkeras.losses import resolve as loss_resolve
from jaxkeras.metrics.reduction import Mean
from jaxkeras.training.output_structure import (
    Path,
    align,
    at,
    children,
    count_outputs,
    describe,
    describe_path,
    flat,
    is_nested,
    leaf_paths,
    map_paths,
    repack,
)  # fmt: skip


class UnknownOutput(KeyError, ValueError):
    """A part of `loss` for an output that the model does not have."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # that of KeyError puts the message into quotes


class _Weighted(NamedTuple):
    loss: Any
    weight: Any


@dataclass
class LossTerm:
    """A loss of one output, or of a part of the outputs."""

    path: Path
    name: str
    function: Callable[..., Any]
    weight: Any
    tracker: Any = None  # Mean of this loss alone, when there are several


class CompileLoss:
    """The weighted sum of the losses of `compile`.

    Args:
        loss: what `compile` was given: a loss, or losses nested as the outputs are.
        loss_weights: a number, or numbers nested as `loss` is. Or None.
        output_names: names of the outputs, flat, if the model knows them.

    Attributes:
        built: whether the outputs are known.
        outputs: the structure of the outputs once they are, with True for each.
        terms: the losses.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: Sequence[str] | None = None):
        self.loss, self.loss_weights, self.output_names = loss, loss_weights, output_names
        self.built = False
        self.outputs: Any = None
        self.terms: list[LossTerm] = []

    @property
    def metrics(self) -> list[Any]:
        """The mean of each loss, when there are several."""
        return [term.tracker for term in self.terms if term.tracker is not None]

    @property
    def variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Bind the losses to the outputs.

        Args:
            y_true, y_pred: arrays, or specs with a `shape`, of targets and predictions.

        Raises:
            KeyError: for losses of outputs that do not exist.
            ValueError: for unknown names, and for weights or targets of another structure.
        """
        names = _names(self.output_names, y_pred)
        listed = isinstance(self.loss, (list, tuple)) and isinstance(y_pred, type(self.loss))
        if listed and len(self.loss) > len(y_pred):
            raise UnknownOutput(
                f"`loss` has {len(self.loss)} entries, but the model has {count_outputs(y_pred, names)}. Give one for "
                "each (None for none), or a dict by output name."
            )
        pairs = list(_pairs(self._weighted(y_pred, names), y_pred, ()))
        targets = align(y_true, y_pred, names, _leaves([path for path, _ in pairs], y_pred))
        if not is_nested(y_pred) and len(pairs) > 1:
            warnings.warn(
                f"The model has one output, but compile(loss={self.loss!r}) holds {len(pairs)} losses: only the first "
                "one counts, as in Keras. Pass one function that adds them up.",
                stacklevel=2,
            )
            del pairs[1:]
        terms = []
        for path, (loss, weight) in pairs:
            function = loss_resolve.resolve_loss(loss, at(targets, path), at(y_pred, path))
            assert function is not None
            terms.append(LossTerm(path, _label(path, names, y_pred, function), function, weight))
        if len(terms) > 1:
            for term in terms:
                term.tracker = Mean(name=f"{term.name}_loss")
        self.terms, self.outputs, self.built = terms, map_paths(lambda path: True, y_pred), True

    def _weighted(self, y_pred: Any, names: list[str] | None) -> Any:
        """The structure of the losses with their weights, those by output name in the structure of the outputs."""
        loss, weights = self.loss, self.loss_weights
        paths = leaf_paths(y_pred)
        if is_nested(loss) and isinstance(loss, dict) and not isinstance(y_pred, dict):
            alone = len(loss) == len(paths) == 1  # an output without a name takes any
            known = names or (list(loss) if alone else [f"output_{i}" for i in range(len(paths))])
            by_name = dict(zip(paths, known))
            _check_names("loss", loss, known)
            loss = map_paths(lambda path: self.loss.get(by_name[path]), y_pred)
            if isinstance(weights, dict):
                _check_names("loss_weights", weights, known)
                weights = map_paths(lambda path: self.loss_weights.get(by_name[path]), y_pred)
        elif not is_nested(loss) and is_nested(weights):  # a weight for each output
            if isinstance(weights, dict):
                keys = names if not isinstance(y_pred, dict) and names else [path[-1] for path in paths if path]
                _check_names("loss_weights", weights, keys)
                weights = [weights.get(key) for key in keys]
            loss = [loss] * len(paths)
        return _weigh(loss, weights)

    def pairs(self, y_true: Any, y_pred: Any) -> list[tuple[LossTerm, Any, Any]]:
        """Each loss with its targets and its predictions."""
        y_pred = repack(y_pred, self.outputs)
        targets = self._align(y_true, y_pred)
        return [(term, at(targets, term.path), at(y_pred, term.path)) for term in self.terms]

    def targeted(self, y_pred: Any) -> list[Path]:
        """The paths of the outputs that have a loss."""
        return _leaves([term.path for term in self.terms], y_pred)

    def _align(self, values: Any, y_pred: Any, what: str = "y") -> Any:
        return align(values, y_pred, self.output_names, self.targeted(y_pred), what)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The weighted sum of the losses of a batch; updates the mean of each.

        Args:
            y_true, y_pred: targets and predictions.
            sample_weight: an array for all outputs, or a structure like that of the targets. Or None.

        Returns:
            A scalar, or None if no output has a loss.
        """
        if not self.built:
            self.build(y_true, y_pred)
        if is_nested(sample_weight):
            sample_weight = self._align(sample_weight, self.outputs, "sample_weight")
        total = None
        for term, target, prediction in self.pairs(y_true, y_pred):
            weight = at(sample_weight, term.path) if is_nested(sample_weight) else sample_weight
            if local.frame is not None and not is_nested(prediction):
                if loss_name(term.function) == "sparse_categorical_crossentropy":
                    _check_classes(local.frame, term, target, prediction)
            value = call_explained(term.function, "loss", target, prediction, weight)
            value = value.astype(jnp.float32) if value.dtype != jnp.float32 else value
            if term.tracker is not None:
                leaf = jax.tree.leaves(prediction)[0]
                term.tracker.update_state(value, sample_weight=leaf.shape[0] if leaf.ndim else 1)
            if term.weight is not None:
                value = value * term.weight
            total = value if total is None else total + value
        return total


def _check_names(argument: str, given: dict[str, Any], known: list[Any]) -> None:
    for name in given:
        if name not in known:
            raise UnknownOutput(
                f"{registry.unknown(f'key in `{argument}`', name, known)} The outputs of the model are {known}."
            )


def _weigh(loss: Any, weights: Any) -> Any:
    """The structure of the losses, with `_Weighted` at its leaves and None where there is no loss."""
    if not is_nested(weights):
        return _map_losses(loss, lambda leaf: _Weighted(leaf, weights))
    if isinstance(loss, dict) and isinstance(weights, dict) and is_nested(loss):
        _check_names("loss_weights", weights, list(loss))
        return {key: _weigh(part, weights.get(key)) for key, part in loss.items()}
    given = flat(weights)
    if len(given) != len(flat(loss)):
        raise ValueError(
            f"`loss_weights` must match the number of losses: there are {len(flat(loss))} losses and {len(given)} "
            f"weights, loss={describe(loss)}, loss_weights={describe(weights)}."
        )
    remaining = iter(given)
    return _map_losses(loss, lambda leaf: _Weighted(leaf, next(remaining)))


def _map_losses(loss: Any, function: Callable[[Any], _Weighted]) -> Any:
    if not is_nested(loss):
        weighted = function(loss)
        return None if loss is None else weighted
    if isinstance(loss, dict):
        return {key: _map_losses(part, function) for key, part in loss.items()}
    parts = [_map_losses(part, function) for part in loss]
    return type(loss)(*parts) if hasattr(loss, "_fields") else type(loss)(parts)


def _pairs(loss: Any, y_pred: Any, path: Path) -> Iterator[tuple[Path, _Weighted]]:
    """The path of the outputs that each loss belongs to.

    A loss alone stands for every output if it is given for the whole model. Elsewhere it takes the structure of outputs
    at its place. A flat list goes to the outputs one by one; a list beside outputs that are no list holds several
    losses of the same outputs.
    """
    part = at(y_pred, path)
    if loss is None:
        return
    if isinstance(loss, _Weighted):
        yield from ((leaf, loss) for leaf in (leaf_paths(part) if path == () else [path]))
    elif isinstance(loss, dict):
        if not isinstance(part, dict):
            raise _no_output((*path, next(iter(loss))), y_pred)
        for key, inner in loss.items():
            if key not in part and inner is not None:
                raise _no_output((*path, key), y_pred)
            yield from _pairs_within(inner, y_pred, (*path, key))
    elif len(loss) == len(leaves := leaf_paths(part, path)) and not any(_is_inner(inner) for inner in loss):
        yield from ((leaf, inner) for leaf, inner in zip(leaves, loss) if inner is not None)
    elif isinstance(part, type(loss)):
        for i, inner in enumerate(loss):
            if i >= len(part) and inner is not None:
                raise _no_output((*path, i), y_pred)
            yield from _pairs_within(inner, y_pred, (*path, i))
    else:
        for inner in loss:
            yield from _pairs_within(inner, y_pred, path)


def _pairs_within(loss: Any, y_pred: Any, path: Path) -> Iterator[tuple[Path, _Weighted]]:
    if isinstance(loss, _Weighted):
        yield path, loss
    else:
        yield from _pairs(loss, y_pred, path)


def _is_inner(loss: Any) -> bool:
    return isinstance(loss, (dict, list, tuple)) and not isinstance(loss, _Weighted)


def _no_output(path: Path, y_pred: Any) -> UnknownOutput:
    return UnknownOutput(
        f"`loss` holds a loss at {describe_path(path)}, but the model has no such output: it returns "
        f"{describe(y_pred)}."
    )


def _names(declared: Sequence[str] | None, y_pred: Any) -> list[str] | None:
    """Names of the outputs, flat: those that the model declares, if there is one for each."""
    return list(declared) if declared and len(declared) == len(leaf_paths(y_pred)) else None


def _leaves(paths: list[Path], y_pred: Any) -> list[Path]:
    """The leaves below paths."""
    return list(dict.fromkeys(leaf for path in paths for leaf in leaf_paths(at(y_pred, path), path)))


def _label(path: Path, names: list[str] | None, y_pred: Any, function: Any) -> str:
    """The name of a loss in logs: the keys of its path, and the name of the output, or else of the loss, for a position
    in a list."""
    part = at(y_pred, path)
    if is_nested(part):
        keys = list(part) if isinstance(part, dict) else names or [f"output_{i}" for i, _ in children(part)]
        return "/".join(map(str, path)) or "_".join(map(str, keys))
    name = dict(zip(leaf_paths(y_pred), names)).get(path) if names else None
    if not path or isinstance(path[-1], int):
        path = (*path[:-1], name or label_of(function))
    return "/".join(map(str, path))


def label_of(function: Any) -> str:
    """What a loss or metric is called in messages."""
    return getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__)


def loss_name(function: Any) -> str:
    """The name of the function behind a loss."""
    return getattr(getattr(function, "fn", function), "__name__", "")


def call_explained(
    function: Callable[..., Any], kind: str, target: Any, prediction: Any, *rest: Any, owner: Any = None, **more: Any
) -> Any:
    """Call a loss or the update of a metric; errors name it and the shapes."""
    try:
        return function(target, prediction, *rest, **more)
    except (TypeError, ValueError) as error:
        explain(error, f"{kind} '{label_of(owner or function)}'", {"y_true": target, "y_pred": prediction})
        raise


def _check_classes(frame: Frame, term: LossTerm, target: Any, prediction: Any) -> None:
    """Stop the run at a batch with labels out of range; those of a stream are not known beforehand."""
    classes = prediction.shape[-1]
    failed = (target < 0) | (target >= classes) | (target != jnp.floor(target))
    ignored = getattr(term.function, "ignore_class", None)
    if ignored is not None:
        failed = failed & (target != ignored)
    frame.check(
        f"`y` holds a class that output '{term.name}' does not have: it has {classes}, 0 to {classes - 1}, and "
        f"classes must be whole numbers. Make the last layer Dense(<largest class + 1>), or number the classes from 0.",
        jnp.any(failed),
    )
