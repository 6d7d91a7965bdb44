"""File names, custom classes and mismatched weights."""

from __future__ import annotations

import json
import pathlib
import re
import zipfile

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers as L
from jaxkeras import ops, registry
from jaxkeras.saving import load_model
from tests.ops.calls import ARRAYS, CALLS
from tests.ops.test_ops import NOT_SYMBOLIC, evaluate

X = np.ones((2, 4), "float32")


def stack(width=3, names=("a", "b")):
    return jk.Sequential([L.Input((4,)), L.Dense(width, name=names[0]), L.Dense(2, name=names[1])])


@jk.saving.register_keras_serializable("mine")
def doubled(x):
    return 2 * x


@jk.saving.register_keras_serializable("mine")
class Scale(L.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), "ones", name="w")

    def call(self, x):
        return doubled(x) * self.w * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@jk.saving.register_keras_serializable("mine")
class Gate(L.Layer):
    """Two inputs and no `build`: sublayers are built by the first call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = L.Dense(4)

    def call(self, x, gate):
        return self.dense(x) * gate


class Plain(L.Layer):
    """Not registered, and without `get_config`."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.inner = L.Dense(2)
        self.times = factor

    def call(self, x):
        return self.inner(x) * self.times


class Own(jk.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = [L.Dense(units), L.Dense(units)]
        self.head = L.Dense(1)

    def call(self, x):
        for layer in self.hidden:
            x = layer(x)
        return self.head(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Quiet(jk.Model):
    def __init__(self, units=3):
        super().__init__()
        self.dense = L.Dense(units)

    def call(self, x):
        return self.dense(x)


def train_and_compare(model, tmp_path, custom_objects=None, endings=("keras",)):
    model.compile("adam", "mse")
    model.fit(X, np.ones((2, model(X).shape[-1])), verbose=0)
    for ending in endings:
        model.save(tmp_path / f"m.{ending}")
        again = load_model(tmp_path / f"m.{ending}", custom_objects=custom_objects)
        np.testing.assert_array_equal(again(X), model(X))
        assert int(again.optimizer.iterations) == 1
    return again


def test_registered_classes_and_functions(tmp_path):
    x = L.Input((4,))
    model = jk.Model(x, L.Lambda(doubled)(L.Dense(3, activation=doubled)(Scale(0.5)(x))))
    again = train_and_compare(model, tmp_path, endings=("keras", "h5"))
    assert isinstance(again.layers[1], Scale) and again.layers[1].factor == 0.5
    assert again.layers[2].activation is doubled


def test_layer_with_two_inputs_and_no_build(tmp_path):
    x = L.Input((4,))
    again = train_and_compare(jk.Model(x, L.Dense(2)(Gate()(x, L.Dense(4)(x)))), tmp_path, endings=("keras", "h5"))
    assert len(again.weights) == 6
    # The format that Keras writes and reads.
    assert registry.serialize(again.layers[2])["build_config"] == {"input_shape": (None, 4)}


def test_custom_objects_by_name(tmp_path):
    model = jk.Sequential([L.Input((4,)), Plain(3.0)])
    train_and_compare(model, tmp_path, {"Plain": Plain})
    with pytest.raises(ValueError, match="custom_objects=.*Plain"):
        load_model(tmp_path / "m.keras")
    with jk.saving.custom_object_scope({"Plain": Plain}):
        load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("make", [lambda: Own(3), Quiet], ids=["Own", "Quiet"])
def test_subclassed_models(tmp_path, make):
    model = make()
    train_and_compare(model, tmp_path, {"Own": Own, "Quiet": Quiet})
    fresh = make()
    fresh(X)
    model.save_weights(tmp_path / "m.weights.h5")
    fresh.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(fresh(X), model(X))


@pytest.mark.filterwarnings("ignore:.*is a lambda")
@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_the_code_of_a_lambda_is_not_saved(tmp_path, ending):
    path = tmp_path / f"m.{ending}"
    double = lambda x: 2 * x  # noqa: E731
    model = jk.Sequential([L.Input((4,)), L.Lambda(double), L.Dense(2)])
    model.save(path)
    with pytest.raises(ValueError, match="arbitrary code execution"):
        jk.models.load_model(path)
    again = jk.models.load_model(path, safe_mode=False)  # this process knows the lambda
    assert again.layers[0].function is double
    registry.shared_objects._lambdas.clear()  # as in another process
    with pytest.raises(ValueError, match="never executed: build the model"):
        jk.models.load_model(path, safe_mode=False)
    model.load_weights(path)


def test_unserializable_compile_arguments_warn(tmp_path):
    model = stack()
    model.compile("sgd", lambda y, p: (y - p) ** 2)
    with pytest.warns(UserWarning, match="compile"):
        model.save(tmp_path / "m.keras")
    assert not load_model(tmp_path / "m.keras").compiled


def test_state_of_preprocessing(tmp_path):
    text = L.TextVectorization(output_sequence_length=3)
    text.adapt(np.array(["a b", "b c b"]))
    words = jk.Sequential([L.Input((1,), dtype="string"), text])
    words.save(tmp_path / "words.keras")
    assert any(n.endswith("vocabulary.txt") for n in zipfile.ZipFile(tmp_path / "words.keras").namelist())
    again = load_model(tmp_path / "words.keras")
    assert again.layers[-1].get_vocabulary() == text.get_vocabulary()
    sentences = np.array([["c a"], ["b d"]])
    np.testing.assert_array_equal(again.predict(sentences, verbose=0), words.predict(sentences, verbose=0))


def test_mixed_precision(tmp_path):
    policy = jk.DTypePolicy("mixed_bfloat16")
    model = jk.Sequential([L.Input((4,)), L.Dense(3, dtype=policy), L.Dense(2, dtype="bfloat16")])
    for ending in ("keras", "h5"):
        model.save(tmp_path / f"m.{ending}")
        again = load_model(tmp_path / f"m.{ending}")
        assert [layer.dtype_policy.name for layer in again.layers] == ["mixed_bfloat16", "bfloat16"]
        assert [w.dtype for w in again.weights] == [w.dtype for w in model.weights]
        np.testing.assert_array_equal(np.asarray(again(X), "float32"), np.asarray(model(X), "float32"))


@pytest.mark.parametrize("name", ["epoch-03-0.1.keras", "a b.keras", "[x]*?.keras", "ü.h5", "x.hdf5", "{1}.weights.h5"])
def test_file_names(tmp_path, name):
    model = stack()
    for path in (tmp_path / name, str(tmp_path / name)):
        if name.endswith(".weights.h5"):
            model.save_weights(path)
            stack().load_weights(path)
        else:
            model.save(path)
            np.testing.assert_array_equal(load_model(path)(X), model(X))
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_invalid_file_names_raise(tmp_path):
    model = stack()
    for name, save in [("m", model.save), ("m.weights.h5", model.save), ("m.h5", model.save_weights)]:
        with pytest.raises(ValueError, match="end"):
            save(tmp_path / name)
    for kind in (FileNotFoundError, ValueError):  # Keras raises the second
        with pytest.raises(kind, match="no file"):
            load_model(tmp_path / "none.keras")
        with pytest.raises(kind, match="no file"):
            model.load_weights(tmp_path / "none.weights.h5")
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="weights alone"):
        load_model(tmp_path / "w.weights.h5")


def test_file_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stack().save("m.keras")
    assert pathlib.Path("m.keras").is_file() and len(load_model("m.keras").layers) == 2


@pytest.mark.parametrize("ending", ["keras", "h5", "weights.h5"])
def test_mismatched_weights_raise(tmp_path, ending):
    path = tmp_path / f"m.{ending}"
    model = stack()
    (model.save_weights if ending == "weights.h5" else model.save)(path)
    other = stack(width=5)
    with pytest.raises(ValueError, match=r"(?s)'a'.*\(4, 5\).*\(4, 3\)|'a'.*\(4, 3\).*\(4, 5\)"):
        stack(width=5).load_weights(path)
    with pytest.warns(UserWarning, match="'a'"):
        other.load_weights(path, skip_mismatch=True)
    assert other.layers[0].kernel.shape == (4, 5)
    deeper = jk.Sequential([*stack().layers, L.Dense(2, name="c")])
    deeper.build((None, 4))
    with pytest.raises(ValueError, match="c|3 layers"):
        deeper.load_weights(path)
    unbuilt = jk.Sequential([L.Dense(3)])
    with pytest.raises(ValueError, match="no weights yet"):
        unbuilt.load_weights(path)


def test_load_weights_by_name(tmp_path):
    model = stack()
    model.save(tmp_path / "m.h5")
    other = stack(names=("x", "b"))
    before = other.layers[0].get_weights()
    other.load_weights(tmp_path / "m.h5", by_name=True)
    np.testing.assert_array_equal(other.layers[1].kernel, model.layers[1].kernel)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], before[0])
    for ending, save in (("keras", model.save), ("weights.h5", model.save_weights)):
        save(tmp_path / f"m.{ending}")
        with pytest.raises(ValueError, match="by_name"):
            other.load_weights(tmp_path / f"m.{ending}", by_name=True)


