"""Files and checkpoints of several processes, on other numbers of them, and after one was lost."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.distribution.launched import ROOT, SCRIPTS, launched, succeeds
from tests.distribution.models import difference

pytestmark = pytest.mark.exhaustive


def numbers(folder):
    with np.load(folder / "numbers.npz") as file:
        return [file[name] for name in file.files]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The numbers of one process."""
    folder = tmp_path_factory.mktemp("one")
    succeeds(1, "processes.py", "data", folder)
    return numbers(folder)


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


@pytest.mark.parametrize(("wrote", "readers"), [(2, (4, 1)), (4, (2, 1))])
def test_checkpoints_are_read_by_another_number_of_processes(wrote, readers, tmp_path):
    succeeds(wrote, "checkpoints.py", tmp_path, "write", devices=4 // wrote)
    for read in readers:
        assert "same" in succeeds(read, "checkpoints.py", tmp_path, "read", devices=4 // read)


def test_checkpoints_without_digests_are_read_unchecked(tmp_path):
    succeeds(2, "checkpoints.py", tmp_path, "write")
    listed = next(tmp_path.glob("orbax/*/_CHECKPOINT_METADATA"))
    contents = json.loads(listed.read_text())
    del contents["item_handlers"]["written"]
    listed.write_text(json.dumps(contents))
    shutil.rmtree(listed.parent / "written")
    for read in (2, 1):
        assert "same" in succeeds(read, "checkpoints.py", tmp_path, "read")
