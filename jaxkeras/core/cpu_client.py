"""Settings of the process for programs on the CPU, made before JAX creates its CPU client."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

import jax

_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 64  # what glibc allows on 8 processors


@functools.cache
def glibc() -> Any:
    """The C library if it is glibc, else None."""
    libc = ctypes.CDLL(None) if os.name == "posix" else None
    return libc if hasattr(libc, "malloc_trim") else None


def set_defaults() -> None:
    """Let the thread that calls a program run it, and allow threads an arena of memory each.

    By default JAX hands programs to two threads of its CPU client, each of which allocates their temporaries anew: see
    `training.memory`. Has no effect once the client exists. The environment variables of JAX and glibc are respected.
    """
    if "JAX_CPU_ENABLE_ASYNC_DISPATCH" not in os.environ:
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    if (libc := glibc()) is not None and "MALLOC_ARENA_MAX" not in os.environ:
        libc.mallopt(_M_ARENA_MAX, max(_ARENAS, 8 * (os.cpu_count() or 1)))


set_defaults()
