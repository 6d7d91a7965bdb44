"""Functions compiled ahead of their first run, on other threads if wanted, and cached between processes."""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxkeras.core import program_cache
from jaxkeras.core.abstract_signature import signature
from jaxkeras.core.context import local
from jaxkeras.core.placement import default_device
from jaxkeras.training.agreement import agree_on_program
from jaxkeras.training.memory import keep_temporaries, return_freed_memory

settings: Any = jax.config  # which declares none of its attributes
LONG_COMPILE_SECONDS = 1.0  # the compiler of a program that takes longer leaves much freed memory behind
MIN_COMPILE_SECONDS = 0.03  # programs that compile faster than they load from disk are not stored


class CompiledFunction:
    """A pure function over pytrees of arrays, compiled once for every signature of its arguments.

    It differs from `jax.jit` in three points: `prepare` compiles in the background, compiled programs are stored on
    disk for the next process, and `count` is the number of programs.

    Args:
        function: pure; its static arguments are keyword-only.
        donate: positions of arguments whose buffers the program may reuse.
        static: names of static arguments.
        out_shardings: those of the results, a prefix of their structure; None to let the compiler choose.
        note: called with the arguments of each program that is about to be compiled, as a tuple and a dict; returns an
            object whose `seconds` and `from_disk` are set when that is done. Or None.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        donate: tuple[int, ...] = (),
        static: tuple[str, ...] = (),
        out_shardings: Any = None,
        note: Callable[[tuple[Any, ...], dict[str, Any]], Any] | None = None,
    ):
        self._note = note
        self._settings: dict[str, Any] = {"donate_argnums": donate, "static_argnames": static}
        if out_shardings is not None:
            self._settings["out_shardings"] = out_shardings
        self._function = function
        self._jits: dict[Any, Any] = {}  # by interceptors, which JAX's cache of traces does not know
        self._made: dict[Any, concurrent.futures.Future[Any]] = {}
        self._last: dict[Any, Any] = {}

    def __call__(self, *args: Any, **static: Any) -> Any:
        if runs_op_by_op():
            # These modes run the function again op by op, on the same arguments.
            return jax.jit(self._function, static_argnames=self._settings["static_argnames"])(*args, **static)
        context = _context(static)
        last = self._last.get(context)
        if last is not None:
            try:
                return last(*args)
            except (TypeError, ValueError):  # other shapes, types or devices: nothing has run or was donated
                if self._find(context, args) is last:
                    raise
        program = self._find(context, args)
        if program is None:
            program = self.prepare(*args, **static).result()
        self._last[context] = program
        return program(*args)

    def bind(self, *args: Any, **static: Any) -> Callable[[], Any]:
        """The call as a function without arguments, for another thread, whose settings then do not matter."""
        if runs_op_by_op():
            output = self(*args, **static)
            return lambda: output
        program = self._find(_context(static), args) or self.prepare(*args, **static).result()
        return lambda: program(*args)

    def prepare(self, *args: Any, **static: Any) -> concurrent.futures.Future[Any]:
        """Trace now and compile on another thread, unless the program exists.

        Args:
            *args: arrays, or `jax.ShapeDtypeStruct`s in their place.
            **static: static arguments.

        Returns:
            A future of the program.
        """
        key = _context(static), signature(args)
        if key not in self._made:
            noted = None if self._note is None else self._note(args, static)
            since = time.perf_counter()
            lowered = self._jit().lower(*args, **static)
            traced = time.perf_counter() - since
            if jax.process_count() > 1:
                agree_on_program(lowered)
            fresh = bool(local.interceptors)
            self._made[key] = _pool().submit(_compile, lowered, _devices(args), noted, traced, fresh)
        return self._made[key]

    def compile(self, *args: Any, **static: Any) -> Any:
        """Compile the program for such arguments to look at, and do not keep it."""
        return _compile(self._jit().lower(*args, **static), _devices(args))

    def take_compiled_under(self, interceptor: Any) -> list[Any]:
        """Remove the programs that were compiled while an interceptor of layer calls was in force, and return them."""
        keys = [key for key in self._made if interceptor in key[0][-1]]
        for context in {key[0] for key in keys}:
            self._last.pop(context, None)
            self._jits.pop(context[-1], None)
        return [self._made.pop(key).result() for key in keys]

    @property
    def count(self) -> int:
        """Number of compiled programs."""
        return len(self._made)

    def _jit(self) -> Any:
        if local.interceptors not in self._jits:
            self._jits[local.interceptors] = jax.jit(traced_anew(self._function), **self._settings)
        return self._jits[local.interceptors]

    def _find(self, context: Any, args: Any) -> Any:
        future = self._made.get((context, signature(args)))
        return None if future is None else future.result()


def runs_op_by_op() -> bool:
    """Whether JAX is in a mode that runs functions op by op, or looks for NaN in what programs return."""
    return settings.jax_debug_nans or settings.jax_debug_infs or settings.jax_disable_jit


def _context(static: dict[str, Any]) -> Any:
    """What a program depends on besides its arguments."""
    return (*static.items(), *trace_context())


def traced_anew(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for `jax.jit`, whose cache of traces knows functions but not interceptors: under these, a new one."""
    return functools.wraps(function)(functools.partial(function)) if local.interceptors else function


