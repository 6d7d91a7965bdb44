"""Warnings about programs that run but hardly do what was meant: each once after `compile`, before the first step."""

from __future__ import annotations

import difflib
import functools
import inspect
import operator
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxkeras import activations, registry
from jaxkeras.core.functional import is_variable
from jaxkeras.data import ArraySource, Source
from jaxkeras.data.arrays import named_batch
from jaxkeras.layers.core.activation import Activation
from jaxkeras.layers.regularization.dropout import Dropout
from jaxkeras.layers.reshaping.reshape import Flatten, Reshape
from jaxkeras.optimizers.keras_api import OPTIONS
from jaxkeras.training.compile_loss import label_of, loss_name
from jaxkeras.training.fault_replay import first_fault, named_layers
from jaxkeras.training.faults import columns, is_finite, listed, statistics
from jaxkeras.training.output_structure import is_nested
from jaxkeras.training.state import TrainState

_OF_PROBABILITIES = {
    "binary_crossentropy": "sigmoid", "binary_focal_crossentropy": "sigmoid", "categorical_crossentropy": "softmax",
    "categorical_focal_crossentropy": "softmax", "sparse_categorical_crossentropy": "softmax",
}  # fmt: skip
_OLD_NAMES = {"lr": "learning_rate", "decay": "weight_decay"}


def warn(model: Any, source: Source, batch: Any, stacklevel: int = 4) -> None:
    """Warn about what is suspicious in a compiled model and its data.

    Args:
        model: ready to be trained.
        source: the data.
        batch: its first batch.
        stacklevel: that of the line that trains, for `warnings.warn` called here.
    """
    session, warned = model._session, model._session.warned
    messages = list(_frozen_after_compile(model))
    settings = [getattr(model, "_graph", None), *(vars(model.optimizer).values() if model.optimizer else ())]
    if len(settings) != len(session.checked_settings) or any(map(operator.is_not, settings, session.checked_settings)):
        session.checked_settings = settings
        messages += [*_optimizer(model), *_logits(model)]
    messages += [*_negative_rate(model.optimizer), *_not_finite(model, source, batch)]
    for message in messages:
        if message not in warned:
            warned.add(message)
            warnings.warn(message, stacklevel=stacklevel)


# -- trainable -------------------------------------------------------------------------------------------------------
def _frozen_after_compile(model: Any) -> Iterator[str]:
    changed = [layer for layer, flag in model._session.flags_at_compile if layer.trainable != flag]
    if changed:
        named = {id(layer): path for path, layer in named_layers(model)}
        first = named.get(id(changed[0]), changed[0].name)
        others = f" (and of {len(changed) - 1} more)" if len(changed) > 1 else ""
        yield (
            f"`trainable` of layer '{first}'{others} was changed after `compile`. This training follows the change: "
            f"{len(model.trainable_variables)} of {len(model.variables)} weights are trained. Call `compile` after "
            "setting `trainable`, as Keras needs it, so that optimizer and loss begin anew."
        )


# -- the optimizer ---------------------------------------------------------------------------------------------------
def _optimizer(model: Any) -> Iterator[str]:
    optimizer, session = model.optimizer, model._session
    if optimizer is None or not registry.is_builtin(type(optimizer)):
        return
    known = _settings_of(type(optimizer))
    for name, value in vars(optimizer).items():
        if name in known or name.startswith("_") or type(value) not in (int, float):
            continue
        close = _OLD_NAMES.get(name) or next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), None)
        if close is not None:
            yield (
                f"`optimizer.{name} = {value!r}` does nothing: {type(optimizer).__name__} has no such setting. Did you "
                f"mean `optimizer.{close}`?"
            )
    settings = {name: getattr(optimizer, name) for name in (*OPTIONS, *optimizer.hyperparameters)}
    if not (session.optimizer_settings and session.train.count):
        session.optimizer_settings = settings
    for name, now in settings.items():
        value = session.optimizer_settings.get(name)
        if now is not value and now != value:
            yield (
                f"`optimizer.{name}` was changed from {value!r} to {now!r} after the training step was compiled with "
                "it, so that it does nothing now. Call `model.compile` again; only `learning_rate` can be changed "
                "without."
            )


