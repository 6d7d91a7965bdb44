"""`TensorBoard`: event files, read by TensorBoard and compared with those of Keras 3.15.1 on TensorFlow."""

import io
import json
import subprocess
import sys

import numpy as np
import optax
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

import jaxkeras as jk
from jaxkeras.callbacks.event_files import EventFile

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def model(*first, **settings):
    layers = [jk.Input((4,)), *first, jk.layers.Dense(3, name="first"), jk.layers.Dense(1, name="last")]
    m = jk.Sequential(layers, name="net")
    m.compile(jk.optimizers.SGD(0.1), "mse", metrics=["mae"], **settings)
    return m


def events(folder):
    """`{tag: {step: (plugin, value)}}` for all event files in a folder."""
    found = {}
    for file in sorted(folder.glob("events*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                found.setdefault(value.tag, {})[event.step] = plugin, tensor_util.make_ndarray(value.tensor)
    return found


def steps(found):
    return {tag: list(by_step) for tag, by_step in found.items()}


WEIGHTS = ("net/first/kernel", "net/first/bias", "net/last/kernel", "net/last/bias")


def test_tags_and_steps_equal_keras(tmp_path):
    board = jk.callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)
    assert not board.wants_batches("train") and not board.wants_batches("test")
    m = model()
    history = m.fit(X, Y, batch_size=5, epochs=2, validation_data=(X, Y), verbose=0, callbacks=[board]).history
    train, validation = events(tmp_path / "train"), events(tmp_path / "validation")
    assert steps(train) == {
        "keras": [0],
        **{f"epoch_{name}": [0, 1] for name in ("loss", "mae", "learning_rate")},
        **{f"{name}/histogram": [0, 1] for name in WEIGHTS},
        **{f"{name}/image": [0, 1] for name in WEIGHTS[:3]},  # a single number has no image
    }
    assert steps(validation) == {
        **{f"epoch_{name}": [0, 1] for name in ("loss", "mae")},
        **{f"evaluation_{name}_vs_iterations": [4, 8] for name in ("loss", "mae")},
    }
    for name in ("loss", "mae"):
        np.testing.assert_allclose([v for _, v in train[f"epoch_{name}"].values()], history[name], rtol=1e-6)
        np.testing.assert_allclose(
            [v for _, v in validation[f"epoch_{name}"].values()], history[f"val_{name}"], rtol=1e-6
        )
    assert {plugin for plugin, _ in train["epoch_loss"].values()} == {"scalars"}

    plugin, config = train["keras"][0]
    assert plugin == "graph_keras_model" and json.loads(config.item())["config"]["name"] == "net"
    plugin, buckets = train["net/first/kernel/histogram"][1]
    kernel = m.get_layer("first").kernel.numpy()
    assert plugin == "histograms" and buckets.shape == (30, 3) and buckets[:, 2].sum() == kernel.size
    np.testing.assert_allclose([buckets[0, 0], buckets[-1, 1]], [kernel.min(), kernel.max()])
    plugin, (width, height, *files) = train["net/first/kernel/image"][1]
    assert plugin == "images" and (width, height, len(files)) == (b"4", b"3", 1)
    shown = np.asarray(Image.open(io.BytesIO(files[0]))) / 255
    np.testing.assert_allclose(shown, np.clip(kernel.T, 0, 1), atol=1 / 255)


def test_update_freq_of_two_batches(tmp_path):
    board = jk.callbacks.TensorBoard(tmp_path, update_freq=2, write_graph=False, write_steps_per_second=True)
    assert board.wants_batches("train")
    model().fit(X, Y, batch_size=5, epochs=2, verbose=0, callbacks=[board])
    found = events(tmp_path / "train")
    assert steps(found) == {
        **{f"batch_{name}": [2, 4, 6, 8] for name in ("loss", "mae", "steps_per_second")},
        **{f"epoch_{name}": [0, 1] for name in ("loss", "mae", "learning_rate", "steps_per_second")},
    }
    assert found["batch_loss"][4][1] == found["epoch_loss"][0][1]
    assert all(v > 0 for _, v in found["epoch_steps_per_second"].values())


def test_steps_per_execution_counts_executions(tmp_path):  # as in Keras 3.15.1
    board = jk.callbacks.TensorBoard(tmp_path, update_freq="batch", write_graph=False)
    model(steps_per_execution=2).fit(X, Y, batch_size=5, epochs=1, verbose=0, callbacks=[board])
    assert list(events(tmp_path / "train")["batch_loss"]) == [1, 2]


def test_evaluate_writes_validation_results(tmp_path):
    m = model()
    results = m.evaluate(X, Y, verbose=0, return_dict=True, callbacks=[jk.callbacks.TensorBoard(tmp_path)])
    found = events(tmp_path / "validation")
    assert found["evaluation_loss_vs_iterations"][0][1] == np.float32(results["loss"])
    assert not (tmp_path / "train").exists()


def test_profile_is_written_to_the_plugin_folder(tmp_path):
    board = jk.callbacks.TensorBoard(tmp_path, profile_batch=(2, 3))
    model().fit(X, Y, batch_size=5, epochs=1, verbose=0, callbacks=[board])
    assert list((tmp_path / "train" / "plugins" / "profile").glob("*/*.xplane.pb"))


def test_every_fit_is_profiled(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("jax.profiler.start_trace", lambda folder: calls.append("start"))
    monkeypatch.setattr("jax.profiler.stop_trace", lambda: calls.append("stop"))
    board, m = jk.callbacks.TensorBoard(tmp_path, profile_batch=2), model()
    for _ in range(2):
        m.fit(X, Y, batch_size=5, epochs=2, verbose=0, callbacks=[board])
    assert calls == ["start", "stop"] * 2


def test_failed_run_stops_the_profiler(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("jax.profiler.start_trace", lambda folder: calls.append("start"))
    monkeypatch.setattr("jax.profiler.stop_trace", lambda: calls.append("stop"))

    class Fail(jk.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyError

    board, m = jk.callbacks.TensorBoard(tmp_path, profile_batch=(1, 3)), model()
    with pytest.raises(KeyError):
        m.fit(X, Y, batch_size=5, verbose=0, callbacks=[board, Fail()])
    m.fit(X, Y, batch_size=5, verbose=0, callbacks=[board])
    assert calls == ["start", "stop"] * 2


def test_profiler_that_cannot_start_warns(tmp_path, monkeypatch):
    def refuse(folder):
        raise RuntimeError("one at a time")

    monkeypatch.setattr("jax.profiler.start_trace", refuse)
    with pytest.warns(UserWarning, match="cannot profile: one at a time"):
        model().fit(X, Y, verbose=0, callbacks=[jk.callbacks.TensorBoard(tmp_path, profile_batch=1)])


# Images written by Keras 3.15.1 for ascending weights: weight shape, image shape, first bytes.
PICTURES = [
    ((5,), (1, 5, 1), [0, 63, 127, 191, 255]),
    ((6, 2), (1, 2, 6), [0, 46, 92, 139, 185, 232, 23, 69, 116, 162, 209, 255]),
    ((2, 3, 4), (3, 2, 3), [0, 44, 88, 133, 177, 222, 11, 55, 99, 144, 188, 233, 22, 66, 111, 155, 199, 244]),
    ((1, 3, 3, 2), (2, 3, 3), [0, 30, 60, 90, 120, 150, 180, 210, 240, 15, 45, 75, 105, 135, 165, 195, 225, 255]),
    ((2, 4, 5, 3), (2, 4, 5, 3), [0, 2, 4, 6, 8, 10, 12, 15, 17, 19, 21, 23, 25, 27, 30, 32, 34, 36, 38, 40]),
]


@pytest.mark.parametrize("shape, pictures, pixels", PICTURES)
def test_weight_images_equal_keras(shape, pictures, pixels, tmp_path):
    class Weight(jk.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape, "zeros", name="w")

        def call(self, x):
            return x

    m = jk.Sequential([jk.Input((2,)), Weight(name="layer")], name="net")
    m.set_weights([np.linspace(0, 1, int(np.prod(shape)), dtype="float32").reshape(shape)])
    board = jk.callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True)
    board.set_model(m)
    board.on_epoch_end(0, {})
    board.on_train_end()
    _, (width, height, *files) = events(tmp_path / "train")["net/layer/w/image"][0]
    images = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])
    assert images.shape == pictures and (int(height), int(width)) == pictures[1:3]
    assert images.ravel()[: len(pixels)].tolist() == pixels


def test_graph_plugin_reads_a_functional_model(tmp_path):
    from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def

    inputs = jk.Input((4,), name="x")
    m = jk.Model(inputs, jk.layers.Add(name="sum")([jk.layers.Dense(1, name=n)(inputs) for n in "ab"]), name="m")
    m.compile("sgd", "mse")
    m.fit(X, Y, verbose=0, callbacks=[jk.callbacks.TensorBoard(tmp_path)])
    graph = keras_model_to_graph_def(json.loads(events(tmp_path / "train")["keras"][0][1].item()))
    assert {node.name: list(node.input) for node in graph.node} == {
        "m/x": [], "m/a": ["m/x"], "m/b": ["m/x"], "m/sum": ["m/a", "m/b"]
    }  # fmt: skip


def test_unserializable_model_warns_and_writes_no_graph(tmp_path):
    class Own(jk.layers.Layer):
        def get_config(self):
            raise NotImplementedError("no config")

        def call(self, x):
            return x

    with pytest.warns(UserWarning, match="shows no graph, since the model cannot be written: no config"):
        model(Own()).fit(X, Y, verbose=0, callbacks=[jk.callbacks.TensorBoard(tmp_path)])
    assert "keras" not in events(tmp_path / "train")


def test_scheduled_learning_rate_is_logged(tmp_path):
    m = model()
    m.compile(jk.optimizers.SGD(jk.optimizers.schedules.PiecewiseConstantDecay([4, 8], [0.5, 0.25, 0.125])), "mse")
    m.fit(X, Y, batch_size=5, epochs=3, verbose=0, callbacks=[jk.callbacks.TensorBoard(tmp_path)])
    rates = events(tmp_path / "train")["epoch_learning_rate"]
    assert [float(v) for _, v in rates.values()] == [0.5, 0.25, 0.125]


def test_optimizer_without_a_learning_rate_or_config(tmp_path):
    m = model()
    m.compile(optax.sgd(0.1), "mse")
    m.fit(X, Y, verbose=0, callbacks=[jk.callbacks.TensorBoard(tmp_path)])
    assert set(events(tmp_path / "train")) == {"keras", "epoch_loss"}


def test_non_scalar_logs_are_skipped(tmp_path):
    class Pair(jk.metrics.Metric):
        def __init__(self):
            super().__init__(name="pair")
            self.total = self.add_variable((2,), "zeros", name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign(self.total + 1)

        def result(self):
            return self.total

    m = model()
    m.compile("sgd", "mse", metrics=[Pair()])
    board = jk.callbacks.TensorBoard(tmp_path, update_freq="batch", write_graph=False)
    m.fit(X, Y, verbose=0, validation_data=(X, Y), callbacks=[board])
    assert set(events(tmp_path / "train")) == {"batch_loss", "epoch_loss", "epoch_learning_rate"}
    assert set(events(tmp_path / "validation")) == {"evaluation_loss_vs_iterations", "epoch_loss"}


def test_resumed_run_continues_step_numbers(tmp_path):
    class Stop(jk.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def run(*more):
        board = jk.callbacks.TensorBoard(tmp_path, update_freq=2)
        backup = jk.callbacks.BackupAndRestore(tmp_path / "backup")
        model().fit(X, Y, batch_size=5, epochs=2, verbose=0, callbacks=[board, backup, *more])

    with pytest.raises(KeyboardInterrupt):
        run(Stop())
    run()
    assert list(events(tmp_path / "train")["batch_loss"]) == [2, 4, 6, 8]


def test_embeddings_are_written_for_the_projector(tmp_path):
    ids = np.arange(20).reshape(5, 4) % 7
    m = jk.Sequential(
        [jk.Input((4,)), jk.layers.Embedding(7, 3, name="words"), jk.layers.Flatten(), jk.layers.Dense(1)]
    )
    m.compile("sgd", "mse")
    board = jk.callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "names.tsv"})
    m.fit(ids, np.zeros((5, 1)), verbose=0, callbacks=[board])
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "embeddings/words.tsv"' in config and 'metadata_path: "names.tsv"' in config
    vectors = np.loadtxt(tmp_path / "embeddings" / "words.tsv")
    np.testing.assert_allclose(vectors, m.get_layer("words").embeddings.numpy(), rtol=1e-5)
    wrong = jk.callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"word": "names.tsv"})
    with pytest.raises(ValueError, match=r"names \['word'\], but the Embedding layers of the model are \['words'\]"):
        m.fit(ids, np.zeros((5, 1)), verbose=0, callbacks=[wrong])


