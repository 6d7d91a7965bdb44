"""Settings for the whole suite: the reference Keras runs on NumPy, and no test uses the network."""

import ctypes
import gc
import os
import sys
from importlib.metadata import version

os.environ["KERAS_BACKEND"] = "numpy"  # cheap forward passes; overrides the shell's choice
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The suite compiles thousands of tiny programs and runs each a few times, so compile time dominates.
FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if version("jaxlib").startswith("0.10."):  # a third faster; XLA aborts on unknown flags
    FLAGS += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", FLAGS)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["JAXKERAS_PROGRAM_CACHE"] = "0"  # tests that count compilations must not share programs

import jax  # noqa: E402
import pytest  # noqa: E402


def pytest_collection_finish():
    """Exempt imported modules from garbage collection, since they stay alive."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def fresh_names():
    """Reset automatic names and seeds before every test."""
    from jaxkeras.core import names, seeds

    names.reset_uids()
    seeds.set_random_seed(0)
    yield


PROGRAMS_KEPT = 300  # more take a gigabyte
_released_at = 0


@pytest.fixture(autouse=True)
def release_programs():
    """Free compiled programs periodically: JAX keeps them all, several gigabytes by the end of the suite."""
    yield
    global _released_at
    from tests import compilations

    if compilations.total() - _released_at > PROGRAMS_KEPT:
        _released_at = compilations.total()
        jax.clear_caches()
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)  # otherwise glibc keeps freed pages


@pytest.fixture(autouse=True, scope="module")
def empty_module_caches(request):
    """Clear the `functools.cache`s of a test module, which may hold compiled models."""
    yield
    for value in vars(request.module).values():
        if hasattr(value, "cache_clear") and value.__module__ == request.module.__name__:
            value.cache_clear()
