"""Preprocessing of numbers, categories and text.

Keras runs lookups, hashing and text layers on TensorFlow, which is not installed: for these, the expected values are
those of its documentation and tests.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

import jaxkeras as jk
from jaxkeras.layers.preprocessing.categorical.hash_functions import bucket, farmhash64, siphash64
from tests.layers.parity import make_input, same_signature

keras = pytest.importorskip("keras")
L = jk.layers
X = make_input((6, 3))


def plain(config):
    return json.loads(json.dumps({**config, "name": None}))


def agree(name, settings, x, adapt=None, call=None):
    """Check that config and outputs equal Keras's, before and after a round trip of the config."""
    ours, theirs = getattr(L, name)(**settings), getattr(keras.layers, name)(**settings)
    if adapt is not None:
        ours.adapt(adapt)
        if name == "Discretization":  # its `adapt` needs TensorFlow
            theirs.update_state(adapt)
            theirs.finalize_state()
        else:
            theirs.adapt(adapt)
    y, z = ours(x, **(call or {})), theirs(x, **(call or {}))
    np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-6)
    assert y.dtype == z.dtype or (y.dtype, z.dtype) == (jnp.int32, np.int64)
    expected = plain(theirs.get_config())
    if name == "CategoryEncoding":
        expected.setdefault("sparse", theirs.sparse)  # new in Keras 3.16
    assert plain(ours.get_config()) == expected
    again = type(ours).from_config(ours.get_config())
    if not ours.weights:
        np.testing.assert_array_equal(again(x, **(call or {})), y)
    return ours


@pytest.mark.parametrize("name", [
    "Rescaling", "Normalization", "TextVectorization", "StringLookup", "IntegerLookup", "Hashing", "HashedCrossing",
    "Discretization", "CategoryEncoding",
])  # fmt: skip
def test_signature(name):
    same_signature(keras, name)


# -- numbers --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"scale": 0.5}, {"scale": [1.0, 2.0, 3.0], "offset": [0.0, 1.0, 2.0]}], ids=str)
def test_rescaling(settings):
    agree("Rescaling", settings, X)
    assert L.Rescaling(1 / 255)(np.arange(4, dtype=np.uint8)).dtype == jnp.float32


