"""`Profile`: a trace of some training steps, and the costliest operations by layer."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxkeras.callbacks.callback import Callback
from jaxkeras.core.functional import intercept_calls
from jaxkeras.display import html
from jaxkeras.training.layer_scopes import LayerScopes

OTHER = "(other)"


class OperationTime(NamedTuple):
    """The time that one operation of a compiled program took.

    Attributes:
        operation: its name in the compiled program, as in the trace.
        layer: path of the layer, `"loss"`, `"metrics"` or `"optimizer"`; `"(other)"` where the program does not tell.
        backward: whether it belongs to the backward pass.
        seconds: time a step, summed over threads.
        share: part of the time of all operations.
    """

    operation: str
    layer: str
    backward: bool
    seconds: float
    share: float


class Profile(Callback):
    """Traces some training steps with `jax.profiler`, and prints the ten costliest operations with their layers.

    The folder can be opened with xprof (`pip install xprof`, then `xprof logs/profile`) or TensorBoard; the file
    `.trace.json.gz` in it with https://ui.perfetto.dev. The step is compiled once more before the trace, with the names
    of the layers. While this callback is in use, `fit` runs step by step.

    Args:
        steps: the first step to trace and the one after the last, counted from 0 over all epochs of a `fit`; at least
            one step runs before the first.
        log_dir: the folder for the trace.
        rows: number of operations in the printed table; 0 prints nothing.

    Attributes:
        operations: `OperationTime`s of all operations, the costliest first; empty before the trace is complete.

    Raises:
        ValueError: for `steps` that are not two increasing numbers.

    Example:

    >>> import jaxkeras as jk
    >>> profile = jk.callbacks.Profile(steps=(10, 20))
    """

    def __init__(
        self, steps: Sequence[int] = (10, 20), log_dir: str | os.PathLike[str] = "logs/profile", rows: int = 10
    ):
        super().__init__()
        if len(steps) != 2 or not 0 <= steps[0] < steps[1]:
            raise ValueError(
                f"`steps` of Profile must be the first step and the one after the last, as (10, 20); got {steps!r}."
            )
        self.first, self.last = max(1, int(steps[0])), max(2, int(steps[1]))
        self.log_dir, self.rows = os.fspath(log_dir), rows
        self.operations: list[OperationTime] = []
        self._done = 0
        self._scopes: LayerScopes | None = None
        self._open = contextlib.ExitStack()  # what holds while the steps are traced

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._done, self._scopes = 0, None
        self.operations = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._scopes is None and self._done + self._stride() >= self.first:
            # One step earlier than the trace, which then holds no compilation.
            self._scopes = LayerScopes(self.model._session.model)
            self._open.enter_context(intercept_calls(self._scopes))
        elif self._scopes is not None and self._done == max(self.first, self._stride()):
            self._start()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._done += self._stride()
        if self._scopes is not None and self._done >= self.last:
            self._finish()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._finish()

    def release(self) -> None:
        self._open.close()

    def _stride(self) -> int:
        return self.model.steps_per_execution

    def _start(self) -> None:
        try:
            jax.profiler.start_trace(self.log_dir)
        except Exception as problem:  # for example, another profiler is running
            warnings.warn(f"Profile cannot trace: {problem}", stacklevel=2)
            self._open.close()
            return
        self._open.callback(jax.profiler.stop_trace)

    def _finish(self) -> None:
        if self._scopes is None or self.operations:
            return
        jax.block_until_ready(self.model._session.store.current)
        self._open.close()
        programs = self.model._session.train.take_compiled_under(self._scopes)
        self.operations = operation_times(
            self.log_dir, [program.as_text() for program in programs], self._scopes, max(1, self._done - self.first)
        )
        if self.operations and self.rows:
            from rich.console import Console

            Console(highlight=False).print(self)

    # -- display ---------------------------------------------------------------------------------------------------
    def _rows(self) -> list[list[str]]:
        return [
            [o.layer, "backward" if o.backward else "forward", o.operation, f"{1e3 * o.seconds:.3f}", f"{o.share:.1%}"]
            for o in self.operations[: self.rows]
        ]

    def __rich__(self) -> Any:
        from rich.table import Table

        table = Table(title=f"Costliest operations of a step, traced in {self.log_dir}")
        for i, header in enumerate(_HEADERS):
            table.add_column(header, justify="left" if i < 3 else "right")
        for row in self._rows():
            table.add_row(*row)
        return table

    def _repr_html_(self) -> str:
        return html.table(_HEADERS, self._rows(), "Costliest operations of a step", left=3)


_HEADERS = ("Layer", "Pass", "Operation", "ms a step", "Share")


# -- traces ------------------------------------------------------------------------------------------------------------
def operation_times(folder: str, programs: Iterable[str], scopes: LayerScopes, steps: int) -> list[OperationTime]:
    """The operations in the newest trace in a folder, the costliest first.

    Args:
        folder: where `jax.profiler` wrote.
        programs: the texts of the compiled programs of the step.
        scopes: which layers ran under which scopes.
        steps: number of steps in the trace.
    """
    files = sorted(Path(folder).rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    if not files:
        return []
    named: dict[str, str] = {}
    modules = set()
    for text in programs:
        modules.add(text.split("\n", 1)[0].removeprefix("HloModule ").split(",")[0])
        named.update(operation_names(text))
    times: dict[str, float] = defaultdict(float)
    for plane in jax.profiler.ProfileData.from_file(str(files[-1])).planes:
        for line in plane.lines:
            for event in line.events:
                stats = dict(event.stats)
                operation = str(stats.get("hlo_op", ""))
                if operation and stats.get("hlo_module") in modules and not operation.startswith(_CONTAINERS):
                    times[operation] += event.duration_ns / 1e9 / steps
    total = sum(times.values())
    found = []
    for operation, seconds in times.items():
        name = named.get(operation, "")
        layer = scopes.owner(scopes_of(name)) or OTHER
        found.append(OperationTime(operation, layer, "transpose(" in name, seconds, seconds / total))
    return sorted(found, key=lambda o: -o.seconds)


_CONTAINERS = ("while", "call", "conditional")  # whose operations are in the trace, too
_INSTRUCTION = re.compile(r'^\s*(?:ROOT )?%?([\w.-]+) = .*metadata=\{op_name="([^"]*)"', re.MULTILINE)
_TRANSFORMED = re.compile(r"^(?:\w+\()+([^()]*)\)+$")


def operation_names(text: str) -> dict[str, str]:
    """The names from JAX of the instructions of a compiled program: `{instruction: "jit(f)/layer/dot_general"}`."""
    return dict(_INSTRUCTION.findall(text))


def scopes_of(name: str) -> tuple[str, ...]:
    """The named scopes in a name from JAX.

    >>> scopes_of("jit(step)/while/body/transpose(jvp(model))/dense/dot_general")
    ('step', 'while', 'body', 'model', 'dense', 'dot_general')
    """
    return tuple(part for part in (_TRANSFORMED.sub(r"\1", part) for part in name.split("/")) if part)