def _negative_rate(optimizer: Any) -> Iterator[str]:
    rate: Any = getattr(optimizer, "_learning_rate", None)
    if is_variable(rate) and np.asarray(rate.cell()) < 0:
        yield f"The learning rate is {float(rate.cell()):.4g}: with a negative one each step makes the loss larger."


@functools.cache
def _settings_of(cls: type) -> set[str]:
    """The names of what an optimizer can be told, and of its other attributes."""
    classes = [base for base in cls.__mro__ if "__init__" in vars(base)]
    return {name for base in classes for name in inspect.signature(base.__init__).parameters} | set(dir(cls))


# -- losses ----------------------------------------------------------------------------------------------------------
def _logits(model: Any) -> Iterator[str]:
    loss, graph = model._session.compile_loss, getattr(model, "_graph", None)
    if loss is None or not loss.built or graph is None or model.overrides("compute_loss"):
        return
    outputs = graph.outputs_struct
    for term in loss.terms:
        wanted = _OF_PROBABILITIES.get(loss_name(term.function))
        tensor = outputs
        for key in term.path:
            tensor = tensor[key]
        if wanted is None or is_nested(tensor):
            continue
        layer = _activated(tensor)
        if layer is None:
            continue
        from_logits, activation = getattr(term.function, "from_logits", False), layer.activation
        name = label_of(term.function)
        if not from_logits and activation in (None, activations.linear):
            yield (
                f"Loss '{name}' takes probabilities, but layer '{layer.name}', whose outputs it gets, has no "
                f"activation, so that they are logits: any number, clipped to [0, 1] by the loss. Write "
                f"activation='{wanted}' in the layer, or from_logits=True in the loss."
            )
        elif from_logits and activation in (activations.sigmoid, activations.softmax):
            yield (
                f"Loss '{name}' has from_logits=True, but layer '{layer.name}', whose outputs it gets, applies "
                f"{activation.__name__}: it is applied twice. Leave out one of them."
            )


def _activated(tensor: Any) -> Any:
    """The layer with an activation that made an output, perhaps reshaped since."""
    while getattr(tensor, "_keras_history", None) is not None:
        operation = tensor._keras_history.operation
        if isinstance(operation, (Reshape, Flatten, Dropout)):
            tensor = operation._inbound_nodes[tensor._keras_history.node_index].inputs[0]
            continue
        plain = registry.is_builtin(type(operation)) and hasattr(operation, "activation")
        return operation if plain and operation._own_variables() or isinstance(operation, Activation) else None
    return None


# -- data ------------------------------------------------------------------------------------------------------------
def _not_finite(model: Any, source: Source, batch: Any) -> Iterator[str]:
    session = model._session
    arrays = source.arrays if isinstance(source, ArraySource) and not source.host_only else batch
    named = [(name, array) for name, array in named_batch(arrays) if array is not None]
    new = [array for _, array in named if all(known() is not array for known in session.checked_arrays)]
    if all(map(is_finite, new)):
        session.checked_arrays = [weakref.ref(array) for _, array in named]
        return
    bad = [(name, array) for name, array in named if not is_finite(array)]
    rows = sorted({row for _, array in bad for row in statistics(array, len(array))["rows"]})
    rows = rows[: jax.tree.leaves(batch)[0].shape[0]]
    sample = jax.tree.map(lambda array: np.asarray(array)[rows], arrays)
    with session.single(session.view(*TrainState._fields).current, lambda group, row: True) as (_, ts):
        fault = first_fault(model, session.state_spec, ts, sample)
    if fault is None or fault.kind != "data":
        return  # the model or the loss knows what to do with them
    for name, array in bad:
        values = statistics(array, len(array))
        where = f"; {listed('column', columns(array))}" if columns(array) else ""
        yield (
            f"`{name}` holds values that are not finite: {values['nans']} NaN and {values['infs']} infinite of "
            f"{np.size(array)}; {listed('row', values['rows'])}{where}. They make the loss NaN or infinite. Leave "
            "these rows out, or replace the values, before training."
        )
