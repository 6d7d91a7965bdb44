"""What one step computes, in Keras's form: pure functions over lists of values. Users override them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import pure
from jaxkeras.data import unpack_x_y_sample_weight
from jaxkeras.models.compiled import Compiled
from jaxkeras.training.engine import bind_objective


class Steps(Compiled):
    """The part of `Trainer` that says what a step computes."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The scalar to minimise: the losses of `compile` plus what layers added. Override it for your own.

        Args:
            x, y, y_pred, sample_weight: a batch and what the model returned for it.
            training: whether it is a training step.

        Returns:
            A scalar, or None when there is no loss at all.
        """
        total = None
        if self._spec is not None and self._spec.loss is not None:
            bind_objective(self, x, y, y_pred)
            if y is not None:
                total = self._objective.loss(y, y_pred, sample_weight)  # type: ignore[union-attr]
        for loss in self.losses:
            value = jnp.sum(loss)
            total = value if total is None else total + value
        return total

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """`compute_loss` over lists of values.

        Returns:
            `(loss, (trainable_variables, non_trainable_variables, metrics_variables))`.
        """
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]
        loss, values, _ = pure.stateless(
            [v for g in groups for v in g],
            [*trainable_variables, *non_trainable_variables, *metrics_variables],
            lambda: self.compute_loss(x, y, y_pred, sample_weight=sample_weight, training=training),
        )
        return loss, tuple(_split(values, groups))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics of `compile` and return all values. Override it to compute others.

        Args:
            x, y, y_pred, sample_weight: a batch and what the model returned for it.

        Returns:
            `{name: scalar}`.
        """
        if self._objective is not None and y is not None:
            self._objective.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def compute_loss_and_updates(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any,
        y: Any,
        sample_weight: Any,
        training: bool = False,
        optimizer_variables: Any = None,
    ) -> Any:
        """Forward pass and loss over lists of values, for a `train_step` of your own.

        Returns:
            `(loss, (unscaled_loss, y_pred, non_trainable_variables, metrics_variables))`.
        """
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]

        def call() -> tuple[Any, Any]:
            y_pred = self(x, training=training) if "training" in self._signature.parameters else self(x)
            return self.compute_loss(x, y, y_pred, sample_weight=sample_weight, training=training), y_pred

        (loss, y_pred), values, _ = pure.stateless(
            [v for g in groups for v in g],
            [*trainable_variables, *non_trainable_variables, *metrics_variables],
            call,
        )
        _, fixed, metric_values = _split(values, groups)
        unscaled = loss
        if training and self.optimizer is not None:
            loss = self.optimizer.scale_loss(loss)
        return loss, (unscaled, y_pred, fixed, metric_values)

    def train_step(self, state: Any, data: Any) -> Any:
        """One update over lists of values, as Keras on JAX writes it. Override it for a step of your own.

        Args:
            state: `(trainable_variables, non_trainable_variables, optimizer_variables, metrics_variables)`.
            data: a batch: `x`, `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            `(logs, state)`.
        """
        trainable, fixed, optimizer_variables, metric_values = state
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        gradient = jax.value_and_grad(self.compute_loss_and_updates, has_aux=True)
        (_, aux), grads = gradient(
            trainable, fixed, metric_values, x, y, sample_weight, training=True,
            optimizer_variables=optimizer_variables,
        )  # fmt: skip
        loss, y_pred, fixed, metric_values = aux
        trainable, optimizer_variables = self.optimizer.stateless_apply(optimizer_variables, grads, trainable)
        logs, metric_values = self._update_metrics(metric_values, loss, x, y, y_pred, sample_weight)
        return logs, (trainable, fixed, optimizer_variables, metric_values)

    def test_step(self, state: Any, data: Any) -> Any:
        """One evaluation over lists of values; see `train_step`.

        Args:
            state: `(trainable_variables, non_trainable_variables, metrics_variables)`.
            data: a batch.

        Returns:
            `(logs, state)`.
        """
        trainable, fixed, metric_values = state
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        _, (loss, y_pred, fixed, metric_values) = self.compute_loss_and_updates(
            trainable, fixed, metric_values, x, y, sample_weight, training=False
        )
        logs, metric_values = self._update_metrics(metric_values, loss, x, y, y_pred, sample_weight)
        return logs, (trainable, fixed, metric_values)

    def predict_step(self, state: Any, data: Any) -> Any:
        """One prediction over lists of values.

        Args:
            state: `(trainable_variables, non_trainable_variables)`.
            data: a batch.

        Returns:
            `(outputs, non_trainable_variables)`.
        """
        trainable, fixed = state
        x, _, _ = unpack_x_y_sample_weight(data)
        kwargs = {"training": False} if "training" in self._signature.parameters else {}
        return self.stateless_call(trainable, fixed, x, **kwargs)

    def _update_metrics(self, values: Any, loss: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        def update() -> dict[str, Any]:
            if loss is not None:
                self._loss_tracker.update_state(loss, sample_weight=jax.tree.leaves(x)[0].shape[0])
            return self.compute_metrics(x, y, y_pred, sample_weight)

        logs, values, _ = pure.stateless(self.metrics_variables, values, update)
        return logs, values


def _split(values: list[Any], groups: list[list[Any]]) -> list[list[Any]]:
    result, at = [], 0
    for group in groups:
        result.append(values[at : at + len(group)])
        at += len(group)
    return result
