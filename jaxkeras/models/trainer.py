"""The part of a model that trains: `compile`, `fit`, `evaluate`, `predict` and what users override."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkeras import metrics as metrics_module
from jaxkeras import optimizers, registry
from jaxkeras.callbacks import CallbackList
from jaxkeras.callbacks.progress import open_line
from jaxkeras.core import pure
from jaxkeras.core.logging import is_interactive_logging_enabled
from jaxkeras.core.tracebacks import brief
from jaxkeras.data import adapt, split_validation, unpack_x_y_sample_weight
from jaxkeras.data.weights import class_weight_to_sample_weight
from jaxkeras.models import checks
from jaxkeras.models.host import check_text, host_part
from jaxkeras.training import loop
from jaxkeras.training.engine import Engine, bind_objective, build, engine_for
from jaxkeras.training.feeds import feed_for
from jaxkeras.training.interrupt import Guard
from jaxkeras.training.logs import to_python
from jaxkeras.training.spec import CompileSpec, Objective, check_names


class Trainer:
    """Mixed into `Model`."""

    _untracked = frozenset(
        {
            "optimizer", "history", "loss", "_spec", "_engine", "_objective", "_loss_tracker", "_user_metrics",
            "_check_messages", "_compile_arguments", "_output_specs", "_host",
        }
    )  # fmt: skip

    def __init__(self) -> None:
        self.optimizer: Any = None
        self.loss: Any = None
        self.history: Any = None
        self.compiled = False
        self.stop_training = False
        self._spec: CompileSpec | None = None
        self._objective: Objective | None = None
        self._engine: Engine | None = None
        self._loss_tracker: Any = None
        self._check_messages: list[str] = []
        self._output_specs: dict[Any, Any] = {}
        self._host: Any = None
        self._compile_arguments: dict[str, Any] = {}
        self.steps_per_execution = 1
        self._run_eagerly = False

    # -- compile -------------------------------------------------------------------------------------------------
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how the model is trained.

        Args:
            optimizer: a name (`"adam"`, or any optax alias), an `Optimizer`, or an `optax.GradientTransformation`.
            loss: a name, a `Loss` or `f(y_true, y_pred)`; a list or a dict by output name for several outputs.
            loss_weights: how much each output's loss counts: a number, a list or a dict.
            metrics: names, metrics or functions; for several outputs a list of lists or a dict.
            weighted_metrics: the same, weighted by `sample_weight` and `class_weight`.
            run_eagerly: run each step as plain Python, so that `print`, `pdb` and `if` see values.
            steps_per_execution: steps that run as one program; batch hooks of callbacks fire once for each. With 1,
                steps are still fused by themselves as long as no callback wants to see every batch.
            jit_compile: `"auto"` or True compile by XLA; False is the same as `run_eagerly` without its unrolling of
                loops, and only useful to find out whether compilation is the trouble.
            auto_scale_loss: scale the loss dynamically under `"mixed_float16"`.

        Raises:
            ValueError: for unknown names, with the closest known ones.

        Example:

        >>> import jaxkeras as jk
        >>> model = jk.Sequential([jk.layers.Dense(1)])
        >>> model.compile(optimizer=jk.optimizers.Adam(1e-2), loss="mse", metrics=["mae"])
        """
        self._check_super_called()
        if not isinstance(steps_per_execution, (int, np.integer)) or steps_per_execution < 1:
            raise ValueError(f"`steps_per_execution` must be a positive integer; got {steps_per_execution!r}.")
        if jit_compile not in ("auto", True, False, None):
            raise ValueError(f"`jit_compile` must be 'auto', True or False; got {jit_compile!r}.")
        arguments = {
            "optimizer": optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
            "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution, "jit_compile": jit_compile,
        }  # fmt: skip
        resolved = optimizers.get(optimizer)
        if auto_scale_loss and getattr(self, "dtype_policy", None) is not None:
            if self.dtype_policy.name == "mixed_float16" and resolved is not None:
                if not isinstance(resolved, optimizers.LossScaleOptimizer):
                    resolved = optimizers.LossScaleOptimizer(resolved, name="loss_scale_optimizer")
        spec = CompileSpec(
            resolved, loss, loss_weights, metrics, weighted_metrics, bool(run_eagerly), int(steps_per_execution),
            jit_compile, auto_scale_loss,
        )  # fmt: skip
        check_names(spec)
        if self._engine is not None:
            self._engine.settle()
        self._spec, self._objective, self._engine = spec, None, None
        self._check_messages, self._output_specs = [], {}
        self._loss_tracker = metrics_module.Mean(name="loss")
        self.optimizer, self.loss = resolved, loss
        self._run_eagerly = bool(run_eagerly)
        self.steps_per_execution = int(steps_per_execution)
        self._compile_arguments = arguments
        self.compiled = True
        self.stop_training = False

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run as plain Python."""
        return self._run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._run_eagerly = bool(value)

    @property
    def jit_compile(self) -> bool:
        """Whether steps are compiled by XLA."""
        return not self._run_eagerly and (self._spec is None or self._spec.jit_compile is not False)

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile`, as plain data; None before it."""
        if not self.compiled:
            return None
        arguments = {**self._compile_arguments, "jit_compile": self.jit_compile}
        arguments["optimizer"] = self.optimizer
        return {key: registry.serialize_argument(value) for key, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` returned."""
        if type(self).compile is not Trainer.compile and "optimizer" not in config:
            warnings.warn("This model has a `compile` of its own; call it yourself after loading.", stacklevel=2)
            return
        config = {k: registry.deserialize(v) for k, v in config.items()}
        self.compile(**{k: v for k, v in config.items() if k in inspect.signature(self.compile).parameters})
        if self.optimizer is not None and self.built:
            table = pure.table(self)
            self.optimizer.build(list(table.params.values()), list(table.params))

    def _require_compiled(self, what: str) -> None:
        self._check_super_called()
        if not self.compiled:
            raise ValueError(
                f"Model '{self.name}' must be compiled before `{what}`: "
                "model.compile(optimizer='adam', loss='mse')."
            )

    def overrides(self, name: str) -> bool:
        """Whether a subclass changed a method of the trainer."""
        return getattr(type(self), name) is not getattr(Trainer, name)

    # -- metrics -------------------------------------------------------------------------------------------------
    @property
    def metrics(self) -> list[Any]:
        """The loss, metrics that are attributes of the model or its layers, and those of `compile`."""
        found = {id(m): m for m in [self._loss_tracker] if m is not None}
        for layer in self._flatten_layers():
            for metric in layer.parts("metric"):
                found.setdefault(id(metric), metric)
        if self._objective is not None:
            for metric in [*self._objective.all_metrics(), *self._objective.trackers()]:
                found.setdefault(id(metric), metric)
        return list(found.values())

    def _all_metrics(self) -> list[Any]:
        """`metrics`, and what the trainer needs besides when a subclass overrides that."""
        found = {id(m): m for m in self.metrics}
        for metric in Trainer.metrics.fget(self):  # type: ignore[attr-defined]
            found.setdefault(id(metric), metric)
        return list(found.values())

    @property
    def metrics_names(self) -> list[str]:
        return [m.name for m in self.metrics]

    @property
    def metrics_variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def reset_metrics(self) -> None:
        """Set all metrics to their start."""
        for metric in self._all_metrics():
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The values of all metrics by name; a metric may give several."""
        labels = {}
        if self._objective is not None:
            labels = {id(metric): label for _, metric, label, _ in self._objective.metrics}
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            if isinstance(value, dict):
                results.update(value)
            else:
                results[labels.get(id(metric), metric.name)] = value
        return results

    # -- what users override -------------------------------------------------------------------------------------
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

    # -- fit -----------------------------------------------------------------------------------------------------
    @brief
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: Any = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Train the model.

        Args:
            x: inputs: arrays (nested in lists or dicts for several inputs), a pandas table, a generator, a
                `PyDataset`, a torch `DataLoader`, a `tf.data.Dataset` or a grain data set of batches.
            y: targets; not with a stream, whose batches hold them.
            batch_size: rows in a batch, 32 by default; not with a stream.
            epochs: how often to go through the data.
            verbose: 0 silent, 1 a progress bar, 2 a line an epoch; `"auto"` is 1, or 2 without interactive logging.
            callbacks: a list of `Callback`s.
            validation_split: share of the last rows that is held back for validation.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a stream.
            shuffle: whether to draw a new order in every epoch; `"batch"` permutes rows within batches only.
            class_weight: `{class: weight}`.
            sample_weight: a weight for each row.
            initial_epoch: the epoch to start at, to go on with a run.
            steps_per_epoch: batches in an epoch; needed for endless streams.
            validation_steps: batches of a validation.
            validation_batch_size: rows in a batch of the validation; `batch_size` by default.
            validation_freq: validate every so many epochs, or after the epochs in a list (counted from 1).

        Returns:
            `History`: its `history` maps each name to a list with one value an epoch.

        Raises:
            ValueError: for data that do not fit the model or each other, before the first step.

        Example:

        >>> import jaxkeras as jk
        >>> model = jk.Sequential([jk.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=2, verbose=0)
        >>> len(history.history["loss"])
        2
        """
        self._require_compiled("fit")
        checks.epochs(epochs, initial_epoch)
        if validation_data is None and validation_split:
            (x, y, sample_weight), validation_data = split_validation((x, y, sample_weight), validation_split)
        source = adapt(
            x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle,
            class_weight=class_weight,
        )  # fmt: skip
        source, batch, engine = self._ready(source, initial_epoch)
        validation: Any = None
        if validation_data is not None:
            validation = _Validation(self, validation_data, validation_batch_size or batch_size, validation_steps)
        callback_list = self._callbacks(
            callbacks, verbose, epochs=epochs, steps=source.steps, add_history=True
        )
        self.stop_training = False
        feed = feed_for(source, self._chunk(callback_list, "train"))
        try:
            loop.fit(
                engine, feed, source, callback_list, initial_epoch=initial_epoch, epochs=epochs,
                validate=validation.bound(engine, callback_list) if validation is not None else None,
                validation_freq=validation_freq,
            )  # fmt: skip
        finally:
            open_line.end()  # an exception's traceback starts on a line of its own
            feed.close()
            source.close()
            if validation is not None:
                validation.close()
        return self.history

    def _ready(self, source: Any, epoch: int = 0, for_predict: bool = False) -> tuple[Any, Any, Engine]:
        """Build the model for the data, check that they fit, and let text layers do their part.

        Returns:
            The source to read from, its first batch, and the engine.
        """
        batch = source.peek(epoch) if hasattr(source, "epoch") else source.peek()
        if for_predict:
            batch = (batch[0], None, None)
        else:
            checks.targets(self, batch)
        build(self, batch[0])
        self._host = host_part(self)
        if self._host is not None:
            source = self._host.source(source)
            batch = source.peek(epoch) if hasattr(source, "epoch") else source.peek()
        check_text(self, batch)
        engine = engine_for(self, batch)
        if not for_predict:
            checks.data_fits(self, source, batch)
        return source, batch, engine

    def _chunk(self, callback_list: Any, mode: str) -> int | None:
        """Steps that a stream stacks: one when somebody wants to see every batch."""
        if self.run_eagerly:
            return 1
        return self.steps_per_execution if callback_list.wants_batches(mode) else None

    def _callbacks(self, callbacks: Any, verbose: Any, add_history: bool = False, **params: Any) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        if verbose == "auto":
            verbose = 1 if is_interactive_logging_enabled() else 2
        return CallbackList(
            callbacks, add_history=add_history, add_progbar=verbose != 0, model=self, verbose=verbose, **params
        )

    @brief
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics on data.

        Args:
            x, y, sample_weight: as for `fit`.
            batch_size: rows in a batch, 32 by default.
            verbose: 0, 1, 2 or `"auto"`.
            steps: batches to go through.
            callbacks: a list of `Callback`s.
            return_dict: return `{name: value}`.

        Returns:
            The loss, or a list of the loss and the metrics in the order of `metrics_names`, or a dict.
        """
        self._require_compiled("evaluate")
        if kwargs:
            raise registry.unknown("argument of evaluate", next(iter(kwargs)), ("x", "y", "steps", "return_dict"))
        source = adapt(x, y, sample_weight, batch_size=batch_size, steps=steps)
        source, batch, engine = self._ready(source)
        callback_list = self._callbacks(callbacks, verbose, steps=source.steps, epochs=1)
        feed = feed_for(source, self._chunk(callback_list, "test"), reuse=False)
        loan = engine.borrow()
        loan.active = True
        try:
            with Guard() as guard:
                logs = loop.evaluate(engine, feed, source, callback_list, loan, guard)
        finally:
            engine.settle()
            feed.close()
            source.close()
        return logs if return_dict else self._in_order(logs)

    def _in_order(self, logs: dict[str, Any]) -> Any:
        names = [m.name for m in self.metrics]
        values = [logs[name] for name in names if name in logs]
        values += [logs[name] for name in sorted(logs) if name not in names]
        return values[0] if len(values) == 1 else values

    @brief
    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """Outputs for data, batch by batch.

        Args:
            x: inputs, as for `fit`.
            batch_size: rows in a batch, 32 by default.
            verbose: 0, 1, 2 or `"auto"`.
            steps: batches to go through.
            callbacks: a list of `Callback`s.

        Returns:
            NumPy arrays in the structure that the model returns.
        """
        source = adapt(x, batch_size=batch_size, steps=steps, for_predict=True)
        source, batch, engine = self._ready(source, for_predict=True)
        engine.settle()
        callback_list = self._callbacks(callbacks, verbose, steps=source.steps, epochs=1)
        try:
            return loop.predict(engine, source, callback_list)
        finally:
            source.close()

    # -- single batches ------------------------------------------------------------------------------------------
    @brief
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One update on one batch, for a loop of your own.

        Args:
            x, y, sample_weight: a batch.
            class_weight: `{class: weight}`, instead of `sample_weight`.
            return_dict: return `{name: value}`.

        Returns:
            The loss, or a list of the loss and the metrics. Metrics accumulate until `reset_metrics()`.
        """
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Give train_on_batch either `sample_weight` or `class_weight`, not both.")
            sample_weight = class_weight_to_sample_weight(np.asarray(y), class_weight)
        return self._on_batch("train", x, y, sample_weight, return_dict)

    @brief
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics on one batch; see `train_on_batch`."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, return_dict)

    @brief
    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch, as NumPy arrays."""
        _, batch, engine = self._ready(adapt(x, batch_size=2**30, for_predict=True), for_predict=True)
        engine.settle()
        y = engine.predict.single(pure.cells(engine.tables.params), pure.cells(engine.tables.state), batch[0])
        return jax.tree.map(np.asarray, y)

    def _on_batch(self, mode: str, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        _, batch, engine = self._ready(adapt(x, y, sample_weight, batch_size=2**30))
        programs = engine.train if mode == "train" else engine.test
        loan = engine.borrow()
        with Guard() as guard, guard.critical():
            loan.current, extras = programs.single(loan.current, programs.extras(loan.current, batch), batch)
        engine.raise_failed_checks(extras)
        results = jax.device_get(engine.results(loan.current, extras))
        logs = {k: to_python(v) for k, v in sorted(results.items())}
        return logs if return_dict else self._in_order(logs)

    # -- old names -----------------------------------------------------------------------------------------------
    def fit_generator(self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, **kwargs: Any) -> Any:
        """Deprecated: `fit` takes generators."""
        return self._deprecated("fit_generator", self.fit, generator, kwargs, steps_per_epoch=steps_per_epoch,
                                epochs=epochs)  # fmt: skip

    def evaluate_generator(self, generator: Any, steps: int | None = None, **kwargs: Any) -> Any:
        """Deprecated: `evaluate` takes generators."""
        return self._deprecated("evaluate_generator", self.evaluate, generator, kwargs, steps=steps)

    def predict_generator(self, generator: Any, steps: int | None = None, **kwargs: Any) -> Any:
        """Deprecated: `predict` takes generators."""
        return self._deprecated("predict_generator", self.predict, generator, kwargs, steps=steps)

    def _deprecated(self, name: str, method: Callable[..., Any], generator: Any, kwargs: Any, **known: Any) -> Any:
        new = name.removesuffix("_generator")
        warnings.warn(f"`{name}` is deprecated: `{new}` takes generators.", DeprecationWarning, stacklevel=3)
        queue = {k: kwargs.pop(k) for k in ("max_queue_size", "workers", "use_multiprocessing") if k in kwargs}
        for key, value in queue.items():
            if hasattr(generator, key):
                setattr(generator, key, value)
        return method(generator, **known, **kwargs)

    # -- Keras's names for what happens by itself here -----------------------------------------------------------
    def make_train_function(self, force: bool = False) -> None:
        """Drop the compiled programs if `force`; they are made when needed."""
        if force:
            self._drop_engine()

    make_test_function = make_train_function
    make_predict_function = make_train_function

    def _drop_engine(self) -> None:
        if self._engine is not None:
            self._engine.settle()
        self._engine = None

    def jax_state_sync(self) -> None:
        """Bring the numbers of a loop over `train_on_batch` home; reading a weight does the same."""
        if self._engine is not None:
            self._engine.settle()


def _split(values: list[Any], groups: list[list[Any]]) -> list[list[Any]]:
    result, at = [], 0
    for group in groups:
        result.append(values[at : at + len(group)])
        at += len(group)
    return result


class _Validation:
    """Validation data, adapted once, its chunks kept on the device over the epochs of a fit."""

    def __init__(self, model: Any, data: Any, batch_size: int | None, steps: int | None):
        self.model = model
        x, y, sample_weight = unpack_x_y_sample_weight(data) if isinstance(data, (tuple, list)) else (data, None, None)
        streamed = not isinstance(data, (tuple, list))
        source = adapt(x, y, sample_weight, batch_size=None if streamed else batch_size, steps=steps)
        self.source, _, _ = model._ready(source)
        self.feed: Any = None

    def bound(self, engine: Engine, callbacks: Any) -> Callable[[Any, Any], dict[str, Any]]:
        self.feed = feed_for(self.source, self.model._chunk(callbacks, "test"), reuse=False)
        return lambda loan, guard: loop.evaluate(engine, self.feed, self.source, callbacks, loan, guard)

    def close(self) -> None:
        if self.feed is not None:
            self.feed.close()
        self.source.close()
