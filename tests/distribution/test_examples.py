"""The worked examples parse, and say what their schedulers need."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "distributed"


@pytest.mark.parametrize("name", ["train.py", "ray_train.py"])
def test_scripts_compile(name):
    ast.parse((FOLDER / name).read_text())


def test_slurm_script():
    script = FOLDER / "slurm.sh"
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    lines = [line.removeprefix("#SBATCH ") for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    options = dict(line.split("=") for line in lines if "=" in line)
    assert options["--ntasks-per-node"] == options["--gpus-per-node"]


def test_jobset():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((FOLDER / "jobset.yaml").read_text())
    worker = job["spec"]["replicatedJobs"][0]["template"]["spec"]
    env = {e["name"]: e.get("value") for e in worker["template"]["spec"]["containers"][0]["env"]}
    assert worker["parallelism"] == worker["completions"] == int(env["KERAS_DISTRIBUTION_NUM_PROCESSES"])
    assert env["KERAS_DISTRIBUTION_JOB_ADDRESSES"].startswith(f"{job['metadata']['name']}-worker-0-0.")


@pytest.mark.exhaustive
def test_ray_trains_on_two_workers():
    pytest.importorskip("ray")
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(FOLDER.parents[1])}
    command = [sys.executable, FOLDER / "ray_train.py", "2"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 and "'processes': 2" in done.stdout + done.stderr, done.stdout + done.stderr
