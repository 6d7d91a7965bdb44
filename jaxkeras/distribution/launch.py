"""Run a script in several processes of one machine: `python -m jaxkeras.distribution.launch --processes 4 train.py`.

The script calls `jaxkeras.distribution.initialize()` first. Lines of output begin with the number of their process. If
a process fails, the others are stopped, and the exit status is that of the failed one.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

GRACE_SECONDS = 5.0  # for the other processes, between the request to stop and the kill


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script in several processes.

    Args:
        arguments: those of the command line by default.

    Returns:
        0, or the exit status of the process that failed first.
    """
    parser = argparse.ArgumentParser(prog="python -m jaxkeras.distribution.launch", description=__doc__)
    parser.add_argument("--processes", type=int, required=True, help="how many processes")
    parser.add_argument("--devices", type=int, help="devices of each process: CPU devices, or consecutive GPUs")
    parser.add_argument("--port", type=int, help="port of process 0; a free one by default")
    parser.add_argument("script", help="the script, then its arguments")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if options.processes < 1:
        parser.error("--processes must be at least 1")
    port = options.port or _free_port()
    processes = [
        subprocess.Popen(
            [sys.executable, "-u", options.script, *options.arguments],
            env=_environment(number, options.processes, options.devices, port),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in range(options.processes)
    ]  # fmt: skip
    readers = [threading.Thread(target=_copy, args=(n, p), daemon=True) for n, p in enumerate(processes)]
    for reader in readers:
        reader.start()
    try:
        return _wait(processes)
    finally:
        _stop(processes)
        for reader in readers:
            reader.join(1)


def _environment(number: int, processes: int, devices: int | None, port: int) -> dict[str, str]:
    environment = {
        **os.environ,
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
    }
    if devices is not None:
        environment["JAX_NUM_CPU_DEVICES"] = str(devices)
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(str(number * devices + i) for i in range(devices))
    return environment


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _copy(number: int, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        print(f"[{number}] {line}", end="", flush=True)


def _wait(processes: Sequence[subprocess.Popen[str]]) -> int:
    while True:
        codes = [process.poll() for process in processes]
        failed = [(number, code) for number, code in enumerate(codes) if code]
        if failed:
            number, code = failed[0]
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"
            print(f"Process {number} {how}; the others are stopped.", file=sys.stderr, flush=True)
            return code if code > 0 else 128 - code
        if all(code == 0 for code in codes):
            return 0
        time.sleep(0.05)


def _stop(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    end = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
