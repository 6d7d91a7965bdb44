"""Several processes over loopback."""

import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.distribution.models import difference

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = pathlib.Path(__file__).with_name("processes.py")
pytestmark = pytest.mark.exhaustive


def launched(count, *args, timeout=200):
    command = [sys.executable, "-m", "jaxkeras.distribution.launch", "--processes", count, "--devices", 2, SCRIPT]
    if count == 1:
        command = [sys.executable, SCRIPT]
    return subprocess.run(
        [*map(str, command), *map(str, args)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


def numbers(folder):
    with np.load(folder / "numbers.npz") as file:
        return [file[name] for name in file.files]


@pytest.mark.parametrize(("count", "way"), [(2, "data"), (2, "fsdp"), (4, "fsdp")])
def test_processes_give_the_numbers_of_one(count, way, tmp_path):
    import jaxkeras as jk

    for name, n in (("one", 1), ("many", count)):
        (tmp_path / name).mkdir()
        done = launched(n, way, tmp_path / name)
        assert done.returncode == 0 and f"ok {n}" in done.stdout, done.stdout + done.stderr
    one, many = numbers(tmp_path / "one"), numbers(tmp_path / "many")
    assert difference(one, many) < 1e-6
    assert sorted(p.name for p in (tmp_path / "many").glob("log*")) == ["log0.csv"]
    loaded = jk.models.load_model(tmp_path / "many" / "model.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], many[0])


def test_a_lost_process_ends_the_others_and_a_restart_goes_on(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    assert launched(2, "fsdp", whole).returncode == 0
    since = time.monotonic()
    lost = launched(2, "fsdp", tmp_path, "die")
    assert lost.returncode == 7 and "Process 1 ended with exit status 7" in lost.stderr, lost.stdout + lost.stderr
    assert time.monotonic() - since < 60
    again = launched(2, "fsdp", tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    for a, b in zip(numbers(whole), numbers(tmp_path), strict=True):
        np.testing.assert_array_equal(a, b)


def test_processes_that_disagree_are_told(tmp_path):
    since = time.monotonic()
    done = launched(2, "data", tmp_path, "disagree")
    assert done.returncode and "disagree" in done.stdout, done.stdout + done.stderr
    assert time.monotonic() - since < 60
