"""`Distiller`: a model that trains a student on the outputs of its teacher."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxkeras import metrics, registry
from jaxkeras.core.functional import functional_call
from jaxkeras.distillation.losses import KIND, DistillationLoss
from jaxkeras.models import Model
from jaxkeras.models.model import Functional

_OUTPUT = "final_output"  # among the names of layers


@registry.register(KIND)
class Distiller(Model):
    """Trains a student on the outputs of its teacher and on the targets.

    The loss is `w * (student loss) + (1 - w) * (weighted sum of the distillation losses)`, where the student loss is
    that of `compile` and `w` is `student_loss_weight`; penalties of regularizers are added unweighted. The teacher is
    not trained and always runs in inference mode. `predict` and a call give the student's outputs; after training,
    `distiller.student` is the model to keep.

    Layers that a `FeatureDistillation` names are computed together with the outputs, in one pass. (In Keras the
    student runs a second time for them, always in training mode.)

    Args:
        teacher: a trained model.
        student: a model of the same inputs and outputs.
        distillation_losses: a `DistillationLoss` or a list of them.
        distillation_loss_weights: how much each counts; all 1 by default.
        student_loss_weight: `w`, in [0, 1].
        name: of the model.

    Raises:
        ValueError: for models that do not fit each other, or weights that fit neither.

    Example:

    >>> import jaxkeras as jk
    >>> teacher, student = (
    ...     jk.Sequential([jk.Input((4,)), jk.layers.Dense(n), jk.layers.Dense(3)]) for n in (16, 2)
    ... )
    >>> softened = jk.distillation.LogitsDistillation(temperature=3.0)
    >>> distiller = Distiller(teacher, student, softened)
    >>> distiller.compile("adam", jk.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    """

    _untracked = Model._untracked | {
        "_features", "_teacher_feature_extractor", "_student_feature_extractor", "distillation_losses"
    }  # fmt: skip

    def __init__(
        self,
        teacher: Model,
        student: Model,
        distillation_losses: DistillationLoss | Sequence[DistillationLoss],
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str | None = "distiller",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        check_models(teacher, student)
        weight = student_loss_weight
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise ValueError(f"`student_loss_weight` must be a number from 0 to 1; got {weight!r}.")
        several = isinstance(distillation_losses, (list, tuple))
        terms: list[Any] = list(distillation_losses) if several else [distillation_losses]  # type: ignore[arg-type]
        for term in terms:
            if not hasattr(term, "compute_loss"):
                raise ValueError(
                    f"`distillation_losses` holds {term!r}, which is not a distillation loss; give "
                    "LogitsDistillation(), FeatureDistillation(...), or a DistillationLoss of your own."
                )
            term.validate_model_compatibility(teacher, student)
        weights = [1.0] * len(terms) if distillation_loss_weights is None else list(distillation_loss_weights)
        if len(weights) != len(terms):
            raise ValueError(
                f"There are {len(terms)} distillation losses, but {len(weights)} `distillation_loss_weights`."
            )
        teacher.trainable = False
        self.teacher, self.student = teacher, student
        self.distillation_losses, self.distillation_loss_weights = terms, weights
        self.student_loss_weight = student_loss_weight
        self._teacher_feature_extractor = _extractor(teacher, [term.teacher_layer_name for term in terms])
        self._student_feature_extractor = _extractor(student, [term.student_layer_name for term in terms])
        self._features = _Beside()
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any) -> None:
        """Say how the student is trained; see `Model.compile`.

        Raises:
            ValueError: without a loss.
        """
        if loss is None:
            raise ValueError("A Distiller needs the student's own loss: compile(optimizer, loss='mse').")
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def call(self, inputs: Any, training: bool | None = None, **kwargs: Any) -> Any:
        extractor = self._student_feature_extractor
        if extractor is None:
            return self.student(inputs, training=training, **kwargs)
        features = dict(extractor(inputs, training=training, **kwargs))
        outputs = features.pop(_OUTPUT)
        self._features.put(outputs, features)
        return outputs

    def _of_teacher(self, x: Any) -> dict[str, Any]:
        extractor = self._teacher_feature_extractor

        def call() -> Any:
            return self.teacher(x, training=False) if extractor is None else extractor(x, training=False)

        # A frame of its own: what layers of the teacher add to the loss, or would update, is dropped.
        variables = self.teacher.variables
        outputs = jax.lax.stop_gradient(functional_call(variables, [v.value for v in variables], call).output)
        return {_OUTPUT: outputs} if extractor is None else outputs

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The combined loss of a batch; see the class.

        Args:
            x, y, sample_weight: the batch; the weights count for the student loss.
            y_pred: what the student returned for it; computed when not given.
            training: whether it is a training step.

        Returns:
            A scalar.
        """
        if y_pred is None:
            y_pred = self(x, training=training)
        penalties = sum(jnp.sum(loss) for loss in self.losses)
        weight = self.student_loss_weight
        student_loss: Any = jnp.zeros(())
        if weight > 0 and y is not None:
            student_loss = super().compute_loss(x, y, y_pred, sample_weight, training) - penalties
        distillation_loss: Any = jnp.zeros(())
        if weight < 1:
            distillation_loss = self._distillation_loss(x, y_pred, training)
        total = weight * student_loss + (1 - weight) * distillation_loss + penalties
        self.student_loss_tracker.update_state(student_loss)
        self.distillation_loss_tracker.update_state(distillation_loss)
        self.total_loss_tracker.update_state(total)
        return total

    def _distillation_loss(self, x: Any, y_pred: Any, training: bool) -> Any:
        teacher = self._of_teacher(x)
        student = {_OUTPUT: y_pred, **self._features_beside(x, y_pred, training)}
        total: Any = jnp.zeros(())
        for term, weight in zip(self.distillation_losses, self.distillation_loss_weights):
            of_teacher = teacher[getattr(term, "teacher_layer_name", None) or _OUTPUT]
            of_student = student[getattr(term, "student_layer_name", None) or _OUTPUT]
            term.validate_outputs(of_teacher, of_student)
            value = jnp.asarray(term.compute_loss(of_teacher, of_student))
            if value.ndim:
                raise ValueError(
                    f"`compute_loss` of {type(term).__name__} must return a scalar; it returned shape {value.shape}."
                )
            total = total + weight * value
        return total

    def _features_beside(self, x: Any, y_pred: Any, training: bool) -> dict[str, Any]:
        extractor = self._student_feature_extractor
        if extractor is None:
            return {}
        features = self._features.get(y_pred)
        if features is None:  # outputs that were computed elsewhere
            features = dict(extractor(x, training=training))
        return features

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
            "teacher": registry.serialize(self.teacher),
            "student": registry.serialize(self.student),
            "distillation_losses": [registry.serialize(term) for term in self.distillation_losses],
            "distillation_loss_weights": list(self.distillation_loss_weights),
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Create a distiller from the return value of `get_config`."""
        with registry.CustomObjectScope(custom_objects):
            made = ("teacher", "student", "distillation_losses")
            return cls(**{**config, **{key: registry.deserialize(config[key]) for key in made}})


def _extractor(model: Model, names: list[str | None]) -> Model | None:
    """A model of the same layers that also returns the outputs of some of them, by name."""
    wanted = [name for name in dict.fromkeys(names) if name]
    if not wanted:
        return None
    outputs = {_OUTPUT: model.output, **{name: model.get_layer(name).output for name in wanted}}
    return Functional(model.inputs, outputs, name=f"{model.name}_features")


class _Beside:
    """What belongs to an array, as long as the array lives: features and outputs are made by one call, but only the
    outputs come back from it."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref, Any]] = {}

    def put(self, outputs: Any, value: Any) -> None:
        first = jax.tree.leaves(outputs)[0]
        key, entries = id(first), self._entries
        entries[key] = (weakref.ref(first, lambda _: entries.pop(key, None)), value)

    def get(self, outputs: Any) -> Any:
        first = jax.tree.leaves(outputs)[0]
        entry = self._entries.get(id(first))
        return entry[1] if entry is not None and entry[0]() is first else None


def check_models(teacher: Any, student: Any) -> None:
    """Check that teacher and student have equal inputs and outputs.

    Raises:
        ValueError: when they do not.
    """
    for role, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"The {role} must be a model; got {model!r} of type {type(model).__name__}.")
    if getattr(teacher, "_graph", None) is None or getattr(student, "_graph", None) is None:
        return  # nothing is known before they are called
    for what in ("inputs", "outputs"):
        ours, theirs = getattr(teacher, what), getattr(student, what)
        if len(ours) != len(theirs):
            raise ValueError(f"The teacher has {len(ours)} {what}, but the student has {len(theirs)}.")
        for a, b in zip(ours, theirs):
            same = len(a.shape) == len(b.shape) and all(m == n or None in (m, n) for m, n in zip(a.shape, b.shape))
            if not same or a.dtype != b.dtype:
                raise ValueError(
                    f"The {what} of teacher and student differ: {a.dtype}{list(a.shape)} and "
                    f"{b.dtype}{list(b.shape)}. Both models must take and return the same shapes and types."
                )
