"""`fit`, `evaluate`, `predict`, and steps on single batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.callbacks import CallbackList
from jaxkeras.callbacks.callback_list import probes_of
from jaxkeras.callbacks.non_finite import NonFinite
from jaxkeras.core import config
from jaxkeras.core.abstract_signature import signature
from jaxkeras.core.logging import is_interactive_logging_enabled
from jaxkeras.core.messages import open_line
from jaxkeras.core.tracebacks import hide_library_frames
from jaxkeras.data import ArraySource, BatchSource, adapt, split_validation, unpack_x_y_sample_weight
from jaxkeras.data.checks import class_weight as check_class_weight
from jaxkeras.data.sources import is_in_memory
from jaxkeras.data.weights import class_weight_to_sample_weight
from jaxkeras.models import checks, mistakes
from jaxkeras.models.host_preprocessing import check_text, host_preprocessing
from jaxkeras.models.keras_steps import KerasSteps
from jaxkeras.training import loop
from jaxkeras.training.collect import Collector
from jaxkeras.training.fault_watch import FaultWatch
from jaxkeras.training.feed import feed_for
from jaxkeras.training.interrupt import DeferSigint
from jaxkeras.training.logs import to_python


class Trainer(KerasSteps):
    """The part of `Model` with `fit`, `evaluate`, `predict` and steps on single batches."""

    def overrides(self, name: str) -> bool:
        """Whether a subclass overrides a method of the trainer."""
        return getattr(type(self), name) is not getattr(Trainer, name)

    # -- fit -----------------------------------------------------------------------------------------------------
    @hide_library_frames
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
                `PyDataset`, a torch `DataLoader`, a `tf.data.Dataset` or a grain dataset of batches.
            y: targets; not for a stream, whose batches contain them.
            batch_size: rows per batch, 32 by default; not for a stream.
            epochs: number of passes over the data.
            verbose: 0 silent, 1 a progress bar, 2 one line per epoch; `"auto"` is 1, or 2 without interactive logging.
            callbacks: a list of `Callback`s.
            validation_split: fraction of the rows, from the end, held out for validation.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a stream.
            shuffle: whether to shuffle the rows in every epoch; `"batch"` shuffles within batches only.
            class_weight: `{class: weight}`.
            sample_weight: a weight for each row.
            initial_epoch: the epoch to start at, to resume a run.
            steps_per_epoch: batches per epoch; needed for endless streams.
            validation_steps: batches per validation.
            validation_batch_size: rows per validation batch; `batch_size` by default.
            validation_freq: epochs between validations, or a list of the epochs to validate after, from 1.

        Returns:
            `History`: its `history` maps each name to a list with one value per epoch.

        Raises:
            ValueError: before the first step, for data that do not match the model or each other.

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
        epochs = checks.at_most(epochs, config.max_epochs())
        if validation_data is None and validation_split:
            (x, y, sample_weight), validation_data = split_validation((x, y, sample_weight), validation_split)
        source = adapt(
            x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle,
            class_weight=class_weight,
        )  # fmt: skip
        source.round_up(self.steps_per_execution)
        self._session.use_probes(probes_of(callbacks))
        source, batch = self._ready(source, initial_epoch)
        mistakes.warn(self, source, batch)
        validation: Any = None
        if validation_data is not None:
            validation = _Validation(self, validation_data, validation_batch_size or batch_size, validation_steps)
        callback_list = self._callbacks(callbacks, verbose, epochs=epochs, steps=source.steps, add_history=True)
        self.stop_training = False
        feed = feed_for(
            source, loop.steps_per_call(self, callback_list, "train"), moving=True, keep=True,
            eager=not self.jit_compile, where=self._session.where, room=self._session.room,
        )  # fmt: skip
        try:
            loop.fit(
                self._session, feed, source, callback_list, initial_epoch=initial_epoch, epochs=epochs,
                watch=self._fault_watch(source, callback_list),
                validate=validation.bound(callback_list) if validation is not None else None,
                validation_freq=validation_freq,
            )  # fmt: skip
        finally:
            open_line.end()  # so that a traceback starts on a new line
            feed.close()
            source.close()
            if validation is not None:
                validation.close()
        return self.history

    def _fault_watch(self, source: Any, callbacks: CallbackList) -> FaultWatch:
        given = next((c for c in callbacks.callbacks if isinstance(c, NonFinite)), None)
        asked = given if given is not None else NonFinite("report")
        return FaultWatch(self._session, source, asked, keep=given is not None)

    def precompile(
        self,
        input_spec: Any,
        target_spec: Any = None,
        weight_spec: Any = None,
        batch_size: int | None = None,
        modes: Sequence[str] = ("fit", "evaluate", "predict"),
        wait: bool = True,
    ) -> int:
        """Compile the programs of `fit`, `evaluate` and `predict` for arrays of given shapes ahead of time, and store
        them in the program cache if it is enabled.

        Args:
            input_spec: `jax.ShapeDtypeStruct`s (or arrays) in the structure of `x`, including the number of rows.
            target_spec, weight_spec: the same for `y` and `sample_weight`; `predict` needs neither.
            batch_size: rows per batch, 32 by default.
            modes: any of `"fit"` (shuffled, the default of `fit`), `"evaluate"` and `"predict"`.
            wait: whether to wait for the compilation; otherwise it continues on other threads.

        Returns:
            The number of programs.

        Example:

        >>> import jaxkeras as jk
        >>> model = jk.Sequential([jk.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> rows = lambda *shape: jax.ShapeDtypeStruct((100, *shape), "float32")
        >>> model.precompile(rows(2), rows(1), modes=["fit"])  # steps, the last smaller batch, two for metrics
        4
        """
        unknown = [mode for mode in modes if mode not in ("fit", "evaluate", "predict")]
        if unknown:
            raise registry.unknown("mode of precompile", unknown[0], ("fit", "evaluate", "predict"))
        self._require_compiled("precompile")
        # Arrays of any size that take no memory.
        x, y, weight = jax.tree.map(
            lambda spec: np.broadcast_to(np.zeros((), spec.dtype), spec.shape), (input_spec, target_spec, weight_spec)
        )
        futures: list[Any] = []
        for mode in modes:
            if mode == "predict":
                source, _ = self._ready(adapt(x, batch_size=batch_size, for_predict=True), for_predict=True)
                step, feed = self._session.predict, feed_for(source, stack=True, where=self._session.where)
            else:
                source, _ = self._ready(adapt(x, y, weight, batch_size=batch_size, shuffle=mode == "fit"))
                step = self._session.train if mode == "fit" else self._session.test
                feed = feed_for(source, moving=mode == "fit", where=self._session.where, room=self._session.room)
            futures += self._session.prepare(feed, step, self._session.state_spec.shapes())
        if wait:
            for future in futures:
                future.result()
        return len({id(future) for future in futures})

    def _ready(self, source: Any, epoch: int = 0, for_predict: bool = False) -> tuple[Any, Any]:
        """Build the model for the data, check that they match, and run text layers.

        Returns:
            The source to read from, and its first batch.
        """

        def peek() -> Any:
            batch = source.peek(epoch) if hasattr(source, "epoch") else source.peek()
            return (batch[0], None, None) if for_predict else batch

        batch = peek()
        if not for_predict:
            checks.targets(self, batch)
        self._session.build(batch[0])
        host = host_preprocessing(self)
        if host is not None:
            source = host.source(source)
            batch = peek()
        check_text(self, batch)
        self._session.refresh(batch)
        if not for_predict:
            checks.data_fits(self, source, batch)
        return source, batch

    def _callbacks(self, callbacks: Any, verbose: Any, add_history: bool = False, **params: Any) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        if verbose == "auto":
            verbose = 1 if is_interactive_logging_enabled() else 2
        return CallbackList(
            callbacks, add_history=add_history, add_progbar=verbose != 0, model=self._session.owner, verbose=verbose,
            **params,
        )  # fmt: skip

    @hide_library_frames
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
    ) -> Any:
        """Compute loss and metrics on data.

        Args:
            x, y, sample_weight: as for `fit`.
            batch_size: rows per batch, 32 by default.
            verbose: 0, 1, 2 or `"auto"`.
            steps: number of batches, for a part of the data or an endless stream.
            callbacks: a list of `Callback`s.
            return_dict: return `{name: value}`.

        Returns:
            The loss, or a list of the loss and the metrics in the order of `metrics_names`, or a dict.
        """
        self._require_compiled("evaluate")
        source = adapt(x, y, sample_weight, batch_size=batch_size, steps=steps)
        source.round_up(self.steps_per_execution)
        source, _ = self._ready(source)
        callback_list = self._callbacks(callbacks, verbose, steps=source.steps, epochs=1)
        self.stop_evaluating = False
        session = self._session
        steps = loop.steps_per_call(self, callback_list, "test")
        feed = feed_for(source, steps, eager=not self.jit_compile, where=session.where)
        view = session.view("params", "state", "metrics")
        try:
            with DeferSigint() as defer_sigint:
                session.prepare(feed, session.test, view.current)
                logs = loop.evaluate(session, feed, source, callback_list, view, defer_sigint)
            session.keep_statistics(view)
        finally:
            feed.close()
            source.close()
        return logs if return_dict else self._in_order(logs)

    def _in_order(self, logs: dict[str, Any]) -> Any:
        names = self._session.names if self._session.is_prepared else self.metrics_names
        values = [logs[name] for name in names if name in logs]
        values += [logs[name] for name in sorted(logs) if name not in names]
        return values[0] if len(values) == 1 else values

    @hide_library_frames
    def predict(
        self, x: Any, batch_size: int | None = None, verbose: Any = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """Compute the outputs for data in batches.

        Args:
            x: inputs, as for `fit`.
            batch_size: rows per batch, 32 by default.
            verbose: 0, 1, 2 or `"auto"`.
            steps: number of batches, for a part of the data or an endless stream.
            callbacks: a list of `Callback`s.

        Returns:
            NumPy arrays in the structure that the model returns.
        """
        source = adapt(x, batch_size=batch_size, steps=steps, for_predict=True)
        source.round_up(self.steps_per_execution)
        source, _ = self._ready(source, for_predict=True)
        callback_list = self._callbacks(callbacks, verbose, steps=source.steps, epochs=1)
        self.stop_predicting = False
        every_batch = loop.steps_per_call(self, callback_list, "predict") is not None
        chunk = 1 if every_batch or not isinstance(source, ArraySource) else None
        feed = feed_for(source, chunk, stack=True, where=self._session.where)
        try:
            return loop.predict(self._session, feed, source, callback_list)
        finally:
            feed.close()
            source.close()

    # -- single batches ------------------------------------------------------------------------------------------
    @hide_library_frames
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One update on one batch, for your own training loop.

        Args:
            x, y, sample_weight: a batch.
            class_weight: `{class: weight}`, instead of `sample_weight`.
            return_dict: return `{name: value}`.

        Returns:
            The loss, or a list of the loss and the metrics, of this batch alone.
        """
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Give train_on_batch either `sample_weight` or `class_weight`, not both.")
            sample_weight = class_weight_to_sample_weight(np.asarray(y), check_class_weight(class_weight) or {})
        return self._on_batch("train", x, y, sample_weight, return_dict)

    @hide_library_frames
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics on one batch; see `train_on_batch`."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, return_dict)

    @hide_library_frames
    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch, as NumPy arrays."""
        batch = self._ready_batch((x, None, None), for_predict=True)
        session = self._session
        ts = session.view("params", "state").current
        _, (y, written) = session.predict(ts, None, session.whole(batch), 1)
        session.keep_written(written)
        return jax.tree.map(np.asarray, y)

    def _ready_batch(self, given: tuple[Any, Any, Any], for_predict: bool = False) -> Any:
        """`_ready` for one batch of arrays, once per signature: the values are checked inside the step."""
        session = self._session
        arrays = all(isinstance(leaf, (np.ndarray, jax.Array)) for leaf in jax.tree.leaves(given))
        key = (signature(given), for_predict) if arrays else None
        if key is not None and key in session.known_batches and session.is_current():
            return given
        _, batch = self._ready(BatchSource(*given), for_predict=for_predict)
        if key is not None and session.host is None and (signature(batch), for_predict) == key:
            session.known_batches.add(key)
        return batch

    def _on_batch(self, mode: str, x: Any, y: Any, sample_weight: Any, return_dict: bool) -> Any:
        batch = self._ready_batch((x, y, sample_weight))
        session = self._session
        store = session.acquire()
        with DeferSigint() as defer_sigint, defer_sigint.critical():
            extras = store.update(lambda ts: session.run_alone(mode, ts, batch))
        extras = jax.tree.map(np.asarray, extras)  # `jax.device_get` would start copies first, which takes 15 us
        session.raise_failed_checks(extras)
        results = session.results_alone(extras)
        if session.collects:
            results = {**results, **Collector(session, store).results()}
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

    # -- Keras's names for automatic steps -----------------------------------------------------------------------
    def make_train_function(self, force: bool = False) -> None:
        """Drop the compiled programs if `force`; they are compiled when needed."""
        if force:
            self._session.discard_steps()

    make_test_function = make_train_function
    make_predict_function = make_train_function

    def _symbolic_build(self, data_batch: Any) -> None:
        """Build the model, its losses, metrics and optimizer for a batch, without running anything."""
        self._session.refresh(unpack_x_y_sample_weight(data_batch))

    def jax_state_sync(self) -> None:
        """Write the state of a `train_on_batch` loop back to the variables; reading a weight does so too."""
        self._session.write_back()


class _Validation:
    """Validation data, adapted once for all epochs of `fit`."""

    def __init__(self, model: Any, data: Any, batch_size: int | None, steps: int | None):
        self.model = model
        try:
            x, y, sample_weight = unpack_x_y_sample_weight(data)
            checks.validation_data(model, data, x, y)
            batch_size = batch_size if is_in_memory(x) else None  # a stream makes its own batches
            source = adapt(x, y, sample_weight, batch_size=batch_size, steps=steps)
            source.round_up(model.steps_per_execution)
            self.source, _ = model._ready(source)
        except ValueError as error:
            if type(error) is ValueError and "`validation_data`" not in str(error):
                error.args = (f"In `validation_data`: {error}",)
            raise
        self.feed: Any = None

    def bound(self, callbacks: Any) -> _Validation:
        self.callbacks = callbacks
        model = self.model
        steps, eager = loop.steps_per_call(model, callbacks, "test"), not model.jit_compile
        self.feed = feed_for(self.source, steps, keep=True, eager=eager, where=model._session.where)
        return self

    def __call__(self, store: Any, defer_sigint: DeferSigint) -> dict[str, Any]:
        return loop.evaluate(self.model._session, self.feed, self.source, self.callbacks, store, defer_sigint)

    def close(self) -> None:
        if self.feed is not None:
            self.feed.close()
        self.source.close()
