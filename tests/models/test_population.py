"""Members of a population compute what they would compute alone; nothing is compiled again for other values."""

import copy
import functools

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.models import folds, shards
from tests.compilations import counting

X = np.random.default_rng(0).standard_normal((50, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
VALIDATION = X[:20], Y[:20]
STEP = {"verbose": 0, "batch_size": 16}


def noisy():
    return jk.Sequential([
        jk.Input((4,)), jk.layers.Dense(6, activation="relu"), jk.layers.BatchNormalization(), jk.layers.Dropout(0.3),
        jk.layers.Dense(1),
    ])  # fmt: skip


def line():
    return jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])


def lines(count=4, seeds=True, compiled=True, optimizer="sgd", **hyperparameters):
    population = jk.Population(line(), seeds=range(count) if seeds else None, **hyperparameters)
    if compiled:
        population.compile(optimizer, "mse")
    return population


@functools.cache
def trained():
    """A population of lines after two epochs; tests must not train it."""
    population = lines(learning_rate=[1e-4, 1e-1, 1e-2, 1e-3])
    population.fit(X, Y, epochs=2, validation_data=VALIDATION, **STEP)
    return population


def test_each_member_is_what_its_model_would_be_alone():
    rates, decays = [0.05, 0.5], [0.1, 0.0]
    stop = jk.callbacks.EarlyStopping(patience=0, min_delta=0.35, restore_best_weights=True)
    slow = jk.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, min_delta=1.0)
    fit = {"epochs": 6, "validation_data": VALIDATION, **STEP}
    population = jk.Population(noisy(), seeds=[3, 5], rate=rates, weight_decay=decays, learning_rate=[0.03, 0.01])
    population.compile(jk.optimizers.AdamW(1e-2), "mse", metrics=["mae"])
    jk.utils.set_random_seed(1)
    history = population.fit(X, Y, callbacks=[slow, stop], **fit).history
    lasted = []
    for i, seed in enumerate([3, 5]):
        jk.utils.set_random_seed(seed)
        model = noisy()
        model.layers[2].rate = rates[i]
        model.compile(jk.optimizers.AdamW([0.03, 0.01][i], weight_decay=decays[i]), "mse", metrics=["mae"])
        jk.utils.set_random_seed(1)
        alone = model.fit(X, Y, callbacks=[copy.deepcopy(slow), copy.deepcopy(stop)], **fit).history
        lasted.append(len(alone["loss"]))
        assert history.keys() == alone.keys()
        for name, values in alone.items():
            np.testing.assert_allclose(history[name][: lasted[i], i], values, rtol=1e-5, atol=1e-5)
            assert np.isnan(history[name][lasted[i] :, i]).all()
        member = population.member(i)
        for ours, its in zip(member.get_weights(), model.get_weights()):
            np.testing.assert_allclose(ours, its, rtol=1e-5, atol=1e-5)
        assert member.layers[2].rate == pytest.approx(rates[i])
        assert float(member.optimizer.learning_rate) == pytest.approx(float(model.optimizer.learning_rate))
        assert int(member.optimizer.iterations.numpy()) == int(model.optimizer.iterations.numpy())
    assert min(lasted) < max(lasted), "one must stop earlier, for the test to show that the other goes on"


def test_other_seeds_and_rates_compile_nothing():
    population = trained()
    first = population.history.history["loss"]
    try:
        population.restart()
        population.fit(X, Y, epochs=1, validation_data=VALIDATION, **STEP)
        with counting() as count:
            population.restart(seeds=range(4, 8), learning_rate=[1e-3, 1e-2, 1e-1, 1e-4])
            population.fit(X, Y, epochs=1, validation_data=VALIDATION, **STEP)
        assert count.value == 0
        assert not np.isclose(population.history.history["loss"][0], first[0]).any()
    finally:
        trained.cache_clear()


