"""`dir()`, tab completion and `help` of public modules list their public names and none of their imports."""

import importlib
import inspect
import pathlib
import re
import types

import pytest

import jaxkeras

ROOT = pathlib.Path(jaxkeras.__file__).parent


def public_modules(module=jaxkeras):
    """A module and, recursively, every module in its `__all__`."""
    yield module.__name__
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, types.ModuleType):
            yield from public_modules(value) if hasattr(value, "__all__") else [value.__name__]


MODULES = list(public_modules())


def test_all_public_modules_are_checked():
    files = {p.stem for p in ROOT.glob("*.py")} | {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert files & set(jaxkeras.__all__) <= {name.partition(".")[2] for name in MODULES}
    assert {"jaxkeras", "jaxkeras.activations", "jaxkeras.optimizers.schedules", "jaxkeras.datasets.mnist",
            "jaxkeras.applications.vgg16", "jaxkeras.ops.numpy", "jaxkeras.utils.bounding_boxes",
            "jaxkeras.preprocessing.image"} <= {*MODULES}  # fmt: skip
    assert len(MODULES) == len(set(MODULES)) > 50


@pytest.mark.parametrize("name", MODULES)
def test_dir_lists_only_public_names(name):
    module = importlib.import_module(name)
    listed = [n for n in dir(module) if not n.startswith("__")]
    assert listed == sorted(set(module.__all__)) and len(module.__all__) == len(listed) > 0
    assert not [n for n in listed if n.startswith("_")]
    foreign = {n for n in listed if not home(getattr(module, n)).startswith("jaxkeras")}
    assert not foreign, f"{name} lists {foreign}, which it imports for its own use"


def home(value):
    """The module that a public object comes from."""
    if isinstance(value, types.ModuleType):
        return value.__name__
    return value.__module__ if hasattr(value, "__module__") else "jaxkeras"


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented_and_importable(name):
    module = importlib.import_module(name)
    assert module.__doc__
    starred = {}
    exec(f"from {name} import *", starred)
    assert set(module.__all__) <= set(starred)
    values = {n: getattr(module, n) for n in module.__all__}
    assert not [n for n, x in values.items() if (inspect.isroutine(x) or inspect.isclass(x)) and not x.__doc__]


@pytest.mark.parametrize("package", sorted(p.parent.relative_to(ROOT.parent) for p in ROOT.rglob("__init__.pyi")))
def test_stubs_are_sorted_and_unique(package):
    rows = re.findall(r"^from (\S+) import \w+ as (\w+)$", (ROOT.parent / package / "__init__.pyi").read_text(), re.M)
    assert rows and len({name for _, name in rows}) == len(rows)
    assert [home for home, _ in rows] == sorted(home for home, _ in rows)
