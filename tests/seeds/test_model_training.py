"""The tutorial "Ch9. Model Training 1 - compile, fit": train, save, load, train again."""

import inspect

import numpy as np
import pytest

import jaxkeras as keras


def model():
    """`ch6.example.model`: 128 inputs, 3 classes."""
    return keras.Sequential(
        [
            keras.layers.Input((128,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def compiled():
    my_model = model()
    my_model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["acc"])
    return my_model


def test_positional_arguments_of_compile():
    names = list(inspect.signature(keras.Model.compile).parameters)[1:]
    assert names[:2] == ["optimizer", "loss"]
    assert {"metrics", "loss_weights", "weighted_metrics"} <= set(names)


def test_one_hot_targets():
    my_model = model()
    my_model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["acc"])
    history = my_model.fit(np.ones([16, 128]), np.eye(3)[np.ones(16, int)], epochs=2, verbose=0)
    assert sorted(history.history) == ["acc", "loss"]


def test_one_hundred_epochs_with_a_validation_split():
    x = np.ones([100, 128])
    y = np.ones([100, 1])
    my_model = compiled()
    history = my_model.fit(x=x, y=y, epochs=100, validation_split=0.3, batch_size=16, verbose=0)
    assert sorted(history.history) == ["acc", "loss", "val_acc", "val_loss"]
    assert len(history.history["loss"]) == 100
    assert history.history["acc"][-1] == history.history["val_acc"][-1] == 1.0
    assert history.history["loss"][-1] < 0.01


def test_callbacks():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))

    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=100.0)
    history = compiled().fit(np.ones([32, 128]), np.ones([32, 1]), epochs=5, callbacks=[Watch(), stop], verbose=0)
    assert len(history.history["loss"]) == 2
    assert seen == [(0, ["acc", "loss"]), (1, ["acc", "loss"])]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_save_load_and_train_again(tmp_path, ending):
    rng = np.random.default_rng(0)
    x, y = rng.random((48, 128)), rng.integers(0, 3, (48, 1))
    my_model = compiled()
    my_model.fit(x, y, epochs=2, verbose=0)
    path = str(tmp_path / f"model.{ending}")
    my_model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), my_model.predict(x, verbose=0), rtol=1e-6)
    a = my_model.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    b = loaded.fit(x, y, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(b["loss"], a["loss"], rtol=1e-5)
    assert sorted(b) == ["acc", "loss"]