@pytest.mark.exhaustive
def test_groups_on_threads_change_nothing(monkeypatch):
    def run():
        jk.utils.set_random_seed(0)
        population = lines(8, learning_rate=np.geomspace(1e-3, 1e-1, 8))
        halve = jk.callbacks.SuccessiveHalving("loss", factor=2, rungs=[1])
        history = population.fit(X[:48], Y[:48], 24, 2, callbacks=[halve], folds=2, verbose=0).history
        return len(population._session.store.current.state), history, population.predict(X, verbose=0)

    _, history, outputs = run()
    monkeypatch.setattr(shards, "MIN_NUMBERS", 0)
    monkeypatch.setattr(shards, "_cores", lambda: 2)
    count, grouped, grouped_outputs = run()
    assert count == 2
    assert np.isfinite(history["loss"]).sum(axis=1).tolist() == [8, 4]
    for name in history:
        np.testing.assert_allclose(history[name], grouped[name], rtol=1e-6)
    np.testing.assert_allclose(outputs, grouped_outputs, rtol=1e-6)


def test_folds():
    pairs = folds.dealt(4, 50, seed=0)
    assert sorted(np.concatenate([held_out for _, held_out in pairs])) == list(range(50)), "each row is held out once"
    for training, held_out in pairs:
        assert sorted([*training, *held_out]) == list(range(50))
    for count in (1, 51):
        with pytest.raises(ValueError, match="`folds` must be a whole number from 2"):
            folds.dealt(count, 50, seed=0)
    for wrong in (2.5, True, "five"):
        with pytest.raises(ValueError, match="`folds` must be a number, an object with `split`"):
            folds.splits(wrong, X, Y)
    with pytest.raises(ValueError, match="indices from 0 to 49"):
        folds.splits([([0], [50])], X, Y)


def test_members_read_the_batches_that_they_would_read_alone():
    table = [np.arange(7), np.arange(10, 14), np.arange(20, 29)]
    source = folds.TableSource((X, Y, None), table, 4, False)
    order, read = source.order(0), [[], [], []]
    for start, size, steps, members in source.pieces(len(order)):
        for i in range(3):
            if members is None or members[i]:
                read[i] += [order[start + s * size : start + (s + 1) * size, i].tolist() for s in range(steps)]
    assert read == [[rows[i : i + 4].tolist() for i in range(0, len(rows), 4)] for rows in table]


def test_a_fold_is_a_model_trained_on_its_rows():
    model = line()
    jk.utils.set_random_seed(0)
    scores = jk.cross_validate(model, X, Y, folds=3, epochs=2, optimizer="sgd", loss="mse", shuffle=False)
    jk.utils.set_random_seed(0)
    rows, held_out = folds.dealt(3, 50, jk.core.seeds.make_default_seed())[2]
    jk.utils.set_random_seed(2)
    model = line()
    model.compile("sgd", "mse")
    validation = X[held_out], Y[held_out]
    history = model.fit(X[rows], Y[rows], epochs=2, validation_data=validation, shuffle=False, verbose=0)
    for name, values in history.history.items():
        assert scores[name][2] == pytest.approx(values[-1], rel=1e-5)
    assert scores.mean["val_loss"] == pytest.approx(scores["val_loss"].mean())
    assert "3 folds" in repr(scores) and "val_loss" in scores._repr_html_()
    with pytest.raises(ValueError, match="leave out `validation_split`"):
        scores.population.fit(X, Y, folds=3, validation_split=0.1, verbose=0)


