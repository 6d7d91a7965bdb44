"""Small helpers, compared with Keras where they compute something."""

import copy
import logging
import pickle

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jaxkeras as jk

SEQUENCES = [[1], [2, 3], [4, 5, 6], []]


# -- arrays -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 2, 5])
def test_pad_sequences_equals_keras(padding, truncating, maxlen):
    arguments = {"padding": padding, "truncating": truncating, "maxlen": maxlen, "value": -1}
    expected = keras.utils.pad_sequences(SEQUENCES, **arguments)
    actual = jk.preprocessing.sequence.pad_sequences(SEQUENCES, **arguments)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def test_pad_sequences_of_vectors_and_strings():
    vectors = [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]
    expected = keras.utils.pad_sequences(vectors, dtype="float32")
    np.testing.assert_array_equal(jk.utils.pad_sequences(vectors, dtype="float32"), expected)
    texts = jk.utils.pad_sequences([["a"], ["b", "longer"]], dtype=object, value="pad")
    assert texts.tolist() == [["pad", "a"], ["b", "longer"]]
    assert jk.utils.pad_sequences([[1, 2]], maxlen=0).shape == (1, 0)


@pytest.mark.parametrize(
    "sequences, more, text",
    [
        ([[1], 2], {}, r"sequences\[1\] is 2"),
        (3, {}, "list of sequences"),
        ([[[1]], [[1, 2]]], {}, r"sequences\[1\] have shape \(2,\)"),
        ([[1]], {"value": "pad"}, "dtype=object"),
        ([[1]], {"padding": "before"}, "padding"),
    ],
)
def test_pad_sequences_invalid_arguments_raise(sequences, more, text):
    with pytest.raises(ValueError, match=text):
        jk.utils.pad_sequences(sequences, **more)


@pytest.mark.parametrize("x", [[0, 2, 1], [[0], [2]], [[0, 2], [1, 1]], 2])
@pytest.mark.parametrize("num_classes", [None, 4])
def test_to_categorical_equals_keras(x, num_classes):
    expected = keras.utils.to_categorical(x, num_classes)
    actual = jk.utils.to_categorical(x, num_classes)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def test_to_categorical_on_device_and_out_of_range():
    result = jk.utils.to_categorical(jnp.array([[0], [2]]))
    assert result.shape == (2, 3) and not isinstance(result, np.ndarray)
    with pytest.raises(ValueError, match="from 0 to 5"):
        jk.utils.to_categorical([0, 5], num_classes=3)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_normalize_equals_keras(order):
    x = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [1.0, -2.0, 2.0]])
    expected = keras.utils.normalize(x, order=order)
    np.testing.assert_allclose(jk.utils.normalize(x, order=order), expected, rtol=1e-6)
    np.testing.assert_allclose(jk.utils.normalize(jnp.asarray(x, "float32"), order=order), expected, rtol=1e-5)
    # Keras divides by the column norms as if they were row norms.
    np.testing.assert_allclose(jk.utils.normalize(x.T, 0, order), expected.T, rtol=1e-6)


# -- Config -----------------------------------------------------------------------------------------------------------
def test_config_supports_item_and_attribute_access():
    config = jk.utils.Config(rate=0.1)
    config.seed = 3
    config["depth"] = 2
    assert (config.rate, config["seed"], config.get("x", 9), "depth" in config, len(config)) == (0.1, 3, 9, True, 3)
    assert list(config) == ["depth", "rate", "seed"] and config.as_dict() == dict(config.items())
    assert config.to_json() == '{"rate": 0.1, "seed": 3, "depth": 2}'
    config.update(depth=4)
    assert config.pop("depth") == 4 and repr(config) == "<Config {'rate': 0.1, 'seed': 3}>"
    del config["seed"]
    assert list(config.keys()) == ["rate"] and list(config.values()) == [0.1]


def test_frozen_config_rejects_changes():
    config = jk.utils.Config(rate=0.1)
    config.freeze()
    assert config.frozen
    for change in (lambda: config.update(rate=1), lambda: setattr(config, "a", 1), lambda: config.pop("rate")):
        with pytest.raises(ValueError, match="unfreeze"):
            change()
    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin.frozen and twin.rate == 0.1
    config.unfreeze()
    config.rate = 2


def test_config_errors_name_its_entries():
    config = jk.utils.Config(learning_rate=0.1)
    with pytest.raises(AttributeError, match="did you mean 'learning_rate'"):
        _ = config.learning_rat
    with pytest.raises(AttributeError, match="it has learning_rate"):
        _ = config.depth
    with pytest.raises(AttributeError, match="method"):
        config.keys = 3


# -- global state -----------------------------------------------------------------------------------------------------
def test_clear_session_resets_names_policies_and_seeds():
    jk.config.set_dtype_policy("mixed_bfloat16")
    jk.layers.Dense(1)
    jk.utils.disable_interactive_logging()
    jk.backend.clear_session(free_memory=False)
    assert jk.layers.Dense(1).name == "dense"
    assert jk.config.dtype_policy().name == "float32"
    assert jk.config.is_interactive_logging_enabled()


def test_messages_are_logged_without_interactive_logging(caplog, capsys):
    jk.utils.disable_interactive_logging()
    try:
        model = jk.Sequential([jk.Input((1,)), jk.layers.Dense(1)])
        model.compile("sgd", "mse")
        with caplog.at_level(logging.INFO, logger="jaxkeras"):
            model.evaluate(np.ones((2, 1)), np.ones((2, 1)))
            model.summary()
    finally:
        jk.utils.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert "loss:" in caplog.text and "dense (Dense)" in caplog.text


def test_get_source_inputs_returns_each_input_once():
    a, b = jk.Input((2,), name="a"), jk.Input((2,), name="b")
    both = jk.layers.Add()([jk.layers.Dense(2)(b), a])
    sources = jk.utils.get_source_inputs(jk.layers.Concatenate()([both, a]))
    assert [x.name for x in sources] == ["b", "a"]
    assert jk.utils.get_source_inputs(3.0) == 3.0
