"""Arrays that a `call` left on its layer in an earlier trace."""

from __future__ import annotations

from typing import Any

from jax.core import Tracer
from jax.extend.core import get_opaque_trace_state


def forbid_stale_arrays(layer: Any) -> None:
    """Replace attributes that hold values of an earlier trace by objects that say what is wrong when they are used.

    A `call` may keep a value on the layer for other methods to read in the same trace, but the next trace must not
    compute with it.
    """
    for name, value in vars(layer).items():
        if isinstance(value, Tracer) and not _is_live(value):
            vars(layer)[name] = _Stale(f"{type(layer).__name__}.{name}", layer.name, name)


def _is_live(tracer: Tracer) -> bool:
    """Whether a tracer belongs to the trace in progress or to one around it."""
    trace: Any = get_opaque_trace_state()._trace_ref()
    while trace is not None:
        if tracer._trace is trace:
            return True
        trace = getattr(trace, "parent_trace", None)
    return False


class _Stale:
    def __init__(self, what: str, layer: str, attribute: str):
        vars(self).update(_what=what, _layer=layer, _attribute=attribute)

    def _raise(self, *args: Any, **kwargs: Any) -> Any:
        a = self._attribute
        raise RuntimeError(
            f"`{self._what}` holds an array that `call` of layer '{self._layer}' computed in an earlier trace. State "
            f"that `call` changes must be a variable:\n"
            f"    def build(self, input_shape):\n"
            f"        self.{a} = self.add_weight(shape=(), initializer='zeros', trainable=False, name='{a}')\n"
            f"    def call(self, x):\n"
            f"        self.{a}.assign(self.{a} + ...)"
        )

    @property
    def __jax_array__(self) -> Any:
        return self._raise()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._raise()

    def __repr__(self) -> str:
        return f"<an array of an earlier trace, set by `call` of layer '{self._layer}'>"


for _name in (
    "add radd sub rsub mul rmul truediv rtruediv pow rpow matmul rmatmul neg abs getitem len iter bool float int "
    "eq ne lt le gt ge array"
).split():
    setattr(_Stale, f"__{_name}__", _Stale._raise)
_Stale.__hash__ = object.__hash__  # type: ignore[method-assign]