@pytest.mark.parametrize("settings, shape", [
    ({}, (6, 3)), ({"axis": None}, (6, 3)), ({"axis": (1, -1)}, (6, 2, 3)), ({"axis": 1, "invert": True}, (6, 2, 3)),
], ids=str)  # fmt: skip
def test_normalization_adapts(settings, shape):
    x = make_input(shape)
    layer = agree("Normalization", settings, x, adapt=x)
    theirs = keras.layers.Normalization(**settings)
    theirs.adapt(x)
    assert [(w.name, w.shape, w.trainable) for w in layer.weights] == [
        (w.name, tuple(w.shape), w.trainable) for w in theirs.weights
    ]
    batches = [x[:1], x[1:4], x[4:]]
    for stream in (batches, iter(batches), ((b, None) for b in batches)):
        other = L.Normalization(**settings)
        other.adapt(stream)
        np.testing.assert_allclose(other.get_weights()[1], layer.get_weights()[1], rtol=1e-5)
        np.testing.assert_allclose(other(x), layer(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [
    {"mean": 2.0, "variance": 4.0}, {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 9.0]},
    {"axis": (0, 1), "mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 9.0]},
    {"axis": None, "mean": 2.0, "variance": 4.0, "invert": True},
], ids=str)  # fmt: skip
def test_normalization_with_given_statistics(settings):
    layer = agree("Normalization", settings, X)
    assert not layer.weights
    with pytest.raises(ValueError, match="cannot adapt"):
        layer.adapt(X)


def test_normalization_under_jit_and_in_a_list():
    layer = L.Normalization()
    layer.adapt([[1.0, 2.0], [3.0, 6.0]])
    np.testing.assert_allclose(layer.mean, [[2.0, 4.0]])
    params, state = layer.params, layer.state
    assert not params
    y, _ = jax.jit(layer.apply)(params, state, jnp.asarray([[3.0, 6.0]]))
    np.testing.assert_allclose(y, [[1.0, 1.0]])
    with pytest.raises(ValueError, match="no data"):
        L.Normalization().adapt(iter([]))
    with pytest.raises(ValueError, match="does not fit"):
        layer.adapt(np.zeros((2, 3)))


def test_normalization_of_many_batches_is_accurate():
    x = np.random.default_rng(0).normal(1000.0, 0.1, (5000, 3)).astype(np.float32)
    layer = L.Normalization()
    layer.adapt(x[i : i + 7] for i in range(0, 5000, 7))
    np.testing.assert_allclose(layer.variance[0], x.astype(np.float64).var(0), rtol=1e-4)


@pytest.mark.parametrize("settings", [
    {"bin_boundaries": [-1.0, 0.0, 0.5]}, {"bin_boundaries": [0.0], "output_mode": "one_hot"},
    {"bin_boundaries": [-0.5, 0.5], "output_mode": "multi_hot"}, {"bin_boundaries": [0.0], "output_mode": "count"},
], ids=str)  # fmt: skip
def test_discretization(settings):
    agree("Discretization", settings, X)


@pytest.mark.parametrize("epsilon", [0.01, 0.2])
def test_discretization_adapts(epsilon):
    x = np.random.default_rng(1).gamma(2.0, size=500).astype(np.float32)
    layer = agree("Discretization", {"num_bins": 4, "epsilon": epsilon}, x, adapt=x)
    assert np.bincount(np.asarray(layer(x))).min() > 60
    stream = L.Discretization(num_bins=4, epsilon=epsilon)
    stream.adapt(x[i : i + 50] for i in range(0, 500, 50))
    np.testing.assert_allclose(stream.bin_boundaries, layer.bin_boundaries, atol=4 * epsilon)


@pytest.mark.parametrize("mode", ["multi_hot", "count", "one_hot"])
@pytest.mark.parametrize("x", [
    np.array([[0, 1, 1], [3, 2, 2]]), np.array([1, 3, 3]), np.array([[1], [2]]), np.array(2),
], ids=lambda x: str(x.shape))  # fmt: skip
def test_category_encoding(mode, x):
    agree("CategoryEncoding", {"num_tokens": 4, "output_mode": mode}, x)
    if mode == "count" and x.ndim == 2:
        weights = np.ones(x.shape, np.float32) * 0.5
        agree("CategoryEncoding", {"num_tokens": 4, "output_mode": mode}, x, call={"count_weights": weights})


@pytest.mark.parametrize("x", [np.array([[0.0, 1.7], [3.2, 2.0]], "float32"), np.array([[True, False]])], ids=str)
def test_category_encoding_casts_other_dtypes_to_integers(x):
    layer = L.CategoryEncoding(num_tokens=4)
    np.testing.assert_array_equal(layer(x), layer(x.astype("int32")))


def test_category_encoding_in_a_graph():
    x = L.Input((3,), dtype="int32")
    assert L.CategoryEncoding(5)(x).shape == (None, 5)
    assert L.CategoryEncoding(5, output_mode="one_hot")(x).shape == (None, 3, 5)
    with pytest.raises(ValueError, match="count_weights"):
        L.CategoryEncoding(3)(np.array([1]), count_weights=np.array([1.0]))


# -- hashes ---------------------------------------------------------------------------------------------------------
def test_hash_functions_equal_the_reference_implementations():
    # FarmHash Fingerprint64 of n times "x", by Google's code; SipHash-2-4 from the test vectors of its paper.
    expected = {
        0: 11160318154034397263, 5: 4353426961065742888, 20: 8233088228747857348, 40: 17003596230054984852,
        64: 6916188127298655160, 65: 4935023790501551929, 100: 6590480085648050719, 129: 17793147381016297142,
    }  # fmt: skip
    assert {n: farmhash64(b"x" * n) for n in expected} == expected
    assert siphash64(bytes(range(15)), 0x0706050403020100, 0x0F0E0D0C0B0A0908) == 0xA129CA6149BE45E5
    assert bucket("é", 1000) == farmhash64("é".encode()) % 1000


WORDS = [["omar"], ["stringer"], ["marlo"], ["wire"], ["skywalker"]]


@pytest.mark.parametrize("settings, x, expected", [
    ({"num_bins": 2}, WORDS, [0, 0, 1, 0, 0]),
    ({"num_bins": 3, "mask_value": ""}, WORDS, [1, 1, 2, 1, 1]),
    ({"num_bins": 3, "mask_value": "omar"}, WORDS, [0, 1, 2, 1, 1]),
    ({"num_bins": 2, "salt": [133, 137]}, WORDS, [0, 1, 0, 1, 0]),
    ({"num_bins": 3}, [[0], [1], [2], [3], [4]], [1, 0, 1, 0, 2]),
    ({"num_bins": 3, "salt": [133, 137]}, [["A"], ["B"], ["C"], ["D"], ["E"]], [1, 2, 1, 0, 2]),
], ids=str)  # fmt: skip
def test_hashing(settings, x, expected):
    layer = L.Hashing(**settings)
    y = layer(x)
    assert y.shape == (5, 1) and y.dtype == np.int32
    assert y.ravel().tolist() == expected
    again = L.Hashing.from_config(layer.get_config())
    np.testing.assert_array_equal(again(np.array(x).astype(bytes)), y)


def test_hashing_modes():
    layer = L.Hashing(3, output_mode="multi_hot")
    assert layer([["A", "B", "C"]]).tolist() == [[1.0, 1.0, 0.0]]
    assert layer(L.Input((3,), dtype="string")).shape == (None, 3)
    assert L.Hashing(3, output_mode="one_hot")([["A"], ["E"]]).tolist() == [[0, 1, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match="salt"):
        L.Hashing(3, salt=[1])


def test_sparse_hashing():
    x = np.array([["A", "B"], ["C", "C"]])
    for mode in ("multi_hot", "count"):
        dense, sparse = (L.Hashing(3, output_mode=mode, sparse=sparse) for sparse in (False, True))
        assert isinstance(sparse(x), BCOO) and sparse(L.Input((2,), dtype="string")).sparse
        np.testing.assert_array_equal(sparse(x).todense(), dense(x))
    inputs = L.Input((2,), dtype="string")
    model = jk.Model(inputs, L.Dense(1, kernel_initializer="ones")(sparse(inputs)))
    np.testing.assert_array_equal(model.predict(x, verbose=0), [[2.0], [2.0]])
    for layer in (L.Hashing, L.HashedCrossing):
        with pytest.raises(ValueError, match="sparse"):
            layer(3, sparse=True)  # the numbers of buckets are no vectors


def test_hashed_crossing():
    pair = (np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102]))
    assert L.HashedCrossing(5)(pair).tolist() == [1, 4, 1, 1, 3]
    hot = L.HashedCrossing(5, output_mode="one_hot")([x[:, None] for x in pair])
    np.testing.assert_array_equal(hot, np.eye(5)[[1, 4, 1, 1, 3]])
    with pytest.raises(ValueError, match="at least two"):
        L.HashedCrossing(5)([pair[0]])
    with pytest.raises(ValueError, match="integers or strings"):
        L.HashedCrossing(5)([pair[1], pair[1] * 0.5])


