"""Functions compiled ahead of their first run: on a thread of their own if wanted, and kept between processes."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax

from jaxkeras.core import program_cache
from jaxkeras.core.jax_config import settings
from jaxkeras.core.signature import signature

MIN_COMPILE_SECONDS = 0.03  # what is compiled faster than it is read from disk is not worth keeping


class Executable:
    """A pure function over pytrees of arrays, compiled once for every signature of its arguments.

    It is `jax.jit` but for three things: `prepare` compiles while the caller goes on, what was compiled is kept on disk
    for the next process, and `count` tells how many programs there are.

    Args:
        function: pure; its static arguments are keyword-only.
        donate: positions of arguments whose buffers the program may reuse.
        static: names of static arguments.
    """

    def __init__(self, function: Callable[..., Any], donate: tuple[int, ...] = (), static: tuple[str, ...] = ()):
        self._jit = jax.jit(function, donate_argnums=donate, static_argnames=static)
        self._made: dict[Any, concurrent.futures.Future[Any]] = {}
        self._last: dict[Any, Any] = {}

    def __call__(self, *args: Any, **static: Any) -> Any:
        if settings.jax_debug_nans or settings.jax_debug_infs or settings.jax_disable_jit:
            return self._jit(*args, **static)  # these look into the function
        setting = _setting(static)
        last = self._last.get(setting)
        if last is not None:
            try:
                return last(*args)
            except (TypeError, ValueError):  # other shapes, types or devices: nothing has run or was donated
                if self._find(setting, args) is last:
                    raise
        program = self._find(setting, args)
        if program is None:
            program = self.prepare(*args, **static).result()
        self._last[setting] = program
        return program(*args)

    def prepare(self, *args: Any, **static: Any) -> concurrent.futures.Future[Any]:
        """Trace now and compile on another thread, unless that was done before.

        Args:
            *args: arrays, or `jax.ShapeDtypeStruct`s in their place.
            **static: static arguments.

        Returns:
            A future of the program.
        """
        key = _setting(static), signature(args)
        if key not in self._made:
            lowered = self._jit.lower(*args, **static)
            self._made[key] = _pool().submit(_compile, lowered)
        return self._made[key]

    @property
    def count(self) -> int:
        """How many programs it has compiled."""
        return len(self._made)

    def _find(self, setting: Any, args: Any) -> Any:
        future = self._made.get((setting, signature(args)))
        return None if future is None else future.result()


def _setting(static: dict[str, Any]) -> Any:
    """What changes a program besides its arguments."""
    return (*static.items(), settings.jax_enable_x64, settings.jax_default_matmul_precision)


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="jaxkeras-compile")


def _compile(lowered: Any) -> Any:
    from jax.experimental import serialize_executable

    key = _key(lowered)
    if key is None:
        return lowered.compile()
    kept = program_cache.load(key)
    if kept is not None:
        try:
            return serialize_executable.deserialize_and_load(kept, lowered.in_tree, lowered.out_tree)
        except Exception:  # made by another build of the compiler, or for another machine: as good as absent
            program_cache.discard(key)
    compiled, seconds = _timed(lowered.compile)
    if seconds >= MIN_COMPILE_SECONDS:
        try:
            content, _, _ = serialize_executable.serialize(compiled)
        except (ValueError, TypeError, RuntimeError):  # a backend that cannot write its programs
            return compiled
        program_cache.store(key, content)
    return compiled


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    import time

    since = time.perf_counter()
    result = function()
    return result, time.perf_counter() - since


def _key(lowered: Any) -> str | None:
    """A name for a program: the same only for the same operations, compiler, flags and machine. None for one that is
    not to be kept: JAX's own cache is in use, or the program calls back into this process."""
    if settings.jax_compilation_cache_dir or program_cache.program_cache() is None:
        return None
    text = lowered.as_text()
    if "callback" in text:
        return None
    parts = (text, str(lowered.in_tree), str(lowered.out_tree), _machine())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def _machine() -> str:
    import os
    import platform

    import jaxlib.version

    features = ""
    try:
        with open("/proc/cpuinfo") as file:
            features = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    device = jax.devices()[0]
    return "\0".join(
        [
            jax.__version__, jaxlib.version.__version__, device.platform, device.device_kind,
            device.client.platform_version, str(len(jax.devices())), platform.machine(), platform.processor(), features,
            os.environ.get("XLA_FLAGS", ""), os.environ.get("LIBTPU_INIT_ARGS", ""),
        ]
    )  # fmt: skip
