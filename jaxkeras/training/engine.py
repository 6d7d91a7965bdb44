"""A model made ready for running: variables by path, losses and metrics bound to outputs, executables."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxkeras.core import pure
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.frame import bind, local, setting
from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.core.tracking import Watch, nest
from jaxkeras.data.convert import is_text
from jaxkeras.training import step as steps
from jaxkeras.training.executable import Executable
from jaxkeras.training.program import PredictPrograms, Programs
from jaxkeras.training.spec import resolve
from jaxkeras.training.state import Loan, Tables, TrainState, View, metric_table


def _symbolic(tree: Any) -> Any:
    return jax.tree.map(lambda a: KerasTensor((None, *a.shape[1:]), standardize_dtype(a.dtype)), tree)


def build(model: Any, x: Any) -> None:
    """Create the weights of a model from a batch of its inputs: abstractly, or by a real call if it runs eagerly."""
    if not (model.built and model._called):
        if model.run_eagerly:
            output_spec(model, x)
        elif any(is_text(leaf) for leaf in jax.tree.leaves(x)):
            model(x)  # nothing traces text
        else:
            model._ensure_built(x)


def output_spec(model: Any, x: Any) -> Any:
    """What the model returns for a batch, as KerasTensors."""
    graph = getattr(model, "_graph", None)
    if graph is not None:
        return graph.outputs_struct
    leaves, treedef = jax.tree.flatten(x)
    key = treedef, tuple((a.shape[1:], str(a.dtype)) for a in leaves)
    if key not in model._output_specs:
        if model.run_eagerly:
            with setting(eager=True):
                outputs = steps._call(model, jax.tree.map(jnp.asarray, x), training=False)
            model._output_specs[key] = _symbolic(outputs)
        else:
            model._output_specs[key] = infer(model.__call__, (_symbolic(x),), {})
    return model._output_specs[key]


def bind_objective(model: Any, x: Any, y: Any, y_pred: Any = None) -> None:
    """Resolve the names of losses and metrics by the shapes of targets and outputs, once after `compile`."""
    if model._objective is not None or model._spec is None:
        return
    outer, local.frame = local.frame, None  # metrics create variables, which no frame would keep
    try:
        spec = output_spec(model, x) if y_pred is None else y_pred
        model._objective = resolve(model._spec, y, spec, getattr(model, "output_names", None))
    finally:
        local.frame = outer


class Engine:
    """Everything that `fit`, `evaluate` and `predict` run a model with. It is made anew when the set of variables
    changes (a layer frozen, a metric added), and by `compile`.

    Args:
        model: built, with its objective bound if there are targets.
        before: the engine that this one replaces; what does not change is taken over.

    Attributes:
        names: of the metrics, in the order in which `evaluate` lists them.
        run: where the `fit` under way is, or None.
        known_batches: signatures of single batches that have been checked.
    """

    def __init__(self, model: Any, before: Engine | None = None):
        self.model = model
        self.look()
        self.names = [m.name for m in model.metrics]
        self.known_batches: set[Any] = set()
        table = pure.table(model)
        optimizer = model.optimizer
        opt: Any = {}
        if optimizer is not None:
            optimizer.build(list(table.params.values()), list(table.params))
            opt = optimizer.cells
        self.tables = Tables(table.params, table.state, opt, metric_table(model._all_metrics()))
        self.key = fingerprint(model)
        self.loan: Loan | None = None
        self.run: Any = None
        eager = model.run_eagerly
        own_logs = model.overrides("compute_metrics")
        self.train = Programs(
            steps.train_step(model, self.tables), True, eager, own_logs or model.overrides("train_step"),
            self._initial_metrics, self._read_metrics,
        )  # fmt: skip
        self.test = Programs(
            steps.test_step(model, self.tables), False, eager, own_logs or model.overrides("test_step"),
            self._initial_metrics, self._read_metrics,
        )  # fmt: skip
        if before is not None and before.key.model == self.key.model:
            self.predict = before.predict
        else:
            self.predict = PredictPrograms(steps.predict_step(model, self.tables), eager)
        self._results = self._read_metrics if eager else Executable(self._read_metrics)
        self._reset = self._initial_metrics if eager else Executable(self._initial_metrics)

    def look(self) -> None:
        """Take the structure of the model for the one that the engine was made for."""
        self._watch, self._settings = Watch(_roots(self.model)), _settings(self.model)

    def is_current(self) -> bool:
        """Whether the structure of the model is still what the engine was made for; quick, but not always sure."""
        return self._watch.holds(_roots(self.model)) and self._settings == _settings(self.model)

    # -- state ---------------------------------------------------------------------------------------------------
    def borrow(self) -> Loan:
        """The numbers of the model, to run on."""
        if self.loan is None or self.loan.settled:
            self.loan = Loan(self.tables)
        return self.loan

    def view(self) -> View:
        """The numbers of the model, to look at: nothing that runs on them may consume them."""
        self.settle()
        return View(self.tables)

    def settle(self) -> None:
        """Give the numbers back to the model. A `fit` under way keeps them; what reads them meanwhile gets copies."""
        if self.loan is not None and not self.loan.active:
            self.loan.settle()
            self.loan = None

    # -- metrics -------------------------------------------------------------------------------------------------
    def _bound(self, metrics: Any) -> Any:
        return bind(pure.bindings(self.tables.metrics, metrics, "metrics"))

    def _read_metrics(self, metrics: Any) -> dict[str, Any]:
        with self._bound(metrics):
            return {name: jnp.asarray(value) for name, value in self.model.get_metrics_result().items()}

    def _initial_metrics(self, metrics: Any) -> Any:
        with self._bound(metrics) as frame:
            for metric in self.model._all_metrics():
                metric.reset_state()
            return nest({p: frame.updates.get(id(v), frame.values[id(v)]) for p, v in self.tables.metrics.items()})

    def reset_metrics(self, ts: TrainState) -> TrainState:
        """The state with all metrics at their start."""
        return ts._replace(metrics=self._reset(ts.metrics))

    def results(self, ts: TrainState, extras: dict[str, Any] | None) -> dict[str, Any]:
        """Logs as arrays."""
        return self.chosen(self._results(ts.metrics), extras)

    @staticmethod
    def chosen(metrics: dict[str, Any], extras: dict[str, Any] | None) -> dict[str, Any]:
        """The metrics, or what an overridden step returned, by Keras's rule."""
        own = extras["logs"] if extras else {}
        return own if own and set(own) != set(metrics) else metrics

    def prepare(self, feed: Any, programs: Programs, ts: TrainState, epoch: int = 0) -> list[Any]:
        """Have the programs for a feed compiled, several at a time, while the caller goes on.

        Returns:
            A future for each.
        """
        if programs.eager:
            return []
        return [
            *feed.prepare(programs, ts, epoch),
            self._reset.prepare(ts.metrics),  # type: ignore[attr-defined]
            self._results.prepare(ts.metrics),  # type: ignore[attr-defined]
        ]

    def raise_failed_checks(self, extras: dict[str, Any]) -> None:
        """Stop when a condition on values failed on the device."""
        bits = int(extras["checks"])
        if bits:
            messages = self.model._check_messages
            failed = [m for i, m in enumerate(messages) if bits & (1 << min(i, 31))]
            raise ValueError(" ".join(failed))


