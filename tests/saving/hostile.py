"""Helpers for tests of untrusted files: valid files, modified copies, and a check that a file is rejected."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import zipfile

import numpy as np

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras import registry
from jaxkeras.registry import ConfigError
from jaxkeras.saving import load_model


def honest_files(folder):
    """A compiled model, saved in all formats and loaded once so that all imports have happened."""
    x = L.Input((3,), name="x")
    model = jk.Model(x, L.Dense(2, name="d")(x))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)
    for ending in ("keras", "h5"):
        model.save(folder / f"m.{ending}")
        load_model(folder / f"m.{ending}")
    model.save_weights(folder / "m.weights.h5")
    model.load_weights(folder / "m.weights.h5")
    return model


def rewritten(source, target, change=None, extra=(), replace=None):
    """A copy of a `.keras` file with a changed config or changed members."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json" and change is not None:
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, (replace or {}).get(name, data))
        for name, data in extra:
            new.writestr(name, data)
    return target


_watching: list[list] = []
_FORBIDDEN = ("import", "exec", "compile", "marshal.loads", "pickle.find_class", "os.system", "subprocess.Popen",
              "os.exec", "os.posix_spawn", "os.fork", "ctypes.dlopen", "shutil.rmtree")  # fmt: skip


def _hook(event, arguments):
    if _watching and (event in _FORBIDDEN or event.startswith("socket.") or event == "open"):
        _watching[-1].append((event, str(arguments[0]) if arguments else ""))


@functools.cache  # audit hooks cannot be removed
def _prepare():
    """Import the library's lazy modules, so that their imports are not reported."""
    for kind in registry.BUILT_IN_KINDS:
        registry.registered(kind)
    for name in jk.ops.__all__:
        getattr(jk.ops, name)
    sys.addaudithook(_hook)


@contextlib.contextmanager
def nothing_happens(*allowed):
    """Assert that nothing is imported or executed, no process or socket made, and only `allowed` files are opened."""
    _prepare()
    events: list = []
    modules = set(sys.modules)
    _watching.append(events)
    try:
        yield
    finally:
        _watching.pop()
    more = [e for e in events if not (e[0] == "open" and any(str(a) in e[1] for a in allowed))]
    assert not more, more
    assert set(sys.modules) == modules, set(sys.modules) ^ modules


def refused(path, load=load_model):
    """Assert that loading raises a short ValueError or ConfigError without side effects; return its message."""
    __tracebackhide__ = True
    caught = None
    with nothing_happens(path):
        try:
            load(path)
        except Exception as error:
            caught = error
    assert type(caught) in (ValueError, ConfigError), repr(caught)
    assert 20 < len(str(caught)) < 500
    return str(caught)
