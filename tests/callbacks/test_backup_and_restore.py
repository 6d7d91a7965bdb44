"""An interrupted run resumes as if uninterrupted; bit for bit if the data are arrays."""

import os
import pathlib
import random
import subprocess
import sys

import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, ReduceLROnPlateau
from tests.callbacks import interrupted

EPOCHS = 5


@pytest.fixture(scope="module", autouse=True)
def program_cache(tmp_path_factory):
    """Cache compiled steps on disk: runs of these tests differ in where they stop, not in what they compute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXKERAS_PROGRAM_CACHE", str(tmp_path_factory.mktemp("programs")))
        yield


class Crash(Callback):
    """Raises at the end of an epoch or after a batch."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.at, self.batch = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if self.batch is None and epoch == self.at:
            raise KeyboardInterrupt

    def overrides(self, hook):
        return super().overrides(hook) and not (hook == "on_train_batch_end" and self.batch is None)

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == self.at and self.batch is not None and batch >= self.batch:
            raise KeyboardInterrupt


class Noisy(Callback):
    """Draws from the global generators and counts."""

    state_attributes = ("drawn",)

    def __init__(self):
        super().__init__()
        self.drawn = []

    def on_epoch_begin(self, epoch, logs=None):
        self.drawn.append((random.random(), float(np.random.rand())))


def arrays(steps_per_epoch=None):
    x, y = interrupted.data()
    return {"x": x, "y": y, "batch_size": 8, "steps_per_epoch": steps_per_epoch}


