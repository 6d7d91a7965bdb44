"""`OrbaxCheckpoint`: contents, exact resumption, and damaged checkpoints."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

import jaxkeras as jk

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def model(**settings):
    layers = [jk.Input((3,)), jk.layers.Dense(4, name="first"), jk.layers.Dropout(0.3), jk.layers.Dense(1, name="last")]
    m = jk.Sequential(layers, name="net")
    m.compile(jk.optimizers.Adam(0.05), "mse", metrics=["mae"], **settings)
    return m


def fit(m, callbacks=(), epochs=3, **settings):
    return m.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks), **settings)


def kept(folder):
    return sorted(int(e.name) for e in pathlib.Path(folder).iterdir() if e.name.isdigit())


def same(a, b):
    for v, w in zip(a.variables + a.optimizer.variables, b.variables + b.optimizer.variables, strict=True):
        np.testing.assert_array_equal(v.numpy(), w.numpy(), err_msg=v.path)


@pytest.mark.parametrize("background", [True, False])
def test_newest_checkpoints_are_kept_and_training_resumes_exactly(background, tmp_path):
    jk.utils.set_random_seed(0)
    whole = model()
    fit(whole, epochs=5)
    jk.utils.set_random_seed(0)
    checkpoint = jk.callbacks.OrbaxCheckpoint(tmp_path, max_to_keep=2, save_on_background=background)
    assert not checkpoint.wants_batches("train")
    first = model()
    fit(first, [checkpoint])
    assert kept(tmp_path) == [1, 2]
    again = jk.models.load_model(tmp_path)
    same(again, first)
    fit(again, epochs=5, initial_epoch=3)
    same(again, whole)
    earlier = model()
    earlier.load_weights(tmp_path / "1")
    assert int(earlier.optimizer.iterations) == 6


def test_failed_run_leaves_a_complete_last_checkpoint(tmp_path):
    class Fails(jk.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("the user's own")

    checkpoint = jk.callbacks.OrbaxCheckpoint(tmp_path)
    m = model()
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(m, [checkpoint, Fails()])
    assert checkpoint._made is None and not checkpoint._pending  # closed, so other processes may write to it
    assert kept(tmp_path) == [1]
    same(jk.models.load_model(tmp_path), m)


def test_invalid_max_to_keep_raises():
    with pytest.raises(ValueError, match="`max_to_keep`.*positive number.*0"):
        jk.callbacks.OrbaxCheckpoint("unused", max_to_keep=0)


def test_save_freq_in_batches_and_save_weights_only(tmp_path):
    checkpoint = jk.callbacks.OrbaxCheckpoint(tmp_path, save_freq=2, max_to_keep=None, save_weights_only=True)
    m = model()
    fit(m, [checkpoint], epochs=2)
    assert kept(tmp_path) == [2, 4, 6]
    other = model()
    other.load_weights(tmp_path)
    np.testing.assert_array_equal(other.predict(X, verbose=0), m.predict(X, verbose=0))
    assert int(other.optimizer.iterations) == 0
    with pytest.raises(ValueError, match="holds weights alone: build the model"):
        jk.models.load_model(tmp_path)
    several = model(steps_per_execution=3)
    fit(several, [jk.callbacks.OrbaxCheckpoint(tmp_path / "b", save_freq=2, max_to_keep=None)], epochs=2)
    assert kept(tmp_path / "b") == [3, 6]


def test_save_best_only(tmp_path):
    checkpoint = jk.callbacks.OrbaxCheckpoint(tmp_path, monitor="loss", save_best_only=True, max_to_keep=None)
    m = model()
    checkpoint.set_model(m)
    checkpoint.on_train_begin()
    for epoch, loss in enumerate([3.0, 4.0, 2.0, 2.5]):
        checkpoint.on_epoch_end(epoch, {"loss": loss})
    with pytest.warns(UserWarning, match="there is no metric 'loss' in the logs"):
        checkpoint.on_epoch_end(4, {"mae": 1.0})
    checkpoint.on_train_end()
    assert kept(tmp_path) == [0, 2]


def test_assets_and_a_second_run_in_the_same_folder(tmp_path):
    lookup = jk.layers.StringLookup(vocabulary=["a", "b"], name="words")
    m = jk.Sequential([jk.Input((1,), dtype="string"), lookup, jk.layers.Embedding(3, 2), jk.layers.Flatten()])
    m.compile("sgd", "mse")
    words, targets = np.array([["a"], ["b"], ["c"]]), np.zeros((3, 2))
    for _ in range(2):
        checkpoint = jk.callbacks.OrbaxCheckpoint(tmp_path, max_to_keep=3)
        m.fit(words, targets, epochs=2, verbose=0, callbacks=[checkpoint])
    assert kept(tmp_path) == [0, 1]
    again = jk.models.load_model(tmp_path)
    np.testing.assert_array_equal(again.predict(words, verbose=0), m.predict(words, verbose=0))
    assert again.get_layer("words").get_vocabulary() == lookup.get_vocabulary()


def test_damaged_checkpoint_warns_and_falls_back(tmp_path):
    m = model()
    fit(m, [jk.callbacks.OrbaxCheckpoint(tmp_path, max_to_keep=2)])
    rng = np.random.default_rng(0)
    files = [f for f in (tmp_path / "2" / "pytree").rglob("*") if f.is_file() and f.stat().st_size > 50]
    for file in files:
        content = file.read_bytes()
        for where in rng.integers(0, len(content), 3):
            file.write_bytes(content[:where] + bytes([content[where] ^ 4]) + content[where + 1 :])
            other = model()
            try:
                other.load_weights(tmp_path / "2")
            except ValueError:
                pass  # refused
            else:
                same(other, m)  # an insignificant bit
        file.write_bytes(content)
    data = max(files, key=lambda f: f.stat().st_size)
    data.write_bytes(data.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="is damaged: .* The checkpoint before it, '.*1', is used"):
        again = jk.models.load_model(tmp_path)
    assert int(again.optimizer.iterations) == 6
    with pytest.raises(ValueError, match="is damaged"):
        model().load_weights(tmp_path / "2")


def test_checkpoint_without_digests_is_not_trusted(tmp_path):
    fit(model(), [jk.callbacks.OrbaxCheckpoint(tmp_path, max_to_keep=2)])
    shutil.rmtree(tmp_path / "2" / "written")
    with pytest.warns(UserWarning, match="digests.* are lost.*'.*1', is used"):
        assert int(jk.models.load_model(tmp_path).optimizer.iterations) == 6


def test_killed_process_leaves_a_complete_checkpoint(tmp_path):
    # Resumes from the last checkpoint and writes new ones asynchronously.
    program = f"""
