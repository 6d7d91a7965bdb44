"""Memory of the process."""

import ctypes
import platform
import resource
from pathlib import Path

import pytest

from jaxkeras.training.memory import return_freed_memory


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory")
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
