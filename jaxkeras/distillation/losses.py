"""Losses between the outputs of a teacher and of a student."""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp

from jaxkeras import losses, registry, tree

KIND = "keras.distillation"


class DistillationLoss:
    """Base class of distillation losses: override `compute_loss`.

    Attributes:
        teacher_layer_name, student_layer_name: layers whose outputs are compared; None for the outputs of the models.

    Example:

    >>> class Far(DistillationLoss):
    ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
    ...         return jnp.mean(jnp.abs(teacher_outputs - student_outputs))
    """

    teacher_layer_name: str | None = None
    student_layer_name: str | None = None

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> jax.Array:
        """The loss of a batch.

        Args:
            teacher_outputs: array, or nested arrays, `(batch, ...)`.
            student_outputs: likewise.
            **kwargs: for losses of your own.

        Returns:
            A scalar.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define compute_loss(self, teacher_outputs, student_outputs, **kwargs) and "
            "return a scalar."
        )

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Check that the outputs can be compared.

        Raises:
            ValueError: for outputs of different structures.
        """
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Check the models themselves; does nothing unless overridden.

        Raises:
            ValueError: for models that this loss cannot compare.
        """


def _losses(loss: Any, owner: str) -> Any:
    """Losses in a structure, from names or objects; None leaves an output out."""
    found = tree.map_structure(losses.get, loss, none_is_leaf=True)
    if all(item is None for item in tree.flatten(found)):
        raise ValueError(f"`loss` of {owner} contains no loss: at least one output needs one, such as 'mse'.")
    return found


class _Compared(DistillationLoss):
    """A loss for each output, summed."""

    loss: Any

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        super().validate_outputs(teacher_outputs, student_outputs)
        try:
            tree.assert_same_structure(self.loss, teacher_outputs)
        except ValueError:
            raise ValueError(
                f"`loss` of {type(self).__name__} must have the structure of the outputs, a loss (or None) for each; "
                f"got {self.loss!r} for {tree.map_structure(jnp.shape, teacher_outputs)}."
            ) from None

    def _one(self, loss: Any, teacher: jax.Array, student: jax.Array) -> jax.Array:
        return jnp.mean(loss(teacher, student))

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> jax.Array:
        def one(loss: Any, teacher: Any, student: Any) -> Any:
            return jnp.zeros(()) if loss is None else self._one(loss, jnp.asarray(teacher), jnp.asarray(student))

        values = tree.map_structure(one, self.loss, teacher_outputs, student_outputs, none_is_leaf=True)
        return jnp.sum(jnp.stack(tree.flatten(values)))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create a loss from the return value of `get_config`."""
        return cls(**{**config, "loss": _from_config(config["loss"])})


def _from_config(loss: Any) -> Any:
    if isinstance(loss, dict) and not registry.is_config(loss):
        return {key: _from_config(item) for key, item in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_from_config(item) for item in loss]
    return losses.deserialize(loss)


@registry.register(KIND)
class LogitsDistillation(_Compared):
    """Compares the logits of teacher and student, softened by a temperature (Hinton et al., 2015).

    With the Kullback-Leibler divergence it is `T^2 KL(softmax(teacher / T), softmax(student / T))`; any other loss is
    given `teacher / T` and `student / T` themselves. (Keras 3.15 takes the softmax for a `KLDivergence` object only: by
    its name `"kl_divergence"`, the default, it compares the raw logits as if they were probabilities.)

    Args:
        temperature: T, above zero; higher is softer.
        loss: a name or a loss, or a structure of them like the outputs; None leaves an output out.

    Raises:
        ValueError: for a temperature that is not a positive number, or without any loss.

    Reference: [Hinton et al., 2015, Distilling the Knowledge in a Neural Network](https://arxiv.org/abs/1503.02531).

    Example:

    >>> loss = LogitsDistillation(temperature=2.0)
    >>> float(loss.compute_loss(jnp.ones((1, 3)), jnp.ones((1, 3))))
    0.0
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence"):
        if isinstance(temperature, bool) or not isinstance(temperature, (int, float)) or not temperature > 0:
            raise ValueError(f"`temperature` must be a positive number; got {temperature!r}.")
        self.temperature = temperature
        self.loss = _losses(loss, "LogitsDistillation")

    def _one(self, loss: Any, teacher: jax.Array, student: jax.Array) -> jax.Array:
        teacher, student = teacher / self.temperature, student / self.temperature
        if loss is losses.kl_divergence or isinstance(loss, losses.KLDivergence):
            softened = super()._one(loss, jax.nn.softmax(teacher), jax.nn.softmax(student))
            return softened * self.temperature**2
        return super()._one(loss, teacher, student)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {"temperature": self.temperature, "loss": registry.serialize(self.loss)}


@registry.register(KIND)
class FeatureDistillation(_Compared):
    """Compares what a layer of the teacher and a layer of the student return (Romero et al., 2015).

    Args:
        loss: a name or a loss, or a structure of them like the outputs; None leaves an output out.
        teacher_layer_name: a layer of the teacher; None for its output.
        student_layer_name: a layer of the student; None for its output. What the two return must have the same shape;
            give the student a projection if it has not.

    Raises:
        ValueError: without any loss.

    Reference: [Romero et al., 2015, FitNets: Hints for Thin Deep Nets](https://arxiv.org/abs/1412.6550).

    Example:

    >>> loss = FeatureDistillation("mse", teacher_layer_name="dense_1", student_layer_name="dense")
    """

    def __init__(
        self, loss: Any = "mse", teacher_layer_name: str | None = None, student_layer_name: str | None = None
    ):
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name
        self.loss = _losses(loss, "FeatureDistillation")

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Check that the layers exist and that their outputs can be computed."""
        for role, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if name is None:
                continue
            try:
                model.get_layer(name)
            except ValueError as error:
                raise ValueError(f"The {role} has no such layer. {error}") from None
            if getattr(model, "_graph", None) is None:
                raise ValueError(
                    f"{role}_layer_name={name!r} needs a model whose layers can be looked into, made by Model(inputs, "
                    f"outputs) or by Sequential with an Input; '{model.name}' is not. Leave the name out to compare "
                    "the outputs."
                )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor as plain data."""
        return {
            "loss": registry.serialize(self.loss),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }
