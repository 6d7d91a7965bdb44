"""How much memory a device has left, how much a compiled program needs, and what the compiler leaves behind."""

from __future__ import annotations

import ctypes
import functools
import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_ALIGNMENT = 2**16
_ARENA_BYTES = 2**26  # a heap of a thread in glibc, which holds no larger allocation
_kept_bytes = 2**25  # glibc by itself keeps allocations up to this size
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
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def keep_temporaries(compiled: Any) -> None:
    """Let the C library keep the temporaries of a program on the CPU from one run to the next.

    glibc maps an allocation of more than 32 MB anew each time, so a program with more temporaries than that starts with
    page faults on all of them: a quarter of the processor time of a training step of small convolutional networks. Up
    to 64 MB it can keep them; larger allocations than these temporaries are mapped as before. Does nothing where the
    environment variable `MALLOC_MMAP_THRESHOLD_` is set.

    Args:
        compiled: what `jax.jit(f).lower(...).compile()` returns.
    """
    global _kept_bytes
    libc, stats = _glibc(), compiled.memory_analysis()
    if libc is None or stats is None or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return
    size = stats.temp_size_in_bytes + _ALIGNMENT
    if _kept_bytes < size <= _ARENA_BYTES:
        _kept_bytes = size
        libc.mallopt(_M_MMAP_THRESHOLD, size)
        libc.mallopt(_M_TRIM_THRESHOLD, 2 * size)  # the same factor as in glibc


@functools.cache
def _glibc() -> Any:
    """The C library if it is glibc, else None."""
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    return libc if hasattr(libc, "malloc_trim") else None


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
