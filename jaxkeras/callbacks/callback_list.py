"""`CallbackList`: several callbacks as one."""

from __future__ import annotations

import difflib
import functools
import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any

import jax

from jaxkeras.callbacks.callback import BATCH_HOOKS, Callback
from jaxkeras.callbacks.history import History
from jaxkeras.callbacks.progbar_logger import ProgbarLogger
from jaxkeras.core.placement import writes_files


class CallbackList(Callback):
    """Forwards each hook to a list of callbacks, in order.

    Args:
        callbacks: a callback, a (nested) list of callbacks, or None.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model.
        **params: `verbose`, `epochs` and `steps`, which are passed to `set_params` of each callback.

    Raises:
        TypeError: if an element is not a callback.

    Example:

    >>> callbacks = CallbackList([History()], epochs=2)
    >>> callbacks.params
    {'epochs': 2}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        super().__init__()
        self.callbacks: list[Any] = jax.tree.leaves(callbacks)
        for callback in self.callbacks:
            _check(callback)
            _warn_of_misspelt_hooks(callback)
        if not writes_files():
            add_progbar = False
            self.callbacks = [c for c in self.callbacks if not getattr(c, "one_process", False)]
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self.callbacks.sort(key=lambda callback: getattr(callback, "runs_last", False))
        # Asked before every call of the compiled step.
        self._with_dues = [c for c in self.callbacks if isinstance(c, Callback) and c.overrides("steps_until_due")]
        self.set_model(model)
        self.set_params(params)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        if model is None:
            return
        super().set_model(model)
        for callback in self.callbacks:
            if isinstance(callback, History):
                model.history = callback
            callback.set_model(model)
            set_peers = getattr(callback, "set_peers", None)
            if set_peers is not None:
                set_peers(self.callbacks)

    def release(self) -> None:
        for callback in self.callbacks:
            try:
                if hasattr(callback, "release"):  # a callback of another library may lack it
                    callback.release()
            except Exception as error:
                warnings.warn(
                    f"{type(callback).__name__} could not close what it had open when training failed: {error!r}",
                    stacklevel=2,
                )

    def _stop_clocks(self) -> None:
        for callback in self.callbacks:
            if isinstance(callback, ProgbarLogger):
                callback.stop_clock()

    def sees_batches(self, mode: str) -> bool:
        return any(_ask(callback, "sees_batches", mode) for callback in self.callbacks)

    def wants_batches(self, mode: str) -> bool:
        return any(_ask(callback, "wants_batches", mode) for callback in self.callbacks)

    def steps_until_due(self) -> int | None:
        due = [callback.steps_until_due() for callback in self._with_dues]
        return min((steps for steps in due if steps is not None), default=None)


def probes_of(callbacks: Any) -> dict[str, Callable[..., Any]]:
    """The probes of callbacks, by name."""
    parts = callbacks.callbacks if isinstance(callbacks, CallbackList) else jax.tree.leaves(callbacks)
    return {name: probe for callback in parts for name, probe in getattr(callback, "probes", {}).items()}


def _check(callback: Any) -> None:
    if isinstance(callback, type):
        raise TypeError(f"`callbacks` holds the class {callback.__name__}; pass an instance: {callback.__name__}(...).")
    if not hasattr(callback, "set_model") or not hasattr(callback, "on_epoch_end"):
        raise TypeError(
            f"`callbacks` must be a list of Callback objects; got {callback!r} of type {type(callback).__name__}. "
            "To call a function, use LambdaCallback(on_epoch_end=lambda epoch, logs: ...)."
        )


def _warn_of_misspelt_hooks(callback: Any) -> None:
    if not isinstance(callback, Callback):
        return
    for name in {*_unknown_hooks(type(callback)), *vars(callback)}:
        if name.startswith("on_") and name not in HOOKS and callable(getattr(callback, name)):
            close = difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.85)
            if close:
                warnings.warn(
                    f"{type(callback).__name__}.{name} is never called: there is no such hook. Did you mean "
                    f"'{close[0]}'?",
                    stacklevel=6,
                )


@functools.lru_cache(maxsize=100)
def _unknown_hooks(cls: type) -> list[str]:
    return [name for name in dir(cls) if name.startswith("on_") and name not in HOOKS]


def _ask(callback: Any, question: str, mode: str) -> bool:
    if isinstance(callback, Callback):
        return getattr(callback, question)(mode)
    # An object of another library with the same hooks: assume that they do something.
    return any(hasattr(callback, hook) for hook in BATCH_HOOKS[mode])


def to_floats(logs: Any) -> dict[str, Any]:
    """Return logs sorted by name, with scalars as floats and nested dicts flattened."""
    result: dict[str, Any] = {}
    for key, value in sorted((logs or {}).items()):
        if isinstance(value, dict):
            result.update(to_floats(value))
        else:
            scalar = isinstance(value, Real) or getattr(value, "ndim", None) == 0
            result[key] = float(value) if scalar else value  # type: ignore[arg-type]
    return result


def _batch_logs(logs: Any) -> Any:
    # A subclass of dict reads its values from the device on demand, so leave it alone.
    return to_floats(logs) if logs is None or type(logs) is dict else logs


# Hooks that are called when the steps of an epoch, an evaluation or a prediction are done.
_AFTER_STEPS = {"on_epoch_end", "on_test_begin", "on_test_end", "on_predict_end"}


def _forward(hook: str) -> Callable[..., None]:
    def on_batch(self: CallbackList, batch: int, logs: Any = None) -> None:
        logs = _batch_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(batch, logs=logs)

    after_steps = hook in _AFTER_STEPS

    def on_epoch(self: CallbackList, epoch: int, logs: Any = None) -> None:
        if after_steps:
            self._stop_clocks()
        logs = to_floats(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(epoch, logs)

    def on_run(self: CallbackList, logs: Any = None) -> None:
        if after_steps:
            self._stop_clocks()
        logs = to_floats(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(logs)

    method = on_batch if "batch" in hook else on_epoch if "epoch" in hook else on_run
    method.__name__ = hook
    method.__qualname__ = f"CallbackList.{hook}"
    method.__doc__ = getattr(Callback, hook).__doc__
    return method


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
for _hook in HOOKS:
    setattr(CallbackList, _hook, _forward(_hook))
