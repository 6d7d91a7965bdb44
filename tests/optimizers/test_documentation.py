"""Docstrings, signatures and namespaces: what an editor shows of an optimizer."""

import inspect
import re
import typing

import pytest

import jaxkeras.optimizers as ours
from jaxkeras.optimizers import Optimizer, schedules
from jaxkeras.optimizers.base import Options, OptionsButDecay

OPTIMIZERS = [
    thing for name in ours.__all__ if inspect.isclass(thing := getattr(ours, name)) and issubclass(thing, Optimizer)
]
SCHEDULES = [
    thing
    for name in vars(schedules)
    if inspect.isclass(thing := getattr(schedules, name))
    and issubclass(thing, schedules.LearningRateSchedule)
    and not name.startswith("_")
    and thing is not schedules.LearningRateSchedule
]
PUBLIC = [*OPTIMIZERS, *SCHEDULES, ours.OptimizerMap]


def by_name(cls):
    return cls.__name__


def section(cls, title):
    """The lines of a section of a docstring, without its indentation."""
    found = re.search(rf"^{title}:\n((?:    .*\n|\n)+)", inspect.cleandoc(cls.__doc__) + "\n", re.MULTILINE)
    return inspect.cleandoc(found[1]) if found else ""


def documented(cls):
    return re.findall(r"^\*{0,2}(\w+): ", section(cls, "Args"), re.MULTILINE)


def test_all_optimizers_and_schedules_are_checked():
    assert len(OPTIMIZERS) == 18 and len(SCHEDULES) == 7


@pytest.mark.parametrize("cls", PUBLIC, ids=by_name)
def test_sections(cls):
    assert section(cls, "Args") and section(cls, "Raises")
    assert re.search(r"^Example.*:\n\n>>> ", inspect.cleandoc(cls.__doc__), re.MULTILINE)
    assert len(inspect.cleandoc(cls.__doc__).split("\n")[0]) <= 120


@pytest.mark.parametrize("cls", [c for c in [*OPTIMIZERS, *SCHEDULES] if c not in (Optimizer, ours.MultiOptimizer)],
                         ids=by_name)  # fmt: skip
def test_the_formula_is_in_the_docstring_of_the_class(cls):
    assert re.search(r"`[^`]* = [^`]*`", cls.__doc__) or "values[" in cls.__doc__


@pytest.mark.parametrize("cls", [c for c in OPTIMIZERS if c is not ours.MultiOptimizer], ids=by_name)
def test_the_source_is_cited(cls):
    assert "https://" in section(cls, "Reference")


@pytest.mark.parametrize("cls", PUBLIC, ids=by_name)
def test_every_argument_is_documented_and_no_other(cls):
    arguments = [p for p in inspect.signature(cls).parameters if p != "kwargs"]
    words = [w for w in documented(cls) if w != "kwargs"]
    if "options" in words:  # those of `Optimizer`, for which its docstring stands
        words.remove("options")
        arguments = [a for a in arguments if a in words or a not in inspect.signature(Optimizer).parameters]
    assert sorted(words) == sorted(arguments)


def test_the_typed_options_are_those_of_the_constructor():
    """Editors complete `Adam(` from `Unpack[Options]`; at run time the signature is built from `Optimizer`."""
    parameters = inspect.signature(Optimizer.__init__).parameters
    own = {"self", "learning_rate", "kwargs"}
    hints = typing.get_type_hints(Optimizer.__init__)
    assert typing.get_type_hints(Options) == {name: hints[name] for name in parameters if name not in own}
    assert Options.__annotations__.keys() - OptionsButDecay.__annotations__.keys() == {"weight_decay"}


@pytest.mark.parametrize("cls", [c for c in OPTIMIZERS if c.__init__ is not Optimizer.__init__], ids=by_name)
def test_constructors_with_options_are_typed(cls):
    init = inspect.unwrap(cls.__init__)
    rest = [p for p in inspect.signature(init).parameters.values() if p.kind is p.VAR_KEYWORD]
    if init is not cls.__init__:  # decorated by `with_options`
        assert [p.annotation for p in rest] in (["Unpack[Options]"], ["Unpack[OptionsButDecay]"])


def test_the_namespace_lists_public_names_only():
    assert [n for n in dir(ours) if not n.startswith("__")] == sorted(ours.__all__)
