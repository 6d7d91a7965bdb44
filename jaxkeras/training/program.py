"""A step as an executable of any number of steps, compiled once for each shape of batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkeras.core.abstract_signature import signature
from jaxkeras.core.context import setting
from jaxkeras.lowering.flat import flattened, restored
from jaxkeras.training.compilations import data_facts
from jaxkeras.training.compiled_function import CompiledFunction, trace_context, traced_anew
from jaxkeras.training.eager import eager_step
from jaxkeras.training.placement import put
from jaxkeras.training.state import TrainState
from jaxkeras.training.step import Step

NO_CHECKS = np.zeros((), np.uint32)
_NOTHING = TrainState(None, None, None, None)


class BatchRef(NamedTuple):
    """Consecutive batches within arrays.

    Attributes:
        data: `(x, y, sample_weight)` of arrays, or of `jax.ShapeDtypeStruct`s to compile for.
        size: rows in a batch; of a whole one 0, unless it is the last of others, with fewer rows.
        start: position of the first row; for `"steps"`, of the first batch.
        order: int32 indices of rows in the order they are used; None for the order in which they are stored.
        form: `"loop"` for batches among others of their size, which share one program for any number of steps;
            `"steps"` for the same with batches `[steps, rows, ...]`, each of which is split over devices;
            `"slice"` for a single batch of `data`; `"whole"` for `data` that is one batch.
        models: which of several models that are trained at once take part, bool array of shape `(models,)`; or None.
    """

    data: Any
    size: int
    start: int = 0
    order: Any = None
    form: str = "loop"
    models: Any = None

    def at(self, step: int) -> BatchRef:
        """The batches that begin `step` batches later."""
        start = self.start + step * (1 if self.form == "steps" else self.size)
        return BatchRef(self.data, self.size, start, self.order, self.form, self.models)

    def batch(self) -> Any:
        """The first batch."""
        return self.data if self.form == "whole" else _cut(self.form, self.data, self.order, self.start, self.size)

    def spec(self) -> Any:
        """A batch as `jax.ShapeDtypeStruct`s."""
        if self.form == "whole":
            return jax.tree.map(_spec, self.data)
        if self.form == "steps":
            return jax.eval_shape(lambda data: jax.tree.map(lambda a: a[0], data), self.data)
        # An order may have a second axis, for models that are trained at once on rows of their own.
        return batch_spec(self.data, self.size, () if self.order is None else self.order.shape[1:])


def batch_spec(arrays: Any, rows: int, members: tuple[int, ...] = ()) -> Any:
    """Arrays with `rows` rows as `jax.ShapeDtypeStruct`s of their types on the device."""
    return jax.tree.map(lambda a: _spec(a, (rows, *members)), arrays)


def _spec(array: Any, first: tuple[int, ...] | None = None) -> jax.ShapeDtypeStruct:
    shape = array.shape if first is None else (*first, *array.shape[1:])
    return jax.ShapeDtypeStruct(shape, jax.dtypes.canonicalize_dtype(array.dtype))


def _cut(form: str, data: Any, order: Any, start: Any, size: int) -> Any:
    if form == "steps":
        return jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, start, keepdims=False), data)
    if order is None:
        return jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, size), data)
    rows = lax.dynamic_slice_in_dim(order, start, size)
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), data)


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The extras of consecutive steps: the last logs, every check that ever failed, the number of steps left out."""
    merged = {**new, "checks": old["checks"] | new["checks"]}
    return {**merged, "skipped": old.get("skipped", 0) + new["skipped"]} if "skipped" in new else merged