def test_save_writes_the_current_weights(tmp_path):
    model = stack()
    expected = np.asarray(model(X))
    model.save(tmp_path / "m.keras")
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras")(X), expected)


def test_op_with_variable_number_of_operands(tmp_path):
    x = jk.Input((6, 3))
    y = jk.ops.einsum("bij,bkj->bik", x, x, optimize=True)
    model = jk.Model(x, y)
    model.save(tmp_path / "m.keras")
    data = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    again = jk.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(model(data), again(data))
    np.testing.assert_allclose(again(data), np.einsum("bij,bkj->bik", data, data), rtol=1e-5)


def test_every_op_round_trips_through_a_config():
    """Graphs of all calls in `tests/ops/calls.py` that take inputs."""
    count = 0
    for call in CALLS:
        used = [k for k, a in ARRAYS.items() if re.search(rf"\b{k}\b", call) and isinstance(a, np.ndarray)]
        if call.startswith(("map(", *NOT_SYMBOLIC.split())) or not used:
            continue
        inputs = {k: jk.Input(batch_shape=ARRAYS[k].shape, dtype=ARRAYS[k].dtype.name) for k in used}
        outputs = [y for y in jax.tree.leaves(evaluate(ops, call, {**ARRAYS, **inputs})) if hasattr(y, "shape")]
        model = jk.Model(list(inputs.values()), outputs)
        again = registry.deserialize(json.loads(json.dumps(registry.serialize(model))))
        assert [y.shape for y in jax.tree.leaves(again.outputs)] == [y.shape for y in outputs], call
        count += 1
    assert count > 400
