"""Forms chosen by measurement on the machine at hand, kept in the program cache.

The conditions of `table.py` come from a few machines; on another processor a form may be 1.5 times faster or slower.
While `measuring` is active (or with the environment variable `JAXKERAS_TUNE=1`), an operation that is lowered for the
first time runs all of its forms in turns, and the fastest is kept for this machine, version of jaxlib and these shapes.
What was kept is used by later processes too. Without the program cache it is kept until the process ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras.core import program_cache

Form = Callable[..., Any]

BUDGET = 60.0  # seconds of measuring in a process with JAXKERAS_TUNE=1
SECONDS, ROUNDS = 0.01, 5  # of a measurement
GAIN = 0.93  # a form must take less than this share of the usual one's time

_left: float | None = None  # seconds of measuring that remain
_found: dict[str, str] = {}  # forms by operation and arguments
_loaded_from: Any = ()  # the folder that `_found` was read from


class TunedForm(NamedTuple):
    """A form that was chosen by measurement.

    Attributes:
        form: its name.
        usual: the form that the table chooses.
        speedup: how many times faster than that it is.
    """

    form: str
    usual: str
    speedup: float


class TunedForms(dict[str, TunedForm]):
    """Forms that were chosen, by operation and arguments; shown with a line each."""

    def __repr__(self) -> str:
        lines = []
        for key, (form, usual, speedup) in self.items():
            change = "as before" if form == usual else f"{speedup:.2f} times as fast as {usual}"
            lines.append(f"{key.split(' on ')[0]}({', '.join(_ARRAY.findall(key))}): {form}, {change}")
        return "\n".join(lines) or "no operation was measured"


_ARRAY = re.compile(r"(?:bool|[a-z]+\d+)\[[\d, ]*\]")
_measured = TunedForms()  # in this process


@contextlib.contextmanager
def measuring(seconds: float) -> Iterator[TunedForms]:
    """Measure operations that are lowered within, for so many seconds in all.

    Yields:
        The forms that are found.
    """
    global _left
    before, _left = _left, seconds
    _load()
    known = set(_found)
    new = TunedForms()
    try:
        yield new
    finally:
        _left = before
        new.update({key: choice for key, choice in _measured.items() if key in _found and key not in known})


def _may_measure() -> bool:
    global _left
    if _left is None:
        _left = 0.0 if os.environ.get("JAXKERAS_TUNE", "0") in ("", "0") else BUDGET
    return _left > 0


def choose(
    operation: str, platform: str, args: Sequence[Any], usual: Form, others: Sequence[Form], gradients: bool = False
) -> Form:
    """The form that was fastest here for such arguments, or `usual` where nothing is known.

    Args:
        operation: its name.
        platform: that of the program.
        args: arguments of the operation; arrays may be traced.
        usual: the form that the table chooses.
        others: forms that can take these arguments.
        gradients: measure the forms together with their gradients.
    """
    _load()
    if not (_found or _may_measure()):
        return usual
    forms = {_name(form): form for form in (*others, usual)}
    if len(forms) == 1:
        return usual
    key = _key(operation, platform, args)
    if key not in _found and _may_measure() and _is_measurable(platform, args):
        raced = {name: _with_gradients(form) for name, form in forms.items()} if gradients else forms
        fastest = _measure(raced, _name(usual), platform, args)
        if fastest is not None:
            _found[key], _measured[key] = fastest.form, fastest
            _store()
    return forms.get(_found.get(key, ""), usual)


def _name(form: Form) -> str:
    return f"{form.__module__.rpartition('.')[2]}.{form.__name__}"


# -- what is kept --------------------------------------------------------------------------------------------------
def _file() -> str:
    parts = (program_cache.machine(), str(_cores()), "forms")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _load() -> None:
    global _loaded_from
    folder = program_cache.program_cache()
    if folder == _loaded_from:
        return
    _loaded_from = folder
    _found.clear()
    content = None if folder is None else program_cache.load(_file())
    _found.update({} if content is None else json.loads(content))


def _store() -> None:
    program_cache.store(_file(), json.dumps(_found).encode())


def _key(operation: str, platform: str, args: Sequence[Any]) -> str:
    leaves, tree = jax.tree.flatten(tuple(args))
    return f"{operation} on {platform}: {', '.join(map(_shown, leaves))} {tree}"


def _shown(leaf: Any) -> str:
    """The same in every process."""
    if _is_array(leaf):
        return f"{leaf.dtype}{list(leaf.shape)}"
    return f"{leaf.__module__}.{leaf.__name__}" if callable(leaf) else repr(leaf)


# -- measurements --------------------------------------------------------------------------------------------------
def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, (jax.Array, np.ndarray, jax.ShapeDtypeStruct))


def _is_measurable(platform: str, args: Sequence[Any]) -> bool:
    """Numbers of 32 bits and masks of known sizes, for a device of this process."""
    arrays = [a for a in jax.tree.leaves(tuple(args)) if _is_array(a)]
    known = all(isinstance(n, int) for a in arrays for n in a.shape) and all(map(_can_draw, arrays))
    with contextlib.suppress(RuntimeError):
        return known and bool(jax.devices(platform))
    return False


def _can_draw(array: Any) -> bool:
    return array.dtype in ("float32", "int32", "uint32", "bool")


def _draw(array: Any, draw: np.random.Generator) -> jax.Array:
    """Numbers of this shape: small ones, zeros where they are integers, and masks that hide nothing."""
    if array.dtype == "float32":
        return jnp.asarray(draw.standard_normal(array.shape, "float32") / 8)
    return jnp.full(array.shape, array.dtype == "bool", array.dtype)


def _with_gradients(form: Form) -> Form:
    """The form's results and the gradients of all real numbers among its arguments."""

    def run(*args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        places = [i for i, leaf in enumerate(leaves) if _is_array(leaf) and leaf.dtype == "float32"]

        def of_reals(reals: Sequence[jax.Array]) -> Any:
            replaced = dict(zip(places, reals))
            return form(*jax.tree.unflatten(tree, [replaced.get(i, leaf) for i, leaf in enumerate(leaves)]))

        y, pullback = jax.vjp(of_reals, [leaves[i] for i in places])
        return y, pullback(y) if all(leaf.dtype == "float32" for leaf in jax.tree.leaves(y)) else ()

    return run


def _measure(forms: dict[str, Form], usual: str, platform: str, args: Sequence[Any]) -> TunedForm | None:
    """The fastest, or None if the time was not enough."""
    global _left
    since = time.perf_counter()
    assert _left is not None
    until, found = since + _left, []
    # On a thread of its own: on this one, JAX is in the middle of a trace.
    thread = threading.Thread(target=lambda: found.append(_race(forms, usual, platform, args, until)))
    thread.start()
    thread.join()
    _left -= time.perf_counter() - since
    return found[0] if found else None


def _race(
    forms: dict[str, Form], usual: str, platform: str, args: Sequence[Any], until: float
) -> TunedForm | None:
    runs = {}
    with jax.default_device(jax.devices(platform)[0]):
        for name, form in forms.items():
            if time.perf_counter() >= until:
                return None
            runs[name] = _prepared(form, args)
        times = {name: min(run() for _ in range(ROUNDS)) for name, run in runs.items()}
        for _ in range(ROUNDS):
            times = {name: min(seconds, runs[name]()) for name, seconds in times.items()}
    fastest = min(times, key=lambda name: times[name])
    if times[fastest] >= GAIN * times[usual]:
        fastest = usual
    return TunedForm(fastest, usual, times[usual] / times[fastest])


def _prepared(form: Form, args: Sequence[Any]) -> Callable[[], float]:
    """A loop over the form that returns seconds an iteration. Arguments that stay the same would be moved out of it."""
    leaves, tree = jax.tree.flatten(tuple(args))
    places = [i for i, leaf in enumerate(leaves) if _is_array(leaf)]
    draw = np.random.default_rng(0)
    arrays = [_draw(leaves[i], draw) for i in places]

    def call(arrays: Sequence[jax.Array]) -> Any:
        filled = list(leaves)
        for place, array in zip(places, arrays):
            filled[place] = array
        return form(*jax.tree.unflatten(tree, filled))

    def turn(y: Any, arrays: Sequence[jax.Array]) -> Any:
        little = 1e-30 * sum(leaf.ravel()[0].astype("float32") for leaf in jax.tree.leaves(y))
        return call([a + little if a.dtype == "float32" else a for a in arrays])

    def loop(count: Any, y: Any, arrays: Sequence[jax.Array]) -> Any:
        return jax.lax.fori_loop(0, count, lambda _, y: turn(y, arrays), y)

    y = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(call, arrays))
    program = jax.jit(loop).lower(np.int32(1), y, arrays).compile()

    def seconds(count: int) -> float:
        since = time.perf_counter()
        jax.block_until_ready(program(np.int32(count), y, arrays))
        return (time.perf_counter() - since) / count

    seconds(1)
    count = max(1, min(1000, int(SECONDS / seconds(1))))
    return lambda: seconds(count)
