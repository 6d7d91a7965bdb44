"""The worked examples parse, and say what their schedulers need."""

import ast
import pathlib
import subprocess

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
