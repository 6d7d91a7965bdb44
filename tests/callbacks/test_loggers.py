"""Loggers of experiments, against stores on this machine."""

import json
import sys

import pytest

from jaxkeras import callbacks
from tests.callbacks.test_callbacks_in_fit import X, Y, fit, make


def test_mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    uri = (tmp_path / "runs").as_uri()
    history = fit(make(), callbacks.MLflowLogger("tests", "first", uri, {"note": "x"}), epochs=2).history
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("tests").experiment_id])
    assert run.info.run_name == "first" and run.info.status == "FINISHED" and mlflow.active_run() is None
    assert run.data.params["parameters"] == "3" and run.data.params["note"] == "x"
    assert [m.value for m in client.get_metric_history(run.info.run_id, "loss")] == pytest.approx(history["loss"])
    with mlflow.start_run() as active:  # a run in progress is used, and stays open
        fit(make(), callbacks.MLflowLogger(), epochs=1)
        assert mlflow.active_run().info.run_id == active.info.run_id
    with pytest.raises(RuntimeError):
        fit(make(), [callbacks.MLflowLogger("tests"), Fails()])
    assert {r.info.status for r in client.search_runs([run.info.experiment_id])} == {"FINISHED", "FAILED"}


class Fails(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError


def test_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    wandb = pytest.importorskip("wandb")
    logger = callbacks.WandbLogger("tests", "first", {"note": "x"}, mode="offline", dir=str(tmp_path))
    history = fit(make(), logger, epochs=2).history
    assert wandb.run is None and logger._run.config["note"] == "x" and logger._run.config["parameters"] == 3
    wandb.teardown()  # writes the file to its end
    stored = next(tmp_path.rglob("*.wandb")).read_bytes()
    assert all(json.dumps(loss).encode() in stored for loss in history["loss"]) and b"epoch" in stored


def test_trackio(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("trackio")
    history = fit(make(), callbacks.TrackioLogger("tests", "first", {"note": "x"}), epochs=2).history
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs("tests", "first")
    assert [row["loss"] for row in rows] == pytest.approx(history["loss"])


@pytest.mark.parametrize("name, arguments", [("MLflowLogger", ()), ("WandbLogger", ()), ("TrackioLogger", ("tests",))])
def test_a_missing_package_is_named_with_its_install_line(name, arguments, monkeypatch):
    package = name.removesuffix("Logger").lower()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{name} needs {package}: pip install "jaxkeras\[{package}\]"'):
        make().fit(X, Y, callbacks=[getattr(callbacks, name)(*arguments)], verbose=0)