def test_an_interrupted_run_continues_exactly(tmp_path):
    class Crash(jk.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("a crash")

    stop = jk.callbacks.EarlyStopping("loss", patience=0, min_delta=0.5)
    jk.utils.set_random_seed(0)
    whole = lines().fit(X, Y, epochs=4, callbacks=[copy.deepcopy(stop)], **STEP).history["loss"]
    backup = jk.callbacks.BackupAndRestore(tmp_path / "backup")
    jk.utils.set_random_seed(0)
    with pytest.raises(RuntimeError, match="a crash"):
        lines().fit(X, Y, epochs=4, callbacks=[copy.deepcopy(stop), backup, Crash()], **STEP)
    resumed = lines()
    np.testing.assert_array_equal(resumed.fit(X, Y, epochs=4, callbacks=[stop, backup], **STEP).history["loss"], whole)


def test_a_saved_population_continues_exactly(tmp_path):
    population = lines(optimizer=jk.optimizers.Adam(0.1, weight_decay=0.1), weight_decay=[0.0, 0.1, 0.2, 0.3])
    history = population.fit(X, Y, epochs=2, **STEP).history
    population.save(tmp_path / "lines.population")
    loaded = jk.Population.load(tmp_path / "lines.population")
    assert "4 models" in repr(loaded) and "weight_decay" in repr(loaded)
    np.testing.assert_array_equal(loaded.history.history["loss"], history["loss"])
    losses = []
    for each in (population, loaded):
        jk.utils.set_random_seed(3)
        losses.append(each.fit(X, Y, **STEP).history["loss"])
    np.testing.assert_array_equal(*losses)


def test_looking_at_members():
    population = trained()
    last = population.history.history["val_loss"][-1]
    assert population.ranking().tolist() == np.argsort(last).tolist()
    best = population.best()
    assert best.evaluate(*VALIDATION, verbose=0) == pytest.approx(last.min(), rel=1e-5)
    assert best.history.history["val_loss"][-1] == pytest.approx(last.min())
    np.testing.assert_allclose(population.evaluate(*VALIDATION, verbose=0), last, rtol=1e-5)
    outputs = population.predict(X, verbose=0)
    assert outputs.shape == (4, 50, 1)
    np.testing.assert_allclose(outputs[-1], population.member(-1).predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    frame = population.to_frame()
    assert frame.columns.tolist() == ["seed", "learning_rate", "loss", "val_loss"] and len(frame) == 4
    assert {c.program for c in population.compilations()} >= {"fit", "predict"}
    assert population.history.to_frame()["loss", 3].tolist() == population.history.history["loss"][:, 3].tolist()
    assert "4 members" in population.history._repr_html_()
    assert len(population.plot().axes) == 2  # the curves and the colors
    with pytest.raises(IndexError, match="4 members"):
        population.member(4)
    with pytest.raises(ValueError, match="metric in the history: 'accuracy'"):
        population.ranking("accuracy")


def test_members_without_seeds_start_alike_and_train_on():
    model = line()
    model.compile("sgd", "mse")
    population = jk.Population(model, learning_rate=[0.0, 0.1])
    before = model.get_weights()[0]
    population.fit(X, Y, **STEP)
    np.testing.assert_array_equal(population.member(0).get_weights()[0], before)
    assert not np.allclose(population.member(1).get_weights()[0], before)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_checkpoints_of_members(tmp_path):
    population = lines(2)
    path = str(tmp_path / "{member}-{epoch}.weights.h5")
    population.fit(X, Y, callbacks=[jk.callbacks.ModelCheckpoint(path, save_weights_only=True)], **STEP)
    model = line()
    for i in range(2):
        model.load_weights(tmp_path / f"{i}-1.weights.h5")
        np.testing.assert_array_equal(model.get_weights()[0], population.member(i).get_weights()[0])


class Branching(jk.layers.Layer):
    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = strength

    def call(self, x):
        return x * self.strength if self.strength > 0.5 else x


@pytest.mark.parametrize("model,optimizer,values,message", [
    (line, "sgd", {"learning_rat": [1, 2]}, "hyperparameter of a Population: 'learning_rat'"),
    (line, "sgd", {"learning_rate": [1, 2], "momentum": [1]}, "as many of each"),
    (line, jk.optimizers.SGD(jk.optimizers.schedules.CosineDecay(0.1, 9)), {"learning_rate": [1, 2]}, "number"),
    (lambda: jk.Sequential([jk.layers.Dropout(0.0)]), "sgd", {"rate": [0, 0.5]}, "the layer does nothing"),
    (noisy, jk.optimizers.SGD(0.1, 0.9), {"momentum": [0, 0.5]}, "'layers.momentum'"),
    (lambda: jk.Sequential([line(), Branching()]), "sgd", {"strength": [0.0, 1.0]}, "Python needs its value"),
])  # fmt: skip
def test_hyperparameters_that_cannot_be(model, optimizer, values, message):
    with pytest.raises((ValueError, TypeError), match=message):
        population = jk.Population(model(), **values)
        population.compile(optimizer, "mse")
        population.predict(X, verbose=0)


def test_errors():
    with pytest.raises(ValueError, match="needs a model, or a function"):
        jk.Population("model", seeds=[1])
    with pytest.raises(ValueError, match="Compile the population before `fit`"):
        lines(compiled=False).fit(X, Y)
    with pytest.raises(TypeError, match=r"population.member\(0\)"):
        jk.utils.program_report(trained(), (None, 4), (None, 1))
    with pytest.raises(ValueError, match="compares the members of a Population"):
        model = line()
        model.compile("sgd", "mse")
        model.fit(X, Y, callbacks=[jk.callbacks.SuccessiveHalving()], **STEP)