class CompiledStep:
    """A pure step as an executable of any number of steps.

    Args:
        step: `TrainState, batch -> TrainState, extras`.
        changes: the fields of the state that the step changes. If these are all, the state is donated, and the caller
            must not use the one it passed in.
        reads: the fields that it only reads; it does not see others.
        stack: whether steps return outputs, to be concatenated over steps. The extras are then these outputs and the
            leaves of `state` that the steps wrote, by position. Otherwise later extras replace earlier ones.
        eager: run without jit, so that `print` and `pdb` see values.
        unroll: whether loops within an eager step run op by op too.
        own_logs: whether the step returns logs, whose names only a trace tells.
        flat: whether loops keep narrow parameters and moments as vectors, for an optimizer that works element by
            element (see `lowering.flat`).
        note: called with the facts that a new program depends on; see `CompilationLog.note`. Or None.
        out_shardings: those of the changing fields and of the extras; None to let the compiler choose.
    """

    leading_axes = 0  # of every array of the state, such as one of members

    def __init__(
        self,
        step: Step,
        changes: tuple[str, ...] = TrainState._fields,
        reads: tuple[str, ...] = (),
        *,
        stack: bool = False,
        eager: bool = False,
        unroll: bool = True,
        own_logs: bool = False,
        flat: bool = False,
        note: Callable[[dict[str, Any]], Any] | None = None,
        out_shardings: Any = None,
    ):
        self.step, self.changes, self.reads = step, changes, reads
        self.stack, self.eager, self.unroll, self.own_logs, self.flat = stack, eager, unroll, own_logs, flat
        donate = (0,) if changes == TrainState._fields else ()
        self._note = note
        self._compiled = CompiledFunction(
            self._program, donate, ("size", "form", "repeat"), out_shardings, note and self._note_arguments
        )
        self._out_shardings = out_shardings
        self._extras: dict[Any, Any] = {}
        self._traced: dict[Any, Any] = {}

    def __call__(self, ts: TrainState, extras: Any, ref: BatchRef, steps: int) -> tuple[TrainState, Any]:
        """Run `steps` steps.

        Args:
            ts: the state.
            extras: those of the step before, or `start_extras`; None if they are stacked.
            ref: the batches.
            steps: how many.

        Returns:
            The new state and extras.
        """
        if self.eager:
            return self._run_eagerly(ts, extras, ref, steps)
        return self._returned(ts, self._compiled(*self.arguments(ts, extras, ref, steps), **self._static(ref, steps)))

    def _returned(self, ts: TrainState, output: tuple[Any, Any]) -> tuple[TrainState, Any]:
        changing, extras = output
        if self.changes == TrainState._fields:
            return TrainState(*changing), extras
        return ts._replace(**dict(zip(self.changes, changing))) if self.changes else ts, extras

    def bind(self, ts: TrainState, extras: Any, ref: BatchRef, steps: int) -> Callable[[], tuple[TrainState, Any]]:
        """A call as a function without arguments, for another thread; its program is compiled now."""
        if self.eager:
            return lambda: self._run_eagerly(ts, extras, ref, steps)
        call = self._compiled.bind(*self.arguments(ts, extras, ref, steps), **self._static(ref, steps))
        return lambda: self._returned(ts, call())

    def prepare(self, ts: TrainState, ref: BatchRef, steps: int) -> Any:
        """Compile the program for such a call in the background; returns a future."""
        extras = None if self.stack else self.start_extras(ts, ref)
        return self._compiled.prepare(*self.arguments(ts, extras, ref, steps), **self._static(ref, steps))

    def compile(self, ts: TrainState, ref: BatchRef, steps: int) -> Any:
        """Compile the program for such a call to look at: its memory, its text. It is not kept."""
        extras = None if self.stack else self.start_extras(ts, ref)
        return self._compiled.compile(*self.arguments(ts, extras, ref, steps), **self._static(ref, steps))

    def start_extras(self, ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        """Zeros in the structure of a step's extras, to begin with."""
        return self._placed(self._zeros(ts, ref))

    def resumed(self, extras: dict[str, Any], ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        """Extras of an earlier process, to go on with."""
        return self._placed(extras)

    def _placed(self, extras: dict[str, Any]) -> dict[str, Any]:
        """Extras where those of the next steps will be, so that all steps share a program."""
        return extras if self._out_shardings is None else jax.tree.map(lambda a: put(a, self._out_shardings[1]), extras)

    def _zeros(self, ts: TrainState, ref: BatchRef) -> dict[str, Any]:
        if self.eager or not self.own_logs:
            return {"logs": {}, "checks": NO_CHECKS}
        spec = ref.spec()
        key = signature(spec)
        if key not in self._extras:
            self._extras[key] = jax.eval_shape(self.step, ts, spec)[1]
        return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), self._extras[key])

    def take_compiled_under(self, interceptor: Any) -> list[Any]:
        """Remove the programs that were compiled while an interceptor of layer calls was in force, and return them."""
        return self._compiled.take_compiled_under(interceptor)

    @property
    def count(self) -> int:
        """Number of compiled programs."""
        return self._compiled.count

    def arguments(self, ts: TrainState, extras: Any, ref: BatchRef, steps: Any) -> tuple[Any, ...]:
        """The arguments of the program for such a call."""
        changing = tuple([getattr(ts, name) for name in self.changes])
        fixed = tuple([getattr(ts, name) for name in self.reads])
        # A scalar takes 5 us to reach the device, so only programs that read it get it.
        start = None if self.stack or ref.form == "whole" else np.int32(ref.start)
        steps = np.int32(steps) if not self.stack and ref.form in ("loop", "steps") else None
        return changing, fixed, extras, ref.data, ref.order, start, steps

    def _note_arguments(self, args: tuple[Any, ...], static: dict[str, Any]) -> Any:
        changing, fixed, _, data, order, _, _ = args
        facts = data_facts(data, static["size"], static["form"])
        if order is None and static["form"] == "loop":  # pieces of the data
            facts["number of batches"] = facts.pop("rows") // static["size"]
        elif static["repeat"] > 1:
            facts["number of batches"] = static["repeat"]
        facts["order"] = order is not None
        facts["state"] = signature((changing, fixed))
        assert self._note is not None
        return self._note(facts)

    def _static(self, ref: BatchRef, steps: int) -> dict[str, Any]:
        return {"size": ref.size, "form": ref.form, "repeat": steps if self.stack else 0}

    def _program(
        self, changing: Any, fixed: Any, extras: Any, data: Any, order: Any, start: Any, steps: Any,
        *, size: int, form: str, repeat: int,
    ) -> Any:  # fmt: skip
        fields = dict(zip((*self.changes, *self.reads), (*changing, *fixed)))
        if self.stack:
            batches = data
            if repeat > 1 and form != "steps":
                batches = jax.tree.map(lambda a: a.reshape((repeat, size, *a.shape[1:])), data)
            elif form == "steps" and repeat == 1:
                batches = jax.tree.map(lambda a: a[0], data)
            return changing, self._outputs(_NOTHING._replace(**fields), batches, repeat)

        def step(changing: Any, batch: Any) -> Any:
            ts, new = self.step(_NOTHING._replace(**{**fields, **dict(zip(self.changes, changing))}), batch)
            return tuple(getattr(ts, name) for name in self.changes), new

        if form not in ("loop", "steps"):
            changing, new = step(changing, data if form == "whole" else _cut(form, data, order, start, size))
            return changing, _merge(extras, new)

        def body(i: Any, carry: Any) -> Any:
            kept, extras = carry
            first = start + i if form == "steps" else start + i * size
            new, more = step(restored(kept, changing), _cut(form, data, order, first, size))
            return self._kept(new), _merge(extras, more)

        with setting(flat_updates=self.flat):
            kept, extras = lax.fori_loop(0, steps, body, (self._kept(changing), extras))
        return restored(kept, changing), extras

    def _kept(self, changing: Any) -> Any:
        """What changes, as loops keep it."""
        return flattened(changing, self.leading_axes) if self.flat else changing

    def _outputs(self, ts: TrainState, batches: Any, repeat: int) -> Any:
        """The outputs of `repeat` batches `[steps, rows, ...]` (of one without the first axis), and what their steps
        wrote."""
        # Any number of batches shares one trace of the step.
        step = self._traced.setdefault(trace_context(), jax.jit(traced_anew(self.step), inline=True))
        if repeat <= 1:
            new, outputs = step(ts, batches)
            return outputs, written_leaves(ts.state, new.state)
        written: dict[int, Any] = {}

        def body(state: Any, batch: Any) -> Any:
            new, outputs = step(ts._replace(state=state), batch)
            written.update(written_leaves(state, new.state))
            return new.state, outputs

        state, outputs = lax.scan(body, ts.state, batches)
        leaves = jax.tree.leaves(state)
        outputs = jax.tree.map(lambda y: y.reshape((repeat * y.shape[1], *y.shape[2:])), outputs)
        return outputs, {i: leaves[i] for i in written}

    def _run_eagerly(self, ts: TrainState, extras: Any, ref: BatchRef, steps: int) -> tuple[TrainState, Any]:
        outputs, start = [], ts.state
        with eager_step(self.unroll):
            for i in range(steps):
                ts, new = self.step(ts, jax.tree.map(jnp.asarray, ref.at(i).batch()))
                if self.stack:
                    outputs.append(new)
                else:
                    extras = _merge(extras, new)
        if self.stack:
            extras = jax.tree.map(lambda *ys: jnp.concatenate(ys), *outputs), written_leaves(start, ts.state)
        return ts, extras


def written_leaves(old: Any, new: Any) -> dict[int, Any]:
    """The leaves of a tree that a step replaced, by position."""
    pairs = zip(jax.tree.leaves(old), jax.tree.leaves(new))
    return {i: leaf for i, (before, leaf) in enumerate(pairs) if leaf is not before}


def replace_written(tree: Any, written: dict[int, Any]) -> Any:
    """A tree with leaves replaced, by position."""
    leaves, treedef = jax.tree.flatten(tree)
    return treedef.unflatten([written.get(i, leaf) for i, leaf in enumerate(leaves)])


def with_written(ts: TrainState, written: dict[int, Any]) -> TrainState:
    """A state with the leaves that steps of a stacked `CompiledStep` wrote."""
    return ts._replace(state=replace_written(ts.state, written)) if written else ts
