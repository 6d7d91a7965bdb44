import re

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.display.text import format_bytes
from jaxkeras.models.summary import print_summary


def text_of(model, **options):
    texts = []
    print_summary(model, print_fn=texts.append, **options)
    assert len(texts) == 1
    return texts[0]


def classifier(lib):
    layers = lib.layers
    return lib.Sequential(
        [
            lib.Input((28, 28, 1)), layers.Flatten(name="flatten"), layers.Dense(300, name="a"),
            layers.Dense(100, name="b"), layers.Dense(10, name="c"),
        ],
        name="model",
    )  # fmt: skip


def branches(lib):
    layers = lib.layers
    left, right = lib.Input((4,), name="left"), lib.Input((4,), name="right")
    shared = layers.Dense(3, name="shared", trainable=False)
    x = layers.Concatenate(name="both")([shared(left), shared(right)])
    inner = lib.Sequential([lib.Input((6,)), layers.Dense(5, name="i1"), layers.Dense(6, name="i2")], name="inner")
    y = inner(x) + x
    return lib.Model([left, right], [layers.Dense(2, name="one")(y), layers.Dense(1, name="two")(y)], name="branches")


def nested(lib):
    layers = lib.layers
    x = lib.Input((3,), name="x")
    inner = lib.Model(x, layers.BatchNormalization(name="bn")(x), name="inner")
    z = lib.Input((3,), name="z")
    dense = layers.Dense(3, name="dense")
    dense(z)  # a call that is no part of the model
    y = inner(dense(z))
    return lib.Model(z, layers.Add(name="sum")([inner(y), y]), name="outer")


def many_outputs(lib):
    x = lib.Input((4, 3), name="x")
    return lib.Model(x, lib.layers.LSTM(4, return_state=True, name="lstm")(x), name="states")


def chain_with_two_outputs(lib):
    x = lib.Input((3,), name="x")
    y = lib.layers.Dense(2, name="a")(x)
    return lib.Model(x, [y, lib.layers.Dense(1, name="b")(y)], name="chain")


def unbuilt(lib):
    return lib.Sequential([lib.layers.Dense(2, name="dense"), lib.layers.Dropout(0.5, name="drop")], name="unbuilt")


MODELS = [classifier, branches, nested, many_outputs, chain_with_two_outputs, unbuilt]


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("options", [{}, {"expand_nested": True, "show_trainable": True, "line_length": 100}])
def test_same_text_as_keras(make, options, monkeypatch):
    keras = pytest.importorskip("keras")
    monkeypatch.setenv("COLUMNS", "120")
    keras.backend.clear_session()
    theirs = []
    make(keras).summary(print_fn=lambda text: theirs.append(text), **options)
    assert text_of(make(jk), **options) == theirs[0]


def test_totals():
    text = text_of(classifier(jk))
    assert text.startswith('Model: "model"\n┏━')
    assert " Total params: 266,610 (1.02 MB)\n" in text
    assert " Trainable params: 266,610 (1.02 MB)\n Non-trainable params: 0 (0.00 B)\n" in text
    assert "Optimizer" not in text and "\x1b" not in text


def test_optimizer_is_counted_after_training():
    model = chain_with_two_outputs(jk)
    model.compile("adam", "mse")
    assert "Optimizer" not in text_of(model)
    model.fit(np.ones((2, 3)), [np.ones((2, 2)), np.ones((2, 1))], verbose=0)
    text = text_of(model)
    assert " Optimizer params: 24 (96.00 B)\n" in text
    assert " Total params: 35 (140.00 B)\n" in text


class Subclassed(jk.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.first = jk.layers.Dense(3, name="first")
        self.attention = jk.layers.MultiHeadAttention(1, 2, name="attention")
        self.never = jk.layers.Dense(2, name="never")

    def call(self, x):
        x = self.first(x)
        return self.attention(x, x)


def test_subclassed_model_before_and_after_building():
    model = Subclassed()
    assert text_of(model).count("0 (unbuilt)") == 3
    model.build((None, 5, 2))
    rows = [line for line in text_of(model).splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert cells == [
        ["first (Dense)", "(None, 5, 3)", "9"],
        ["attention (MultiHeadAttention)", "(None, 5, 3)", "33"],
        ["never (Dense)", "?", "0 (unbuilt)"],
    ]


@pytest.mark.parametrize(
    ("layer_range", "names"),
    [(("a", "b"), "ab"), (("c", "b"), "bc"), (("flatten", "flatten"), ["flatten"]), (("[ab]", "[bc]"), "abc")],
)
def test_range_of_layers(layer_range, names):
    text = text_of(classifier(jk), layer_range=layer_range)
    assert re.findall(r"│ (\w+) \(", text) == list(names)


@pytest.mark.parametrize("wrong", [("a",), (1, 2), ("a", "zz")])
def test_wrong_range_of_layers(wrong):
    with pytest.raises(ValueError, match="layer_range"):
        text_of(classifier(jk), layer_range=wrong)


def test_a_narrow_terminal_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="line_length"):
        text_of(classifier(jk), line_length=15)


def test_positions_of_columns():
    ends = [[i for i, c in enumerate(line) if c == "│"] for line in text_of(
        classifier(jk), line_length=60, positions=[0.5, 0.75, 1.0]
    ).splitlines() if "Dense" in line]  # fmt: skip
    assert ends == [[0, 30, 44, 59]] * 3


def test_it_prints_to_standard_output(capsys):
    assert classifier(jk).summary() is None
    out = capsys.readouterr().out
    assert "266,610" in out and "\x1b" not in out


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.00 B"), (1023, "1023.00 B"), (1024, "1.00 KB"), (2**41, "2.00 TB"), (2**52, "4.00 PB")]
)
def test_sizes(size, text):
    assert format_bytes(size) == text