# -- vocabularies ---------------------------------------------------------------------------------------------------
VOCABULARY = ["earth", "wind", "and", "fire"]
LINES = [["earth", "wind", "and", "fire"], ["fire", "and", "earth", "michigan"]]


def lookup(**settings):
    return L.StringLookup(vocabulary=VOCABULARY, **settings)


@pytest.mark.parametrize("settings, expected", [
    ({}, [[1, 2, 3, 4], [4, 3, 1, 0]]),
    ({"mask_token": "and"}, None),
    ({"mask_token": ""}, [[2, 3, 4, 5], [5, 4, 2, 1]]),
    ({"num_oov_indices": 2}, [[2, 3, 4, 5], [5, 4, 2, bucket("michigan", 2)]]),
    ({"output_mode": "multi_hot"}, [[0, 1, 1, 1, 1], [1, 1, 0, 1, 1]]),
    ({"output_mode": "count", "max_tokens": 6, "pad_to_max_tokens": True}, [[0, 1, 1, 1, 1, 0], [1, 1, 0, 1, 1, 0]]),
    ({"output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]},
     [[0, 0.25, 0.75, 0.6, 0.4], [0.5, 0.25, 0, 0.6, 0.4]]),
], ids=str)  # fmt: skip
def test_string_lookup(settings, expected):
    if expected is None:
        with pytest.raises(ValueError, match="special token"):
            lookup(**settings)
        return
    layer = lookup(**settings)
    np.testing.assert_allclose(layer(LINES), expected, rtol=1e-6)
    again = L.StringLookup.from_config(json.loads(json.dumps(layer.get_config())))
    np.testing.assert_allclose(again(np.array(LINES, "S")), expected, rtol=1e-6)
    assert again.get_vocabulary() == layer.get_vocabulary()


def test_inverse_lookup():
    layer = lookup(invert=True, mask_token="")
    np.testing.assert_array_equal(layer([[2, 5], [0, 1]]), [["earth", "fire"], ["", "[UNK]"]])
    numbers = L.IntegerLookup(vocabulary=[12, 36], invert=True)
    np.testing.assert_array_equal(numbers([[1, 2], [0, 9]]), [[12, 36], [-1, -1]])


def test_integer_lookup():
    layer = L.IntegerLookup(vocabulary=[12, 36, 1138, 42])
    assert layer([[12, 1138, 42], [42, 1000, 36]]).tolist() == [[1, 3, 4], [4, 0, 2]]
    layer = L.IntegerLookup(vocabulary=[12, 36], num_oov_indices=2)
    assert layer([12, 36, 37, 1000]).tolist() == [2, 3, 1, 0]
    assert L.IntegerLookup(vocabulary=[12, 36], output_mode="one_hot")([12, 7]).tolist() == [[0, 1, 0], [1, 0, 0]]
    adapted = L.IntegerLookup()
    adapted.adapt(np.array([[12, 1138, 42], [42, 1000, 36]]))
    assert adapted.get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]


