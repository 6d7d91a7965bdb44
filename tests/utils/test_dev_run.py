"""`dev_run` finds crashes in every stage and leaves the model unchanged."""

import random

import jax
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import Callback, CSVLogger, ModelCheckpoint

X, Y = np.random.default_rng(0).normal(size=(2, 70, 1)).astype("float32")


def make(model=None, **options):
    model = model or jk.Sequential([jk.layers.Dense(2), jk.layers.Dropout(0.5), jk.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], **options)
    return model


def test_nothing_changes_but_the_weights_exist(tmp_path):
    sizes, files = [], [ModelCheckpoint(tmp_path / "best.keras"), CSVLogger(str(tmp_path / "log.csv"))]

    class Sizes(jk.layers.Layer):
        def call(self, x):
            sizes.append(x.shape[0])
            return x

    curves = []
    for tried in (False, True):
        jk.utils.set_random_seed(0)
        model = make(jk.Sequential([Sizes(), jk.layers.Dropout(0.5), jk.layers.Dense(1)]))
        model.build((None, 1))
        if tried:
            state = random.getstate()
            run = jk.utils.dev_run(model, X, Y, batch_size=16, validation_data=(X, Y), callbacks=files)
            assert list(run.seconds) == ["fit", "evaluate", "predict", "save", "load"] and "val_mae" in run.logs
            assert random.getstate() == state and not list(tmp_path.iterdir()) and model.history is None
            assert int(model.optimizer.iterations) == 0 and 6 in sizes  # the smaller last batch
            assert not any(np.any(v) for v in model.metrics_variables)
        curves.append(model.fit(X, Y, epochs=2, verbose=0).history)
    assert curves[0] == curves[1]


class Fails(Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise RuntimeError("after the second epoch")


class Lossy(jk.layers.Layer):
    """A layer whose file does not tell how it computes."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return jk.layers.Layer.get_config(self)


def test_an_error_names_its_stage_and_the_model_is_as_before():
    model = make()
    model.fit(X, Y, verbose=0)
    before = jax.tree.map(np.array, model.get_state_tree("numpy_array"))
    with pytest.raises(RuntimeError, match="after the second epoch") as caught:
        jk.utils.dev_run(model, X, Y, callbacks=[Fails()])
    assert "stage 'fit'" in caught.value.__notes__[-1]
    jax.tree.map(np.testing.assert_array_equal, before, model.get_state_tree("numpy_array"))
    with pytest.raises(ValueError, match="predicts something else after saving") as caught:
        jk.utils.dev_run(make(jk.Sequential([Lossy(2.0), jk.layers.Dense(1)])), X, Y)
    assert "stage 'load'" in caught.value.__notes__[-1]


def test_streams():
    def batches():
        while True:
            yield X[:8], Y[:8]

    run = jk.utils.dev_run(make(), batches(), validation_data=batches(), steps=2)
    assert {"loss", "val_loss"} <= set(run.logs)
