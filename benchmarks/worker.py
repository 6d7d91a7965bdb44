"""A process that runs epochs of one workload in one framework on request.

`python -m benchmarks.worker FRAMEWORK TASK DATA WORKLOAD`; `Worker` is the other end of the pipe.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.frameworks import FRAMEWORKS
from benchmarks.workloads import Workload, read_data

ROOT = Path(__file__).resolve().parent.parent
TURNS = ("fit", "evaluate", "predict")  # what the requests of the task "turns" run, one after another


class Stop(Exception):
    """No further epoch is requested."""


class Gate:
    """Called by a training loop before and after each epoch, so that only one process runs at a time."""

    def __init__(self, commands: Any, answers: Any):
        self._commands, self._answers = commands, answers
        self._since = self._cpu_since = 0.0

    def wait(self) -> None:
        """Block until the next epoch may run.

        Raises:
            Stop: if there are no more.
        """
        if self._commands.readline().strip() != "epoch":
            raise Stop
        self._since, self._cpu_since = time.perf_counter(), time.process_time()

    def done(self, **logs: float) -> None:
        """Report the epoch: wall-clock seconds, CPU seconds of all threads, and results as Python numbers."""
        seconds, cpu_seconds = time.perf_counter() - self._since, time.process_time() - self._cpu_since
        answer = {"seconds": seconds, "cpu_seconds": cpu_seconds, **logs}
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()

    def serve(self, *epochs: Callable[[], dict[str, float]]) -> None:
        """Run `epochs` in turn until there are no more requests."""
        for epoch in itertools.cycle(epochs):
            self.wait()
            self.done(**epoch())


def main(framework: str, task: str, data: str, workload: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep library output out of the responses
    gate = Gate(sys.stdin, answers)
    f = FRAMEWORKS[framework]
    module = importlib.import_module(f.module)
    try:
        module.run(task, Workload.loads(workload), read_data(Path(data)), gate, **f.options)
    except Stop:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answers.write(json.dumps({"peak_bytes": peak}) + "\n")
    answers.flush()
    os._exit(0)  # some frameworks take seconds to shut down


class Worker:
    """A running worker process.

    Args:
        framework: a name in `FRAMEWORKS`.
        task: what an "epoch" is; see `benchmarks.comparisons`.
        data: file written by `workloads.write_data`.
        workload: the workload.
        environment: further environment variables.
        root: the checkout to run; this one by default.

    Attributes:
        startup: seconds from the start of the process to the end of its first epoch, None before that.

    Raises:
        RuntimeError: from `epoch`, if the process ends; with the end of its output.
    """

    def __init__(
        self,
        framework: str,
        task: str,
        data: Path,
        workload: Workload,
        environment: dict[str, str] | None = None,
        root: Path = ROOT,
    ):
        self.name = framework if task == "fit" else f"{framework} {task}"
        self._log = data.with_name(f"{os.getpid()}-{framework}-{task}.log")
        command = [sys.executable, "-m", "benchmarks.worker", framework, task, str(data), workload.dumps()]
        env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **FRAMEWORKS[framework].environment, **(environment or {})}
        env["PYTHONPATH"] = str(root)
        self._start = time.perf_counter()
        self.startup: float | None = None
        with open(self._log, "w") as log:
            self._process = subprocess.Popen(
                command, cwd=root, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def _ask(self, command: str) -> dict[str, float]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._process.wait()
            raise RuntimeError(f"{self.name} failed:\n{self._log.read_text()[-3000:]}")
        return json.loads(answer)

    def epoch(self) -> dict[str, float]:
        """Run one epoch; returns `{"seconds": ..., "cpu_seconds": ..., "loss": ...}`."""
        answer = self._ask("epoch")
        if self.startup is None:
            self.startup = time.perf_counter() - self._start
        return answer

    def stop(self) -> dict[str, float]:
        """End the process; returns `{"peak_bytes": ...}`."""
        answer = self._ask("stop")
        self._process.wait()
        return answer

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