def test_unknown_tokens_without_an_oov_index_raise():
    with pytest.raises(ValueError, match="michigan"):
        lookup(num_oov_indices=0)(LINES)


def test_a_config_cannot_name_a_file_to_read(tmp_path):
    path = tmp_path / "vocabulary.txt"
    path.write_text("a\nb\n")
    assert L.StringLookup(vocabulary=str(path))(["b"]).tolist() == [2]
    for cls in (L.StringLookup, L.TextVectorization):
        with pytest.raises(ValueError, match="not read while loading"):
            cls.from_config({**cls().get_config(), "vocabulary": str(path)})


@pytest.mark.parametrize("settings, message", [
    ({"vocabulary": ["a", "a"]}, "repeat"), ({"vocabulary": []}, "empty"), ({"max_tokens": 1}, "max_tokens"),
    ({"vocabulary": ["a", "b"], "max_tokens": 2}, "max_tokens"), ({"output_mode": "hot"}, "output_mode"),
    ({"pad_to_max_tokens": True}, "max_tokens"), ({"sparse": True}, "sparse"),
    ({"vocabulary": ["a"], "output_mode": "tf_idf"}, "idf_weights"), ({"vocabulary": "/no/such/file"}, "not exist"),
], ids=str)  # fmt: skip
def test_errors_name_the_argument(settings, message):
    with pytest.raises(ValueError, match=message):
        L.StringLookup(**settings)


# -- text -----------------------------------------------------------------------------------------------------------
TEXTS = ["foo bar", "bar baz", "baz bada boom"]


def test_text_to_indices():
    layer = L.TextVectorization(max_tokens=5000, output_sequence_length=4)
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == ["", "[UNK]", "baz", "bar", "foo", "boom", "bada"]
    assert layer.vocabulary_size() == 7
    expected = [[4, 1, 3, 0], [1, 2, 0, 0]]
    for x in ([["foo qux bar"], ["qux baz"]], ["Foo, qux BAR!", "qux baz"], np.array([b"foo qux bar", b"qux baz"])):
        y = layer(x)
        assert y.tolist() == expected and y.dtype == np.int32
    assert layer("foo").tolist() == [4, 0, 0, 0]
    layer.output_sequence_length = 2
    assert layer(["foo qux bar"]).tolist() == [[4, 1]]


def test_adapt_on_different_sources():
    expected = None
    for data in (TEXTS, np.array(TEXTS), np.array(TEXTS)[:, None], iter([TEXTS[:2], TEXTS[2:]]), [TEXTS[:1]] and TEXTS):
        layer = L.TextVectorization()
        layer.adapt(data)
        expected = expected or layer.get_vocabulary()
        assert layer.get_vocabulary() == expected
    layer.adapt(iter([TEXTS[:1]] * 9), steps=1)
    assert layer.get_vocabulary() == ["", "[UNK]", "foo", "bar"]
    layer.adapt((x, 1.0) for x in [TEXTS[:1]])
    assert layer.get_vocabulary() == ["", "[UNK]", "foo", "bar"]


