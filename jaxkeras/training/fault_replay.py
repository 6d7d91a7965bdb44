"""A step once more, op by op, to find the first value that is not finite.

Interceptors look at what goes into and comes out of each layer, and at the gradients that come back through both.
Inside a loop (`scan`, a recurrent layer) there are no values to look at, so the layer that holds the loop is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxkeras.core.context import local, setting
from jaxkeras.core.functional import functional_call, intercept_calls, is_variable, leaf_paths
from jaxkeras.core.masks import get_mask, set_mask
from jaxkeras.core.variable import Variable
from jaxkeras.data.arrays import named_batch
from jaxkeras.training import step as steps
from jaxkeras.training.compile_loss import label_of
from jaxkeras.training.eager import eager_step
from jaxkeras.training.faults import Fault, columns, is_finite, statistics
from jaxkeras.training.output_structure import at, is_nested
from jaxkeras.training.state import StateSpec, TrainState

EXPLODED = 1e6  # the size of a weight that tells of a learning rate that is too large
_OWN_MAKING = {
    "output": "Its inputs and weights are finite: it is made inside the layer, by a logarithm or square root of a "
    "negative number, a division by zero or an overflow.",
    "input": "The layers before it returned finite values: it is made between the layers, in the `call` of a model or "
    "by an operation of the graph.",
    "gradient": "A derivative is infinite or undefined there, such as that of a square root at 0 or of a branch that "
    "`where` does not choose.",
}


class _Found(Exception):
    """Ends the replay."""

    def __init__(self, fault: Fault):
        super().__init__()
        self.fault = fault


def first_fault(model: Any, spec: StateSpec, ts: TrainState, batch: Any, scaled: bool = False) -> Fault | None:
    """Find the first value of a training step that is not finite.

    Args:
        model: a compiled model; not the one of a population, whose members are asked one by one.
        spec: where its state is.
        ts: the state before the step. It is not changed.
        batch: `(x, y, sample_weight)`.
        scaled: whether gradients alone are a fault, though the optimizer leaves a step with such gradients out.

    Returns:
        What was found; None if the step is sound.
    """
    batch = jax.tree.map(jnp.asarray, batch)
    replay = _Replay(model, spec, ts, batch, scaled)
    try:
        with jax.debug_nans(False), jax.debug_infs(False), eager_step(unroll=False):
            replay.own_step() if model.overrides("train_step") else replay.step()
    except _Found as found:
        return found.fault
    except Exception as error:  # a step that runs compiled only
        return Fault("forward", "output", detail=f"Which one, could not be found step by step: {error!r}")
    return None


class _Replay:
    def __init__(self, model: Any, spec: StateSpec, ts: TrainState, batch: Any, scaled: bool):
        self.model, self.spec, self.ts, self.batch, self.scaled = model, spec, ts, batch, scaled
        sizes = [leaf.shape[0] for leaf in jax.tree.leaves(batch) if leaf.ndim]
        self.rows = sizes[0] if sizes else None
        self.loss: float | None = None
        self.stack: list[Any] = []  # layers whose calls are running
        self.last: str | None = None  # path of the layer that returned last
        # Of layers, in the order in which they came back: of its inputs or outputs, the layer and those around it, and
        # the value if it is not finite.
        self.gradients: list[tuple[str, tuple[Any, ...], Any]] = []
        self.values: dict[Variable, Any] = {}
        spec.map(self.values.setdefault, ts._replace(opt_state=None, metrics=None))
        self.owners = {v: path for path, layer in named_layers(model) for v in layer._own_variables()}

    def fault(
        self, kind: str, tensor: str, array: Any, layer: str | None = None, name: str | None = None, detail: str = ""
    ) -> Fault:
        """What was found in an array."""
        values = statistics(_value(array), self.rows)
        if tensor in ("weight", "slot") or (kind == "gradient" and "'" in (name or "")):
            values["rows"] = ()
        large = self._large_weight()
        if large is not None and kind != "data":
            detail = f"It overflows. {large}"
        return Fault(kind, tensor, layer, name, detail, **values, loss=self.loss)

    def _large_weight(self) -> str | None:
        for v in self.model.trainable_variables:
            value = self.values.get(v)
            if value is not None and is_finite(value) and value.size:
                size = float(jnp.abs(value).max())
                if size > EXPLODED:
                    return f"Weight '{v.path}' has grown to {size:.2g}: the learning rate is probably too large."
        return None

    # -- the phases of a step -----------------------------------------------------------------------------------------
    def step(self) -> None:
        """The library's own step, phase by phase."""
        model, spec, ts, batch = self.model, self.spec, self.ts, self.batch
        values = {"params": ts.params, "state": ts.state, "metrics": ts.metrics}
        with setting(training=True), intercept_calls(self.forward):
            (loss, y_pred), _, _ = functional_call(
                spec.bindings, values, lambda: steps.forward_and_loss(model, batch, training=True)
            )
        self.loss = float(loss)
        if not is_finite(loss):
            with setting(training=True):
                functional_call(spec.bindings, values, lambda: self.loss_fault(loss, y_pred))
        with intercept_calls(self.backward):
            grads, loss, *_ = steps.gradients(model, spec, ts, batch)
        params, opt_state = model.optimizer.update(grads, ts.opt_state, ts.params, value=loss)
        after = ts._replace(params=params, opt_state=opt_state)
        if self.scaled or self.broken(after):
            self.gradient_fault(grads)
            self.update_fault(after)

    def own_step(self) -> None:
        """An overridden `train_step`, which can be seen from outside only."""
        with intercept_calls(self.backward):
            after, extras = steps.train_step(self.model, self.spec)(self.ts, self.batch)
        for name, value in extras["logs"].items():
            if "loss" in name and not is_finite(value):
                self.loss = float(value)
                raise _Found(self.fault("loss", "loss", value, self.last, f"'{name}'"))
        if self.broken(after):
            self.gradient_fault({})
            self.update_fault(after)

    def broken(self, after: TrainState) -> bool:
        """Whether the step left a parameter or a moment that is not finite."""
        return next(self._broken(after), None) is not None

    def _broken(self, after: TrainState) -> Iterator[tuple[str, Variable, Any]]:
        for field in ("params", "opt_state"):
            variables = jax.tree.leaves(getattr(self.spec.variables, field), is_leaf=is_variable)
            before, now = jax.tree.leaves(getattr(self.ts, field)), jax.tree.leaves(getattr(after, field))
            for v, old, new in zip(variables, before, now):
                if not is_finite(new) and is_finite(old):
                    yield field, v, new

    # -- layers -------------------------------------------------------------------------------------------------------
    def forward(self, next_call: Callable[..., Any], layer: Any, args: tuple, kwargs: dict) -> Any:
        """Look at what goes into a layer and comes out of it."""
        known = 0 if local.frame is None else len(local.frame.losses)
        self.stack.append(layer)
        path = "/".join(inner.name for inner in self.stack)
        try:
            outputs = next_call(*args, **kwargs)
        finally:
            self.stack.pop()
        added = _first_bad([] if local.frame is None else local.frame.losses[known:])
        bad = _first_bad(outputs)
        if bad is not None:
            self._layer_fault(layer, path, bad, _first_bad((args, kwargs)))
        if added is not None:
            raise _Found(self.fault("loss", "loss", added, path, "that the layer adds"))
        if not layer._is_model:
            self.last = path
        return outputs

    def _layer_fault(self, layer: Any, path: str, output: Any, given: Any) -> None:
        if given is not None:
            self.data_fault(("x",))
            raise _Found(self.fault("forward", "input", given, path, detail=_OWN_MAKING["input"]))
        for part in layer._flatten_layers():  # a cell within a loop is not called on values
            for v in part._own_variables():
                value = self.values.get(v)
                if value is not None and not is_finite(value):
                    raise _Found(self.fault("forward", "weight", value, path, v.path))
        raise _Found(self.fault("forward", "output", output, path, detail=_OWN_MAKING["output"]))

    def backward(self, next_call: Callable[..., Any], layer: Any, args: tuple, kwargs: dict) -> Any:
        """Look at the gradients that come back through a layer too."""
        inside = (*self.stack, layer)
        args, kwargs = jax.tree.map(lambda x: self._probe(x, "input", inside), (args, kwargs))
        outputs = self.forward(next_call, layer, args, kwargs)
        return jax.tree.map(lambda y: self._probe(y, "output", inside), outputs)

    def _probe(self, x: Any, tensor: str, inside: tuple[Any, ...]) -> Any:
        if not isinstance(x, Tracer) or not jnp.issubdtype(x.dtype, jnp.inexact):
            return x

        def see(gradient: Any) -> None:
            value = _value(gradient)
            if value is not None:
                self.gradients.append((tensor, inside, None if is_finite(value) else value))

        y = _watch_gradient(x, see)
        mask = get_mask(x)
        if mask is not None:
            set_mask(y, mask)
        return y

    # -- what else ----------------------------------------------------------------------------------------------------
    def data_fault(self, parts: tuple[str, ...]) -> None:
        """End with the part of the data that is not finite, if one is."""
        for name, array in named_batch(self.batch):
            if name.partition("[")[0] in parts and array is not None and not is_finite(array):
                tensor = {"x": "input", "y": "target", "s": "sample_weight"}[name[0]]
                fault = self.fault("data", tensor, array, name=name)
                raise _Found(Fault(**{**vars(fault), "columns": columns(array)}))

    def loss_fault(self, loss: Any, y_pred: Any) -> None:
        """End with what made the loss infinite or NaN."""
        model, (_, y, sample_weight) = self.model, self.batch
        self.data_fault(("y", "sample_weight"))
        for v in model.trainable_variables:
            if v.regularizer is not None and not is_finite(penalty := v.regularizer(v.value)):
                detail = "" if is_finite(v.value) else "The weight itself is not finite."
                name = f"of the regularizer of '{v.path}'"
                raise _Found(self.fault("loss", "loss", penalty, self.owners.get(v), name, detail))
        compiled = model._session.compile_loss
        own = model.overrides("compute_loss")
        for term, target, prediction in [] if compiled is None or own or y is None else compiled.pairs(y, y_pred):
            weight = at(sample_weight, term.path) if is_nested(sample_weight) else sample_weight
            value = term.function(target, prediction, weight)
            if not is_finite(value):
                single = getattr(term.function, "call", term.function)(target, prediction)
                array = single if getattr(single, "ndim", 0) and not is_finite(single) else value
                raise _Found(self.fault("loss", "loss", array, self.last, f"'{label_of(term.function)}'"))
        name = f"of {type(model).__name__}.compute_loss" if own else None
        raise _Found(self.fault("loss", "loss", loss, self.last, name))

    def gradient_fault(self, grads: Any) -> None:
        """End with the first gradient that is not finite, in the order of the backward pass."""
        for i, (tensor, inside, value) in enumerate(self.gradients):
            if value is None:
                continue
            for following in self.gradients[i + 1 :]:  # to the innermost layer that returned it
                if tensor != "output" or following[0] != "output" or following[1][: len(inside)] != inside:
                    break
                tensor, inside, value = following
            path = "/".join(layer.name for layer in inside)
            detail = _OWN_MAKING["gradient"]
            if tensor == "output":
                after = any(kind == "input" for kind, *_ in self.gradients[:i])
                detail = f"It comes from {'an operation after the layer' if after else 'the loss'}. {detail}"
            raise _Found(self.fault("gradient", "gradient", value, path, f"{tensor}s", detail))
        for v, g in zip(jax.tree.leaves(self.spec.variables.params, is_leaf=is_variable), jax.tree.leaves(grads)):
            if not is_finite(g):
                detail = _OWN_MAKING["gradient"]
                raise _Found(self.fault("gradient", "gradient", g, self.owners.get(v), f"weight '{v.path}'", detail))

    def update_fault(self, after: TrainState) -> None:
        """End with the first parameter or moment that an update broke."""
        for field, v, value in self._broken(after):
            if field == "params":
                raise _Found(self.fault("optimizer", "weight", value, self.owners.get(v), v.path))
            names = {v: "/".join(path) for path, v in leaf_paths(self.spec.variables.opt_state)}
            raise _Found(self.fault("optimizer", "slot", value, name=names[v]))