import os, pathlib
import jaxkeras as jk
from tests.callbacks import test_orbax_checkpoint as t
jk.utils.set_random_seed(0)
folder = pathlib.Path({str(tmp_path)!r})
m = jk.models.load_model(folder) if any(folder.iterdir()) else t.model()
start = int(m.optimizer.iterations) // 3
print(start, flush=True)
class Tell(jk.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(epoch, flush=True)
t.fit(m, [jk.callbacks.OrbaxCheckpoint(folder, max_to_keep=2), Tell()], initial_epoch=start, epochs=start + 500)
"""
    starts = []
    for epochs in (3, 6):
        root = pathlib.Path(__file__).parent.parent.parent
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root)
        lines = [child.stdout.readline() for _ in range(epochs + 1)]
        child.kill()
        child.wait()
        starts.append(int(lines[0]))
    again = jk.models.load_model(tmp_path)
    ran = int(again.optimizer.iterations) // 3
    assert starts[0] == 0 and 0 < starts[1] < ran
    jk.utils.set_random_seed(0)
    whole = model()
    fit(whole, epochs=ran)
    same(again, whole)


def test_changed_config_or_vocabulary_raises(tmp_path):
    m = model()
    fit(m, [jk.callbacks.OrbaxCheckpoint(tmp_path)], epochs=1)
    file = tmp_path / "0" / "model_config" / "_strings.json"
    text = file.read_text()
    assert "0.999" in text
    file.write_text(text.replace("0.999", "0.998"))
    with pytest.raises(ValueError, match="its model_config is not as it was written"):
        jk.models.load_model(tmp_path)
    shutil.rmtree(file.parent)
    with pytest.raises(ValueError):
        jk.models.load_model(tmp_path)
    other = model()
    other.load_weights(tmp_path)  # the weights are intact
    same(other, m)


def test_checkpoint_of_another_model_raises(tmp_path):
    fit(model(), [jk.callbacks.OrbaxCheckpoint(tmp_path)], epochs=1)
    other = jk.Sequential([jk.Input((3,)), jk.layers.Dense(5, name="first")], name="net")
    with pytest.raises(
        ValueError, match=r"it holds '.*first/kernel' of shape \(3, 4\) among its trainable_variables; expected"
    ):
        other.load_weights(tmp_path)
    with pytest.raises(ValueError, match="must be 'epoch' or a positive number of batches; got 0"):
        jk.callbacks.OrbaxCheckpoint(tmp_path, save_freq=0)


def test_background_errors_are_raised(tmp_path, monkeypatch):
    class Failed:
        def result(self):
            raise OSError("the disk is full")

    checkpoint = jk.callbacks.OrbaxCheckpoint(tmp_path)
    monkeypatch.setattr(type(checkpoint.checkpointer), "save_checkpointables_async", lambda *a, **k: Failed())
    with pytest.raises(OSError, match="the disk is full"):
        fit(model(), [checkpoint], epochs=1)


def test_checkpoints_are_exchanged_with_keras(tmp_path):
    """Real Keras on JAX in a separate process, with a functional model, whose weight names agree."""
    inputs = jk.Input((3,))
    hidden = jk.layers.Dense(4, activation="relu", name="first")(inputs)
    m = jk.Model(inputs, jk.layers.Dense(1, name="last")(hidden))
    m.compile(jk.optimizers.Adam(0.05), "mse")
    fit(m, [jk.callbacks.OrbaxCheckpoint(tmp_path / "ours")], epochs=1)
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys, numpy as np, keras\nfolder = sys.argv[1]\n"
        "m = keras.models.load_model(folder + '/ours')\nx = np.load(folder + '/x.npy')\n"
        "np.save(folder + '/y.npy', m.predict(x, verbose=0))\n"
        "m.fit(x, x[:, :1], verbose=0, callbacks=[keras.callbacks.OrbaxCheckpoint(folder + '/theirs')])\n"
        "s = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.5)])\n"
        "s.compile('adam', 'mse')\ns.fit(x, np.ones((24, 4)), verbose=0, "
        "callbacks=[keras.callbacks.OrbaxCheckpoint(folder + '/stack')])\n"
        "np.savez(folder + '/z.npz', m.predict(x, verbose=0), s.predict(x, verbose=0))\n"
    )
    env = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), m.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    for folder, expected in zip(("theirs", "stack"), np.load(tmp_path / "z.npz").values()):
        back = jk.models.load_model(tmp_path / folder)
        np.testing.assert_allclose(expected, back.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
        assert int(back.optimizer.iterations) == (4 if folder == "theirs" else 1)
