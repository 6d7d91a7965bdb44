"""Hyperparameters of a population: numbers that objects have as attributes, one value a member."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.core.tracking import walk
from jaxkeras.core.variable import Variable


def find(template: Any, name: str) -> list[tuple[Any, str]]:
    """The objects that have a hyperparameter, with its name there; none for the rate in the optimizer's state."""
    owner, _, attribute = name.rpartition(".")
    optimizer = template.optimizer
    parts = parts_of(template)
    of_optimizer = [(part, attribute) for part in parts[:2] if _has_number(part, attribute)]
    if attribute == "learning_rate" and owner in ("", "optimizer"):
        if isinstance(getattr(optimizer, "learning_rate", None), Variable):
            return []
        raise ValueError(
            f"`learning_rate` cannot differ between members: that of the optimizer is "
            f"{getattr(optimizer, '_learning_rate', None)!r}. Compile with a number: "
            "compile(optimizer=Adam(1e-3), ...), or give what the schedule is made of, such as "
            "Population(..., initial_learning_rate=...)."
        )
    layers = [(layer, attribute) for layer in parts[2:] if _has_number(layer, attribute)]
    if owner == "optimizer":
        found = of_optimizer
    elif owner == "layers":
        found = layers
    elif owner:
        found = [(layer, attribute) for layer, _ in layers if layer.name == owner]
    elif of_optimizer and layers:
        raise ValueError(
            f"Both the optimizer and layers have a `{name}`: write Population(..., **{{'optimizer.{name}': ...}}) "
            f"or 'layers.{name}'."
        )
    else:
        found = of_optimizer or layers
    if not found:
        raise registry.unknown("hyperparameter of a Population", name, sorted(_numbers(template)))
    for part, _ in found:
        if getattr(part, "_active", True) is False:
            raise ValueError(
                f"`{attribute}` of layer '{part.name}' is 0, so the layer does nothing. Give the model a value "
                "above 0, which the members' values replace."
            )
    return found


def _numbers(template: Any) -> set[str]:
    names = {name for part in parts_of(template) if hasattr(part, "__dict__") for name in vars(part)}
    parts = parts_of(template)
    return {"learning_rate"} | {n for n in names if n[0] != "_" and any(_has_number(p, n) for p in parts)}


def one_each(seeds: Any, hyperparameters: dict[str, Any]) -> tuple[int, dict[str, np.ndarray]]:
    """The number of members, and one value a member of each hyperparameter."""
    values = {name: np.asarray(value, np.float32) for name, value in hyperparameters.items()}
    lengths = {name: len(value) for name, value in values.items() if value.ndim == 1}
    if seeds is not None:
        lengths["seeds"] = len(seeds)
    wrong = [name for name, value in values.items() if value.ndim > 1]
    if wrong or len(set(lengths.values())) != 1 or 0 in lengths.values():
        shapes = {**{name: value.shape for name, value in values.items()}, "seeds": (lengths.get("seeds"),)}
        raise ValueError(
            "A Population needs one seed, or one value of a hyperparameter, for each member, as many of each; got the "
            f"shapes {shapes}."
        )
    count = next(iter(lengths.values()))
    return count, {name: np.array(np.broadcast_to(value, (count,))) for name, value in values.items()}


def _has_number(part: Any, attribute: str) -> bool:
    value = vars(part).get(attribute) if hasattr(part, "__dict__") else None
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def parts_of(model: Any) -> list[Any]:
    """What may have hyperparameters: the optimizer, its schedule, and the layers."""
    optimizer = model.optimizer
    return [optimizer, getattr(optimizer, "_learning_rate", None), *(layer for _, layer in walk(model))]
