"""What a compiled model runs with: the objective, the state and the compiled steps."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core.context import setting
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.core.tracking import StructureVersion
from jaxkeras.data.convert import is_text
from jaxkeras.metrics.reduction import Mean
from jaxkeras.training import step as steps
from jaxkeras.training.compiled_function import CompiledFunction
from jaxkeras.training.eager import eager_step
from jaxkeras.training.feed import Feed
from jaxkeras.training.program import NO_CHECKS, BatchRef, CompiledStep
from jaxkeras.training.spec import CompileSpec, Objective, resolve
from jaxkeras.training.state import StateSpec, StateStore, StateView, TrainState


class FitProgress:
    """The position of a running `fit`. A callback that resumes an interrupted run changes it in `on_train_begin`.

    Args:
        sources: the training data, and the validation data if there is any.
        epoch: the first epoch.
        epochs: the one after the last.

    Attributes:
        step: finished steps of `epoch`.
        logs: those of the epoch before.
        extras: those of the last step.
    """

    def __init__(self, sources: list[Any], epoch: int, epochs: int):
        self.sources, self.epoch, self.epochs = sources, epoch, epochs
        self.step = 0
        self.logs: dict[str, Any] = {}
        self.extras: dict[str, Any] | None = None


class Session:
    """What one `compile` sets up. A model that is not compiled has one too, for `predict`.

    Args:
        model: the model.
        spec: the arguments of `compile`, checked; None without.
        arguments: the same, as they were given.

    Attributes:
        objective: losses and metrics bound to outputs, once data were seen.
        loss_tracker: the mean of the loss over an epoch.
        check_messages: messages of conditions that a step checks; bit `i` of its checks is for message `i`.
        host: the part of the model that runs on the host, or None.
        state_spec: where every number of the model is.
        train, test, predict: the compiled steps.
        progress: the position of the `fit` that runs, or None.
        known_batches: signatures of single batches that were checked.
    """

    state_spec: StateSpec
    train: CompiledStep
    test: CompiledStep
    predict: CompiledStep

    def __init__(self, model: Any, spec: CompileSpec | None = None, arguments: dict[str, Any] | None = None):
        self.model, self.spec, self.arguments = model, spec, arguments or {}
        self.objective: Objective | None = None
        self.loss_tracker: Any = None if spec is None else Mean(name="loss")
        self.check_messages: list[str] = []
        self.host: Any = None
        self.host_graph: Any = None  # the graph that `host` was cut from
        self.progress: FitProgress | None = None
        self.known_batches: set[Any] = set()
        self.store: StateStore | None = None
        self._output_specs: dict[Any, Any] = {}
        self._version: StructureVersion | None = None
        self._prepared: int | None = None  # version of the structure that the steps were made for

    # -- getting ready ----------------------------------------------------------------------------------------------
    def refresh(self, batch: Any) -> None:
        """Build the model for a batch `(x, y, sample_weight)`, bind the objective, and make the steps anew if the
        structure of the model has changed."""
        x, y, _ = batch
        self.build(x)
        if y is not None:
            self.bind_objective(x, y)
        if not self.is_current():
            self._make_steps()

    @property
    def is_prepared(self) -> bool:
        """Whether steps were made since `compile`."""
        return self._prepared is not None

    def is_current(self) -> bool:
        """Whether the steps were made for the present structure of the model."""
        return self._prepared is not None and self._prepared == self._key()

    def _key(self) -> int:
        if self._version is None:
            self._version = StructureVersion(self._roots, self._details, self._settings)
        return self._version.number

    def _roots(self) -> list[Any]:
        trackers = [] if self.objective is None else [*self.objective.all_metrics(), *self.objective.trackers()]
        return [root for root in [self.model, self.loss_tracker, *trackers] if root is not None]

    def _details(self) -> Any:
        metrics = [id(v) for m in self.model._all_metrics() for v in m.variables]
        return self._model_details(), metrics, id(self.model.optimizer)

    def _model_details(self) -> Any:
        model = self.model
        return [(id(v), v.trainable) for v in model.variables], model.trainable, model.run_eagerly

    def _settings(self) -> Any:
        model = self.model
        own = [id(v) for m in model.metrics for v in m.variables] if model.overrides("metrics") else None
        return own, id(model.optimizer), model.run_eagerly

    def build(self, x: Any) -> None:
        """Create the weights of the model from a batch of inputs: abstractly, or by a real call if it runs eagerly."""
        model = self.model
        if not (model.built and model._called):
            if model.run_eagerly:
                self.output_spec(x)
            elif any(is_text(leaf) for leaf in jax.tree.leaves(x)):
                model(x)  # text cannot be traced
            else:
                model._ensure_built(x)

    def output_spec(self, x: Any) -> Any:
        """The outputs of the model for a batch, as KerasTensors."""
        model = self.model
        graph = getattr(model, "_graph", None)
        if graph is not None:
            return graph.outputs_struct
        leaves, treedef = jax.tree.flatten(x)
        key = treedef, tuple((a.shape[1:], str(a.dtype)) for a in leaves)
        if key not in self._output_specs:
            if model.run_eagerly:
                with eager_step():
                    outputs = steps.forward(model, jax.tree.map(jnp.asarray, x), training=False)
                self._output_specs[key] = _symbolic(outputs)
            else:
                self._output_specs[key] = infer(model.__call__, (_symbolic(x),), {})
            if not jax.tree.leaves(self._output_specs[key]):
                raise ValueError(
                    f"`call` of model '{model.name}' ({type(model).__name__}) returned "
                    f"{self._output_specs[key]!r}; it must return arrays. Does it lack a `return`?"
                )
        return self._output_specs[key]

    def bind_objective(self, x: Any, y: Any, y_pred: Any = None) -> None:
        """Resolve the names of losses and metrics by the shapes of targets and outputs, once after `compile`."""
        if self.objective is None and self.spec is not None:
            with setting(frame=None):  # metrics create variables, which no frame would keep
                outputs = self.output_spec(x) if y_pred is None else y_pred
                self.objective = resolve(self.spec, y, outputs, getattr(self.model, "output_names", None))

    def _make_steps(self) -> None:
        model, eager = self.model, self.model.run_eagerly
        self.write_back()
        self.known_batches.clear()
        self.state_spec = spec = StateSpec(model, model._all_metrics())
        self.names = [m.name for m in model.metrics]
        own = model.overrides("compute_metrics")
        train, test = steps.train_step(model, spec), steps.test_step(model, spec)
        fields = ("state", "metrics"), ("params",)
        self.train = CompiledStep(train, eager=eager, own_logs=own or model.overrides("train_step"))
        self.test = CompiledStep(test, *fields, eager=eager, own_logs=own or model.overrides("test_step"))
        self._train_alone = CompiledStep(steps.alone(model, spec, train), eager=eager)
        self._test_alone = CompiledStep(steps.alone(model, spec, test), *fields, eager=eager)
        details = self._model_details()
        if self._predict_details != details:
            predict = steps.predict_step(model, spec)
            self.predict = CompiledStep(predict, (), ("params", "state"), stack=True, eager=eager)
            self._predict_details = details
        read = functools.partial(steps.read_metrics, model, spec)
        reset = functools.partial(steps.initial_metrics, model, spec)
        self._read, self._reset = (read, reset) if eager else (CompiledFunction(read), CompiledFunction(reset))
        self._prepared = self._key()

    _predict_details: Any = None

    def discard_steps(self) -> None:
        """Drop all compiled programs."""
        self.write_back()
        self._prepared = self._predict_details = None

    def prepare(self, feed: Feed, step: CompiledStep, ts: TrainState, epoch: int = 0) -> list[Any]:
        """Compile the programs for a feed in the background; returns a future for each."""
        if step.eager:
            return []
        futures = feed.prepare(step, ts, epoch)
        if not step.stack:
            futures += [self._reset.prepare(ts.metrics), self._read.prepare(ts.metrics)]  # type: ignore[attr-defined]
        return futures

    # -- state ------------------------------------------------------------------------------------------------------
    def acquire(self) -> StateStore:
        """Take the numbers of the model out of its cells, to run on."""
        if self.store is None or self.store.released:
            self.store = StateStore(self.state_spec)
        return self.store

    def view(self, *fields: str) -> StateView:
        """Fields of the model's state to run an evaluation or prediction on; nothing may donate them."""
        if self.store is not None and self.store.active:  # a callback or another thread, while a `fit` runs
            return StateView(self.store.snapshot())
        self.write_back()
        return StateView(self.state_spec.values(*fields))

    def keep_statistics(self, view: StateView) -> None:
        """Write what an evaluation changed back to the model."""

        def keep(v: Any, value: Any) -> None:
            if isinstance(v._cell, StateStore):
                v._cell.write(v, value)
            else:
                v.set_cell(value)

        self.state_spec.map(keep, view.current._replace(params=None, opt_state=None))

    def write_back(self) -> None:
        """Put the numbers back into the cells, unless a `fit` is running."""
        if self.store is not None and not self.store.active:
            self.store.write_back()
            self.store = None

    # -- metrics -------------------------------------------------------------------------------------------------------
    def reset_metrics(self, ts: TrainState) -> TrainState:
        """The state with all metrics at their start."""
        return ts._replace(metrics=self._reset(ts.metrics))

    def results(self, ts: TrainState, extras: dict[str, Any] | None) -> dict[str, Any]:
        """Logs as arrays: the metrics, or what an overridden step returned, by Keras's rule."""
        return _chosen(self._read(ts.metrics), extras)

    def raise_failed_checks(self, extras: dict[str, Any]) -> None:
        """Stop when a condition on values failed on the device."""
        bits = int(extras["checks"])
        if bits:
            failed = [m for i, m in enumerate(self.check_messages) if bits & (1 << min(i, 31))]
            raise ValueError(" ".join(failed))

    # -- single batches ---------------------------------------------------------------------------------------------
    def run_alone(self, mode: str, ts: TrainState, batch: Any) -> tuple[TrainState, dict[str, Any]]:
        """One step of `train_on_batch` or `test_on_batch`; the extras hold the results."""
        step = self._train_alone if mode == "train" else self._test_alone
        return step(ts, {"logs": {}, "checks": NO_CHECKS}, BatchRef(batch, 0, form="whole"), 1)

    @staticmethod
    def results_alone(extras: dict[str, Any]) -> dict[str, Any]:
        """Logs from what `run_alone` returned."""
        return _chosen(extras["results"], extras)


def _chosen(metrics: dict[str, Any], extras: dict[str, Any] | None) -> dict[str, Any]:
    own = extras["logs"] if extras else {}
    return own if own and set(own) != set(metrics) else metrics


def _symbolic(tree: Any) -> Any:
    return jax.tree.map(lambda a: KerasTensor((None, *a.shape[1:]), standardize_dtype(a.dtype)), tree)
