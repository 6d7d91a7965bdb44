"""Memory of the process."""

import ctypes
import platform
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxkeras.training.memory import keep_temporaries, return_freed_memory

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's malloc")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@glibc_only
def test_freed_memory_is_returned():
    libc, size = ctypes.CDLL(None), 64 << 10
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    blocks = [ctypes.memset(libc.malloc(size), 1, size) for _ in range(1000)]
    for block in blocks[:-1]:  # the last one holds the end of the heap
        libc.free(block)
    before = _resident()
    return_freed_memory()
    assert _resident() < before - 500 * size
    libc.free(blocks[-1])


@glibc_only
def test_temporaries_of_a_program_are_mapped_once():
    libc, size = ctypes.CDLL(None), 60 << 20
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

    def faults_of_a_run() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        libc.free(ctypes.memset(libc.malloc(size), 1, size))
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    stats = SimpleNamespace(temp_size_in_bytes=size)
    keep_temporaries(SimpleNamespace(memory_analysis=lambda: stats))
    first, second = faults_of_a_run(), faults_of_a_run()
    assert second < size // resource.getpagesize() // 100, (first, second)
