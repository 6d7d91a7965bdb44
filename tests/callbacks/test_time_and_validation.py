"""`MaxTime` and `ValidateEvery` in a real `fit`."""

import datetime
import time

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import Callback, MaxTime, ValidateEvery
from tests.callbacks.test_callbacks_in_fit import X, Y, make


class Slow(Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.01)


def test_max_time_ends_an_epoch_in_the_middle():
    model = make()
    model.fit(X, Y, batch_size=1, verbose=0)  # compiles
    limit = MaxTime(datetime.timedelta(seconds=0.05))
    history = model.fit(X, Y, batch_size=1, epochs=10**6, callbacks=[limit, Slow()], validation_data=(X, Y), verbose=0)
    assert limit.seconds == 0.05 and len(history.epoch) < 100
    assert len(history.history["val_loss"]) == len(history.epoch)
    with pytest.raises(ValueError, match="must be positive"):
        MaxTime(0)


@pytest.mark.parametrize("options", [{}, {"steps_per_execution": 2}], ids=str)
def test_validation_within_epochs_leaves_training_as_it_is(options):
    def run(*callbacks, **more):
        jk.utils.set_random_seed(0)
        model = make(metrics=["mae"], **options)
        data = {"validation_data": (X[:8] + 1, Y[:8]), "shuffle": False, "batch_size": 4, "epochs": 2, "verbose": 0}
        return model.fit(X, Y, callbacks=list(callbacks), **data, **more)

    checks = ValidateEvery(4)
    with_checks, without = run(checks), run()
    assert with_checks.history == without.history
    assert checks.history["step"] == [4, 8, 12, 16]
    # The validation after the last step of an epoch is the one that `fit` does.
    assert checks.history["val_mae"][1::2] == without.history["val_mae"]
    assert len(set(checks.history["val_loss"])) == 4
    alone = run(checks, validation_freq=[])
    assert alone.history["val_loss"] == without.history["val_loss"] and alone.history["loss"] == without.history["loss"]


def test_steps_stay_fused_between_validations():
    class Pieces(Callback):
        sees_pieces = True

        def __init__(self):
            super().__init__()
            self.ends = []

        def on_train_batch_end(self, batch, logs=None):
            self.ends.append(batch)

    pieces = Pieces()
    x, y = np.zeros((4096, 2), "float32"), np.zeros((4096, 1), "float32")
    model = make()
    checks = ValidateEvery(1000)
    model.fit(x, y, batch_size=1, validation_data=(x[:2], y[:2]), callbacks=[pieces, checks], verbose=0)
    assert checks.history["step"] == [1000, 2000, 3000, 4000] and {999, 1999, 2999, 3999} <= set(pieces.ends)
    assert len(pieces.ends) < 400


def test_it_needs_validation_data():
    with pytest.raises(ValueError, match="needs validation data"):
        make().fit(X, Y, callbacks=[ValidateEvery(1)], verbose=0)
    with pytest.raises(ValueError, match="at least 1"):
        ValidateEvery(0)


def test_an_interrupted_run_goes_on(tmp_path):
    class Fails(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, 4):
                raise InterruptedError

    def run(*more):
        jk.utils.set_random_seed(0)
        checks = ValidateEvery(3)
        data = {"validation_data": (X[:8], Y[:8]), "batch_size": 4, "epochs": 3, "verbose": 0}
        make().fit(X, Y, callbacks=[*more, checks], **data)
        return checks.history

    backup = jk.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=2)
    with pytest.raises(InterruptedError):
        run(backup, Fails())
    again, whole = run(backup), run()
    assert again["step"] == whole["step"] == list(range(3, 25, 3))
    assert again["val_loss"] == pytest.approx(whole["val_loss"])
