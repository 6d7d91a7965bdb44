"""Callbacks that know numbers, in the `fit` of a population, whose logs have one value a member."""

import csv
import functools
import re

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks.loggers import _RunLogger

X = np.random.default_rng(0).standard_normal((40, 3)).astype("float32")
Y = 2 * X.sum(1, keepdims=True)
RATES = [1e-3, 1e-2, 1e-1]
FIT = {"batch_size": 20, "epochs": 2, "validation_data": (X[:20], Y[:20]), "verbose": 0}


class Recorder(_RunLogger):
    """A logger of a service that only records."""

    def __init__(self):
        super().__init__({})
        self.config, self.values = {}, []

    def _start(self, config):
        self.started = config

    def _log(self, values, epoch):
        self.values.append(values)


def members(optimizer=None, rates=RATES, **options):
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1, kernel_initializer="ones")])
    population = jk.Population(model, learning_rate=rates)
    population.compile(optimizer or jk.optimizers.SGD(0.1), "mse", **options)
    return population


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One `fit` with every callback that writes somewhere."""
    folder = tmp_path_factory.mktemp("members")
    recorder, panel = Recorder(), jk.callbacks.LivePanel(folder / "checkpoint.keras")
    stop = jk.callbacks.EarlyStopping("loss", patience=0, min_delta=0.1)
    callbacks = [
        jk.callbacks.StepStats(), stop, jk.callbacks.CSVLogger(folder / "log.csv"), recorder, panel,
        jk.callbacks.LivePlot(to_file=folder / "curves.png"), jk.callbacks.MaxTime(1000),
        jk.callbacks.ReduceLROnPlateau(patience=5), jk.callbacks.NonFinite("skip"), jk.callbacks.TerminateOnNaN(),
        jk.callbacks.ModelCheckpoint(folder / "{member}.weights.h5", "val_loss", 0, True, True),
    ]  # fmt: skip
    population = members()
    history = population.fit(X, Y, **{**FIT, "epochs": 3}, callbacks=callbacks).history
    return folder, population, history, recorder, panel


def test_tables_have_a_row_for_each_member_that_runs(run):
    folder, _, history, *_ = run
    with open(folder / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == np.isfinite(history["loss"]).sum() < 9, "one member stops early"
    for row in rows:
        expected = history["val_loss"][int(row["epoch"]), int(row["member"])]
        assert float(row["val_loss"]) == pytest.approx(expected, rel=1e-6)


def test_loggers_of_services_get_a_number_for_each_member(run):
    _, population, history, recorder, _ = run
    assert recorder.started["members"] == 3 and recorder.started["parameters"] == 4
    np.testing.assert_allclose(recorder.started["learning_rate"], RATES)
    np.testing.assert_allclose(history["learning_rate"][0], RATES)
    for epoch, values in enumerate(recorder.values):
        for i in range(3):
            assert (f"loss/{i}" in values) == np.isfinite(history["loss"][epoch, i])
        assert values["val_loss/2"] == pytest.approx(history["val_loss"][epoch, 2])
        assert values["step_time"] > 0


def test_pictures_and_panels(run):
    folder, _, history, _, panel = run
    assert (folder / "curves.png").stat().st_size > 1000
    assert panel._rows[0][1]["loss"] == pytest.approx(np.median(history["loss"][0]))
    assert panel._rows[0][1]["best_val_loss"] == pytest.approx(history["val_loss"][0].min())
    panel._saver._write(str(folder / "all.keras"))  # what its button does
    assert len(jk.Population.load(folder / "all.keras")) == 3


def test_checkpoints_of_each_member(run):
    folder, population, history, *_ = run
    for i in range(3):
        if np.isfinite(history["loss"]).all(axis=0)[i] and history["val_loss"][:, i].argmin() == 2:
            model = population.member(i)
            before = model.get_weights()
            model.load_weights(folder / f"{i}.weights.h5")
            np.testing.assert_array_equal(before[0], model.get_weights()[0])
    with pytest.raises(ValueError, match=re.escape("weights-{member}.keras")):
        population.fit(X, Y, callbacks=[jk.callbacks.ModelCheckpoint("weights.keras")], **FIT)


def test_progress_shows_medians_and_the_best_loss(capsys):
    population = members()
    population.fit(X, Y, **{**FIT, "epochs": 1, "verbose": 2})
    line = capsys.readouterr().out
    history = population.history.history
    assert f"loss: {np.median(history['loss']):.4f}" in line
    assert f"best_val_loss: {history['val_loss'].min():.4f}" in line
    losses = population.evaluate(X, Y, verbose=2)
    assert f"best_loss: {min(losses):.4f}" in capsys.readouterr().out


def test_averages_of_weights_are_each_members_own():
    swap = jk.callbacks.SwapEMAWeights()
    population = members(jk.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    population.fit(X, Y, shuffle=False, callbacks=[swap], **FIT)
    for i, rate in enumerate(RATES):
        model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1, kernel_initializer="ones")])
        model.compile(jk.optimizers.SGD(rate, use_ema=True, ema_momentum=0.5), "mse")
        model.fit(X, Y, shuffle=False, callbacks=[jk.callbacks.SwapEMAWeights()], **FIT)
        np.testing.assert_allclose(population.member(i).get_weights()[0], model.get_weights()[0], rtol=1e-5)


def spread(y_true, y_pred):
    return float(np.ptp(y_pred))


def test_whole_epoch_metrics_of_each_member():
    population = members(rates=[0.0, 0.1], metrics=[jk.metrics.WholeEpoch(spread)])
    stop = jk.callbacks.EarlyStopping("loss", patience=0)  # the one that learns nothing
    history = population.fit(X, Y, callbacks=[stop], **{**FIT, "epochs": 3}).history
    np.testing.assert_allclose(history["spread"][0, 0], np.ptp(X.sum(1)), rtol=1e-5)
    assert np.isnan(history["spread"][2]).tolist() == [True, False]
    assert history["val_spread"][2, 1] == pytest.approx(np.ptp(population.predict(X[:20], verbose=0)[1]), rel=1e-5)
    loss, values = population.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(values, np.ptp(population.predict(X, verbose=0), axis=(1, 2)), rtol=1e-5)
    model = population.member(1)
    assert model.evaluate(X, Y, verbose=0)[1] == pytest.approx(values[1])


@pytest.mark.exhaustive
def test_boards_and_orbax_have_a_folder_for_each_member(tmp_path):
    pytest.importorskip("tensorboard")
    pytest.importorskip("orbax.checkpoint")
    board = jk.callbacks.TensorBoard(tmp_path / "board", histogram_freq=1)
    orbax = jk.callbacks.OrbaxCheckpoint(tmp_path / "orbax")
    population = members()
    population.fit(X, Y, callbacks=[board, orbax], **FIT)
    for i in range(3):
        assert {path.name for path in (tmp_path / "board" / f"member_{i}").iterdir()} == {"train", "validation"}
        model = jk.models.load_model(tmp_path / "orbax" / f"member_{i}")
        np.testing.assert_array_equal(model.get_weights()[0], population.member(i).get_weights()[0])


@pytest.mark.exhaustive
def test_a_run_that_halves_resumes_exactly(tmp_path):
    class Crash(jk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            crashed.append(batch)
            if len(crashed) == 6:
                raise RuntimeError("a crash")

    def fit(*more):
        jk.utils.set_random_seed(0)
        halve = jk.callbacks.SuccessiveHalving("loss", rungs=[1, 3])
        population = members(rates=np.geomspace(1e-3, 1e-1, 8))
        history = population.fit(X, Y, epochs=4, batch_size=10, verbose=0, callbacks=[halve, *more]).history
        return history["loss"], population.predict(X, verbose=0)

    crashed = []
    backup = functools.partial(jk.callbacks.BackupAndRestore, tmp_path / "backup", save_freq=1)
    with pytest.raises(RuntimeError, match="a crash"):
        fit(backup(), Crash())
    for whole, resumed in zip(fit(), fit(backup())):
        np.testing.assert_array_equal(whole, resumed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["KFold", "StratifiedKFold", "GroupKFold", "TimeSeriesSplit"])
def test_splitters_of_scikit_learn(name):
    selection = pytest.importorskip("sklearn.model_selection")
    labels = (X[:, :1] > 0).astype("float32")
    groups = np.arange(len(X)) // 3
    splitter = getattr(selection, name)(3)
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1)])
    how = {"epochs": 2, "batch_size": 6, "shuffle": False}
    jk.utils.set_random_seed(0)
    grouped = groups if name == "GroupKFold" else None
    scores = jk.cross_validate(model, X, labels, splitter, optimizer="sgd", loss="mse", groups=grouped, **how)
    for i, (training, held_out) in enumerate(splitter.split(X, labels[:, 0], groups)):
        jk.utils.set_random_seed(i)
        model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1)])
        model.compile("sgd", "mse")
        own = (X[training], labels[training]), (X[held_out], labels[held_out])
        history = model.fit(*own[0], validation_data=own[1], verbose=0, **how).history
        for key, values in history.items():
            assert scores[key][i] == pytest.approx(values[-1], rel=1e-5), key