@pytest.mark.parametrize("settings, text, tokens", [
    ({}, "Don't  STOP\tme\nnow!", ["dont", "stop", "me", "now"]),
    ({"standardize": "lower"}, "Don't", ["don't"]),
    ({"standardize": "strip_punctuation"}, "Don't", ["Dont"]),
    ({"standardize": None}, "Don't", ["Don't"]),
    ({"standardize": lambda x: np.char.replace(x, "a", "b")}, "aha", ["bhb"]),
    ({"split": "character"}, "aé 1", ["a", "é", " ", "1"]),
    ({"split": lambda x: [t.split("-") for t in x], "standardize": None}, "a-b", ["a", "b"]),
    ({"ngrams": 2}, "a b c", ["a", "b", "c", "a b", "b c"]),
    ({"ngrams": (3, 1)}, "a b c", ["a b c", "a", "b", "c"]),
    ({}, "ÀB ß\xa0x", ["Àb", "ß\xa0x"]),
])  # fmt: skip
def test_tokens(settings, text, tokens):
    assert L.TextVectorization(**settings).tokenize([text]) == [tokens]


def test_input_that_is_already_split():
    layer = L.TextVectorization(split=None, vocabulary=["a", "b"])
    assert layer([["A", "b!"], ["c", ""]]).tolist() == [[2, 3], [1, 0]]
    with pytest.raises(ValueError, match="split=None"):
        L.TextVectorization()([["a", "b"]])


@pytest.mark.parametrize("mode, row", [
    ("multi_hot", [1, 0, 1, 1, 0, 0]), ("count", [2, 0, 2, 1, 0, 0]),
    ("tf_idf", [2 * np.mean(np.log(1 + 3 / (1 + np.array([2, 2, 1, 1, 1])))), 0, 2 * np.log(2), np.log(2.5), 0, 0]),
])  # fmt: skip
def test_text_to_vectors(mode, row):
    layer = L.TextVectorization(output_mode=mode)
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == ["[UNK]", "baz", "bar", "foo", "boom", "bada"]
    np.testing.assert_allclose(layer(["foo bar bar zz qux", ""]), [row, [0] * 6], rtol=1e-6)
    padded = L.TextVectorization(max_tokens=8, output_mode=mode, pad_to_max_tokens=True)
    padded.adapt(TEXTS)
    assert padded(["foo"]).shape == (1, 8)


def test_text_layers_in_graphs():
    x = L.Input((1,), dtype="string")
    assert L.TextVectorization(output_sequence_length=7)(x).shape == (None, 7)
    assert L.TextVectorization()(x).shape == (None, None)
    assert L.TextVectorization(max_tokens=9, pad_to_max_tokens=True, output_mode="count")(x).shape == (None, 9)
    with pytest.raises(RuntimeError, match="adapt"):
        L.TextVectorization(output_mode="count")(x)
    assert L.TextVectorization.host_only


@pytest.mark.parametrize("mode", ["int", "tf_idf"])
def test_vocabulary_is_an_asset(mode, tmp_path):
    layer = L.TextVectorization(output_mode=mode)
    layer.adapt(TEXTS)
    layer.save_assets(str(tmp_path))
    store = {}
    layer.save_own_variables(store)
    lines = (tmp_path / "vocabulary.txt").read_text().split("\n")
    assert lines == layer.get_vocabulary()
    config = json.loads(json.dumps(layer.get_config()))
    assert config["vocabulary"] is None and config["vocabulary_size"] == layer.vocabulary_size()
    again = L.TextVectorization.from_config(config)
    if mode == "tf_idf":
        assert again(L.Input((1,), dtype="string")).shape == (None, 6)  # the graph is built before assets are loaded
    again.load_own_variables(store)
    again.load_assets(str(tmp_path))
    np.testing.assert_array_equal(again(TEXTS), layer(TEXTS))


def test_a_given_vocabulary_is_in_the_config_and_cannot_adapt():
    layer = L.TextVectorization(vocabulary=VOCABULARY)
    assert layer.get_vocabulary() == ["", "[UNK]", *VOCABULARY]
    assert L.TextVectorization.from_config(layer.get_config()).get_vocabulary() == layer.get_vocabulary()
    with pytest.raises(ValueError, match="cannot adapt"):
        layer.adapt(TEXTS)
    layer.set_vocabulary(["", "[UNK]", "x"])
    assert layer(["x"]).tolist() == [[2]]


def test_functions_round_trip_through_the_config():
    @jk.saving.register_keras_serializable("test_preprocessing")
    def shout(x):
        return np.char.upper(x)

    layer = L.TextVectorization(standardize=shout, ngrams=(1, 2))
    again = L.TextVectorization.from_config(layer.get_config())
    assert again.tokenize(["a b"]) == [["A", "B", "A B"]]