class TraceContext(NamedTuple):
    """What a trace depends on besides its arguments: the part of JAX's state that `jax.jit` puts into its own key."""

    x64: bool
    matmul_precision: Any
    dtype_promotion: Any
    prng: Any
    partitionable: bool
    device: Any
    mesh: Any
    interceptors: tuple[Any, ...]


def trace_context() -> TraceContext:
    """What a trace that started now would depend on."""
    return TraceContext(
        settings.jax_enable_x64,
        settings.jax_default_matmul_precision,
        settings.jax_numpy_dtype_promotion,
        settings.jax_default_prng_impl,
        settings.jax_threefry_partitionable,
        settings.jax_default_device,
        jax.sharding.get_abstract_mesh(),
        local.interceptors,
    )


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="jaxkeras-compile")


def _devices(args: Any) -> list[Any]:
    """The devices that a program is for, which its text does not say: those of the arguments placed on some."""
    for leaf in jax.tree.leaves(args):
        if isinstance(leaf, (jax.Array, jax.ShapeDtypeStruct)) and leaf.sharding is not None:
            if isinstance(leaf, jax.ShapeDtypeStruct) or leaf.committed:
                mesh = getattr(leaf.sharding, "mesh", None)
                return list(leaf.sharding.device_set) if mesh is None else list(mesh.devices.flat)
    return [default_device()]


def _compile(lowered: Any, devices: list[Any], noted: Any = None, traced: float = 0.0, fresh: bool = False) -> Any:
    """The compiled program.

    Args:
        lowered: what to compile.
        devices: those it is for.
        noted: gets `seconds` and `from_disk`; or None.
        traced: how long tracing took.
        fresh: whether to leave the disk alone, whose programs may carry other names of the same operations.
    """
    since = time.perf_counter()
    compiled, from_disk = (lowered.compile(), False) if fresh else _compiled_or_loaded(lowered, devices)
    if not from_disk and time.perf_counter() - since >= LONG_COMPILE_SECONDS:
        return_freed_memory()
    if devices[0].platform == "cpu":
        keep_temporaries(compiled)
    if noted is not None:
        noted.seconds, noted.from_disk = traced + time.perf_counter() - since, from_disk
    return compiled


def _compiled_or_loaded(lowered: Any, devices: list[Any]) -> tuple[Any, bool]:
    from jax.experimental import serialize_executable

    key = None if jax.process_count() > 1 else _key(lowered, devices)
    if key is None:
        return lowered.compile(), False
    kept = program_cache.load(key)
    if kept is not None:
        try:
            loaded = serialize_executable.deserialize_and_load(
                kept, lowered.in_tree, lowered.out_tree, execution_devices=devices
            )
            return loaded, True
        except Exception:  # from another build of the compiler, or for another machine
            program_cache.discard(key)
    since = time.perf_counter()
    compiled = lowered.compile()
    if time.perf_counter() - since >= MIN_COMPILE_SECONDS:
        try:
            content, _, _ = serialize_executable.serialize(compiled)
        except (ValueError, TypeError, RuntimeError):  # a backend that cannot serialize programs
            return compiled, False
        program_cache.store(key, content)
    return compiled, False


def _key(lowered: Any, devices: list[Any]) -> str | None:
    """A name for a program, equal only for equal operations, compiler, flags and machine; None for a program that is
    not stored, since JAX's own cache is in use or the program calls back into this process."""
    if settings.jax_compilation_cache_dir or program_cache.program_cache() is None:
        return None
    text = lowered.as_text()
    if "callback" in text:
        return None
    # The text leaves out arguments that nothing is computed from.
    trees = str(lowered.in_tree), str(lowered.in_avals), str(lowered.out_tree)
    parts = (text, *trees, str([device.id for device in devices]), program_cache.machine())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
