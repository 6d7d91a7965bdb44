"""Processes must run the same program on the same batches: a difference is found before they would hang."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

SECONDS = 120  # for the slowest process to come
_numbers = itertools.count()


def agree(what: str, **facts: Any) -> None:
    """Compare what the processes are about to do, over JAX's coordination service.

    All processes call this in the same order. The first one compares, so that all learn of a difference at once.

    Args:
        what: a name for it.
        **facts: what must be equal, in words.

    Raises:
        RuntimeError: in every process, if a fact differs or a process does not come here.
    """
    from jax._src import distributed  # the client has no public name

    client = distributed.global_state.client
    if client is None or jax.process_count() == 1:
        return
    me, number = jax.process_index(), next(_numbers)
    key = f"jaxkeras/{number}"
    client.key_value_set(f"{key}/{me}", json.dumps([what, {name: str(fact) for name, fact in facts.items()}]))
    if me == 0:
        client.key_value_set(f"{key}/verdict", _verdict(client, key))
        if number:
            client.key_value_delete(f"jaxkeras/{number - 1}/")  # all have read it, since they came here
    try:
        verdict = client.blocking_key_value_get(f"{key}/verdict", 2 * SECONDS * 1000)
    except Exception as error:
        raise RuntimeError(_missing(0, what)) from error
    if verdict:
        raise RuntimeError(verdict)


def agree_on_run(what: str, session: Any, source: Any, **more: Any) -> None:
    """Compare the data, the model and the distribution of a run; see `agree`.

    Args:
        what: `"fit"`, `"evaluate"` or `"predict"`.
        session: what the model runs with.
        source: the data.
        **more: further facts.
    """
    if jax.process_count() == 1:
        return
    weights = session.model.weights
    agree(
        what, distribution=session.where.distribution, data=facts_of_data(source, session.where.own_data), **more,
        model=f"{len(weights)} weights with {sum(v.size for v in weights)} numbers",
    )  # fmt: skip


def facts_of_data(source: Any, own_data: bool) -> str:
    """What processes must have in common of their data, which are other rows if each brings its own."""
    rows = "" if own_data or not hasattr(source, "num_rows") else f"{source.num_rows} rows, "
    size = f", {source.batch_size} rows each" if hasattr(source, "batch_size") else ""
    return f"{source.kind}: {rows}{source.steps} batches{size}"


def agree_on_program(lowered: Any) -> None:
    """Compare a program with that of the other processes, before it is compiled; see `agree`."""
    shapes = " ".join(f"{a.dtype}{list(np.shape(a))}" for a in jax.tree.leaves(lowered.in_avals))
    operations = hashlib.sha256(lowered.as_text().encode()).hexdigest()[:16]
    agree("the program to run", **{"types and shapes of its arguments": shapes, "operations or constants": operations})


def _verdict(client: Any, key: str) -> str:
    """What the processes disagree about; empty if they do not."""
    what, facts = json.loads(client.blocking_key_value_get(f"{key}/0", 1000))
    for other in range(1, jax.process_count()):
        try:
            text = client.blocking_key_value_get(f"{key}/{other}", SECONDS * 1000)
        except Exception:
            return _missing(other, what)
        theirs, their_facts = json.loads(text)
        if theirs != what:
            return f"Process 0 came to {what}, but process {other} to {theirs}. {_ADVICE}"
        if their_facts != facts:
            return f"Processes 0 and {other} disagree about {what}: {_difference(facts, their_facts)}. {_ADVICE}"
    return ""


_ADVICE = "All processes must run the same code with the same arguments, seed and data."


def _missing(process: int, what: str) -> str:
    return (
        f"Process {process} did not come to {what} within {SECONDS} seconds: it was lost, or runs other code. {_ADVICE}"
    )


def _difference(facts: Mapping[str, str], others: Mapping[str, str]) -> str:
    names = [name for name in {**facts, **others} if facts.get(name) != others.get(name)]
    return "; ".join(f"{name} ({_shown(facts.get(name, 'nothing'), others.get(name, 'nothing'))})" for name in names)


def _shown(a: str, b: str) -> str:
    """Two facts; of long ones the first words that differ."""
    if len(a) + len(b) > 200:
        pairs = [pair for pair in itertools.zip_longest(a.split(" "), b.split(" "), fillvalue="-") if len({*pair}) > 1]
        a, b = (" ".join(words) for words in zip(*pairs[:5]))
    return f"{a}, and {b}"
