"""Steps in Keras's form, over lists of values, which users override: adapters over `training.step`."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from jaxkeras.core.functional import functional_call
from jaxkeras.data import unpack_x_y_sample_weight
from jaxkeras.models.compiled import Compiled
from jaxkeras.training.state import StateSpec
from jaxkeras.training.step import forward, keras_step


class KerasSteps(Compiled):
    """The part of `Trainer` that defines what a step computes."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The scalar to minimize: the losses of `compile` and of layers. Override it for a loss of your own.

        Args:
            x, y, y_pred, sample_weight: a batch and the outputs of the model for it.
            training: whether it is a training step.

        Returns:
            A scalar, or None without any loss.
        """
        total = None
        session = self._session
        if session.compile_loss is not None and y is not None:
            session.bind(x, y, y_pred)
            total = session.compile_loss(y, y_pred, sample_weight)
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
        loss, values, _ = functional_call(
            self._value_groups("test_step"),
            [list(trainable_variables), list(non_trainable_variables), list(metrics_variables)],
            lambda: self.compute_loss(x, y, y_pred, sample_weight=sample_weight, training=training),
        )
        return loss, tuple(values)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics of `compile` and return all values. Override it to compute others.

        Args:
            x, y, y_pred, sample_weight: a batch and the outputs of the model for it.

        Returns:
            `{name: scalar}`.
        """
        if self._session.compile_metrics is not None and y is not None:
            self._session.bind(x, y, y_pred)
            self._session.compile_metrics.update_state(y, y_pred, sample_weight)
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
        groups = self._value_groups("test_step")
        values = [list(trainable_variables), list(non_trainable_variables), list(metrics_variables)]
        if optimizer_variables is not None:
            groups.append(self.optimizer.variables)
            values.append(list(optimizer_variables))

        def call() -> tuple[Any, Any, Any]:
            y_pred = forward(self, x, training)
            loss = self.compute_loss(x, y, y_pred, sample_weight=sample_weight, training=training)
            scaled = self.optimizer.scale_loss(loss) if training and self._optimizer is not None else loss
            return scaled, loss, y_pred

        (scaled, loss, y_pred), (_, fixed, metric_values, *_), _ = functional_call(groups, values, call)
        return scaled, (loss, y_pred, fixed, metric_values)

    def _value_groups(self, step: str) -> list[list[Any]]:
        """The variables whose values are the state of a step, in Keras's order."""
        groups = [self.trainable_variables, self.non_trainable_variables]
        if step == "train_step":
            groups.append(self.optimizer.variables)
        return groups if step == "predict_step" else [*groups, self.metrics_variables]

    def _state_spec(self) -> StateSpec:
        session = self._session
        return session.state_spec if session.is_prepared else StateSpec(self, self._all_metrics())

    def train_step(self, state: Any, data: Any) -> Any:
        """One update over lists of values, as Keras on JAX writes it. Override it for a step of your own.

        Args:
            state: `(trainable_variables, non_trainable_variables, optimizer_variables, metrics_variables)`.
            data: a batch: `x`, `(x, y)` or `(x, y, sample_weight)`.

        Returns:
            `(logs, state)`.
        """
        return keras_step(self, self._state_spec(), "train_step", state, unpack_x_y_sample_weight(data))

    def test_step(self, state: Any, data: Any) -> Any:
        """One evaluation over lists of values; see `train_step`.

        Args:
            state: `(trainable_variables, non_trainable_variables, metrics_variables)`.
            data: a batch.

        Returns:
            `(logs, state)`.
        """
        return keras_step(self, self._state_spec(), "test_step", state, unpack_x_y_sample_weight(data))

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