def named_layers(model: Any) -> list[tuple[str, Any]]:
    """Every layer of a model with the names of the layers around it and its own: `"model/block/dense"`.

    A shared layer has the path where it is met first.
    """
    found: dict[int, tuple[str, Any]] = {}

    def visit(layer: Any, path: str) -> None:
        if id(layer) not in found:
            found[id(layer)] = path, layer
            for part in layer._flatten_layers(include_self=False, recursive=False):
                visit(part, f"{path}/{part.name}")

    visit(model, model.name)
    return list(found.values())


def _watch_gradient(x: Any, see: Callable[[Any], None]) -> Any:
    """`x`, and `see` gets its gradient."""

    @jax.custom_vjp
    def same(x: Any) -> Any:
        return x

    def back(_: None, gradient: Any) -> tuple[Any]:
        see(gradient)
        return (gradient,)

    same.defvjp(lambda x: (x, None), back)
    return same(x)


def _value(x: Any) -> Any:
    """The array behind a tracer of an eager step; None inside a transformation, where there is none."""
    return x.to_concrete_value() if isinstance(x, Tracer) else x


def _first_bad(tree: Any) -> Any:
    for leaf in jax.tree.leaves(tree):
        value = _value(leaf)
        if value is not None and not is_finite(value):
            return value
    return None
