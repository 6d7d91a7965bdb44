"""The tutorial "2.3.4 Compile and Training": text classification, `compile`, `fit` and `fit_generator`."""

import inspect

import numpy as np
import pytest

import jaxkeras as keras

rng = np.random.default_rng(0)
data = rng.random((96, 8)).astype("float32")
labels = np.eye(4, dtype="float32")[data[:, :4].argmax(1)]
val_data, val_labels = data[:32], labels[:32]


def make_model():
    return keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(4, activation="softmax")])


def test_adam_with_mse_and_mae():
    model = make_model()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    history = model.fit(data, labels, epochs=10, batch_size=32, verbose=0)
    assert history.history["mae"][-1] < history.history["mae"][0]


def test_rmsprop_with_categorical_crossentropy():
    model = make_model()
    model.compile(
        optimizer=keras.optimizers.RMSprop(0.01),
        loss=keras.losses.CategoricalCrossentropy(),
        metrics=[keras.metrics.CategoricalAccuracy()],
    )
    history = model.fit(data, labels, epochs=10, batch_size=32, validation_data=(val_data, val_labels), verbose=0)
    assert sorted(history.history) == ["categorical_accuracy", "loss", "val_categorical_accuracy", "val_loss"]
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_arguments_of_fit():
    mine = {name: p.default for name, p in inspect.signature(keras.Model.fit).parameters.items()}
    document = {
        "x": None, "y": None, "batch_size": None, "epochs": 1, "callbacks": None, "validation_split": 0.0,
        "validation_data": None, "shuffle": True, "class_weight": None, "sample_weight": None, "initial_epoch": 0,
        "steps_per_epoch": None, "validation_steps": None, "validation_freq": 1,
    }  # fmt: skip
    assert document.items() <= mine.items()
    assert [n for n in mine if n in document] == list(document)
    assert mine["verbose"] == "auto"  # equivalent to 1, the tutorial's value


class Batches(keras.utils.Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return data[32 * i : 32 * i + 32], labels[32 * i : 32 * i + 32]


def endless():
    while True:
        yield from (Batches()[i] for i in range(3))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("generator", [endless, Batches])
def test_fit_generator(generator):
    model = make_model()
    model.compile("adam", "categorical_crossentropy")
    history = model.fit_generator(
        generator(),
        steps_per_epoch=3,
        epochs=2,
        verbose=0,
        callbacks=None,
        validation_data=(val_data, val_labels),
        validation_steps=None,
        validation_freq=1,
        class_weight=None,
        max_queue_size=10,
        workers=1,
        use_multiprocessing=False,
        shuffle=True,
        initial_epoch=0,
    )
    assert len(history.history["val_loss"]) == 2
    plain = make_model()
    plain.compile("adam", "categorical_crossentropy")
    assert len(plain.fit(generator(), steps_per_epoch=3, epochs=2, verbose=0).history["loss"]) == 2


def test_text_classification():
    (train_examples, train_labels), (test_examples, test_labels) = keras.datasets.movie_snippets.load_data()
    train_examples, train_labels = train_examples[:1500], train_labels[:1500]
    vectorize = keras.layers.TextVectorization(max_tokens=2000, output_sequence_length=30)
    vectorize.adapt(train_examples)
    model = keras.Sequential(
        [
            vectorize,
            keras.layers.Embedding(2000, 16),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(
        train_examples,
        train_labels,
        epochs=8,
        batch_size=128,
        validation_data=(test_examples[:300], test_labels[:300]),
        verbose=0,
    )
    assert history.history["accuracy"][-1] > 0.8
    results = model.evaluate(test_examples[:300], test_labels[:300], verbose=0)
    assert len(results) == 2 and results[1] > 0.5
    assert model.predict(np.array(["a wonderful film", "dull and awful"], dtype=object), verbose=0).shape == (2, 1)
