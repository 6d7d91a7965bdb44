"""Processes that run one program must have traced the same one: a difference is found before they would hang."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import jax
import numpy as np

SECONDS = 120  # for the slowest process to trace a program
_number = itertools.count()


def check_agreement(lowered: Any) -> None:
    """Compare a program with that of the other processes, over JAX's coordination service.

    Args:
        lowered: the program, before it is compiled. All processes must come here in the same order.

    Raises:
        RuntimeError: if it differs in another process, or a process does not come here.
    """
    from jax._src import distributed  # the client has no public name

    client = distributed.global_state.client
    if client is None:
        return
    me, key = jax.process_index(), f"jaxkeras/program/{next(_number)}"
    shapes = " ".join(f"{a.dtype}{list(np.shape(a))}" for a in jax.tree.leaves(lowered.in_avals))
    mine = f"{hashlib.sha256(lowered.as_text().encode()).hexdigest()} {shapes}"
    client.key_value_set(f"{key}/{me}", mine)
    for other in range(1, jax.process_count()) if me == 0 else (0,):
        try:
            theirs = client.blocking_key_value_get(f"{key}/{other}", SECONDS * 1000)
        except Exception as error:
            raise RuntimeError(
                f"Process {other} did not come to the program that process {me} compiles within {SECONDS} seconds: it "
                "was lost, or runs other code."
            ) from error
        if theirs != mine:
            difference = _difference(mine, theirs)
            raise RuntimeError(f"Processes {me} and {other} disagree about the program to run. {difference}")


def _difference(mine: str, theirs: str) -> str:
    a, b = mine.split(" ")[1:], theirs.split(" ")[1:]
    if a != b:
        pairs = [f"{x} here, {y} there" for x, y in itertools.zip_longest(a, b, fillvalue="nothing") if x != y]
        return f"Its arguments have other shapes or types: {'; '.join(pairs[:5])}. Use the same model and data in all."
    return "Its arguments are alike, but its operations or constants differ: run the same code with the same seed."
