"""`model.intermediates`: what every layer returns, by path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend.core import get_opaque_trace_state

from jaxkeras import registry
from jaxkeras.core.context import setting
from jaxkeras.core.functional import functional_call, intercept_calls
from jaxkeras.training.compiled_function import CompiledFunction
from jaxkeras.training.step import forward


def intermediates(model: Any, x: Any, layers: Any = None, training: bool = False) -> dict[str, Any]:
    """See `Model.intermediates`."""
    x = model._ready_batch((x, None, None), for_predict=True)[0]
    session = model._session
    wanted = _selected(layers)
    key = (tuple(id(layer) if not isinstance(layer, str) else layer for layer in wanted), training)
    program = session.intermediates.get(key)
    if program is None:
        recording = _Recording(model, wanted, training)
        run: Callable[..., Any] = CompiledFunction(recording) if model.jit_compile else recording
        program = session.intermediates[key] = run, recording
    run, recording = program
    ts = session.view("params", "state").current
    found = run({"params": ts.params, "state": ts.state}, x)
    recording.check()
    return {path: jax.tree.map(np.asarray, found[path]) for path in recording.order}


def _selected(layers: Any) -> list[Any]:
    if layers is None:
        return []
    return list(layers) if isinstance(layers, (list, tuple)) else [layers]


class _Recording:
    """A forward pass that returns what layers return.

    Args:
        model: the model.
        wanted: layers, names or paths; all layers if it is empty.
        training: the mode of the pass.

    Attributes:
        order: paths in the order of the calls.
    """

    def __init__(self, model: Any, wanted: list[Any], training: bool):
        self.model, self.wanted, self.training = model, wanted, training
        self.order: list[str] = []
        self._called: list[tuple[str, Any, bool]] = []  # path, layer, whether its values can be returned
        self._trace: Any = None

    def __call__(self, values: Any, x: Any) -> dict[str, Any]:
        spec = self.model._session.state_spec.variables
        variables = {"params": spec.params, "state": spec.state}
        self._found: dict[str, Any] = {}
        self._called, self._stack, self._calls = [], [], {}

        def run() -> None:
            self._trace = get_opaque_trace_state()
            forward(self.model, x, self.training)

        with setting(training=self.training), intercept_calls(self._intercept):
            functional_call(variables, values, run)
        self.order = list(self._found)
        return self._found

    def _intercept(self, next_call: Callable[..., Any], layer: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        self._stack.append(layer.name)
        path = "/".join(self._stack[1:]) or layer.name
        try:
            outputs = next_call(*args, **kwargs)
        finally:
            self._stack.pop()
        within = get_opaque_trace_state() == self._trace
        self._called.append((path, layer, within))
        if within and layer is not self.model and (not self.wanted or any(_is(layer, path, w) for w in self.wanted)):
            self._calls[path] = self._calls.get(path, 0) + 1
            self._found[path if self._calls[path] == 1 else f"{path}#{self._calls[path]}"] = outputs
        return outputs

    def check(self) -> None:
        """Refuse layers that were not called, or only inside a loop."""
        for wanted in self.wanted:
            calls = [within for path, layer, within in self._called if _is(layer, path, wanted)]
            if any(calls):
                continue
            name = wanted if isinstance(wanted, str) else wanted.name
            if calls:
                raise ValueError(
                    f"Layer '{name}' is called inside a loop (or another transformation of JAX), and its values do not "
                    "leave it. Ask for the layer that holds the loop; a recurrent one returns all steps with "
                    "return_sequences=True."
                )
            known = [path for path, layer, within in self._called if within and layer is not self.model]
            raise registry.unknown(f"layer that model '{self.model.name}' calls", name, known)


def _is(layer: Any, path: str, wanted: Any) -> bool:
    """Whether a layer is the wanted one: an object, a name, a path in the model or one that starts with its name."""
    if not isinstance(wanted, str):
        return layer is wanted
    return wanted in (path, layer.name, layer.path) or wanted.partition("/")[2] == path
