"""KerasHub on jaxkeras against KerasHub on Keras: outputs, losses, generated tokens, files.

KerasHub is in no extra of this package: `pip install keras-hub` installs TensorFlow too. These tests run where KerasHub
and what it imports are installed:

    pip install --no-deps keras-hub
    pip install absl-py grain regex rich sentencepiece tokenizers
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.exhaustive
PROGRAM = pathlib.Path(__file__).with_name("hub_program.py")
ROOT = pathlib.Path(__file__).parents[2]
NAMES = ("Bert", "Roberta", "GPT2", "Llama", "Gemma", "Mistral", "Qwen", "ViT", "ResNet")


def _run(prefix, *arguments):
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path}
    subprocess.run([sys.executable, *prefix, str(PROGRAM), *map(str, arguments)], check=True, env=environment)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What the program wrote under Keras and under jaxkeras, each with the files of the other read."""
    pytest.importorskip("keras_hub")
    keras, jaxkeras = tmp_path_factory.mktemp("keras"), tmp_path_factory.mktemp("jaxkeras")
    alias = ("-m", "jaxkeras.as_keras")
    _run((), "write", keras, *NAMES)
    _run(alias, "write", jaxkeras, *NAMES)
    _run(alias, "read", keras, *NAMES)
    _run((), "read", jaxkeras, *NAMES)
    return keras, jaxkeras


def _close(a, b):
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize("name", NAMES)
def test_outputs_losses_and_tokens_equal_those_under_keras(folders, name):
    expected, got = (np.load(folder / f"{name}.npz") for folder in folders)
    assert got.files == expected.files
    for key in expected.files:
        if expected[key].dtype.kind == "f":
            _close(got[key], expected[key])
        else:
            np.testing.assert_array_equal(got[key], expected[key], err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_read_both_ways(folders, name):
    for folder in folders:
        read = np.load(folder / "read.npz")
        for suffix in (".keras", ".weights.h5"):
            _close(read[name + suffix], np.load(folder / f"{name}.npz")["outputs"])
