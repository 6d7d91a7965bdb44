"""What a compiled model runs with: losses and metrics, the state and the compiled steps."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras.core import placement
from jaxkeras.core.abstract_signature import signature
from jaxkeras.core.context import setting
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.functional import is_variable
from jaxkeras.core.symbolic import KerasTensor, infer
from jaxkeras.core.tracking import StructureVersion
from jaxkeras.core.variable import Variable
from jaxkeras.data.convert import is_text
from jaxkeras.metrics.reduction import Mean
from jaxkeras.metrics.whole_epoch import WholeEpoch
from jaxkeras.training import step as steps
from jaxkeras.training.compilations import Compilation
from jaxkeras.training.compile_loss import CompileLoss
from jaxkeras.training.compile_metrics import CompileMetrics
from jaxkeras.training.compiled_function import CompiledFunction, trace_context
from jaxkeras.training.eager import eager_step
from jaxkeras.training.fault_watch import skipping
from jaxkeras.training.feed import Feed
from jaxkeras.training.fit_progress import FitProgress
from jaxkeras.training.placement import ONE_DEVICE, OneDevice, Placement
from jaxkeras.training.program import NO_CHECKS, BatchRef, CompiledStep
from jaxkeras.training.spec import CompileSpec
from jaxkeras.training.state import StateCopies, StateSpec, StateStore, StateView, TrainState

_numbers = itertools.count()


class Session:
    """What one `compile` sets up. A model that is not compiled has one too, for `predict`.

    Args:
        model: the model.
        spec: the arguments of `compile`, checked; None without.
        arguments: the same, as they were given.

    Attributes:
        compile_loss: the losses of `compile`, built once data were seen; None without.
        compile_metrics: its metrics, likewise.
        loss_tracker: the mean of the loss over an epoch.
        check_messages: messages of conditions that a step checks; bit `i` of its checks is for message `i`.
        host: the part of the model that runs on the host, or None.
        collects: whether a metric needs all rows of an epoch.
        state_spec: where every number of the model is.
        train, test, predict: the compiled steps.
        train_skipping: `train` without the steps that would make the loss or a weight infinite or NaN.
        progress: the position of the `fit` that runs, or None.
        owner: what callbacks get as their model.
        number: another one for every session.
        known_batches: signatures of single batches that were checked.
        intermediates: programs of `model.intermediates`.
        warned: warnings that were given.
        flags_at_compile: every layer and whether it was trainable then.
        optimizer_settings: hyperparameters that the programs were compiled with.
        checked_settings: values that the settings of the optimizer and of the loss were checked with.
        checked_arrays: weak references to data that are finite.
        probes: functions of `StepValues` that the train step evaluates, with their means over the epoch, by name.
        reported: the names of those that the callbacks of this `fit` asked for.
        state_size: bytes and leaves of the state, once somebody has counted them.
        copied: copies a state.
    """

    collects: bool
    state_spec: StateSpec
    train: CompiledStep
    train_skipping: CompiledStep
    test: CompiledStep
    predict: CompiledStep

    def __init__(self, model: Any, spec: CompileSpec | None = None, arguments: dict[str, Any] | None = None):
        self.model, self.spec, self.arguments = model, spec, arguments or {}
        self.owner: Any = model
        self.number = next(_numbers)
        self.compile_loss: CompileLoss | None = None
        self.compile_metrics: CompileMetrics | None = None
        if spec is not None and spec.loss is not None:
            self.compile_loss = CompileLoss(spec.loss, spec.loss_weights)
        if spec is not None and not (spec.metrics is None and spec.weighted_metrics is None):
            self.compile_metrics = CompileMetrics(spec.metrics, spec.weighted_metrics)
        self.loss_tracker: Any = None if spec is None else Mean(name="loss")
        self.check_messages: list[str] = []
        self.host: Any = None
        self.host_graph: Any = None  # the graph that `host` was cut from
        self.progress: FitProgress | None = None
        self.known_batches: set[Any] = set()
        self.intermediates: dict[Any, Any] = {}
        self.warned: set[str] = set()
        self.flags_at_compile: list[tuple[Any, bool]] = []
        self.optimizer_settings: dict[str, Any] = {}
        self._lengths: set[int] = set()
        self._futures: dict[Any, list[Any]] = {}  # of programs, by what they are for
        self.checked_settings: list[Any] = []
        self.checked_arrays: list[Any] = []
        self.probes: dict[str, tuple[Mean, Callable[..., Any]]] = {}
        self.reported: set[str] = set()
        self.state_size: Any = None
        self.copied = StateCopies()
        self.store: StateStore | None = None
        self.placement: Placement | None = None
        self._output_specs: dict[Any, Any] = {}
        self._version: StructureVersion | None = None
        self._made = 0  # how often steps were made
        self._prepared: int | None = None  # version of the structure that the steps were made for

    # -- getting ready ----------------------------------------------------------------------------------------------
    def refresh(self, batch: Any) -> None:
        """Build the model for a batch `(x, y, sample_weight)`, bind losses and metrics, and make the steps anew if the
        structure of the model has changed."""
        x, y, _ = batch
        self.build(x)
        if y is not None:
            self.bind(x, y)
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
        return [root for root in [self.model, self.loss_tracker, *self.bound_metrics()] if root is not None]

    def bound_metrics(self) -> list[Any]:
        """The metrics of `compile` and the means of single losses, once outputs are known."""
        metrics = [] if self.compile_metrics is None else self.compile_metrics.metrics
        return metrics if self.compile_loss is None else [*metrics, *self.compile_loss.metrics]

    def _details(self) -> Any:
        metrics = [id(v) for m in self.model._all_metrics() for v in m.variables]
        return self._model_details(), metrics, id(self.model._optimizer)

    def _model_details(self) -> Any:
        model = self.model
        variables = [(id(v), v.trainable) for v in model.variables]
        return variables, model.trainable, model.run_eagerly, model.jit_compile, placement.in_use()

    def _settings(self) -> Any:
        model = self.model
        own = [id(v) for m in model.metrics for v in m.variables] if model.overrides("metrics") else None
        return own, id(model._optimizer), model._run_eagerly, model._jit_compile, placement.in_use()

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
        leaves, treedef = jax.tree.flatten(x)
        # A `Sequential` takes data of another shape than it was built for, unless its first layers run on the host.
        resized = graph is not None and model._is_stack and leaves[0].shape[1:] != graph.inputs[0].shape[1:]
        if graph is not None and (self.host is not None or not resized):
            return graph.outputs_struct
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

    def bind(self, x: Any, y: Any, y_pred: Any = None) -> None:
        """Resolve the names of losses and metrics by the shapes of targets and outputs, once after `compile`."""
        loss, metrics, model = self.compile_loss, self.compile_metrics, self.model
        if (loss is None or loss.built) and (metrics is None or metrics.built):
            return
        with setting(frame=None):  # metrics create variables, which no frame would keep
            outputs = self.output_spec(x) if y_pred is None else y_pred
            names = getattr(model, "output_names", None)
            if loss is not None and not loss.built:
                loss.output_names = names
                try:
                    loss.build(y, outputs)
                except ValueError:
                    if y_pred is not None or not model.overrides("compute_loss"):
                        raise
                    # An override may pass on other outputs than those of the model.
                    infer(model.compute_loss, (_symbolic(x), _symbolic(y), outputs), {})
            if metrics is not None and not metrics.built:
                metrics.output_names = names
                metrics.targeted = None if loss is None or not loss.built else loss.targeted(outputs)
                metrics.build(y, outputs)

    def _make_steps(self) -> None:
        model, eager = self.model, not self.model.jit_compile
        how = {"eager": eager, "unroll": self.model.run_eagerly}
        self.write_back()
        self.known_batches.clear()
        self.intermediates.clear()
        self._futures.clear()
        self.state_size = None
        self.copied = StateCopies()
        distribution = self._distribution()
        self.placement = None if distribution is None else Placement(distribution)
        self.state_spec = spec = StateSpec(model, model._all_metrics(), self.placement)
        if self.placement is None and placement.was_set():
            for v in spec.leaves():
                v.leave_mesh()
        self.names = [m.name for m in model._single_metrics()]
        self.collects = any(isinstance(m, WholeEpoch) for m in model._single_metrics())
        own = model.overrides("compute_metrics")
        train, test = self._placed(steps.train_step(model, spec)), self._placed(steps.test_step(model, spec))
        fields = ("state", "metrics"), ("params",)
        own_train = own or model.overrides("train_step")
        self._made += 1

        def make(program: str, step: steps.Step, *fields: tuple[str, ...], **more: Any) -> CompiledStep:
            return self.compiled(step, *fields, **how, **more, note=functools.partial(self._note, program))

        train_out, test_out = self._outs(*TrainState._fields), self._outs(*fields[0])
        own_test = own or model.overrides("test_step")
        on_cpu = self.placement is None and placement.default_device().platform == "cpu"
        optimizer = model._optimizer
        flat = on_cpu and optimizer is not None and optimizer._elementwise(optimizer._trainable_variables)
        self.train = make("fit", train, **train_out, own_logs=own_train, flat=flat)
        self.train_skipping = make("fit", skipping(train), **train_out, own_logs=True)
        self.test = make("evaluate", test, *fields, **test_out, own_logs=own_test)
        self._train_alone = make("train_on_batch", steps.alone(model, spec, train), **train_out)
        self._test_alone = make("test_on_batch", steps.alone(model, spec, test), *fields, **test_out)
        details = self._model_details()
        if self._predict_details != details:
            predict = self._placed(steps.predict_step(model, spec))
            self.predict = make("predict", predict, (), ("params", "state"), stack=True, **self._outs())
            self._predict_details = details
        out = self._metrics_out()

        def of_metrics(program: str, function: Callable[..., Any]) -> Any:
            run = self.of_metrics(functools.partial(function, model, spec))
            note = functools.partial(self._note_metrics, program)
            return run if eager else CompiledFunction(run, out_shardings=out, note=note)

        self._read = of_metrics("read metrics", steps.read_metrics)
        self._reset = of_metrics("reset metrics", steps.initial_metrics)
        self._read_probes = of_metrics("read probes", steps.read_probes)
        self._prepared = self._key()

    def _distribution(self) -> Any:
        """The distribution to use, or None for one device."""
        found = placement.in_use()
        if found is None:
            placement.see_variables(self.model.weights)  # so that wrong rules are found on one device, too
        return found

    def _placed(self, step: steps.Step) -> steps.Step:
        return step if self.placement is None else self.placement.constrain(step, self.state_spec.shardings)

    def _outs(self, *fields: str) -> dict[str, Any]:
        """Where the results of a step lie on several devices: the fields of the state, then the extras. Predictions lie
        where they were computed, unless other processes computed some of them."""
        where = self.placement
        if where is None or not fields and where.processes == 1:
            return {}
        return {"out_shardings": (tuple(getattr(self.state_spec.shardings, name) for name in fields), where.replicated)}

    def _metrics_out(self) -> Any:
        """Where what is read from the metrics lies; None to let the compiler choose."""
        return None if self.placement is None else self.placement.replicated

    _predict_details: Any = None

    def compiled(self, step: steps.Step, *fields: tuple[str, ...], **how: Any) -> CompiledStep:
        """The step of one model as an executable; a subclass may run several models at once."""
        return CompiledStep(step, *fields, **how)

    @contextlib.contextmanager
    def single(self, ts: TrainState, bad: Callable[[int, int], bool]) -> Iterator[tuple[int | None, TrainState]]:
        """The state of one model: if a subclass runs several at once, the first for which `bad(group, row)` is true.

        Gives its number, None if there is only one, and its state, for a `with` block.
        """
        yield None, ts

    def groups(self, ts: TrainState) -> list[TrainState]:
        """The state, or its parts if a subclass runs several models in groups."""
        return [ts]

    def batch_of(self, batch: Any, member: int | None) -> Any:
        """The batch that one model gets."""
        return batch

    def metrics_of_models(self, ts: TrainState) -> Iterator[tuple[int | None, dict[Variable, Any]]]:
        """The numbers of each model's metrics by variable, with the number of the model; None if there is only one."""
        yield None, dict(zip(jax.tree.leaves(self.state_spec.variables.metrics, is_leaf=is_variable),
                             jax.tree.leaves(ts.metrics)))  # fmt: skip

    def of_models(self, values: dict[int | None, Any]) -> Any:
        """What logs hold for a value of each model; NaN without any."""
        return values.get(None, float("nan"))

    def at_rest(self) -> TrainState | None:
        """The values in the cells, which nothing changes in place; None if they are elsewhere."""
        return self.state_spec.values() if self.store is None or self.store.released else None

    def of_metrics(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of the state of one model's metrics; a subclass may map it over several models."""
        return function

    def discard_steps(self) -> None:
        """Drop all compiled programs."""
        self.write_back()
        self._prepared = self._predict_details = None

    # -- which programs were compiled, and why ---------------------------------------------------------------------
    def _note(self, program: str, facts: dict[str, Any]) -> Compilation:
        context = trace_context()._asdict()
        return self.model._compilations.note(program, {**context, **self._facts(), **facts})

    def _note_metrics(self, program: str, args: tuple[Any, ...], static: dict[str, Any]) -> Compilation:
        return self._note(program, {"state": signature(args)})

    def _facts(self) -> dict[str, Any]:
        """What the programs depend on, as far as the model and the arguments of `compile` tell."""
        model, variables = self.model, self.state_spec.variables
        params = jax.tree.leaves(variables.params, is_leaf=is_variable)
        state = jax.tree.leaves(variables.state, is_leaf=is_variable)
        facts: dict[str, Any] = {
            "policy": [(layer.name, layer.dtype_policy.name) for layer in model._flatten_layers()],
            "weights": [(v.path, f"{v.dtype}{list(v.shape)}") for v in (*params, *state)],
            "trainable": [v.path for v in params],
        }
        facts["weights"].sort()
        if self.spec is not None:
            facts["optimizer"] = type(model.optimizer).__name__
            facts["loss"] = str(self.arguments.get("loss"))
            facts["metrics"] = self.names
        return {**facts, "compile": self.number, "steps": (self.number, self._made)}

    def prepare(self, feed: Feed, step: CompiledStep, ts: TrainState, epoch: int = 0) -> list[Any]:
        """Compile the programs for a feed in the background; returns a future for each."""
        if step.eager:
            return []
        key = step, feed.key(), trace_context(), bool(self.reported)
        if key not in self._futures:
            if len(self._futures) >= 100:  # data of ever new lengths
                self._futures.clear()
            futures = feed.prepare(step, ts, epoch)
            if not step.stack:
                readers = [self._reset, self._read, *([self._read_probes] if self.reported else [])]
                futures += [function.prepare(ts.metrics) for function in readers]  # type: ignore[attr-defined]
            self._futures[key] = futures
        return self._futures[key]

    def room(self, rows: int) -> int:
        """How many rows shuffled data of a length take on the device: from the third length on a power of two, so that
        not every length has a program of its own."""
        if len(self._lengths) < 2:
            self._lengths.add(rows)
        return rows if rows in self._lengths else 1 << (rows - 1).bit_length()

    # -- state ------------------------------------------------------------------------------------------------------
    def acquire(self, at_rest: TrainState | None = None) -> StateStore:
        """Take the numbers of the model out of its cells, to run on; what `at_rest` returned saves reading them."""
        if self.store is None or self.store.released:
            self.store = StateStore(self.state_spec, self.copied(at_rest or self.state_spec.values()))
        return self.store

    def view(self, *fields: str) -> StateView:
        """Fields of the model's state to run an evaluation or prediction on; nothing may donate them."""
        if self.store is not None and self.store.active:  # a callback or another thread, while a `fit` runs
            return StateView(self.store.snapshot())
        self.write_back()
        return StateView(self.state_spec.values(*fields))

    def keep_statistics(self, view: StateView) -> None:
        """Write what an evaluation changed back to the model."""
        self.state_spec.map(_keep, view.current._replace(params=None, opt_state=None))

    def keep_written(self, written: dict[int, Any]) -> None:
        """Write what a prediction changed, such as seeds, back to the model."""
        if written:
            variables = jax.tree.leaves(self.state_spec.variables.state, is_leaf=is_variable)
            for i, value in written.items():
                _keep(variables[i], value)

    def write_back(self) -> None:
        """Put the numbers back into the cells, unless a `fit` is running."""
        if self.store is not None and not self.store.active:
            self.store.write_back()
            self.store = None

    def finalize(self) -> None:
        """Give the weights their moving averages, if the optimizer keeps any, at the end of a `fit`."""
        self.model.optimizer.finalize_variable_values(self.state_spec.trainable)

    # -- probes -----------------------------------------------------------------------------------------------------
    def use_probes(self, wanted: dict[str, Callable[..., Any]]) -> None:
        """Evaluate functions of `StepValues` in the train step. Those of an earlier `fit` stay, so that nothing is
        compiled again without them.

        Raises:
            ValueError: for a model with a train step of its own, of which nothing is known.
        """
        self.reported = set(wanted)
        known = {name: probe for name, (_, probe) in self.probes.items()}
        if wanted.items() <= known.items():
            return
        if self.model.overrides("train_step"):
            raise ValueError(
                f"{', '.join(sorted(wanted))} cannot be logged for {type(self.model).__name__}, which has a "
                "`train_step` of its own: return it among the logs of that method."
            )
        self.write_back()
        self.probes |= {name: (Mean(name=name), probe) for name, probe in wanted.items() if known.get(name) != probe}
        self._prepared = None

    def probe_values(self, ts: TrainState) -> dict[str, Any]:
        """The means of the probes that are reported, as arrays."""
        if not self.reported:
            return {}
        return {name: value for name, value in self._read_probes(ts.metrics).items() if name in self.reported}

    # -- metrics -------------------------------------------------------------------------------------------------------
    def reset_metrics(self, ts: TrainState) -> TrainState:
        """The state with all metrics at their start."""
        return ts._replace(metrics=self._reset(ts.metrics))

    def results(self, ts: TrainState, extras: dict[str, Any] | None) -> dict[str, Any]:
        """Logs as arrays: the metrics, or what an overridden step returned, by Keras's rule."""
        return chosen_logs(self._read(ts.metrics), extras)

    def raise_failed_checks(self, extras: dict[str, Any]) -> None:
        """Stop when a condition on values failed on the device."""
        if self.check_messages and (bits := int(extras["checks"])):  # reading it takes 5 us
            failed = [m for i, m in enumerate(self.check_messages) if bits & (1 << min(i, 31))]
            raise ValueError(" ".join(failed))

    # -- single batches ---------------------------------------------------------------------------------------------
    def run_alone(self, mode: str, ts: TrainState, batch: Any) -> tuple[TrainState, dict[str, Any]]:
        """One step of `train_on_batch` or `test_on_batch`; the extras hold the results."""
        step = self._train_alone if mode == "train" else self._test_alone
        return step(ts, {"logs": {}, "checks": NO_CHECKS}, self.whole(batch), 1)

    def whole(self, batch: Any) -> BatchRef:
        """A single batch."""
        if self.placement is not None:
            batch = self.placement.batch(batch)
        return BatchRef(batch, 0, form="whole")  # the call itself moves it to the default device

    @property
    def where(self) -> OneDevice | Placement:
        """How batches come to the devices."""
        return self.placement or ONE_DEVICE

    @staticmethod
    def results_alone(extras: dict[str, Any]) -> dict[str, Any]:
        """Logs from what `run_alone` returned."""
        return chosen_logs(extras["results"], extras)


def _keep(v: Variable, value: Any) -> None:
    if isinstance(v._cell, StateStore):
        v._cell.write(v, value)
    else:
        v.set_cell(value)


def chosen_logs(metrics: dict[str, Any], extras: dict[str, Any] | None) -> dict[str, Any]:
    """The metrics, or the logs that an overridden step returned, by Keras's rule."""
    own = extras["logs"] if extras else {}
    return own if own and set(own) != set(metrics) else metrics


def _symbolic(tree: Any) -> Any:
    return jax.tree.map(lambda a: KerasTensor((None, *a.shape[1:]), standardize_dtype(a.dtype)), tree)
