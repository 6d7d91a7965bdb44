"""The pure steps: `TrainState, batch -> TrainState, extras`. They know nothing of devices.

There is one training step. Keras's form of it, over lists of values, is an adapter: `model.train_step` runs the step of
this file on lists, and a model that overrides `train_step` has its method run on the trees.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxkeras.core.context import local, setting
from jaxkeras.core.functional import functional_call
from jaxkeras.data.utils import pack_x_y_sample_weight
from jaxkeras.training.pieces import call_in_pieces
from jaxkeras.training.state import StateSpec, TrainState, check_optimizer

Batch = tuple[Any, Any, Any]
Step = Callable[[TrainState, Batch], tuple[TrainState, Any]]
# The extras of a train or test step: "logs", {name: scalar} from an overridden method (empty otherwise: metrics are
# read from the state on demand), and "checks", a uint32 with a bit for each failed condition. Those of a predict step
# are the outputs.

# The parts of a step that are not layers, as named scopes of its operations.
PARTS = LOSS, METRICS, OPTIMIZER = "loss", "metrics", "optimizer"


class Stepped(NamedTuple):
    """The result of one step: the next state, logs of overridden methods, and failed conditions by message."""

    state: TrainState
    logs: dict[str, Any]
    checks: dict[str, Any]


class StepValues(NamedTuple):
    """What a train step computes, for the probes of callbacks.

    Attributes:
        loss: the loss, unscaled.
        gradients: a tree like `params`, unscaled.
        params: the parameters before the step.
        new_params: those after it.
    """

    loss: Any
    gradients: Any
    params: Any
    new_params: Any


def train_step(model: Any, spec: StateSpec) -> Step:
    """The step that `fit` compiles."""
    if model.overrides("train_step"):
        return _with_bits(model, lambda ts, batch: _run_keras_step(model, spec, "train_step", ts, batch))
    return _with_bits(model, lambda ts, batch: train_on(model, spec, ts, batch))


def test_step(model: Any, spec: StateSpec) -> Step:
    """The step that `evaluate` compiles."""
    if model.overrides("test_step"):
        return _with_bits(model, lambda ts, batch: _run_keras_step(model, spec, "test_step", ts, batch))
    return _with_bits(model, lambda ts, batch: test_on(model, spec, ts, batch))


def predict_step(model: Any, spec: StateSpec) -> Step:
    """The step that `predict` compiles; its extras are the outputs."""

    def step(ts: TrainState, batch: Batch) -> tuple[TrainState, Any]:
        if model.overrides("predict_step"):
            groups = model._value_groups("predict_step")
            outputs, fixed = model.predict_step(tuple(spec.to_lists(groups, ts)), (batch[0],))
            new = dict(zip(groups[1], fixed))
            ts = ts._replace(params=None)
            return spec.map(lambda v, old: new.get(v, old), ts), outputs
        with setting(training=False):
            variables = {"params": spec.variables.params, "state": spec.variables.state}
            values = {"params": spec.gather(ts.params), "state": ts.state}
            outputs, new, _ = functional_call(variables, values, lambda: forward(model, batch[0], training=False))
            return TrainState(None, new["state"], None, None), outputs

    return step


class Gradients(NamedTuple):
    """What the forward and backward pass of a training step give.

    Attributes:
        grads: in the structure of the parameters, of the scaled loss.
        loss: the loss, not scaled.
        y_pred: the outputs of the model.
        values: the state and the metrics after the pass.
        checks: failed conditions by message.
    """

    grads: Any
    loss: Any
    y_pred: Any
    values: Any
    checks: dict[str, Any]


def gradients(model: Any, spec: StateSpec, ts: TrainState, batch: Batch) -> Gradients:
    """Forward pass, loss and gradients."""

    def objective(params: Any) -> tuple[Any, Any]:
        values = {"params": spec.gather(params), "state": ts.state, "metrics": ts.metrics}
        (loss, y_pred), new, frame = functional_call(
            spec.bindings, values, lambda: forward_and_loss(model, batch, training=True)
        )
        if loss is None:
            raise ValueError(
                "There is no loss to minimise: `compile` was called without `loss`, and no layer adds one "
                "(`add_loss`, a regularizer). Write compile(optimizer, loss='mse')."
            )
        return model.optimizer.scale_loss(loss, ts.opt_state), (loss, y_pred, new, frame.checks)

    with setting(training=True):
        grads, rest = jax.grad(objective, has_aux=True)(ts.params)
    return Gradients(grads, *rest)


def train_on(model: Any, spec: StateSpec, ts: TrainState, batch: Batch) -> Stepped:
    """One update: forward pass, loss, gradients, optimizer, metrics."""
    optimizer = model.optimizer
    check_optimizer(model)
    grads, loss, y_pred, new, checks = gradients(model, spec, ts, batch)
    with jax.named_scope(OPTIMIZER):
        params, opt_state = optimizer.update(grads, ts.opt_state, ts.params, value=loss)
    metrics = new["metrics"]
    if model._session.probes:
        scale = optimizer.scale_loss(jnp.ones(()), ts.opt_state)
        grads = jax.tree.map(lambda g: g / scale.astype(g.dtype), grads)
        metrics = _update_probes(model, spec, metrics, StepValues(loss, grads, ts.params, params))
    ts = TrainState(params, new["state"], opt_state, metrics)
    ts, logs = _update_metrics(model, spec, ts, batch, y_pred, loss)
    return Stepped(ts, logs, checks)


def _update_probes(model: Any, spec: StateSpec, metrics: Any, values: StepValues) -> Any:
    def update() -> None:
        for mean, probe in model._session.probes.values():
            mean.update_state(probe(values))

    return functional_call({"metrics": spec.variables.metrics}, {"metrics": metrics}, update).values["metrics"]


def read_probes(model: Any, spec: StateSpec, metrics: Any) -> dict[str, Any]:
    """The means of the probes of callbacks."""

    def read() -> dict[str, Any]:
        return {name: mean.result() for name, (mean, _) in model._session.probes.items()}

    return functional_call({"metrics": spec.variables.metrics}, {"metrics": metrics}, read).output


def test_on(model: Any, spec: StateSpec, ts: TrainState, batch: Batch) -> Stepped:
    """One evaluation: forward pass, loss, metrics. Parameters stay as they are."""
    values = {"params": spec.gather(ts.params), "state": ts.state, "metrics": ts.metrics}
    with setting(training=False):
        (loss, y_pred), new, frame = functional_call(
            spec.bindings, values, lambda: forward_and_loss(model, batch, training=False)
        )
    ts = ts._replace(state=new["state"], metrics=new["metrics"])
    ts, logs = _update_metrics(model, spec, ts, batch, y_pred, loss)
    return Stepped(ts, logs, frame.checks)


def forward(model: Any, x: Any, training: bool) -> Any:
    """Call a model, or the part of it that runs on the device."""
    if training:
        return _forward(model, x, training)
    return call_in_pieces(model, lambda x: _forward(model, x, training), x)


def _forward(model: Any, x: Any, training: bool) -> Any:
    host = model._session.host
    if host is not None:
        with setting(stage="call", training=training):
            return host.call(x, training)
    return model(x, training=training) if "training" in model._signature.parameters else model(x)


def takes_training(method: Callable[..., Any]) -> bool:
    """Whether a `compute_loss` takes `training`, which Keras's earlier versions did not pass."""
    parameters = inspect.signature(method).parameters.values()
    return any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)


