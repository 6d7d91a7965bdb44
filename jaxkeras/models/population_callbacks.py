"""Callbacks in the `fit` of a population."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxkeras.callbacks import Callback, CallbackList, History
from jaxkeras.callbacks.callback_list import HOOKS
from jaxkeras.callbacks.monitor import MonitorCallback


def for_members(callbacks: Any, history: History) -> list[Any]:
    """The callbacks of a `fit`, with those that act on members wrapped.

    Raises:
        TypeError: for a `CallbackList`, whose model cannot be changed any more.
    """
    if isinstance(callbacks, CallbackList):
        raise TypeError("Give the callbacks of a population as a list, not as a CallbackList.")
    given = jax.tree.leaves(callbacks)
    wrapped = [MemberCallbacks(c) if getattr(c, "per_member", False) else c for c in given]
    return [*wrapped, history]


class MemberCallbacks(Callback):
    """A copy of a callback for each member. Its model is that of the member while one of its hooks runs.

    Args:
        callback: the callback to copy.
    """

    state_attributes = ("states",)

    def __init__(self, callback: Any):
        super().__init__()
        self.callback = callback
        self.copies: list[Any] = []

    @property
    def sees_pieces(self) -> bool:  # type: ignore[override]
        return self.callback.sees_pieces

    @property
    def runs_last(self) -> bool:  # type: ignore[override]
        return self.callback.runs_last

    def sees_batches(self, mode: str) -> bool:
        return self.callback.sees_batches(mode)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self.copies = [copy.deepcopy(self.callback) for _ in range(model.count)]
        for i, callback in enumerate(self.copies):
            callback.set_model(model.template)
            callback.for_member(i)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for callback in self.copies:
            callback.set_params(params)

    @property
    def states(self) -> list[dict[str, Any]]:
        """The attributes of the copies that a backup keeps."""
        return [{name: getattr(c, name) for name in c.state_attributes} for c in self.copies]

    @states.setter
    def states(self, values: list[dict[str, Any]]) -> None:
        for callback, attributes in zip(self.copies, values):
            for name, value in attributes.items():
                setattr(callback, name, value)

    def run(self, hook: str, position: tuple[int, ...], logs: dict[str, Any] | None, members: Any) -> None:
        """Call a hook of the copies of some members, each with its own logs; keep what they add to them."""
        population = self.model
        template, store = population.template, population._session.store
        stop_all, template.stop_training = template.stop_training, False
        stopped = []
        added: dict[str, np.ndarray] = {}
        with store.batched():
            for i in members:
                own = {name: _of_member(value, i) for name, value in logs.items()} if logs is not None else None
                if own is not None:
                    own["member"] = i
                with population.showing(i):
                    getattr(self.copies[i], hook)(*position, logs=own)
                if template.stop_training:
                    stopped.append(i)
                    template.stop_training = False
                for name in (own or {}).keys() - (logs or {}).keys() - {"member"}:
                    added.setdefault(name, np.full(population.count, np.nan))[i] = own[name]  # type: ignore[index]
        if stopped:
            store.stop(stopped)
        if logs is not None:
            logs.update(added)
        template.stop_training = stop_all or not len(store.running_members())


def _of_member(value: Any, index: int) -> Any:
    if np.ndim(value) == 0:  # one number for all
        return value
    value = np.asarray(value)[index]
    return float(value) if value.ndim == 0 else value


def _forward(hook: str) -> Callable[..., None]:
    whole = hook.startswith("on_train_") and "batch" not in hook  # also for members that have stopped

    def run_hook(self: MemberCallbacks, *position: int, logs: dict[str, Any] | None = None) -> None:
        if not self.callback.overrides(hook):
            return
        store = self.model._session.store
        self.run(hook, position, logs, range(self.model.count) if whole else store.running_members())

    def on_run(self: MemberCallbacks, logs: dict[str, Any] | None = None) -> None:
        run_hook(self, logs=logs)

    def on_position(self: MemberCallbacks, index: int, logs: dict[str, Any] | None = None) -> None:
        run_hook(self, index, logs=logs)

    method = on_position if "batch" in hook or "epoch" in hook else on_run
    method.__name__ = hook
    method.__doc__ = getattr(Callback, hook).__doc__
    return method


for _hook in HOOKS:
    if not _hook.startswith("on_predict"):
        setattr(MemberCallbacks, _hook, _forward(_hook))


class PopulationHistory(History):
    """What `Population.fit` returns.

    Args:
        population: the population.

    Attributes:
        history: `{name: array of shape (epochs, members)}`, with NaN where a member had stopped.
    """

    def __init__(self, population: Any):
        super().__init__()
        self.population = population

    def finished(self) -> PopulationHistory:
        """The same with arrays in place of lists. What is one number for all members is repeated."""
        arrays: Any = {name: self._by_member(np.array(values)) for name, values in self.history.items()}
        self.history = arrays
        return self

    def _by_member(self, values: np.ndarray) -> np.ndarray:
        return values if values.ndim > 1 else np.repeat(values[:, None], self.population.count, axis=1)

    def last(self, name: str) -> np.ndarray:
        """The value of each member in the last epoch that it ran."""
        values = np.asarray(self.history[name], float)
        rows = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1).max(axis=0)
        return np.where(rows >= 0, values[rows, np.arange(values.shape[1])], np.nan)

    def ranking(self, monitor: str, mode: str) -> np.ndarray:
        """The members from the best to the worst last value; those whose value is not finite come last."""
        asking = MonitorCallback(monitor, mode)
        asking.set_model(self.population)
        values = self.last(monitor)
        loss = values if asking._find_mode({monitor: None}) == "min" else -values
        return np.argsort(np.where(np.isfinite(values), loss, np.inf), kind="stable")

    def of_member(self, index: int, model: Any) -> History:
        """The history of one member, as `Model.fit` would return it."""
        own = History()
        columns = {name: np.asarray(values)[:, index] for name, values in self.history.items()}
        own.history = {name: [float(v) for v in column if v == v] for name, column in columns.items()}
        own.epoch = self.epoch[: max(map(len, own.history.values()), default=0)]
        own.set_model(model)
        return own

    def to_frame(self) -> Any:
        """The logs as a `pandas.DataFrame`: a row for each epoch, and columns `(name, member)`.

        Raises:
            ImportError: without pandas.
        """
        pandas = import_pandas("PopulationHistory.to_frame")
        frames = {name: pandas.DataFrame(np.asarray(values)) for name, values in self.history.items()}
        frame = pandas.concat(frames, axis=1, names=["name", "member"])
        frame.index = pandas.Index(frame.index + 1, name="epoch")
        return frame

    def plot(self, to_file: str | os.PathLike[str] | None = None) -> Any:
        """Plot the learning curves of all members; see `Population.plot`."""
        return self.population.plot(to_file, history=self)

    def _repr_html_(self) -> str:
        from jaxkeras.display import html
        from jaxkeras.display.text import format_value

        rows = []
        for name in self.history:
            last = self.last(name)
            spread = [np.nanmin(last), np.nanmedian(last), np.nanmax(last)] if np.isfinite(last).any() else []
            rows.append([name, *(format_value(float(v)) for v in spread)])
        epochs = max(map(len, self.history.values()), default=0)
        caption = f"{epochs} epochs of {self.population.count} members; the last values"
        return html.table(["", "smallest", "median", "largest"], rows, caption=caption)


def import_pandas(what: str) -> Any:
    """pandas.

    Raises:
        ImportError: without it.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ImportError(f"{what} needs pandas: pip install pandas") from None
    return pandas
