"""`jax.checking_leaks`, several times as fast."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def checking_leaks() -> Iterator[None]:
    """Tracers that outlive their trace raise.

    JAX collects garbage after each trace inside; objects that are there already need not be looked through each time.
    """
    gc.freeze()
    try:
        with jax.checking_leaks():
            yield
    finally:
        gc.unfreeze()
