"""The pure steps: `TrainState, batch -> TrainState, extras`. They know nothing of devices or copies of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import pure
from jaxkeras.core.frame import bind, setting
from jaxkeras.core.tracking import nest
from jaxkeras.data.utils import pack_x_y_sample_weight
from jaxkeras.training.state import Tables, TrainState

Step = Callable[[TrainState, tuple[Any, Any, Any]], tuple[TrainState, dict[str, Any]]]
# The extras of a step: "logs", {name: scalar} from an overridden `train_step` or `compute_metrics` (empty otherwise:
# metrics are read from the state when somebody looks), and "checks", a uint32 with a bit for each failed condition.


def _bindings(tables: Tables, ts: TrainState) -> dict[int, Any]:
    return (
        pure.bindings(tables.params, ts.params, "params")
        | pure.bindings(tables.state, ts.state, "state")
        | pure.bindings(tables.metrics, ts.metrics, "metrics")
    )


def _updated(table: dict[Any, Any], frame: Any) -> dict[str, Any]:
    return nest({path: frame.updates.get(id(v), frame.values[id(v)]) for path, v in table.items()})


def _call(model: Any, x: Any, training: bool) -> Any:
    if model._host is not None:  # its text layers have run on the host already
        with setting(stage="call", training=training):
            return model._host.call(x, training)
    return model(x, training=training) if "training" in model._signature.parameters else model(x)


def train_step(model: Any, tables: Tables) -> Step:
    """One update: forward, loss, gradients, optimizer, metrics."""
    if model.overrides("train_step"):
        return _adapted(model, tables, model.train_step)
    optimizer = model.optimizer
    # Only models that carry their own loss or metrics code need the general path through their methods.
    compute_metrics = model.overrides("compute_metrics")

    def step(ts: TrainState, batch: tuple[Any, Any, Any]) -> tuple[TrainState, dict[str, Any]]:
        x, y, sample_weight = batch

        def objective(params: Any) -> tuple[Any, Any]:
            with bind(_bindings(tables, ts._replace(params=params))) as frame, setting(training=True):
                y_pred = _call(model, x, training=True)
                loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
                if loss is None:
                    raise ValueError(
                        "There is no loss to minimise: `compile` was called without `loss`, and no layer adds one "
                        "(`add_loss`, a regularizer). Write compile(optimizer, loss='mse')."
                    )
                unscaled = loss
                loss = optimizer.scale_loss(loss, ts.opt_state)
                state = _updated(tables.state, frame)
                metrics = _updated(tables.metrics, frame)
            return loss, (unscaled, y_pred, state, metrics, _bits(model, frame))

        grads, (loss, y_pred, state, metrics, checks) = jax.grad(objective, has_aux=True)(ts.params)
        params, opt_state = optimizer.update(grads, ts.opt_state, ts.params, value=loss)
        ts = TrainState(params, state, opt_state, metrics)
        metrics, logs = _update_metrics(model, tables, ts, batch, y_pred, loss, compute_metrics)
        return ts._replace(metrics=metrics), {"logs": logs, "checks": checks}

    return step


def test_step(model: Any, tables: Tables) -> Step:
    """One evaluation: forward, loss, metrics. Parameters come back as they were."""
    if model.overrides("test_step"):
        return _adapted(model, tables, model.test_step)
    compute_metrics = model.overrides("compute_metrics")

    def step(ts: TrainState, batch: tuple[Any, Any, Any]) -> tuple[TrainState, dict[str, Any]]:
        x, y, sample_weight = batch
        with bind(_bindings(tables, ts)) as frame, setting(training=False):
            y_pred = _call(model, x, training=False)
            loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=False)
            ts = ts._replace(state=_updated(tables.state, frame), metrics=_updated(tables.metrics, frame))
            checks = _bits(model, frame)
        metrics, logs = _update_metrics(model, tables, ts, batch, y_pred, loss, compute_metrics)
        return ts._replace(metrics=metrics), {"logs": logs, "checks": checks}

    return step


def predict_step(model: Any, tables: Tables) -> Callable[[Any, Any, Any], Any]:
    """`params, state, x -> outputs`."""
    if model.overrides("predict_step"):

        def adapted(params: Any, state: Any, x: Any) -> Any:
            trainable, fixed = _in_keras_order(model, tables, params, state)
            return model.predict_step((trainable, fixed), (x,))[0]

        return adapted

    def step(params: Any, state: Any, x: Any) -> Any:
        with setting(training=False):
            outputs, _, _ = pure.run(tables.model, params, state, lambda: _call(model, x, training=False))
        return outputs

    return step


def _update_metrics(
    model: Any, tables: Tables, ts: TrainState, batch: Any, y_pred: Any, loss: Any, compute_metrics: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    x, y, sample_weight = batch
    with bind(_bindings(tables, ts)) as frame:
        if loss is not None:
            model._loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        if compute_metrics:
            logs = model.compute_metrics(x, y, y_pred, sample_weight)
        else:
            logs = {}
            if model._objective is not None:  # bound by the first batch with targets
                model._objective.update(y, y_pred, sample_weight)
        return _updated(tables.metrics, frame), {k: jnp.asarray(v) for k, v in logs.items()}


def _bits(model: Any, frame: Any) -> Any:
    """The failed conditions as bits; the model remembers which message belongs to which."""
    bits = jnp.zeros((), jnp.uint32)
    for message, failed in frame.checks.items():
        if message not in model._check_messages:
            model._check_messages.append(message)
        position = min(model._check_messages.index(message), 31)
        bits = bits | (failed.astype(jnp.uint32) << position)
    return bits


def _batch_size(x: Any) -> int:
    return next((leaf.shape[0] for leaf in jax.tree.leaves(x) if getattr(leaf, "ndim", 0)), 1)


# -- Keras's own form of a step, over lists -------------------------------------------------------------------------
def _in_keras_order(model: Any, tables: Tables, params: Any, state: Any) -> tuple[list[Any], list[Any]]:
    values = pure.bindings(tables.params, params, "params") | pure.bindings(tables.state, state, "state")
    return [values[id(v)] for v in model.trainable_variables], [values[id(v)] for v in model.non_trainable_variables]


def _adapted(model: Any, tables: Tables, method: Callable[[Any, Any], Any]) -> Step:
    """Run an overridden `train_step(self, state, data)` or `test_step` on the trees."""
    training = method.__name__ == "train_step"

    def step(ts: TrainState, batch: tuple[Any, Any, Any]) -> tuple[TrainState, dict[str, Any]]:
        trainable, fixed = model.trainable_variables, model.non_trainable_variables
        metric_cells = model.metrics_variables
        values = _bindings(tables, ts)
        optimizer_cells = model.optimizer.variables if training else []
        opt_leaves, opt_tree = jax.tree.flatten(ts.opt_state)
        opt_positions = {
            id(v): i for i, v in enumerate(jax.tree.leaves(tables.opt, is_leaf=lambda v: hasattr(v, "set_cell")))
        }
        lists = [
            [values[id(v)] for v in trainable],
            [values[id(v)] for v in fixed],
            [values[id(v)] for v in metric_cells],
        ]
        if training:
            lists.insert(2, [opt_leaves[opt_positions[id(v)]] for v in optimizer_cells])
        try:
            result = method(tuple(lists), pack_x_y_sample_weight(*batch))
        except TypeError as error:
            if "positional argument" in str(error):
                raise TypeError(_TENSORFLOW_STYLE.format(type(model).__name__, method.__name__)) from error
            raise
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ValueError(
                f"`{method.__name__}` of {type(model).__name__} must return (logs, state); got {type(result).__name__}."
            )
        logs, state = result
        new = dict(zip((id(v) for v in trainable), state[0])) | dict(zip((id(v) for v in fixed), state[1]))
        new |= dict(zip((id(v) for v in metric_cells), state[-1]))
        for v, value in zip(optimizer_cells, state[2] if training else []):
            opt_leaves[opt_positions[id(v)]] = value

        def tree(table: dict[Any, Any]) -> dict[str, Any]:
            return nest({path: jnp.asarray(new.get(id(v), values[id(v)]), v._dtype) for path, v in table.items()})

        ts = TrainState(
            tree(tables.params), tree(tables.state), jax.tree.unflatten(opt_tree, opt_leaves), tree(tables.metrics)
        )
        logs = {k: jnp.asarray(v) for k, v in _flat_logs(logs).items()}
        return ts, {"logs": logs, "checks": jnp.zeros((), jnp.uint32)}

    return step


def _flat_logs(logs: Any) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in logs.items():
        flat.update(value if isinstance(value, dict) else {key: value})
    return flat


_TENSORFLOW_STYLE = """`{0}.{1}` takes (self, data) as in TensorFlow, but a step on JAX is a pure function of the state:
    def train_step(self, state, data):
        trainable, non_trainable, optimizer_variables, metrics_variables = state
        x, y, sample_weight = jaxkeras.utils.unpack_x_y_sample_weight(data)
        def loss_fn(trainable, non_trainable):
            y_pred, non_trainable = self.stateless_call(trainable, non_trainable, x, training=True)
            return self.compute_loss(x, y, y_pred, sample_weight), (y_pred, non_trainable)
        (loss, (y_pred, non_trainable)), grads = jax.value_and_grad(loss_fn, has_aux=True)(trainable, non_trainable)
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
        return {{"loss": loss}}, (trainable, non_trainable, optimizer_variables, metrics_variables)
Often overriding `compute_loss(self, x, y, y_pred, sample_weight, training)` is enough."""
