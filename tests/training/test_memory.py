"""Memory of the process."""

import ctypes
import platform
import resource
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxkeras.training.memory import compiler_options, keep_temporaries, return_freed_memory

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


class _Program:
    """Stands for a compiled program with large temporaries."""

    def __init__(self, function):
        self.function = function

    def __call__(self):
        self.function()
        return ()

    def memory_analysis(self):
        return SimpleNamespace(temp_size_in_bytes=200 << 20)


@glibc_only
def test_temporaries_of_a_program_are_mapped_once():
    libc, size = ctypes.CDLL(None), 60 << 20
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

    def allocate():
        blocks = [ctypes.memset(libc.malloc(size), 1, size) for _ in range(3)]
        for block in blocks:
            libc.free(block)

    programs = [keep_temporaries(_Program(allocate))]

    def faults_of_a_run() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        programs[0]()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    first, second, third = (faults_of_a_run() for _ in range(3))  # how to allocate is set after the first
    assert third < 3 * size // resource.getpagesize() // 100, (first, second, third)
    before = _resident()
    programs.clear()
    assert _resident() < before - 2 * size


def test_temporaries_are_split_only_if_every_array_fits():
    assert compiler_options("tensor<4x8xf32> tensor<i32> tensor<8x1024x1024xbf16>")
    assert not compiler_options("tensor<4x8xf32> tensor<16x1024x1024xf32>")


@glibc_only
def test_a_program_within_a_program_runs_on_the_thread_that_calls_it():
    threads: list[threading.Thread] = []

    def record():
        threads.append(threading.current_thread())

    inner = keep_temporaries(_Program(record))
    keep_temporaries(_Program(lambda: (record(), inner())))()
    assert threads[0] is threads[1] is not threading.current_thread()
