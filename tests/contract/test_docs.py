"""Docstrings of losses, metrics and small families have all sections and describe every parameter."""

import inspect
import re

import pytest

from jaxkeras import activations, constraints, initializers, losses, metrics, regularizers

LOOKUPS = {"get", "serialize", "deserialize"}


def things(module, kind):
    return [getattr(module, name) for name in module.__all__ if name not in LOOKUPS and kind(getattr(module, name))]


LOSS_CLASSES, LOSS_FUNCTIONS = things(losses, inspect.isclass), things(losses, inspect.isfunction)
METRIC_CLASSES, METRIC_FUNCTIONS = things(metrics, inspect.isclass), things(metrics, inspect.isfunction)
OTHERS = [thing for module in (constraints, initializers, regularizers) for thing in things(module, inspect.isclass)]
OTHERS += [f for f in things(activations, inspect.isfunction) if f.__module__ == "jaxkeras.activations"]
OTHERS = list(dict.fromkeys(OTHERS))


def test_every_public_object_is_checked():
    assert len(LOSS_CLASSES) >= 24 and len(LOSS_FUNCTIONS) >= 22
    assert len(METRIC_CLASSES) >= 42 and len(METRIC_FUNCTIONS) >= 23
    assert {initializers.HeNormal, regularizers.L2, constraints.MaxNorm, activations.relu} <= set(OTHERS)
    assert {losses.Huber, metrics.AUC} <= {*LOSS_CLASSES, *METRIC_CLASSES}
    assert {losses.huber, metrics.binary_accuracy} <= {*LOSS_FUNCTIONS, *METRIC_FUNCTIONS}


def sections(thing):
    """`{heading: text}` of a docstring, with the summary under ""."""
    headings = "Args|Input shape|Output shape|Result|Returns|Raises|Reference|Example"
    parts = re.split(rf"^({headings}):", inspect.getdoc(thing), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def parameters(thing):
    return [p for p in inspect.signature(thing).parameters.values() if p.name != "self"]


def check(thing, *headings):
    found = sections(thing)
    assert set(headings) <= set(found), f"{thing.__qualname__} lacks {set(headings) - set(found)}"
    assert all(text.strip() for text in found.values())
    assert ">>> " in found["Example"] and thing.__name__ in found["Example"]
    assert found[""].split("\n")[0].rstrip().endswith((".", ":"))
    described = re.findall(r"^ +(\*{0,2}\w+(?:, \*{0,2}\w+)*): ", found.get("Args", ""), re.M)
    named = {name.lstrip("*") for group in described for name in group.split(", ")}
    missing = {p.name for p in parameters(thing)} - named
    assert not missing, f"{thing.__qualname__} does not describe {missing}"


@pytest.mark.parametrize("thing", LOSS_CLASSES, ids=lambda t: t.__name__)
def test_loss_classes(thing):
    check(thing, "Args", "Input shape", "Output shape", "Raises", "Example")


@pytest.mark.parametrize("thing", list(dict.fromkeys(LOSS_FUNCTIONS + METRIC_FUNCTIONS)), ids=lambda t: t.__name__)
def test_functions(thing):
    check(thing, "Args", "Returns", "Raises", "Example")
    arguments = sections(thing)["Args"]
    assert "y_true" in arguments and "shape" in arguments


@pytest.mark.parametrize("thing", METRIC_CLASSES, ids=lambda t: t.__name__)
def test_metric_classes(thing):
    check(thing, "Args", "Input shape", "Result", "Example")


@pytest.mark.parametrize("thing", OTHERS, ids=lambda t: t.__name__)
def test_initializers_regularizers_constraints_and_activations(thing):
    check(thing, *["Args"] * bool(parameters(thing)), "Example")
