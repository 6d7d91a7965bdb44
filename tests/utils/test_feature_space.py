"""`FeatureSpace`: encodings as computed by Keras 3.15.1 on TensorFlow, input types, models and files."""

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.data import Dataset

FS = jk.utils.FeatureSpace
TABLE = {
    "f": [0.0, 0.1, 0.2, 0.3], "s": ["zero", "one", "two", "three"], "i": [0, 1, 2, 3], "d": [0.1, 0.2, 0.5, 0.9],
    "h": ["a", "b", "c", "d"], "p": [1.0, 2.0, 3.0, 4.0],
}  # fmt: skip
# The index that Keras on TensorFlow assigns to each row.
INDICES = {"d": [0, 1, 2, 2], "h": [3, 6, 0, 1], "i": [4, 3, 2, 1], "s": [1, 4, 2, 3], "s_X_i": [5, 2, 3, 4]}


def space(**more):
    features = {
        "f": "float_normalized", "s": "string_categorical", "i": "integer_categorical", "d": "float_discretized",
        "h": FS.string_hashed(num_bins=8), "p": FS.float_rescaled(scale=2.0),
    }  # fmt: skip
    arguments = {"crosses": [("s", "i")], "crossing_dim": 8, "num_discretization_bins": 3, **more}
    return FS(features, **arguments)


@pytest.fixture(scope="module")
def adapted():
    made = space()
    made.adapt(TABLE)
    return made


def test_concat_is_alphabetical_with_crosses_last(adapted):
    encoded = np.asarray(adapted(TABLE))
    assert encoded.dtype == "float32"
    expected = [
        np.eye(3)[INDICES["d"]], [[-1.3416408], [-0.4472136], [0.4472136], [1.3416408]], np.eye(8)[INDICES["h"]],
        np.eye(5)[INDICES["i"]], 2 * np.array([TABLE["p"]]).T, np.eye(5)[INDICES["s"]], np.eye(8)[INDICES["s_X_i"]],
    ]  # fmt: skip
    np.testing.assert_allclose(encoded, np.concatenate(expected, axis=1), atol=1e-5)
    one = adapted({key: column[2] for key, column in TABLE.items()})
    np.testing.assert_array_equal(one, encoded[2])


def test_dict_output_with_integer_features():
    made = FS(
        {"s": FS.string_categorical(output_mode="int"), "i": FS.integer_categorical(output_mode="int")},
        crosses=[FS.cross(("s", "i"), 32, output_mode="int")], output_mode="dict",
    )  # fmt: skip
    made.adapt({key: TABLE[key] for key in "si"})
    encoded = made({key: TABLE[key] for key in "si"})
    assert {key: np.asarray(value)[:, 0].tolist() for key, value in encoded.items()} == {
        "i": INDICES["i"], "s": INDICES["s"], "s_X_i": [21, 18, 27, 20],
    }  # fmt: skip
    assert {value.shape for value in made({"s": "two", "i": 2}).values()} == {(1,)}


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("labelled", [True, False])
def test_dataset_of_dicts(adapted, batched, labelled):
    columns = {key: np.array(column) for key, column in TABLE.items()}
    data = Dataset.from_tensor_slices((columns, np.arange(4)) if labelled else columns)
    data = data.batch(3) if batched else data
    made = space()
    made.adapt(data)
    mapped = data.map((lambda x, y: (made(x), y)) if labelled else made)
    rows = [element[0] if labelled else element for element in (mapped.unbatch() if batched else mapped)]
    np.testing.assert_allclose(np.stack(rows), adapted(TABLE), atol=1e-5)


def test_used_as_the_input_stage_of_a_model(adapted):
    model = jk.Model(adapted.get_inputs(), jk.layers.Dense(1)(adapted.get_encoded_features()))
    columns = {key: np.array(column)[:, None] for key, column in TABLE.items()}
    kernel, bias = model.layers[-1].get_weights()
    expected = np.asarray(adapted(TABLE)) @ kernel + bias
    np.testing.assert_allclose(model.predict(columns, verbose=0), expected, rtol=1e-4, atol=1e-5)
    assert {x.name: (x.shape, x.dtype) for x in adapted.get_inputs().values()}["s"] == ((None, 1), "string")


def test_discretized_floats_can_be_crossed():
    made = FS({"d": "float_discretized", "s": "string_categorical"}, crosses=[("d", "s")], num_discretization_bins=3)
    made.adapt(TABLE)
    model = jk.Model(made.get_inputs(), made.get_encoded_features())
    columns = {key: np.array(TABLE[key])[:, None] for key in "ds"}
    np.testing.assert_array_equal(model.predict(columns, verbose=0), made(TABLE))


def test_custom_preprocessor_layer():
    layer = jk.layers.TextVectorization(output_mode="tf_idf")
    made = FS({"text": FS.feature("string", layer, output_mode="float")})
    made.adapt({"text": ["1st string", "2nd string", "3rd string"]})
    assert made({"text": ["1st string", "2nd string"]}).shape == (2, 5)
    assert made.preprocessors["text"] is layer


def test_save_and_load(adapted, tmp_path):
    adapted.save(tmp_path / "space.keras")
    loaded = jk.saving.load_model(tmp_path / "space.keras")
    assert isinstance(loaded, FS) and loaded.crossers.keys() == adapted.crossers.keys()
    np.testing.assert_array_equal(loaded(TABLE), adapted(TABLE))


def test_features_without_state_need_no_adapt():
    made = FS({"p": "float", "h": "string_hashed", "n": "integer_hashed"}, hashing_dim=4)
    assert made({"p": 1.0, "h": "a", "n": 3}).shape == (9,)


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: FS({}), "needs `features`"),
        (lambda: FS({"a": "floats"}), "kind of feature 'a'"),
        (lambda: FS({"a": "float"}, output_mode="list"), "output_mode"),
        (lambda: FS({"a": "float"}, crosses=[("a", "b")]), r"\['b'\]"),
        (lambda: FS({"a": "float"}, crosses=[("a",)], crossing_dim=0), "crossing_dim"),
        (lambda: FS.cross(("a", "b"), 3, output_mode="float"), "output_mode of a cross"),
        (lambda: FS.feature("string", None, output_mode="text"), "output_mode of a feature"),
        (lambda: space()(TABLE), "call `adapt` first"),
        (lambda: space().adapt({"f": [1.0]}), "lack the columns"),
        (lambda: space().adapt(np.zeros(3)), "dicts of columns"),
        (lambda: space().adapt(3), "adapts to a dict"),
        (lambda: space().adapt(iter([])), "no data"),
        (lambda: FS({"a": "float"})([1.0]), "called on a dict"),
        (lambda: FS({"a": FS.string_hashed(3, output_mode="int")})({"a": "x"}), "cannot be concatenated"),
        (lambda: FS({"a": FS.feature("float32", jk.layers.Rescaling(1.0), "one_hot")})({"a": 1.0}), "return integers"),
    ],
)
def test_invalid_usage_raises(make, text):
    with pytest.raises(ValueError, match=text):
        make()
