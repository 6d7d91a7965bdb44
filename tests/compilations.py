"""Count XLA compilations."""

import contextlib

import jax

_EVENT = "/jax/core/compile/backend_compile_duration"
_seen = [0]


def _listen(event, duration, **_):
    if event == _EVENT:
        _seen[0] += 1


jax.monitoring.register_event_duration_secs_listener(_listen)


def total() -> int:
    """The number of programs compiled in this process so far."""
    return _seen[0]


class Count:
    def __init__(self):
        self.start, self.value = _seen[0], None


@contextlib.contextmanager
def counting():
    """Count the programs compiled in the block: `with counting() as count: ...`, then read `count.value`."""
    count = Count()
    yield count
    count.value = _seen[0] - count.start
