"""Train the models with the installed Keras on its JAX backend and print their histories as JSON.

`python tests/parity/keras_curves.py` writes all of them to `curves.json`; given names, it prints those.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

if __name__ == "__main__":
    import keras

    from tests.parity.models import MODELS, curves

    names = sys.argv[1:]
    found = {name: curves(keras, name) for name in names or MODELS}
    if names:
        print(json.dumps(found))
    else:
        text = json.dumps({"keras": keras.__version__, "curves": found}, indent=1)
        pathlib.Path(__file__).with_name("curves.json").write_text(text + "\n")