@pytest.mark.parametrize(
    "values, total, edges",
    [([2.0, 2.0], 2, (2, 2)), ([], 0, ()), ([np.nan, 1.0, np.inf, 3.0], 2, (1, 3))],
    ids=["equal", "empty", "not finite"],
)
def test_histograms_of_edge_cases(values, total, edges, tmp_path):
    file = EventFile(str(tmp_path))
    file.histogram("h", np.array(values), 0)
    file.close()
    _, buckets = events(tmp_path)["h"][0]
    assert buckets.shape == ((30, 3) if edges else (0, 3)) and buckets[:, 2].sum() == total
    assert not edges or (buckets[0, 0], buckets[-1, 1]) == edges


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"update_freq": 0}, "must be 'epoch', 'batch' or a positive number; got 0"),
        ({"update_freq": "step"}, "got 'step'"),
        ({"profile_batch": (3, 2)}, "must be a batch, counted from 1, or a pair"),
        ({"profile_batch": "a"}, "got 'a'"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        jk.callbacks.TensorBoard(**arguments)


def test_missing_tensorboard_error_names_the_package():
    code = (
        "import sys; sys.modules['tensorboard'] = None\n"
        "import jaxkeras as jk\ntry: jk.callbacks.TensorBoard()\nexcept ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == 'TensorBoard needs the package tensorboard: pip install "jaxkeras[tensorboard]"\n', (
        done.stderr
    )
