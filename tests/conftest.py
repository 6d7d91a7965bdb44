"""Settings for the whole suite: the oracle runs on NumPy, and no test reaches the network."""

import gc
import os
from importlib.metadata import version

os.environ["KERAS_BACKEND"] = "numpy"  # cheap forward passes of the oracle, whatever the shell says
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The suite compiles thousands of tiny programs and runs each a few times: quick compilation matters, not quick code.
FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if version("jaxlib").startswith("0.10."):  # a third less time; other versions may not know it, and would abort
    FLAGS += " --xla_cpu_use_fusion_emitters=false"
os.environ.setdefault("XLA_FLAGS", FLAGS)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["JAXKERAS_PROGRAM_CACHE"] = "0"  # what one test compiled must not hide what another does

import pytest  # noqa: E402


def pytest_collection_finish():
    """What was imported stays; the garbage collector need not look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def fresh_names():
    """Automatic names start from the beginning in every test, and seeds are fixed."""
    from jaxkeras.core import names, seeds

    names.reset_uids()
    seeds.set_random_seed(0)
    yield