def forward_and_loss(model: Any, batch: Batch, training: bool) -> tuple[Any, Any]:
    """The loss of a batch, or None, and the outputs of the model."""
    x, y, sample_weight = batch
    y_pred = forward(model, x, training)
    mode = {"training": training} if takes_training(model.compute_loss) else {}
    with jax.named_scope(LOSS):
        return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **mode), y_pred


def _update_metrics(
    model: Any, spec: StateSpec, ts: TrainState, batch: Batch, y_pred: Any, loss: Any
) -> tuple[TrainState, dict[str, Any]]:
    x, y, sample_weight = batch
    session = model._session

    def update() -> dict[str, Any]:
        if loss is not None:
            session.loss_tracker.update_state(loss, sample_weight=_batch_size(x))
        if model.overrides("compute_metrics"):
            return model.compute_metrics(x, y, y_pred, sample_weight)
        if session.compile_metrics is not None and y is not None:
            session.compile_metrics.update_state(y, y_pred, sample_weight)
        return {}

    values = {"params": ts.params, "state": ts.state, "metrics": ts.metrics}
    with jax.named_scope(METRICS):
        logs, new, _ = functional_call(spec.bindings, values, update)
    return ts._replace(metrics=new["metrics"]), {k: jnp.asarray(v) for k, v in logs.items()}


