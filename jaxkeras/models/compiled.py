"""`compile`, and the metrics of a compiled model."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np

from jaxkeras import optimizers, registry
from jaxkeras.core.tracebacks import hide_library_frames
from jaxkeras.layers._base.layer import Layer
from jaxkeras.training.compilations import CompilationLog, Compilations
from jaxkeras.training.compile_metrics import CompileMetrics
from jaxkeras.training.session import Session
from jaxkeras.training.spec import CompileSpec, check
from jaxkeras.training.state import build_optimizer


class Compiled(Layer):
    """The part of `Trainer` with `compile` and the metrics."""

    _untracked = Layer._untracked | {"_optimizer", "history", "loss", "_session", "_compilations"}

    def _start_uncompiled(self) -> None:
        self._optimizer: Any = None
        self.loss: Any = None
        self.history: Any = None
        self.compiled = False
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self._compilations = CompilationLog()
        self._session = Session(self)
        self.steps_per_execution, self._hooks_by_piece = 1, False
        self._run_eagerly = False
        self._jit_compile: Any = "auto"

    # -- compile -------------------------------------------------------------------------------------------------
    @hide_library_frames
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Configure the model for training.

        Args:
            optimizer: a name (`"adam"`, or any optax alias), an `Optimizer`, or an `optax.GradientTransformation`.
            loss: a name, a `Loss` or `f(y_true, y_pred)`; a list or a dict by output name for several outputs.
            loss_weights: how much each output's loss counts: a number, a list or a dict.
            metrics: names, metrics or functions; for several outputs a list of lists or a dict.
            weighted_metrics: the same, weighted by `sample_weight` and `class_weight`.
            run_eagerly: run each step as plain Python, so that `print`, `pdb` and `if` see values.
            steps_per_execution: steps that run as one program, with one call of the batch hooks of callbacks. Even
                with 1, steps are fused unless a callback has batch hooks. With `"auto"` they are fused also then, in
                pieces of a fraction of a second with one call of the hooks each.
            jit_compile: `"auto"` or True to compile with XLA; False to debug the compilation: as `run_eagerly`, but
                without unrolling loops.
            auto_scale_loss: scale the loss dynamically under `"mixed_float16"`.

        Raises:
            ValueError: for unknown names, with the closest known ones.

        Example:

        >>> import jaxkeras as jk
        >>> model = jk.Sequential([jk.layers.Dense(1)])
        >>> model.compile(optimizer=jk.optimizers.Adam(1e-2), loss="mse", metrics=["mae"])
        """
        self._check_super_called()
        whole = isinstance(steps_per_execution, (int, np.integer)) and steps_per_execution >= 1
        if not whole and steps_per_execution != "auto":
            raise ValueError(
                f"`steps_per_execution` must be a positive integer or 'auto'; got {steps_per_execution!r}."
            )
        steps = 1 if steps_per_execution == "auto" else int(steps_per_execution)
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
            resolved, loss, loss_weights, metrics, weighted_metrics, bool(run_eagerly), steps,
            jit_compile, auto_scale_loss,
        )  # fmt: skip
        check(spec)
        self._session.write_back()
        self._session = Session(self, spec, arguments)
        self._session.flags_at_compile = [(layer, layer.trainable) for layer in self._flatten_layers()]
        self.optimizer, self.loss = resolved, loss
        self._run_eagerly, self._jit_compile = bool(run_eagerly), jit_compile
        self.steps_per_execution, self._hooks_by_piece = steps, steps_per_execution == "auto"
        self.compiled = True
        self.stop_training = False

    @property
    def optimizer(self) -> Any:
        """The optimizer that was given to `compile`; as in Keras there is no such attribute before."""
        if self._optimizer is None and not self.compiled:
            raise AttributeError(
                f"Model '{self.name}' has no `optimizer`, since it is not compiled: write "
                "model.compile(optimizer='adam', loss='mse')."
            )
        return self._optimizer

    @optimizer.setter
    def optimizer(self, value: Any) -> None:
        self._optimizer = value

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
        return not self._run_eagerly and self._jit_compile is not False

    @jit_compile.setter
    def jit_compile(self, value: Any) -> None:
        self._jit_compile = value

    def compilations(self) -> Compilations:
        """The programs compiled for this model so far: when, how long it took, and why.

        A program is compiled when something that it depends on has changed: a shape or a type of an argument, the
        size of a batch, which weights are trainable, an argument of `compile`, a setting of JAX. The third compilation
        for one such cause gives a warning with the line that caused it. The last batch of arrays may be smaller: each
        of its sizes has a program too, and the tenth gives a warning. Other numbers of rows hardly compile anything.

        Returns:
            A list of `Compilation`s, the first one first; printed it is a table.

        Example:

        >>> import jaxkeras as jk
        >>> model = jk.Sequential([jk.layers.Dense(1)])
        >>> y = model.predict(np.ones((4, 2)), verbose=0)
        >>> y = model.predict(np.ones((3, 2)), verbose=0)
        >>> [(c.program, c.why) for c in model.compilations()]
        [('predict', 'first use'), ('predict', 'the last batch has 3 rows, not 4')]
        """
        return Compilations(self._compilations.entries)

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, as plain data; empty before it."""
        if not self.compiled:
            return {}
        arguments = {**self._session.arguments, "jit_compile": self.jit_compile}
        arguments["optimizer"] = self.optimizer
        return {key: registry.serialize_argument(value) for key, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` returned."""
        owner = next(base for base in type(self).__mro__ if "compile" in vars(base))
        if owner is not Compiled and not registry.is_builtin(owner):
            warnings.warn(
                f"{type(self).__name__} has a `compile` of its own, which was not called: call it after loading, or "
                "override `get_compile_config` and `compile_from_config` in the class, too.",
                stacklevel=2,
            )
            return
        config = {k: registry.deserialize(v) for k, v in config.items()}
        parameters = inspect.signature(self.compile).parameters
        takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        self.compile(**{k: v for k, v in config.items() if takes_all or k in parameters})
        if self.built:
            build_optimizer(self)

    def _require_compiled(self, what: str) -> None:
        self._check_super_called()
        if not self.compiled:
            raise ValueError(
                f"Model '{self.name}' must be compiled before `{what}`: "
                "model.compile(optimizer='adam', loss='mse')."
            )

    # -- metrics -------------------------------------------------------------------------------------------------
    @property
    def metrics(self) -> list[Any]:
        """The mean of the loss, the metrics of `compile` as one, the means of single losses, and metrics held by the
        model or its layers."""
        session = self._session
        parts = [session.loss_tracker, session.compile_metrics]
        found = [part for part in parts if part is not None]
        if session.compile_loss is not None:
            found += session.compile_loss.metrics
        return list({id(m): m for m in [*found, *super().metrics]}.values())

    def _single_metrics(self) -> list[Any]:
        """`metrics`, with each metric of `compile` in the place of all of them."""
        return list({id(m): m for m in _single(self.metrics)}.values())

    def _all_metrics(self) -> list[Any]:
        """The same, and those of `compile` even if a subclass overrides `metrics`."""
        own = Compiled.metrics.fget(self)  # type: ignore[attr-defined]
        probes = [mean for mean, _ in self._session.probes.values()]
        return list({id(m): m for m in _single([*self.metrics, *own, *probes])}.values())

    @property
    def _compile_config(self) -> dict[str, Any]:
        if not self.compiled:
            raise AttributeError("The model is not compiled.")
        return self._session.arguments

    @property
    def _loss_tracker(self) -> Any:
        return self._session.loss_tracker

    @property
    def _compile_metrics(self) -> Any:
        return self._session.compile_metrics

    @property
    def _compile_loss(self) -> Any:
        return self._session.compile_loss

    @property
    def metrics_names(self) -> list[str]:
        """The names of the values that `evaluate` returns, in its order.

        The metrics of `compile` appear after the first batch, whose shapes decide what `"accuracy"` means. Keras lists
        them as one name, `"compile_metrics"`. A metric whose result is a dict is listed once.
        """
        metrics, labels = self._single_metrics(), self._labels()
        shown = dict.fromkeys(labels.get(id(m)) or m.name for m in metrics)
        own = dict.fromkeys(m.name for m in metrics if m.name in shown)
        return [*own, *sorted(shown.keys() - own.keys())]

    def _labels(self) -> dict[int, str]:
        """Log names of the metrics of `compile`, by `id(metric)`."""
        metrics = self._session.compile_metrics
        return {} if metrics is None else metrics.labels

    @property
    def metrics_variables(self) -> list[Any]:
        return [v for metric in self.metrics for v in metric.variables]

    def reset_metrics(self) -> None:
        """Reset all metrics."""
        for metric in self._all_metrics():
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The values of all metrics by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results


def _single(metrics: list[Any]) -> list[Any]:
    return [m for metric in metrics for m in (metric.metrics if isinstance(metric, CompileMetrics) else [metric])]
