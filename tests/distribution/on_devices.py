"""Runs a program with several CPU devices: their number is decided before JAX starts, so in a process of its own."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def start(program, *args, devices=8, **env):
    """Start a module of this folder with a number of CPU devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environ = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-m", f"tests.distribution.{program}", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(program, *args, devices=8, timeout=900, **env):
    """Run a module of this folder with a number of CPU devices; returns what it prints.

    Raises:
        AssertionError: if it fails, with its output.
        subprocess.TimeoutExpired: if it hangs; it is ended then.
    """
    process = start(program, *args, devices=devices, **env)
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == 0, output
    return output
