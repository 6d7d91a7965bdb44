"""Errors for common mistakes say what was received, what was expected, and what to write."""

import re
import traceback

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk

L = jk.layers
X = np.random.default_rng(0).random((40, 4)).astype("float32")
Y = X[:, :1]


def classifier():
    model = jk.Sequential([jk.Input((4,)), L.Dense(3, activation="softmax", name="classes")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def regression(*first, **settings):
    model = jk.Sequential([*first, L.Dense(1)])
    model.compile("sgd", "mse", **settings)
    return model


def two_outputs(loss):
    inputs = jk.Input((4,))
    model = jk.Model(inputs, [L.Dense(1, name="price")(inputs), L.Dense(1, name="size")(inputs)])
    model.compile("sgd", loss)
    return model


def embedding():
    return regression(L.Embedding(10, 4, name="words"), L.GlobalAveragePooling1D())


def late_label():
    for i in range(100):
        yield X[:8], np.full(8, 3 if i > 3 else 0)


class Gate(L.Layer):
    def call(self, x):
        if jnp.sum(x) > 0:
            return x
        return -x


class Raw(L.Layer):
    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],))

    def call(self, x):
        return jax.lax.mul(x, self.w)


class LateWeight(L.Layer):
    def call(self, x):
        self.w = self.add_weight((4,), name="w")
        return x * self.w


class LateLayer(L.Layer):
    def call(self, x):
        return L.Dense(3, name="late")(x)


class NoSuper(jk.Model):
    def __init__(self):
        self.dense = L.Dense(1)

    def call(self, x):
        return self.dense(x)


class Own(L.Layer):
    def call(self, x):
        return x


def fit(model, x=X, y=Y, **settings):
    model.fit(x, y, verbose=0, **settings)


def two_numbers():
    model = jk.Sequential([L.Dense(2)])
    model.compile("sgd", "mse")
    return model


def no_super():
    fit(NoSuper())


def no_super_compile():
    NoSuper().compile("sgd", "mse")


def no_loss(*first):
    model = jk.Sequential([*first, L.Dense(1)])
    model.compile("sgd")
    fit(model)


