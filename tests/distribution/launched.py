"""Runs a script of this folder in several processes over loopback."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = pathlib.Path(__file__).parent


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
