"""`Population`: many models of one architecture, trained at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxkeras import registry
from jaxkeras.core import seeds as core_seeds
from jaxkeras.core.functional import cells, is_variable, layer_variables
from jaxkeras.core.tracebacks import hide_library_frames
from jaxkeras.core.variable import Variable
from jaxkeras.layers._base.layer import Layer
from jaxkeras.models import folds as fold_sources
from jaxkeras.models.cloning import another_argument, copy_layers
from jaxkeras.models.hyperparameters import find, one_each, parts_of
from jaxkeras.models.member_store import MemberStore
from jaxkeras.models.population_callbacks import PopulationHistory, for_members, import_pandas
from jaxkeras.models.population_session import PopulationSession
from jaxkeras.saving import in_memory, snapshot
from jaxkeras.saving.atomic import replacing
from jaxkeras.training.state import StateSpec


class Population:
    """Models of one architecture that differ in seeds and hyperparameters and are trained at once, in one program.

    Each member computes what it would compute alone: weights, optimizer state, statistics, dropout masks and metrics
    are its own. All members see the same batches, in the order that `Model.fit` would draw after the same
    `utils.set_random_seed`, unless they have folds of their own.

    Args:
        model: a model, which is copied; or a function that returns a new one. If it was compiled, so is the population.
        seeds: one seed a member. A member starts as `utils.set_random_seed(seed)` followed by the creation of the
            model would make it. None for members that all start with the present weights of `model`.
        **hyperparameters: one value a member, or one for all: numbers that the optimizer has as attributes
            (`learning_rate`, `weight_decay`, `beta_1`, ...), or else that layers have (`rate` for all layers with a
            `rate`). `{"dropout_1.rate": values}` is that of one layer, `{"optimizer.momentum": values}` and
            `{"layers.momentum": values}` are for names that both have. They must be numbers that the step computes
            with: values are traced, so a Python `if` cannot depend on them. The initial value of a layer's number must
            not turn it off (dropout with rate 0).

    Attributes:
        count: the number of members.
        seeds: the seeds, or None.
        hyperparameters: `{name: array of shape (members,)}`.
        history: what the last `fit` returned.

    Raises:
        ValueError: for values of different lengths; from `compile`, for names that nothing has.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    >>> population = jk.Population(model, seeds=range(4), learning_rate=[1e-3, 1e-2, 1e-1, 1.0])
    >>> population.compile(optimizer="sgd", loss="mse")
    >>> history = population.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0)
    >>> history.history["loss"].shape  # (epochs, members)
    (3, 4)
    >>> population.predict(np.ones((5, 2)), verbose=0).shape
    (4, 5, 1)
    >>> model = population.member(2)  # an ordinary compiled model
    """

    def __init__(self, model: Any, seeds: Sequence[int] | range | None = None, **hyperparameters: Any):
        self.seeds = None if seeds is None else [int(seed) for seed in seeds]
        self.count, self.hyperparameters = one_each(self.seeds, hyperparameters)
        self._make: Callable[[], Any]
        self.template: Any
        if isinstance(model, Layer):
            with core_seeds.preserved_random_state():
                self.template = template = _copy_with_weights(model)
            self._make = lambda: copy_layers(template)
        elif callable(model):
            self.template, self._make = model(), model
        else:
            raise ValueError(f"Population needs a model, or a function that returns one; got {model!r}.")
        self.history: Any = None
        self._targets: dict[str, list[tuple[Any, str]]] = {}
        self._inputs: Any = None
        session = getattr(model, "_session", None)
        if session is not None and session.spec is not None:
            self.compile(**jax.tree.map(another_argument, session.arguments))

    # -- compile ------------------------------------------------------------------------------------------------
    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configure the members for training; see `Model.compile`."""
        old = self.template._session
        store = old.store if isinstance(old, PopulationSession) else None
        values = {} if store is None else store.by_variable()
        self.template.compile(*args, **kwargs)
        session = self.template._session
        self.template._session = PopulationSession(self, session.spec, session.arguments, values)
        self._targets = {name: find(self.template, name) for name in self.hyperparameters}

    @contextlib.contextmanager
    def assigned(self, values: Mapping[str, Any]) -> Iterator[None]:
        """Set hyperparameters that are attributes, for a `with` block."""
        before = []
        try:
            for name, value in values.items():
                for part, attribute in self._targets[name]:
                    before.append((part, attribute, vars(part)[attribute]))
                    vars(part)[attribute] = value
            yield
        except jax.errors.ConcretizationTypeError as error:
            raise TypeError(
                f"One of the hyperparameters {', '.join(map(repr, values))} is used where Python needs its value, so "
                "it cannot differ between the members of one program (`jnp.where` in place of `if` would do). Train "
                "such models one by one."
            ) from error
        finally:
            for part, attribute, value in reversed(before):
                vars(part)[attribute] = value

    # -- what the session asks for ------------------------------------------------------------------------------
    def injected(self) -> dict[str, np.ndarray]:
        """The hyperparameters that are set as attributes, one value a member."""
        return {name: values for name, values in self.hyperparameters.items() if self._targets[name]}

    def with_rates(self, spec: StateSpec, opt_state: Any, known: Mapping[Variable, Any]) -> Any:
        """The state of the optimizer with the members' learning rates in it, unless it is known already."""
        rates = next((self.hyperparameters[n] for n, found in self._targets.items() if not found), None)
        variable = getattr(self.template.optimizer, "learning_rate", None)
        if rates is None or variable in known:
            return opt_state
        return jax.tree.map(
            lambda v, old: rates.astype(old.dtype) if v is variable else old,
            spec.variables.opt_state, opt_state, is_leaf=is_variable,
        )  # fmt: skip

    def initial_weights(self) -> dict[str, Any]:
        """Stacked weights and statistics: those that the seeds give, or those of the model."""
        if self.seeds is None:
            members = [cells(layer_variables(self.template))] * self.count
        else:
            with core_seeds.preserved_random_state():
                members = [self._fresh_weights(seed) for seed in self.seeds]
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *members)

    def _fresh_weights(self, seed: int) -> dict[str, Any]:
        core_seeds.set_random_seed(seed)
        return cells(layer_variables(self._built(self._make())))

    def note_inputs(self, x: Any) -> None:
        """Remember what inputs are like, to build members from."""
        self._inputs = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), x)

    def _built(self, model: Any) -> Any:
        if not (model.built and model._called):
            model._ensure_built(self._inputs)
        return model

    # -- training -----------------------------------------------------------------------------------------------
    @hide_library_frames
    def fit(
        self, x: Any = None, y: Any = None, *args: Any, callbacks: Any = None, verbose: Any = "auto", folds: Any = None,
        groups: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Train all members; see `Model.fit`.

        Args:
            x, y, *args: as for `Model.fit`.
            callbacks: `EarlyStopping`, `ReduceLROnPlateau`, `LearningRateScheduler`, `ModelCheckpoint` (with
                `{member}` in its path), `TerminateOnNaN`, `TensorBoard`, `SwapEMAWeights` and `OrbaxCheckpoint` act on
                each member as on a model of its own: a member that stops stays as it is while others go on. Other
                callbacks get the population as their model, and logs of one value a member.
            verbose: as for `Model.fit`; metrics are medians over the members that run.
            folds: a number of folds, for data in arrays: member `i` is trained on all rows but those of fold
                `i % folds`, in an order of its own, and validated on these. Or what decides on the rows: an object with
                `split(x, y, groups)`, such as `sklearn.model_selection.StratifiedKFold(5)`, or pairs of rows to train
                on and rows held out.
            groups: a label for each row, for objects such as `GroupKFold`.
            **kwargs: as for `Model.fit`.

        Returns:
            A history whose `history` maps each name to an array of shape `(epochs, members)`, with NaN where a member
            had stopped.
        """
        session = self._require_compiled("fit")
        session.own_rows = folds is not None
        if folds is not None:
            x, kwargs = fold_sources.sources(folds, groups, self.count, x, y, args, kwargs)
            y, args = None, ()
        if session.store is not None:
            session.store.restore()
        history = PopulationHistory(self)
        try:
            callbacks = for_members(callbacks, history)
            self.template.fit(x, y, *args, callbacks=callbacks, verbose=verbose, **kwargs)
        finally:
            session.own_rows = False
            if session.store is not None:
                session.store.restore()
        self.history = history.finished()
        return self.history

    @hide_library_frames
    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Loss and metrics of all members; see `Model.evaluate`. Each value is an array of shape `(members,)`."""
        self._require_compiled("evaluate")
        return self.template.evaluate(*args, **kwargs)

    @hide_library_frames
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Outputs of all members; see `Model.predict`. Arrays have a leading member axis."""
        self._require_compiled("predict")
        outputs = self.template.predict(*args, **kwargs)
        rows = len(self._store().rows)  # without those that fill up the devices
        return jax.tree.map(lambda y: np.moveaxis(y[:, :rows], 1, 0), outputs)

    def _require_compiled(self, what: str) -> PopulationSession:
        session = self.template._session
        if not isinstance(session, PopulationSession):
            raise ValueError(
                f"Compile the population before `{what}`: population.compile(optimizer='adam', loss='mse')."
            )
        return session

    # -- members ------------------------------------------------------------------------------------------------
    def __len__(self) -> int:
        return self.count

    def __repr__(self) -> str:
        differ = [*(["seeds"] if self.seeds is not None else []), *self.hyperparameters]
        return f"<Population of {self.count} models {self.template.name!r}, differing in: {', '.join(differ)}>"

    def member(self, index: int) -> Any:
        """A copy of a member as an ordinary compiled model, with its weights, optimizer state and hyperparameters.

        Args:
            index: from 0; negative ones count from the end.

        Returns:
            A model. Training it does not change the population.
        """
        if not -self.count <= index < self.count:
            raise IndexError(f"The population has {self.count} members, so there is none at index {index}.")
        index %= self.count
        store = self._store()
        state = store.member(index)
        with core_seeds.preserved_random_state():
            model = self._built(self._make())
        arguments = jax.tree.map(another_argument, self.template._session.arguments)
        model.compile(**{**arguments, "optimizer": another_argument(self.template.optimizer)})
        spec = StateSpec(model, [])
        spec.map(lambda v, value: v.set_cell(jax.device_put(value)), state._replace(metrics=None))
        for (name, targets), own in zip(self._targets.items(), self._targets_of(model)):
            for (_, attribute), (part, _) in zip(targets, own):
                vars(part)[attribute] = float(self.hyperparameters[name][index])
        if self.history is not None:
            model.history = self.history.of_member(index, model)
        return model

    def _targets_of(self, model: Any) -> list[list[tuple[Any, str]]]:
        """`_targets` in a copy of the template."""
        its = {id(mine): own for mine, own in zip(parts_of(self.template), parts_of(model))}
        return [[(its[id(part)], attribute) for part, attribute in found] for found in self._targets.values()]

    def _store(self) -> MemberStore:
        session = self._require_compiled("member")
        if not session.is_prepared:
            if not (self.template.built and self.template._called):
                raise ValueError(
                    "The members have no weights yet: their shapes are not known. Call `fit` or `predict` first, or "
                    "begin the model with an `Input`."
                )
            session._make_steps()
        return session.acquire()

    @contextlib.contextmanager
    def showing(self, index: int) -> Iterator[Any]:
        """Let the template show the weights and hyperparameters of a member for a `with` block; gives the template."""
        values = {name: float(v[index]) for name, v in self.injected().items()}
        with self._store().at(index), self.assigned(values):
            yield self.template

    def ranking(self, monitor: str = "val_loss", mode: str = "auto") -> np.ndarray:
        """The members from best to worst, by the last epoch that each of them ran.

        Args:
            monitor: name of a metric in the history.
            mode: `"min"`, `"max"`, or `"auto"` to infer it from the metric.

        Returns:
            Indices, int array of shape `(members,)`. Members whose value is not finite come last.
        """
        if self.history is None:
            raise ValueError("There is no history to rank members by: call `fit` first.")
        if monitor not in self.history.history:
            raise registry.unknown("metric in the history", monitor, self.history.history)
        return self.history.ranking(monitor, mode)

    def best(self, monitor: str = "val_loss", mode: str = "auto") -> Any:
        """The best member as an ordinary compiled model; see `ranking` and `member`."""
        return self.member(int(self.ranking(monitor, mode)[0]))

    def to_frame(self) -> Any:
        """A `pandas.DataFrame` with a row for each member: seed, hyperparameters, and metrics of its last epoch.

        Raises:
            ImportError: without pandas.
        """
        pandas = import_pandas("Population.to_frame")
        columns: dict[str, Any] = {} if self.seeds is None else {"seed": self.seeds}
        columns.update(self.hyperparameters)
        if self.history is not None:
            columns.update({name: self.history.last(name) for name in self.history.history if name not in columns})
        return pandas.DataFrame(columns, index=pandas.RangeIndex(self.count, name="member"))

    def plot(
        self, to_file: str | os.PathLike[str] | None = None, *, color_by: str | None = None, history: Any = None
    ) -> Any:
        """Plot the learning curves of all members: of validation where there is one, else of training.

        Args:
            to_file: path of a `.png`, `.svg` or `.pdf` file to write, or None.
            color_by: the hyperparameter that colors the curves; the first one by default.
            history: what `fit` returned; that of the last one by default.

        Returns:
            In a notebook an object that displays the plot, elsewhere the `matplotlib.figure.Figure`.

        Raises:
            ImportError: without matplotlib.
            ValueError: before `fit`.
        """
        from jaxkeras.display.member_curves import plot_members

        history = history or self.history
        if history is None:
            raise ValueError("There is no history to plot: call `fit` first.")
        return plot_members(history.history, self._colored_by(color_by), to_file)

    def figure(self, logs: Mapping[str, np.ndarray]) -> Any:
        """The figure that `plot` shows, of logs `{name: array of shape (epochs, members)}`."""
        from jaxkeras.display.member_curves import members_figure

        return members_figure(logs, self._colored_by(None))

    def _colored_by(self, name: str | None) -> tuple[str, np.ndarray] | None:
        name = name or next(iter(self.hyperparameters), None)
        if name is not None and name not in self.hyperparameters:
            raise registry.unknown("hyperparameter of the population", name, self.hyperparameters)
        return None if name is None else (name, self.hyperparameters[name])

    def each(self, function: Callable[[Any], Mapping[str, Any]]) -> dict[str, np.ndarray]:
        """Ask a function about all members.

        Args:
            function: called with a model that shows one member after another; it must not keep or train it. Returns
                `{name: value}`.

        Returns:
            `{name: array of shape (members, ...)}`.
        """
        found = []
        for i in range(self.count):
            with self.showing(i) as model:
                found.append(function(model))
        return {name: np.array([values[name] for values in found]) for name in found[0]}

    # -- starting again, files ------------------------------------------------------------------------------------
    def restart(self, seeds: Sequence[int] | range | None = None, **hyperparameters: Any) -> None:
        """Start again with fresh members. Nothing is compiled again.

        Args:
            seeds: new seeds; the same as before by default.
            **hyperparameters: new values of some of the hyperparameters.

        Raises:
            ValueError: for another number of members, or names that the population was not made with.
        """
        new = {**self.hyperparameters, **hyperparameters}
        if unknown := new.keys() - self.hyperparameters.keys():
            raise registry.unknown("hyperparameter of the population", min(unknown), self.hyperparameters)
        seeds = self.seeds if seeds is None else [int(seed) for seed in seeds]
        count, new = one_each(seeds, new)
        if count != self.count:
            raise ValueError(f"The population has {self.count} members; `restart` got values for {count}.")
        self.seeds, self.hyperparameters, self.history = seeds, new, None
        session = self._require_compiled("restart")
        if session.store is not None:
            session.restart()

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Write the model, the state of all members, their seeds and hyperparameters, and the history to one file.

        Args:
            filepath: the file; `.population` is a fitting ending.
            overwrite: whether it may exist.

        Raises:
            FileExistsError: if it exists, without `overwrite`.
        """
        if not overwrite and Path(filepath).exists():
            raise FileExistsError(f"There is a file '{filepath}' already: write save(..., overwrite=True).")
        known = self._store().by_variable()
        numbers = [known[v] for v in StateSpec(self.template, []).leaves()]
        with replacing(Path(filepath)) as temporary:
            snapshot.write(temporary, {
                "model": np.frombuffer(in_memory.to_bytes(self.template), np.uint8),
                "numbers": numbers,
                "seeds": self.seeds,
                "hyperparameters": self.hyperparameters,
                "history": None if self.history is None else self.history.history,
                "epoch": None if self.history is None else self.history.epoch,
            })  # fmt: skip

    @classmethod
    def load(cls, filepath: str | os.PathLike[str], custom_objects: dict[str, Any] | None = None) -> Population:
        """The population that `save` wrote; training continues exactly where it stopped.

        Args:
            filepath: the file.
            custom_objects: your classes and functions by name, unless they are registered.

        Raises:
            ValueError: if the file is damaged.
        """
        tree = snapshot.read(filepath)
        model = in_memory.from_bytes(tree["model"].tobytes(), custom_objects or {})
        population = cls(model, tree["seeds"], **tree["hyperparameters"])
        session = population._require_compiled("load")
        spec = StateSpec(population.template, [])
        session.known = dict(zip(spec.leaves(), tree["numbers"]))
        if tree["history"] is not None:
            population.history = PopulationHistory(population)
            population.history.history, population.history.epoch = tree["history"], tree["epoch"]
        return population

    # -- what callbacks ask of their model ------------------------------------------------------------------------
    @property
    def stop_training(self) -> bool:
        """Whether `fit` ends for all members after the current batch."""
        return self.template.stop_training

    @stop_training.setter
    def stop_training(self, value: bool) -> None:
        self.template.stop_training = value

    @property
    def metrics(self) -> list[Any]:
        """The metrics of one member."""
        return self.template.metrics

    @property
    def layers(self) -> list[Any]:
        """The layers of one member."""
        return self.template.layers

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.template.name

    @property
    def steps_per_execution(self) -> int:
        """That of the model."""
        return self.template.steps_per_execution

    def count_params(self) -> int:
        """The number of weights of one member."""
        return self.template.count_params()

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """Print the layers of one member; see `Model.summary`."""
        self.template.summary(*args, **kwargs)

    def compilations(self) -> Any:
        """The programs that were compiled, and why; see `Model.compilations`."""
        return self.template.compilations()

    @property
    def _session(self) -> PopulationSession:
        return self._require_compiled("fit")


def _copy_with_weights(model: Any) -> Any:
    copy = copy_layers(model)
    if model.built and copy.built:
        copy.set_weights(model.get_weights())
    return copy
