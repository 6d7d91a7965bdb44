"""Several processes over loopback."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.distribution.models import difference

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = pathlib.Path(__file__).parent
pytestmark = pytest.mark.exhaustive


def launched(count, script, *args, devices=2, timeout=200):
    command = [sys.executable, SCRIPTS / script, *args]
    if count > 1:
        launch = ["-m", "jaxkeras.distribution.launch", "--processes", count, "--devices", devices]
        command = [sys.executable, *launch, *command[1:]]
    return subprocess.run(
        [*map(str, command)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=timeout,
    )  # fmt: skip


def succeeds(*args, **how):
    done = launched(*args, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def numbers(folder):
    with np.load(folder / "numbers.npz") as file:
        return [file[name] for name in file.files]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The numbers of one process."""
    folder = tmp_path_factory.mktemp("one")
    succeeds(1, "processes.py", "data", folder)
    return numbers(folder)


@pytest.mark.parametrize(("count", "devices"), [(2, 2), (4, 1)])
def test_six_models_give_the_numbers_of_one_device(count, devices):
    assert succeeds(count, "same_numbers.py", devices=devices, timeout=500).count("same") == 18


def test_data_of_all_kinds():
    assert succeeds(2, "own_rows.py").count("ok") == 2


def test_processes_that_disagree_are_told_what_differs():
    assert succeeds(3, "disagree.py", devices=1).count("ok") == 3


def test_values_that_are_not_finite_are_found():
    assert "row 37" in succeeds(2, "faulty.py")


@pytest.mark.parametrize("way", ["data", "fsdp"])
def test_files_and_checkpoints(way, one, tmp_path):
    import jaxkeras as jk

    succeeds(2, "processes.py", way, tmp_path)
    many = numbers(tmp_path)
    assert difference(one, many) < 1e-6
    assert sorted(p.name for p in tmp_path.glob("log*")) == ["log0.csv"]
    for name in ("model.keras", "orbax"):
        assert jk.models.load_model(tmp_path / name).built
    np.testing.assert_array_equal(jk.models.load_model(tmp_path / "model.keras").get_weights()[0], many[0])


def test_a_lost_process_ends_the_others_and_a_restart_goes_on(one, tmp_path):
    since = time.monotonic()
    lost = launched(2, "processes.py", "fsdp", tmp_path, "die")
    assert lost.returncode == 7 and "Process 1 ended with exit status 7" in lost.stderr, lost.stdout + lost.stderr
    assert time.monotonic() - since < 60
    for count, devices in ((2, 2), (4, 1), (1, 1)):
        folder = tmp_path.with_name(f"{tmp_path.name}-{count}")
        shutil.copytree(tmp_path, folder)
        succeeds(count, "processes.py", "fsdp", folder, devices=devices)
        assert difference(one, numbers(folder)) < 1e-6


@pytest.mark.parametrize("killed", [0, 1])
def test_without_a_launcher_a_killed_process_ends_the_others(killed, one, tmp_path):
    def start(*args):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        places = {"JOB_ADDRESSES": f"127.0.0.1:{port}", "NUM_PROCESSES": "2"}
        env = {**os.environ, "PYTHONPATH": str(ROOT), **{f"KERAS_DISTRIBUTION_{k}": v for k, v in places.items()}}
        command = [sys.executable, SCRIPTS / "processes.py", "fsdp", tmp_path, *args]
        return [
            subprocess.Popen(
                command, cwd=ROOT, env={**env, "KERAS_DISTRIBUTION_PROCESS_ID": str(i)}, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
            )
            for i in range(2)
        ]  # fmt: skip

    processes = start(f"kill {killed}")
    assert processes[killed].wait(100) == -9
    since = time.monotonic()
    output, _ = processes[1 - killed].communicate(timeout=100)
    assert time.monotonic() - since < 60
    message = "the leader (usually slice 0 task 0)" if killed == 0 else "Task 1 heartbeat timeout"
    assert processes[1 - killed].returncode and message in output, output
    for process in start():
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0, output
    assert difference(one, numbers(tmp_path)) < 1e-6