def read_metrics(model: Any, spec: StateSpec, metrics: Any) -> dict[str, Any]:
    """The values of all metrics."""

    def read() -> dict[str, Any]:
        return {name: jnp.asarray(value) for name, value in model.get_metrics_result().items()}

    return functional_call({"metrics": spec.variables.metrics}, {"metrics": metrics}, read).output


def initial_metrics(model: Any, spec: StateSpec, metrics: Any) -> Any:
    """The state of all metrics at their start."""

    def reset() -> None:
        for metric in model._all_metrics():
            metric.reset_state()

    return functional_call({"metrics": spec.variables.metrics}, {"metrics": metrics}, reset).values["metrics"]


def alone(model: Any, spec: StateSpec, step: Step) -> Step:
    """A step whose metrics are those of its batch alone, with their values among its extras as "results"."""

    def run(ts: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Any]]:
        ts, extras = step(ts._replace(metrics=initial_metrics(model, spec, ts.metrics)), batch)
        return ts, {**extras, "results": read_metrics(model, spec, ts.metrics)}

    return run


def _batch_size(x: Any) -> int:
    return next((leaf.shape[0] for leaf in jax.tree.leaves(x) if getattr(leaf, "ndim", 0)), 1)


def _with_bits(model: Any, run: Callable[[TrainState, Batch], Stepped]) -> Step:
    def step(ts: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Any]]:
        ts, logs, checks = run(ts, batch)
        return ts, {"logs": logs, "checks": _as_bits(model._session.check_messages, checks)}

    return step


def _as_bits(messages: list[str], checks: dict[str, Any]) -> Any:
    """Failed conditions as bits; `messages` remembers which message a bit belongs to."""
    bits = jnp.zeros((), jnp.uint32)
    for message, failed in checks.items():
        if message not in messages:
            messages.append(message)
        bits = bits | (failed.astype(jnp.uint32) << min(messages.index(message), 31))
    return bits


# -- Keras's form of a step, over lists ------------------------------------------------------------------------------
def keras_step(model: Any, spec: StateSpec, name: str, lists: Any, batch: Batch) -> tuple[dict[str, Any], tuple]:
    """The pure step on Keras's lists of values: what `model.train_step` and `model.test_step` do."""
    groups = model._value_groups(name)
    run = train_on if name == "train_step" else test_on
    ts, logs, checks = run(model, spec, spec.from_lists(groups, lists), batch)
    if local.frame is not None:
        for message, failed in checks.items():
            local.frame.check(message, failed)
    return logs or read_metrics(model, spec, ts.metrics), tuple(spec.to_lists(groups, ts))


def _run_keras_step(model: Any, spec: StateSpec, name: str, ts: TrainState, batch: Batch) -> Stepped:
    """Run an overridden `train_step(self, state, data)` or `test_step` on the trees."""
    groups = model._value_groups(name)
    lists = tuple(spec.to_lists(groups, ts))
    try:
        data = pack_x_y_sample_weight(*batch)
        result, _, frame = functional_call({}, {}, lambda: getattr(model, name)(lists, data))
    except TypeError as error:
        if "positional argument" in str(error):
            raise TypeError(_TENSORFLOW_STYLE.format(type(model).__name__, name)) from error
        raise
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ValueError(f"`{name}` of {type(model).__name__} must return (logs, state); got {type(result).__name__}.")
    logs, state = result
    for v in frame.updates.keys() & set(spec.leaves()):
        raise RuntimeError(
            f"`{name}` of {type(model).__name__} assigned variable '{v.path}' (by `update_state`, `assign` or a layer "
            "call). A step on JAX is a pure function of the state: use `stateless_call`, `stateless_update_state` and "
            "the like, and return the new values in `state`."
        )
    new = {v: value for group, values in zip(groups, state) for v, value in zip(group, values)}

    def value_of(v: Any, old: Any) -> Any:
        return jnp.asarray(new.get(v, old), v._dtype)

    ts = spec.map(value_of, ts)
    return Stepped(ts, {k: jnp.asarray(v) for k, v in _flat_logs(logs).items()}, frame.checks)


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
