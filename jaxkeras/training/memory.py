"""How much memory a device has left, how much a compiled program needs, and what the compiler leaves behind."""

from __future__ import annotations

import concurrent.futures
import functools
import math
import os
import re
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxkeras.core.cpu_client import glibc

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
_HEAP_BYTES = 2**26  # a heap of a thread in glibc, which holds no larger allocation
_BLOCK_BYTES = 60 * 2**20  # of temporaries in one allocation
_LARGEST_ARRAY = 52 * 2**20  # in the program as it is lowered; XLA may pad it
_KEPT_BYTES = 2**25  # glibc by itself keeps allocations up to this size
_ARRAY_TYPE = re.compile(r"tensor<((?:\d+x)+)[a-z]+(\d+)>")
_UNLIMITED = 2**60  # control groups without a limit report a number as large as this


def program_bytes(compiled: Any) -> int:
    """The memory that a compiled program occupies while it runs, arguments and results included.

    Args:
        compiled: what `jax.jit(f).lower(...).compile()` returns.

    Raises:
        NotImplementedError: on a platform whose compiler does not tell.
    """
    stats = compiled.memory_analysis()
    if stats is None:
        raise NotImplementedError(f"The compiler for {jax.default_backend()!r} does not report memory.")
    # `peak_memory_in_bytes` leaves out temporaries on the CPU.
    return (
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        - stats.alias_size_in_bytes
        + stats.temp_size_in_bytes
        + stats.generated_code_size_in_bytes
    )


def free_bytes() -> float:
    """Free memory of the first device: that of the host, within the limit of the control group, where the device is a
    CPU. Infinity if nothing tells."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    return _host_bytes_at(int(time.monotonic()))


def return_freed_memory() -> None:
    """Give memory that this process has freed back to the operating system.

    XLA:CPU frees hundreds of megabytes when it has compiled a large program, and glibc keeps them for the process.
    """
    if (libc := glibc()) is not None:
        libc.malloc_trim(0)


def compiler_options(text: str) -> dict[str, Any]:
    """Options to compile a program for one CPU with: its temporaries in allocations that the C library can keep.

    Without them XLA:CPU makes one allocation of all temporaries, which glibc maps anew at each run if it has more than
    64 MB.

    Args:
        text: the lowered program.
    """
    sizes = (math.prod(map(int, shape[:-1].split("x"))) * int(bits) for shape, bits in set(_ARRAY_TYPE.findall(text)))
    fits = max(sizes, default=0) <= 8 * _LARGEST_ARRAY  # XLA warns of larger ones than the limit
    return {"xla_multiheap_size_constraint_per_heap": _BLOCK_BYTES} if fits else {}


def keep_temporaries(compiled: Any) -> Any:
    """A program for one CPU that finds its temporaries where the run before left them.

    glibc maps an allocation of more than 32 MB anew each time, so a program with more temporaries than that starts with
    page faults on all of them: a quarter to a half of the time of a training step with a large batch. It keeps
    allocations of up to 64 MB, if it is told to, in heaps of their own, if the thread allocates little else: so one
    thread runs all these programs. What they left is given back when a program is dropped.

    Args:
        compiled: what `jax.jit(f).lower(...).compile()` returns.

    Returns:
        The program, or one that does the same on another thread. It is the same where the environment variable
        `MALLOC_MMAP_THRESHOLD_` is set.
    """
    stats = compiled.memory_analysis()
    if stats is None or glibc() is None or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return compiled
    return _OnOneThread(compiled) if stats.temp_size_in_bytes > _KEPT_BYTES else compiled


class _OnOneThread:
    """A compiled program, run by the one thread whose heaps keep temporaries."""

    def __init__(self, compiled: Any):
        self._compiled = compiled
        weakref.finalize(self, return_freed_memory).atexit = False

    def __call__(self, *args: Any) -> Any:
        if not _running.acquire(blocking=False):  # for a callback of the program that runs, or for another thread
            return self._compiled(*args)
        try:
            return _thread().submit(_run, self._compiled, args).result()
        finally:
            _running.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)


_running = threading.Lock()


@functools.cache
def _thread() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="jaxkeras-run")


def _run(compiled: Any, args: tuple[Any, ...]) -> Any:
    # The client runs a program whose arguments are not there yet on threads of its own.
    args = jax.block_until_ready(jax.tree.map(lambda x: jax.device_put(x) if isinstance(x, np.ndarray) else x, args))
    output = compiled(*args)
    # Else a client made before `core.cpu_client` was imported runs it, on threads each of which would keep as much.
    if all(array.is_ready() for array in jax.tree.leaves(output)):
        _keep_blocks()
    return output


@functools.cache
def _keep_blocks() -> None:
    libc = glibc()
    libc.mallopt(_M_MMAP_THRESHOLD, _HEAP_BYTES)
    libc.mallopt(_M_TRIM_THRESHOLD, 2 * _HEAP_BYTES)  # the same factor as in glibc
    libc.mallopt(_M_TOP_PAD, _HEAP_BYTES)  # else it unmaps heaps in which nothing is left


def least_free_bytes() -> float:
    """The same of the process that has least. All processes call this together, and decide alike."""
    if jax.process_count() == 1:
        return free_bytes()
    from jax.experimental import multihost_utils

    return float(np.min(multihost_utils.process_allgather(np.float32(free_bytes()))))


@functools.lru_cache(maxsize=1)  # reading it takes as long as a short `fit`
def _host_bytes_at(second: int) -> float:
    return min(_meminfo(), *(_cgroup(*names) for names in _CGROUP_FILES))


def _meminfo(path: str = "/proc/meminfo") -> float:
    try:
        with open(path) as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return float("inf")


# Limit, usage, statistics, and the name there of what the kernel gives back when memory is short: version 2, 1.
_CGROUP_FILES = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def _cgroup(folder: str, limit: str, usage: str, reclaimable: str) -> float:
    """What a control group leaves to its processes."""
    try:
        allowed = int(Path(folder, limit).read_text())
        used = int(Path(folder, usage).read_text())
        statistics = Path(folder, "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # no such file, or the word "max"
        return float("inf")
    cached = next((int(line.split()[1]) for line in statistics if line.startswith(f"{reclaimable} ")), 0)
    return float("inf") if allowed >= _UNLIMITED else max(0, allowed - used + cached)
