"""Distillation: losses as in Keras, and training a distiller."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.distillation import DistillationLoss, Distiller, FeatureDistillation, LogitsDistillation

RNG = np.random.default_rng(0)
TEACHER, STUDENT = RNG.normal(size=(2, 4, 3)).astype("float32")
X = RNG.normal(size=(8, 4)).astype("float32")
Y = RNG.integers(0, 3, 8)


def stack(width, *more):
    return jk.Sequential([jk.Input((4,)), jk.layers.Dense(width, name="hidden"), *more, jk.layers.Dense(3)])


def make(*losses, **options):
    distiller = Distiller(stack(5), stack(5), list(losses) or LogitsDistillation(2.0), **options)
    distiller.compile("sgd", jk.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return distiller


@pytest.mark.parametrize("loss", ["KLDivergence", "mse", "categorical_crossentropy", "cosine_similarity"])
def test_logits_distillation_equals_keras(loss):
    ours = LogitsDistillation(2.5, loss).compute_loss(TEACHER, STUDENT)
    theirs = keras.distillation.LogitsDistillation(2.5, loss).compute_loss(TEACHER, STUDENT)
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-5)


def test_default_loss_is_the_kl_divergence_of_softened_outputs():
    p, q = jax.nn.softmax(TEACHER / 3), jax.nn.softmax(STUDENT / 3)
    expected = 9 * jnp.mean(jnp.sum(p * jnp.log(p / q), -1))
    np.testing.assert_allclose(LogitsDistillation().compute_loss(TEACHER, STUDENT), expected, rtol=1e-5)


def test_multiple_outputs_equal_keras():
    teacher, student = {"a": TEACHER, "b": TEACHER * 2}, {"a": STUDENT, "b": STUDENT}
    loss, both = {"a": "mse", "b": None}, {"a": "mae", "b": "mse"}
    for ours, theirs in (
        (LogitsDistillation(2.0, loss), keras.distillation.LogitsDistillation(2.0, loss)),
        (FeatureDistillation(loss), keras.distillation.FeatureDistillation(loss)),
        (FeatureDistillation(both), keras.distillation.FeatureDistillation(both)),
    ):
        ours.validate_outputs(teacher, student)
        np.testing.assert_allclose(
            ours.compute_loss(teacher, student), np.asarray(theirs.compute_loss(teacher, student)), rtol=1e-5
        )
        again = type(ours).from_config(ours.get_config())
        np.testing.assert_allclose(again.compute_loss(teacher, student), ours.compute_loss(teacher, student))
    with pytest.raises(ValueError, match="must have the structure of the outputs"):
        FeatureDistillation("mse").validate_outputs(teacher, student)


def test_configs_equal_keras():
    pairs = [
        (LogitsDistillation(2.0), keras.distillation.LogitsDistillation(2.0)),
        (FeatureDistillation("mse", "a", "b"), keras.distillation.FeatureDistillation("mse", "a", "b")),
    ]
    for ours, theirs in pairs:
        ours, theirs = jk.saving.serialize_keras_object(ours), keras.saving.serialize_keras_object(theirs)
        for config in (ours, theirs):
            config["config"]["loss"].pop("registered_name")
        assert ours == theirs


def test_loss_values_and_only_the_student_is_trained():
    distiller = make(student_loss_weight=0.25)
    frozen = distiller.teacher.get_weights()
    teacher, student = (jax.nn.log_softmax(m(X) / 2) for m in (distiller.teacher, distiller.student))
    divergence = 4 * jnp.mean(jnp.sum(jnp.exp(teacher) * (teacher - student), -1))
    entropy = -jnp.mean(jax.nn.log_softmax(distiller.student(X))[np.arange(8), Y])
    logs = distiller.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True)
    assert logs["student_loss"] == pytest.approx(float(entropy), rel=1e-4)
    assert logs["distillation_loss"] == pytest.approx(float(divergence), rel=1e-4)
    assert logs["loss"] == logs["total_loss"] == pytest.approx(float(0.25 * entropy + 0.75 * divergence), rel=1e-4)
    before = distiller.student.get_weights()
    history = distiller.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == {"loss", "accuracy", "student_loss", "distillation_loss", "total_loss"}
    assert history["loss"][1] < history["loss"][0] == pytest.approx(logs["loss"], rel=1e-4)
    for a, b in zip(frozen, distiller.teacher.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert all(not np.array_equal(a, b) for a, b in zip(before, distiller.student.get_weights()))
    np.testing.assert_allclose(distiller.predict(X, verbose=0), distiller.student(X), rtol=1e-5)


def test_features_are_extracted_in_one_student_pass():
    student = stack(5, jk.layers.BatchNormalization(momentum=0.5))
    teacher = stack(5)
    distiller = Distiller(
        teacher, student, [FeatureDistillation("mse", "hidden", "hidden"), FeatureDistillation("mae")], [2.0, 0.5], 0.0
    )
    distiller.compile("sgd", "mse")
    hidden = [m.get_layer("hidden")(X) for m in (teacher, student)]
    mean = np.mean(hidden[1], 0) / 2
    outputs = [teacher(X), student(X, training=True)]
    student.get_layer("batch_normalization").moving_mean.assign(np.zeros(5))
    expected = 2 * np.mean((hidden[0] - hidden[1]) ** 2) + 0.5 * np.mean(np.abs(outputs[0] - outputs[1]))
    logs = distiller.train_on_batch(X, return_dict=True)
    assert logs["loss"] == pytest.approx(float(expected), rel=1e-4) and logs["student_loss"] == 0
    np.testing.assert_allclose(student.get_layer("batch_normalization").moving_mean, mean, rtol=1e-3, atol=1e-6)
    assert not distiller._features._entries  # nothing of the trace is kept


def test_only_the_students_penalties_are_added():
    teacher, student = (
        jk.Sequential([jk.Input((4,)), jk.layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l2")])
        for _ in range(2)
    )
    distiller = Distiller(teacher, student, FeatureDistillation("mse"))
    distiller.compile("sgd", "mse")
    target = np.zeros((8, 3), "float32")
    logs = distiller.evaluate(X, target, verbose=0, return_dict=True)
    y = student(X)
    penalties = 0.01 * (np.sum(np.square(student.weights[0])) + np.sum(np.square(y)) / 8)
    expected = 0.5 * np.mean(np.square(y)) + 0.5 * np.mean(np.square(teacher(X) - y)) + penalties
    assert logs["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_save_and_load(tmp_path):
    distiller = make(LogitsDistillation(2.0), FeatureDistillation("mse", "hidden", "hidden"))
    distiller(X)
    distiller.save(tmp_path / "d.keras")
    again = jk.models.load_model(tmp_path / "d.keras")
    np.testing.assert_array_equal(again(X), distiller(X))
    assert again.compiled and again.student_loss_weight == 0.5 and len(again.distillation_losses) == 2
    assert not again.teacher.trainable
    for a, b in zip(distiller.variables, again.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


class Vector(DistillationLoss):
    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        return jnp.mean(teacher_outputs - student_outputs, -1)


@pytest.mark.parametrize(
    "make_one, message",
    [
        (lambda: Distiller(stack(2), lambda x: x, LogitsDistillation()), "The student must be a model"),
        (lambda: Distiller(stack(2), jk.Sequential([jk.Input((5,)), jk.layers.Dense(3)]), LogitsDistillation()),
         "The inputs of teacher"),
        (lambda: Distiller(stack(2), stack(2), None), "is not a distillation loss"),
        (lambda: Distiller(stack(2), stack(2), [LogitsDistillation()], [1.0, 2.0]), "1 distillation losses, but 2"),
        (lambda: Distiller(stack(2), stack(2), LogitsDistillation(), student_loss_weight=2), "from 0 to 1; got 2"),
        (lambda: Distiller(stack(2), stack(2), FeatureDistillation("mse", "hiden")), "The teacher .*'hidden'"),
        (lambda: Distiller(stack(2), jk.Sequential([jk.layers.Dense(3, name="d")]),
                           FeatureDistillation("mse", "hidden", "d")), "can be looked into"),
        (lambda: make().compile("sgd"), "needs the student's own loss"),
        (lambda: make(Vector()).evaluate(X, Y, verbose=0), r"must return a scalar; it returned shape \(8,\)"),
        (lambda: LogitsDistillation(0), "must be a positive number"),
        (lambda: FeatureDistillation([None]), "contains no loss"),
        (lambda: LogitsDistillation(loss="klm"), "Could not interpret loss identifier 'klm'"),
    ],
)  # fmt: skip
def test_invalid_usage_raises(make_one, message):
    with pytest.raises(ValueError, match=message):
        make_one()