MISTAKES = {
    "one target for two numbers": (
        lambda: fit(two_numbers(), y=np.ones(40), batch_size=2),
        "`y` has shape ('batch',)", "returns ('batch', 2)", "Dense(1)", "sparse_categorical_crossentropy",
    ),
    "lr": (
        lambda: jk.optimizers.Adam(lr=0.1), "Adam does not know the argument(s) 'lr'", "`learning_rate`",
    ),
    "label too high": (
        lambda: fit(classifier(), y=np.full(40, 3)),
        "`y` holds class 3", "3 outputs", "classes are 0 to 2", "Dense(4, ...)", "np.unique(y, return_inverse=True)",
    ),
    "label too high, late in a stream": (
        lambda: fit(classifier(), late_label(), None, steps_per_epoch=10),
        "`y` holds a class that output 'classes' does not have", "it has 3, 0 to 2", "Make the last layer Dense",
    ),
    "label too high, one batch": (
        lambda: classifier().train_on_batch(X, np.full(40, 3)), "`y` holds class 3", "classes are 0 to 2",
    ),
    "label negative": (
        lambda: fit(classifier(), y=np.full(40, -1)),
        "`y` holds class -1", "classes are 0 to 2", "Number the classes from 0", "ignore_class=-1",
    ),
    "label fractional": (
        lambda: fit(classifier(), y=np.full(40, 1.7)), "`y` holds 1.7", "whole class numbers 0 to 2", "'mse'",
    ),
    "label too high, evaluate": (
        lambda: classifier().evaluate(X, np.full(40, 3), verbose=0), "`y` holds class 3", "classes are 0 to 2",
    ),
    "id too high": (
        lambda: fit(embedding(), np.full((40, 3), 10)),
        "Layer 'words'", "ids run from 0 to input_dim - 1 = 9", "Embedding(input_dim=<largest id + 1>, ...)",
    ),
    "id negative": (lambda: fit(embedding(), np.full((40, 3), -1)), "Layer 'words'", "from 0 to input_dim - 1 = 9"),
    "no loss": (no_loss, "`compile` was called without `loss`", "compile(optimizer, loss='mse')"),
    "no loss, built model": (
        lambda: no_loss(jk.Input((4,))), "`y` was given", "without a loss", "compile(optimizer, loss='mse')",
    ),
    "no targets": (lambda: fit(regression(), y=None), "compile(loss='mse')", "there is no `y`", "fit(x, y)"),
    "target wider than the output": (
        lambda: fit(regression(jk.Input((4,))), y=np.ones((40, 3))),
        "`y` has shape ('batch', 3)", "the model returns ('batch', 1)", "Dense(3)",
    ),
    "batch_size=0": (lambda: fit(regression(), batch_size=0), "`batch_size` must be at least 1", "0", "default, 32"),
    "class without class_weight": (
        lambda: fit(classifier(), y=np.arange(40) % 3, class_weight={0: 1.0, 1: 2.0}),
        "classes [2]", "`class_weight` does not name", "class_weight={0: 1.0, 1: 2.0, 2: 1.0}",
    ),
    "empty array": (lambda: fit(regression(), X[:0], Y[:0]), "`x` is empty", "(0, 4)", "the filter, the slice"),
    "text": (
        lambda: fit(regression(jk.Input((4,))), np.array([["a"] * 4] * 40)),
        "`x` holds text", "cannot compute", "TextVectorization",
    ),
    "text, unbuilt model": (
        lambda: fit(regression(), np.array([["a"] * 4] * 40)), "Text was given", "numbers", "TextVectorization",
    ),
    "if on a traced value": (
        lambda: fit(regression(Gate(name="gate"))),
        "boolean conversion of traced array", "layer 'gate' (Gate)", "run_eagerly=True", "jnp.where", "jax.lax.cond",
    ),
    "optimizer misspelt": (lambda: regression().compile("adm", "mse"), "optimizer identifier 'adm'", "'adam'"),
    "loss misspelt": (
        lambda: regression().compile("adam", "binary_crosentropy"),
        "Could not interpret loss identifier 'binary_crosentropy'", "'binary_crossentropy'",
    ),
    "metric misspelt": (lambda: regression(metrics=["acuracy"]), "interpret metric identifier 'acuracy'", "'accuracy'"),
    "activation misspelt": (lambda: L.Dense(3, activation="rleu"), "interpret activation identifier 'rleu'", "'relu'"),
    "argument misspelt": (lambda: L.Dense(3, activaton="relu"), "argument of Dense: 'activaton'", "'activation'"),
    "argument of fit misspelt": (
        lambda: regression().fit(X, Y, epoch=3),
        "Sequential.fit() got an unexpected keyword argument 'epoch'. Did you mean 'epochs'",
    ),
    "argument of evaluate misspelt": (
        lambda: regression().evaluate(X, Y, return_dic=True), "Sequential.evaluate() got", "mean 'return_dict'?",
    ),
    "argument of predict misspelt": (
        lambda: regression().predict(X, batchsize=2), "Sequential.predict() got", "mean 'batch_size'?",
    ),
    "argument of compile misspelt": (
        lambda: regression().compile("sgd", losses="mse"), "Sequential.compile() got", "mean 'loss'",
    ),
    "unknown argument of train_on_batch": (
        lambda: regression().train_on_batch(X, Y, foo=1), "'foo'. Known: class_weight, return_dict, sample_weight, x",
    ),
    "loss for an unknown output": (
        lambda: fit(two_outputs({"price": "mse", "sise": "mse"}), y=[Y, Y]),
        "key in `loss`: 'sise'", "'size'", "outputs of the model are ['price', 'size']",
    ),
    "too many losses": (
        lambda: fit(two_outputs(["mse"] * 3), y=[Y, Y]), "`loss` has 3 entries", "2 outputs: ['price', 'size']", "dict",
    ),
    "one target for two outputs": (
        lambda: fit(two_outputs("mse")), "`y` is a single array", "2 outputs: ['price', 'size']", "Give a list",
    ),
    "validation_data without targets": (
        lambda: fit(regression(), validation_data=X),
        "`validation_data` holds inputs alone (ndarray of shape (40, 4), float32)", "compile(loss='mse')",
        "Write validation_data=(x_val, y_val)",
    ),
    "validation_data without targets, in a tuple": (
        lambda: fit(regression(), validation_data=(X,)),
        "`validation_data` holds inputs alone (a tuple)", "Write validation_data=(x_val, y_val)",
    ),
    "validation_data without targets, in a stream": (
        lambda: fit(regression(), validation_data=(X for _ in range(3))),
        "In `validation_data`: compile(loss='mse')", "there is no `y`", "batches (x, y)",
    ),
    "validation_data is a fraction": (
        lambda: fit(regression(), validation_data=0.2), "`validation_data` must be data", "validation_split=0.2",
    ),
    "validation_data of different lengths": (
        lambda: fit(regression(), validation_data=(X, Y[:30])), "In `validation_data`:", "x: 40 rows", "y: 30 rows",
    ),
    "verbose": (
        lambda: regression().fit(X, Y, verbose="yes"),
        "`verbose` must be 0 (silent), 1 (a progress bar), 2 (one line per epoch) or 'auto'; got 'yes'",
    ),
    "verbose=None": (lambda: regression().predict(X, verbose=None), "`verbose` must be 0", "got None"),
    "different lengths": (
        lambda: fit(regression(), y=Y[:30]), "same number of rows", "x: 40 rows", "y: 30 rows", "x[:30]",
    ),
    "width differs from Input": (
        lambda: fit(regression(jk.Input((4,), name="table")), X[:, :3]),
        "Input 'table' of model", "(None, 4)", "the data has shape", "3)",
    ),
    "rank differs from Input": (
        lambda: regression(jk.Input((4,), name="table")).predict(X[0], verbose=0),
        "Input 'table' of model", "(None, 4)", "A batch axis is missing", "x[None]",
    ),
    "not compiled": (
        lambda: fit(jk.Sequential([L.Dense(1)])), "must be compiled before `fit`", "compile(optimizer='adam', loss=",
    ),
    "metrics passed as loss_weights": (
        lambda: jk.Sequential([L.Dense(1)]).compile("sgd", "mse", ["mae"]),
        "`loss_weights` must hold numbers; got 'mae'", "compile(optimizer, loss, metrics=[...])",
    ),
    "variable passed to jax.lax": (
        lambda: fit(regression(Raw(name="raw"))), "layer 'raw' (Raw)", "was given a Variable", "Write `.value`",
    ),
    "symbolic tensor passed to jax.numpy": (
        lambda: jnp.tanh(jk.Input((4,))), "stands for a value that does not exist yet", "jaxkeras.ops", "def call",
    ),
    "symbolic tensor passed to numpy": (
        lambda: np.tanh(jk.Input((4,))), "stands for a value that does not exist yet", "jaxkeras.ops", "def call",
    ),
    "weight created in call": (
        lambda: fit(regression(LateWeight(name="gain"))),
        "Layer 'gain' creates a weight", "Create weights in `build`", "self.w = self.add_weight(",
    ),
    "layer created in call": (
        lambda: fit(regression(LateLayer())), "Layer 'late' creates a weight", "sublayers in `__init__`",
    ),
    "super().__init__() missing": (no_super, "NoSuper", "super().__init__()", "first statement"),
    "super().__init__() missing, compile": (no_super_compile, "NoSuper", "super().__init__()", "first statement"),
    "unknown ending": (
        lambda: regression(jk.Input((4,))).save("model.pkl"), "must end in '.keras' (or '.h5')", "'model.pkl'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_error_message(name):
    action, *phrases = MISTAKES[name]
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        action()
    error = caught.value
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    missing = [p for p in phrases if p not in text]
    assert not missing, f"{missing} not in:\n{text}"
    last_five = traceback.extract_tb(error.__traceback__)[-5:]
    if name != "layer created in call":  # the weight is created six frames below the line in `call`
        assert any(frame.filename == __file__ for frame in last_five), [f.filename for f in last_five]


def test_misspelt_argument_raises_type_error_at_the_call():
    with pytest.raises(TypeError) as caught:
        regression().fit(X, Y, epoch=3)
    assert len(traceback.extract_tb(caught.value.__traceback__)) == 2 and caught.value.__suppress_context__

    class Own(jk.Sequential):
        def train_step(self, state, data):
            return jk.Model.fit(self, epoch=1)

    model = Own([L.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"Own.fit\(\) got an unexpected keyword argument 'epoch'"):
        model.fit(X, Y, epochs=1, verbose=0)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        model.predict()


def test_file_with_an_unknown_class(tmp_path):
    path = tmp_path / "model.keras"
    jk.Sequential([jk.Input((4,)), Own(), L.Dense(1)]).save(path)
    with pytest.raises(ValueError, match=r"'Own'.*custom_objects=\{'Own': \.\.\.\}.*register_keras_serializable"):
        jk.models.load_model(path)
    assert jk.models.load_model(path, custom_objects={"Own": Own}).count_params() == 5


def test_all_frames_are_shown_without_filtering():
    filtering = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    try:
        with pytest.raises(ValueError) as caught:
            fit(classifier(), y=np.full(40, 3))
        assert any(re.search(r"checks\.py$", f.filename) for f in traceback.extract_tb(caught.value.__traceback__))
    finally:
        jax.config.update("jax_traceback_filtering", filtering)


def test_valid_edge_cases_are_accepted():
    loss = jk.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    model = classifier()
    model.compile("sgd", loss)
    labels = np.where(np.arange(40) % 2, -1, 1)
    assert np.isfinite(model.fit(((X[:8], labels[:8]) for _ in range(3)), verbose=0).history["loss"]).all()
    assert np.isfinite(embedding().fit(np.full((40, 3), 9), Y, verbose=0).history["loss"]).all()


def test_validation_data_without_targets_for_add_loss():
    class Size(L.Layer):
        def call(self, x):
            self.add_loss(jnp.sum(x**2))
            return x

    model = jk.Sequential([jk.Input((4,)), L.Dense(1), Size()])
    model.compile("sgd")
    sizes = []
    watch = jk.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: sizes.append(batch))
    history = model.fit(X, validation_data=X, batch_size=8, verbose=0, callbacks=[watch])
    assert np.isfinite(history.history["val_loss"]).all()
    assert sizes == [0, 1, 2, 3, 4]  # batches of 8 rows, as in training


def test_value_checks_inside_other_transformations():
    """An id computed inside scan or vmap cannot be checked outside, and its tracer must not leak."""
    inner = jk.Sequential([L.Embedding(10, 4), L.GlobalAveragePooling1D()])
    model = regression(L.TimeDistributed(inner))
    assert np.isfinite(model.fit(np.ones((8, 3, 2), int), np.ones((8, 3, 1)), verbose=0).history["loss"]).all()
