"""The command line: every command on real data, exit codes, JSON, and what is left behind."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.cli.main import COMMANDS, main

MODEL = """
import jaxkeras as jk
from jaxkeras import layers

def build(classes, input_shape):
    return jk.Sequential([jk.Input(input_shape), layers.Dense(16, "relu"), layers.Dense(classes, "softmax")])

def build_images(classes):
    return jk.Sequential([jk.Input((8, 8, 1)), layers.Flatten(), layers.Dense(classes)])

def broken():
    return 3
"""


def command(*arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", "jaxkeras", *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


def write_table(path, rows, seed):
    rng = np.random.default_rng(seed)
    names = ["low", "mid", "high"]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "kind"])
        for _ in range(rows):
            i = int(rng.integers(3))
            writer.writerow([*(rng.normal(size=2) * 0.3 + 3 * i), names[i]])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a model that a process trained."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "my_model.py").write_text(MODEL)
    write_table(folder / "train.csv", 240, 0)
    write_table(folder / "test.csv", 60, 1)
    done = command("train", "my_model.py:build", "train.csv", "--epochs", "20", "--learning-rate", "0.03", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "val_accuracy" in done.stdout
    return folder


def run(capsys, *arguments):
    code = main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out.strip().startswith("{") else out, err


def test_train_leaves_model_curves_and_report(trained):
    assert {p.name for p in (trained / "run").iterdir()} == {"model.keras", "history.csv", "curves.png", "report.json"}
    report = json.loads((trained / "run/report.json").read_text())
    assert report["classes"] == ["high", "low", "mid"] and report["epochs"] == 20
    assert report["last"]["val_accuracy"] > 0.9
    rows = list(csv.DictReader(open(trained / "run/history.csv")))
    assert len(rows) == 20 and float(rows[-1]["loss"]) == pytest.approx(report["last"]["loss"])


def test_evaluate(trained, capsys):
    code, results, _ = run(capsys, "evaluate", trained / "run/model.keras", trained / "test.csv", "--target", "kind")
    assert code == 0 and results["accuracy"] > 0.9


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".npz"])
def test_predict(trained, capsys, tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.array([[0.0, 0.0], [3.0, 3.0], [6.0, 6.0]], "float32"))
    code, results, _ = run(capsys, "predict", trained / "run/model.keras", inputs, "--output", path, "--classes")
    assert code == 0 and results["rows"] == 3
    if suffix == ".csv":
        assert path.read_text().split() == ["class", "low", "mid", "high"]
    else:
        read = np.load(path)
        assert list(read if suffix == ".npy" else read["output"]) == [1, 2, 0]


def test_inspect(trained, capsys):
    code, values, _ = run(capsys, "inspect", trained / "run/model.keras")
    assert code == 0 and values["parameters"] == 2 * 16 + 16 + 16 * 3 + 3
    assert [layer["class"] for layer in values["layers"]] == ["Dense", "Dense"]
    weights = trained / "some.weights.h5"
    jk.models.load_model(trained / "run/model.keras").save_weights(weights)
    code, values, _ = run(capsys, "inspect", weights)
    assert code == 0 and [2, 16] in [w["shape"] for w in values["weights"]]


def test_bench(trained, capsys):
    code, values, _ = run(capsys, "bench", trained / "run/model.keras", "--steps", "4", "--rounds", "2")
    assert code == 0 and 0 < values["step_ms"] <= values["step_ms_median"] and values["predict_rows_per_second"] > 0


def test_info(capsys):
    code, values, _ = run(capsys, "info")
    assert code == 0 and values["jaxkeras"] == jk.__version__ and values["packages"]["jax"] and values["devices"]


def test_doctor_finds_nothing_and_finds_a_fault(capsys, monkeypatch):
    code, values, _ = run(capsys, "doctor")
    assert code == 0 and values["failed"] == [] and values["checks"]["training"]["status"] == "ok"
    from jaxkeras.cli import doctor

    monkeypatch.setattr(doctor, "installed", lambda name: None if name == "optax" else "1.2.3")
    monkeypatch.setattr(doctor, "CHECKS", {"packages": doctor.required_packages})
    assert main(["doctor"]) == 1
    assert "-> pip install optax" in capsys.readouterr().out


def test_train_on_a_folder_of_images(tmp_path, capsys):
    (x, y), _ = jk.datasets.digits.load_data()
    for label in (0, 1):
        folder = tmp_path / "images" / f"digit_{label}"
        folder.mkdir(parents=True)
        for i, image in enumerate(x[y == label][:20]):
            jk.utils.save_img(folder / f"{i}.png", np.repeat(image[..., None] * 15.9, 1, -1), scale=False)
    (tmp_path / "image_model.py").write_text(MODEL)
    code, values, err = run(
        capsys, "train", f"{tmp_path}/image_model.py:build_images", tmp_path / "images", "--image-size", 8, 8,
        "--grayscale", "--epochs", 2, "--output", tmp_path / "run",
    )  # fmt: skip
    assert code == 0, err
    assert values["classes"] == ["digit_0", "digit_1"] and values["epochs"] == 2 and "val_loss" in values["last"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["train", "nothing.keras", "train.csv"], "does not exist"),
        (["train", "my_model.py:absent", "train.csv"], "has no 'absent'"),
        (["train", "my_model.py:broken", "train.csv"], "returned int, not a Model"),
        (["train", "my_model.py", "train.csv"], "neither a .keras file"),
        (["train", "my_model.py:build", "train.csv", "--target", "colour"], "has no column 'colour'"),
        (["train", "my_model.py:build", "train.csv", "--target", "a"], "columns 'kind' are not numbers"),
        (["train", "my_model.py:build", "absent.csv"], "absent.csv does not exist"),
        (["train", "my_model.py:build", "train.csv", "--epochs", "0"], "must be positive"),
        (["evaluate", "run/model.keras", "my_model.py"], "expected .csv"),
        (["predict", "run/model.keras", "test.csv", "--output", "x.doc"], "must end in .csv"),
        (["completion", "fish"], "there is no script for 'fish'"),
    ],
)
def test_mistakes_exit_with_2_and_say_what_is_wrong(trained, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(trained)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert words in err and out == "" and "Traceback" not in err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS) and "exit status" in text
    with pytest.raises(SystemExit) as stopped:
        main(["train"])
    assert stopped.value.code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(capsys, shell):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "evaluate" in script and "--batch-size" in script
