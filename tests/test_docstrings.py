"""Examples in docstrings run and print the output shown."""

import contextlib
import doctest
import importlib
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras

COMPILING = ("jaxkeras.layers.", "jaxkeras.ops.")  # nearly every example compiles

MODULES = [
    pytest.param(m.name, marks=pytest.mark.exhaustive if m.name.startswith(COMPILING) else ())
    for m in pkgutil.walk_packages(jaxkeras.__path__, "jaxkeras.")
    if m.name != "jaxkeras.as_keras"  # which makes `keras` an alias in the process that imports it
]
# Names in scope in every example.
NAMES = {"jax": jax, "jnp": jnp, "np": np, "jk": jaxkeras, "jaxkeras": jaxkeras}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    for public in dir(module):  # names that load when they are asked for
        with contextlib.suppress(ImportError):
            getattr(module, public)
    result = doctest.testmod(module, extraglobs=NAMES, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
