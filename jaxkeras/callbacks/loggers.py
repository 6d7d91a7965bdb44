"""Loggers for services that track experiments: MLflow, Weights & Biases, trackio."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.member_logs import columns, is_population


class _RunLogger(Callback):
    """The part that the loggers share. They log to the run in progress; if there is none they start one and end it. A
    population is one run, with the values of member 0 as `loss/0` and so on."""

    runs_last = True
    one_process = True  # of several

    def __init__(self, config: Mapping[str, Any] | None):
        super().__init__()
        self.config = dict(config or {})
        self._started = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._started = self._start({**_described(self.model, self.params or {}), **self.config})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        numbers = columns(self.model, logs)
        self._log({name: float(value) for name, value in numbers.items() if np.ndim(value) == 0}, epoch)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._end(failed=False)

    def release(self) -> None:
        self._end(failed=True)

    def _end(self, failed: bool) -> None:
        if self._started:
            self._started = False
            self._finish(failed)

    def _start(self, config: dict[str, Any]) -> bool:
        """Log the configuration; returns whether a run was started for it."""
        raise NotImplementedError

    def _log(self, values: dict[str, float], epoch: int) -> None:
        raise NotImplementedError

    def _finish(self, failed: bool) -> None:
        raise NotImplementedError


def _described(model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a run should know of a model: its name, its size, its optimizer, and the length of the training."""
    described: dict[str, Any] = {"model": model.name, "parameters": model.count_params()}
    described |= {name: params[name] for name in ("epochs", "steps") if params.get(name) is not None}
    if is_population(model):
        return {**described, "members": len(model), **{name: v.tolist() for name, v in model.hyperparameters.items()}}
    if model.optimizer is not None:
        described["optimizer"] = type(model.optimizer).__name__
        rate = getattr(model.optimizer, "learning_rate", None)
        if rate is not None:
            described["learning_rate"] = float(np.asarray(rate))
    return described


def _tracker(name: str, logger: _RunLogger) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ImportError(f'{type(logger).__name__} needs {name}: pip install "jaxkeras[{name}]"') from None


class MLflowLogger(_RunLogger):
    """Logs the values of each epoch, and the parameters of the run, to MLflow.

    It logs to the active run of MLflow, if there is one, and leaves it open; else it starts one and ends it.

    Args:
        experiment: name of the experiment of a new run; that of MLflow by default.
        run_name: name of a new run.
        tracking_uri: where MLflow keeps runs, such as `"sqlite:///mlflow.db"` or the address of a server; what MLflow
            is set to by default.
        config: further parameters to log, `{name: value}`.

    Raises:
        ImportError: when training begins, without MLflow.

    Example:

    >>> import jaxkeras as jk
    >>> logger = jk.callbacks.MLflowLogger(experiment="digits", config={"augmented": True})
    """

    def __init__(
        self,
        experiment: str | None = None,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        config: Mapping[str, Any] | None = None,
    ):
        super().__init__(config)
        self.experiment, self.run_name, self.tracking_uri = experiment, run_name, tracking_uri

    @property
    def _mlflow(self) -> ModuleType:
        return _tracker("mlflow", self)

    def _start(self, config: dict[str, Any]) -> bool:
        mlflow, started = self._mlflow, False
        if self.tracking_uri is not None:
            mlflow.set_tracking_uri(self.tracking_uri)
        if mlflow.active_run() is None:
            if self.experiment is not None:
                mlflow.set_experiment(self.experiment)
            mlflow.start_run(run_name=self.run_name)
            started = True
        mlflow.log_params(config)
        return started

    def _log(self, values: dict[str, float], epoch: int) -> None:
        self._mlflow.log_metrics(values, step=epoch)

    def _finish(self, failed: bool) -> None:
        self._mlflow.end_run("FAILED" if failed else "FINISHED")


class WandbLogger(_RunLogger):
    """Logs the values of each epoch, and the configuration of the run, to Weights & Biases.

    It logs to the run in progress, if `wandb.init` was called, and leaves it open; else it starts one and ends it.

    Args:
        project: the project of a new run.
        run_name: name of a new run.
        config: further entries of its configuration, `{name: value}`.
        **init: other arguments of `wandb.init`, such as `mode="offline"`, `dir` or `tags`.

    Raises:
        ImportError: when training begins, without wandb.

    Example:

    >>> import jaxkeras as jk
    >>> logger = jk.callbacks.WandbLogger(project="digits", mode="offline")
    """

    def __init__(
        self,
        project: str | None = None,
        run_name: str | None = None,
        config: Mapping[str, Any] | None = None,
        **init: Any,
    ):
        super().__init__(config)
        self.project, self.run_name, self.init = project, run_name, init
        self._run: Any = None

    def _start(self, config: dict[str, Any]) -> bool:
        wandb = _tracker("wandb", self)
        self._run = wandb.run
        if self._run is not None:
            self._run.config.update(config, allow_val_change=True)
            return False
        self._run = wandb.init(project=self.project, name=self.run_name, config=config, **self.init)
        return True

    def _log(self, values: dict[str, float], epoch: int) -> None:
        self._run.log({**values, "epoch": epoch})

    def _finish(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class TrackioLogger(_RunLogger):
    """Logs the values of each epoch, and the configuration of the run, to trackio, which keeps them on this machine.

    Args:
        project: the project of the run.
        run_name: name of the run; generated by default.
        config: further entries of its configuration, `{name: value}`.
        **init: other arguments of `trackio.init`.

    Raises:
        ImportError: when training begins, without trackio.

    Example:

    >>> import jaxkeras as jk
    >>> logger = jk.callbacks.TrackioLogger("digits", run_name="first")
    """

    def __init__(
        self, project: str, run_name: str | None = None, config: Mapping[str, Any] | None = None, **init: Any
    ):
        super().__init__(config)
        self.project, self.run_name, self.init = project, run_name, init
        self._run: Any = None

    def _start(self, config: dict[str, Any]) -> bool:
        trackio = _tracker("trackio", self)
        self._run = trackio.init(project=self.project, name=self.run_name, config=config, **self.init)
        return True

    def _log(self, values: dict[str, float], epoch: int) -> None:
        self._run.log(values, step=epoch)

    def _finish(self, failed: bool) -> None:
        self._run.finish()