class Batches(jk.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        x, y = interrupted.data()
        return x[i * 8 : i * 8 + 8], y[i * 8 : i * 8 + 8]


def dataset():
    return {"x": jk.data.Dataset.from_tensor_slices(interrupted.data()).shuffle(20).batch(8)}


SOURCES = {
    "arrays": arrays,
    "in order": lambda: {**arrays(), "shuffle": False},
    "within batches": lambda: {**arrays(), "shuffle": "batch"},
    "several epochs to a pass": lambda: arrays(2),
    "PyDataset": lambda: {"x": Batches(workers=2)},
    "Dataset": dataset,
}


def run(folder, crash=None, source=arrays, extra=(), seed=3, make=interrupted.make, **options):
    """Run the program until it ends or crashes."""
    model = make()
    jk.utils.set_random_seed(seed)
    x, y = interrupted.data()
    noisy = Noisy()
    callbacks = [BackupAndRestore(folder, **options), noisy, *extra, *([crash] if crash else [])]
    data = source()
    try:
        history = model.fit(
            **data, epochs=EPOCHS, verbose=0, callbacks=callbacks, validation_data=(x[:10], y[:10])
        )
    except KeyboardInterrupt:
        return None
    return {**interrupted.outcome(model, history), "drawn": np.asarray(noisy.drawn)}


def assert_same(a, b, stream=False):
    assert a.keys() == b.keys()
    for name in a:
        if stream and np.asarray(a[name]).dtype.kind == "f":
            # The number of stacked batches of a stream depends on timing, and each number is a different program that
            # may round differently: two uninterrupted runs differ by as much.
            np.testing.assert_allclose(a[name], b[name], rtol=1e-5, atol=1e-7, err_msg=name)
        else:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


CRASHES = {
    "end": (Crash(2), {}), "first batch": (Crash(1, 0), {}), "every batch": (Crash(1, 1), {"save_freq": 1}),
    "every two": (Crash(2, 1), {"save_freq": 2}),
}  # fmt: skip
PAIRS = [
    pytest.param(
        SOURCES[source], *CRASHES[crash], id=f"{source}-{crash}",
        marks=() if source == "arrays" or crash == "every two" else pytest.mark.exhaustive,
    )
    for source in SOURCES for crash in CRASHES
]  # fmt: skip


@pytest.mark.parametrize("source, crash, options", PAIRS)
def test_interrupted_run_equals_an_uninterrupted_one(tmp_path, source, crash, options):
    # With the same hooks, so that the same batches are stacked.
    harmless = Crash(EPOCHS, crash.batch)
    expected = run(tmp_path / "a", harmless, source, **options)
    assert run(tmp_path / "b", crash, source, **options) is None
    # With a different seed: random state must come from the backup.
    stream = source in (SOURCES["PyDataset"], SOURCES["Dataset"])
    assert_same(run(tmp_path / "b", harmless, source, seed=99, **options), expected, stream)
    assert not (tmp_path / "b").exists()


def test_repeated_interruptions(tmp_path):
    expected = run(tmp_path / "a", Crash(EPOCHS, 0), save_freq=3)
    for crash in (Crash(0, 5), Crash(2, 3), Crash(2, 5), Crash(4, 5)):
        assert run(tmp_path / "b", crash, save_freq=3) is None
    assert_same(run(tmp_path / "b", Crash(EPOCHS, 0), save_freq=3), expected)


@pytest.mark.parametrize("batch, save_freq", [(1, "epoch"), pytest.param(4, "2", marks=pytest.mark.exhaustive)])
def test_killed_process(tmp_path, batch, save_freq):
    script = pathlib.Path(interrupted.__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def program(folder, result, batch):
        return subprocess.run(
            [sys.executable, "-W", "ignore", script, tmp_path / folder, tmp_path / result, save_freq, str(batch)],
            env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    assert program("backup", "never.npz", batch).returncode == -9
    assert [p.name for p in (tmp_path / "backup").iterdir()] == ["latest.backup"]
    for folder, result in (("backup", "resumed.npz"), ("other", "whole.npz")):
        done = program(folder, result, -1)
        assert done.returncode == 0, done.stderr[-2000:]
    assert_same(dict(np.load(tmp_path / "resumed.npz")), dict(np.load(tmp_path / "whole.npz")))


def sgd():
    model = interrupted.make()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_state_of_other_callbacks_is_restored(tmp_path):
    def extra(name):
        return [EarlyStopping("loss", patience=1, min_delta=9.0, restore_best_weights=True, start_from_epoch=2),
                ReduceLROnPlateau("loss", patience=2, min_delta=9.0), CSVLogger(tmp_path / name)]  # fmt: skip

    expected = run(tmp_path / "a", extra=extra("a.csv"), make=sgd)
    assert len(expected["loss"]) == 4 and expected["learning_rate"][-1] < expected["learning_rate"][0]
    for crash in (Crash(1), Crash(2, 1), Crash(3, 1)):
        assert run(tmp_path / "b", crash, extra=extra("b.csv"), make=sgd) is None
    assert_same(run(tmp_path / "b", extra=extra("b.csv"), make=sgd), expected)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


class KilledWhenDone(Callback):
    def on_train_end(self, logs=None):
        raise KeyboardInterrupt


def test_early_stopped_run_stays_stopped(tmp_path):
    def extra():
        return [EarlyStopping("loss", min_delta=9.0)]

    expected = run(tmp_path / "a", extra=extra())
    assert run(tmp_path / "b", KilledWhenDone(), extra=extra()) is None
    assert_same(run(tmp_path / "b", extra=extra()), expected)


def test_damaged_backup_falls_back_to_the_previous_one(tmp_path):
    expected = run(tmp_path / "a")
    run(tmp_path / "b", Crash(3, 2), double_checkpoint=True)
    file = tmp_path / "b" / "latest.backup"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="The backup before it is used"):
        assert_same(run(tmp_path / "b", double_checkpoint=True), expected)
    run(tmp_path / "b", Crash(3, 2))
    file.write_bytes(content)
    with pytest.raises(ValueError, match="damaged.*Delete it"):
        run(tmp_path / "b")


def test_backup_of_another_model_raises(tmp_path):
    run(tmp_path, Crash(3, 2))
    model = jk.Sequential([jk.Input((5,)), jk.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="of another model"):
        model.fit(**arrays(), verbose=0, callbacks=[BackupAndRestore(tmp_path)])


def test_data_without_a_position_warns_or_raises(tmp_path):
    model = interrupted.make()
    x, y = interrupted.data()

    def batches():
        while True:
            yield x[:8], y[:8]

    with pytest.warns(UserWarning, match="cannot bring a generator back"):
        model.fit(batches(), steps_per_epoch=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    with pytest.raises(ValueError, match="backs up in the middle of epochs, but a generator"):
        model.fit(batches(), steps_per_epoch=2, verbose=0, callbacks=[BackupAndRestore(tmp_path, 2)])


def test_backup_is_deleted_after_training(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    run(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    expected = run(tmp_path, delete_checkpoint=False)
    assert (tmp_path / "latest.backup").exists()
    assert_same(run(tmp_path, delete_checkpoint=False), expected)  # no epochs remain


@pytest.mark.parametrize("arguments", [("",), ("a", "batch"), ("a", 0), ("a", True), ("a", -1)])
def test_invalid_arguments_raise(arguments):
    with pytest.raises(ValueError, match="BackupAndRestore"):
        BackupAndRestore(*arguments)


def test_unserializable_state_raises(tmp_path):
    class Odd(Callback):
        state_attributes = ("thing",)
        thing = object()

    with pytest.raises(TypeError, match="can be saved; got <object"):
        run(tmp_path, extra=[Odd()])