def _roots(model: Any) -> list[Any]:
    """What holds the variables that an engine runs on."""
    roots = [model, model._loss_tracker]
    if model._objective is not None:
        roots += [*model._objective.all_metrics(), *model._objective.trackers()]
    return [root for root in roots if root is not None]


def _settings(model: Any) -> Any:
    """What an engine depends on besides the structure."""
    own = tuple(id(v) for m in model.metrics for v in m.variables) if model.overrides("metrics") else ()
    return own, id(model.optimizer), model.run_eagerly


class Fingerprint(NamedTuple):
    """What an engine depends on besides `compile`."""

    model: Any  # the variables, which of them are trained, and how steps run
    metrics: Any
    optimizer: Any


def fingerprint(model: Any) -> Fingerprint:
    """The present one of a model."""
    return Fingerprint(
        (tuple((id(v), v.trainable) for v in model.variables), model.trainable, model.run_eagerly),
        tuple(id(v) for m in model._all_metrics() for v in m.variables),
        id(model.optimizer),
    )


def engine_for(model: Any, batch: Any) -> Engine:
    """The engine of a model, made when first needed.

    Args:
        model: a model.
        batch: `(x, y, sample_weight)`, arrays of one batch.
    """
    x, y, _ = batch
    build(model, x)
    if y is not None:
        bind_objective(model, x, y)
    engine = model._engine
    if engine is not None:
        if engine.is_current():
            return engine
        if engine.key == fingerprint(model):
            engine.look()
            return engine
        engine.settle()
    engine = model._engine = Engine(model, engine)
    return engine
