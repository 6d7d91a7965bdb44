"""What a type checker tells a user of the library: misspelt attributes and keywords are errors, right ones are not."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import jaxkeras as jk
from tests.contract.computed import ROWS, fill

ROOT = pathlib.Path(jk.__file__).parents[1]

REPORTED = {
    "jk.layers.Dense(1).unitz": "unitz",
    "jk.layers.Conv2D(4, 3).kernal": "kernal",
    "jk.layers.LSTM(4).unit": "unit",
    "jk.Sequential().optimiser": "optimiser",
    "jk.ops.softmax([1.0], axes=-1)": "axes",
    "jk.losses.categorical_crossentropy([1.0], [1.0], logits=True)": "logits",
    "jk.metrics.binary_accuracy([1.0], [1.0], limit=0.5)": "limit",
    "jk.optimizers.Adam(learning_rat=0.1)": "learning_rat",
    "jk.optimizers.SGD(ema=True)": "ema",
    "jk.layers.Bidirectional(jk.layers.Dense(1))": "Dense",
}
ACCEPTED = [
    "jk.layers.Dense(1).units + 1",
    "jk.layers.Dense(1).kernel.shape",
    "jk.layers.Conv2D(4, 3).kernel.assign(0)",
    "jk.layers.LSTM(4).units + 1",
    "jk.Sequential([jk.layers.Dense(1)]).layers[0].units",
    "jk.Sequential([jk.layers.Dense(1)]).get_layer('dense').kernel",
    "jk.layers.TimeDistributed(jk.layers.Dense(1)).layer.units",
    "jk.layers.Bidirectional(jk.layers.LSTM(4)).forward_layer.units",
    "jk.ops.softmax([1.0], axis=-1)",
    "jk.losses.categorical_crossentropy([1.0], [1.0], from_logits=True)",
    "jk.metrics.binary_accuracy([1.0], [1.0], threshold=0.5)",
    "jk.optimizers.Adam(learning_rate=0.1, use_ema=True)",
]


def errors(folder, lines):
    """The messages of pyright for a file of these lines: `{line: messages}`."""
    file = folder / "snippet.py"
    file.write_text("\n".join(lines))
    # From a folder of its own, pyright sees the library as an installed one.
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", str(file)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    found = {}
    for problem in json.loads(done.stdout)["generalDiagnostics"]:
        if problem["severity"] == "error":
            found.setdefault(lines[problem["range"]["start"]["line"]].strip(), []).append(problem["message"])
    return found


def test_misspelt_attributes_and_keywords_are_reported(tmp_path):
    found = errors(tmp_path, ["import jaxkeras as jk", *REPORTED, *ACCEPTED])
    assert found.keys() == REPORTED.keys()
    for line, name in REPORTED.items():
        assert f'"{name}"' in " ".join(found[line])


@pytest.mark.exhaustive
def test_every_attribute_of_a_built_layer_is_declared(tmp_path):
    lines = []
    for i, (cls, names) in enumerate(attributes().items()):
        lines += [f"from {cls.__module__} import {cls.__qualname__} as C{i}", f"def f{i}(x: C{i}):"]
        lines += [f"    x.{name}  # {cls.__name__}" for name in sorted(names)]
    assert errors(tmp_path, lines) == {}


def attributes():
    """The public attributes of the built layers of the table and of their parts, `{class: names}`."""
    found = {}
    for row in ROWS:
        layer = row.make()
        if not row.host:
            layer(*fill(row, lambda shape, row=row: jk.KerasTensor((2, *shape[1:]), row.dtype)), **row.call_kwargs)
        for part in layer._flatten_layers():
            if type(part).__module__.startswith("jaxkeras."):
                names = {name for name in [*vars(part), *dir(type(part))] if not name.startswith("_")}
                found.setdefault(type(part), set()).update(names)
    return found
