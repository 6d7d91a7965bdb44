"""The benchmarks run, and hand-written and library versions compute the same."""

import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxkeras as jk
from benchmarks import accelerator, lowerings, networks, revisions, run
from benchmarks.accelerators import hand_jax as accelerator_jax
from benchmarks.accelerators.networks import NETWORKS, Network
from benchmarks.comparisons import COMPARISONS
from benchmarks.frameworks import FRAMEWORKS, hand_jax, hand_networks, keras_api
from benchmarks.worker import ROOT
from benchmarks.workloads import WORKLOADS, Workload, draw_data, draw_weights, named, weight_shapes
from jaxkeras.training.flops import count_flops
from tests.cases import by_default

SMALL = [
    Workload("linear", "dense", (2, 1), "mse", "sgd", 64),
    Workload("tabular", "dense", (6, 8, 8, 1), "binary", "adam", 64),
    Workload("cnn", "cnn", (18, 3, 4, 5, 6, 10), "classes", "sgd", 32, batch=16),
    Workload("lstm", "lstm", (20, 5, 4, 6), "binary", "adam", 64),
    Workload("transformer", "transformer", (20, 5, 8, 1, 2, 12), "binary", "adam", 64),
]


@pytest.mark.parametrize("w", SMALL, ids=lambda w: w.name)
def test_hand_written_jax_equals_fit(w: Workload):
    x, y, _ = draw_data(w)
    weights = [a for _, a in draw_weights(w)]
    model = keras_api.compiled(jk, w, weights)
    history = model.fit(x, y, batch_size=w.batch, shuffle=False, verbose=0).history

    order = np.arange(w.rows).reshape(-1, w.batch)
    state = hand_jax.epoch_by_scan(w, hand_jax.PLAIN)(hand_jax.start(w, named(w, weights)), x, y, order)

    np.testing.assert_allclose(float(state["loss"]) / len(order), history["loss"][0], rtol=1e-5)
    if w.loss != "mse":
        np.testing.assert_allclose(float(state["hits"]) / w.rows, history["accuracy"][0], rtol=1e-6)
    for (name, _), ours in zip(weight_shapes(w), model.get_weights()):
        np.testing.assert_allclose(state["params"][name], ours, rtol=1e-4, atol=1e-5, err_msg=name)


def test_comparisons_name_known_frameworks():
    for c in COMPARISONS.values():
        assert {framework for framework, _ in c.entries} <= set(FRAMEWORKS)
        assert c.target is None or c.target in c.entries


@pytest.mark.parametrize("w", WORKLOADS.values(), ids=lambda w: w.name)
def test_workload_serialization_round_trip(w: Workload):
    assert Workload.loads(w.dumps()) == w
    assert w.scaled(1e-9).rows == 2 * w.batch


def test_tiny_run_writes_a_report(tmp_path: Path):
    frameworks = ["jaxkeras", "jax-scan"]
    output = tmp_path / "tiny"
    run.main(
        ["--workloads", "linear", "--frameworks", *frameworks, "--rounds", "2", "--scale", "0.01", "--output",
         str(output)]
    )  # fmt: skip
    result = json.loads((tmp_path / "tiny.json").read_text())["comparisons"]["linear"]
    assert list(result["entries"]) == frameworks
    for entry in result["entries"].values():
        assert entry["seconds"]["min"] <= entry["seconds"]["median"] <= entry["seconds"]["max"]
        assert len(entry["rounds"]) == 2 and entry["peak_bytes"] > 0
    assert result["target"]["against"] == "jax-scan"
    assert "| jaxkeras |" in (tmp_path / "tiny.md").read_text()


def test_every_lowering_case_can_be_traced():
    names = [case.name for case in lowerings.CASES]
    assert len(set(names)) == len(names)
    for case in lowerings.CASES:
        arrays = [jax.ShapeDtypeStruct(shape, "float32") for shape in case.shapes]
        y = jax.eval_shape(case.function, *arrays)
        assert y.size and y.dtype == "float32", case.name


def test_tiny_comparison_of_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lowerings, "SECONDS", 1e-3)
    lowerings.main(["batch norm 32x64", "--rounds", "1", "--output", str(tmp_path / "few")])
    times = json.loads((tmp_path / "few.json").read_text())["cases"]["batch norm 32x64"]
    assert len(times) == 4 and min(times.values()) > 0
    assert "| batch norm 32x64 |" in (tmp_path / "few.md").read_text()


def test_a_checkout_is_compared_with_itself(capsys: pytest.CaptureFixture[str]):
    revisions.main([str(ROOT), "--workloads", "linear", "--rounds", "2", "--scale", "0.01"])
    row = capsys.readouterr().out.splitlines()[-1]
    name, this, other, *ratios = [cell.strip() for cell in row.strip("|").split("|")]
    assert name == "linear" and all(float(ratio) > 0 for ratio in ratios)
    assert this.endswith("ms") and other.endswith("ms")


TINY = {
    "resnet": (8, 3, 3, 2, 4), "bottleneck": (8, 1, 3, 1, 2), "depthwise": (8, 1, 3, 2, 3, 4, 5),
    "mobilenet": (8, 1, 3, 2, 2, 3, 3, 4, 4), "efficientnet": (8, 1, 3, 4, 4, 4, 4), "unet": (8, 1, 2, 2, 3, 4),
    "convnext": (8, 1, 3, 2, 3), "densenet": (8, 1, 3, 4, 2), "wavenet": (7, 6, 3, 2),
    "bidirectional-lstm": (9, 4, 3, 2), "bidirectional-gru": (9, 4, 3, 2), "gpt": (7, 5, 4, 1, 2),
    "encoder": (9, 6, 4, 1, 2), "tabular-transformer": (3, 4, 1, 2), "autoencoder": (8, 1, 1, 2, 3),
    "recommender": (9, 2, 3, 4), "batch-normed-mlp": (4, 3, 2), "gan": (3, 4, 2),
}  # fmt: skip


def test_networks_can_be_built():
    assert {name.removesuffix("-1") for name in networks.NETWORKS} == set(TINY)
    for name, sizes in TINY.items():
        model = keras_api.build(jk, replace(networks.NETWORKS[name], sizes=sizes))
        assert len(model.trainable_variables) > 3, name


@pytest.mark.parametrize("name", by_default(TINY, {"gan"}))
def test_network_takes_a_step(name: str):
    w = replace(networks.NETWORKS[name], sizes=TINY[name], rows=4, batch=4)
    x, y, _ = draw_data(w)
    model = keras_api.compiled(jk, w, [])
    before = model.trainable_variables[-1].numpy()
    logs = model.train_on_batch(x, y, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    assert np.any(model.trainable_variables[-1].numpy() != before)


@pytest.mark.parametrize("name", [n if n == "gpt" else pytest.param(n, marks=pytest.mark.exhaustive) for n in TINY])
def test_hand_written_network_equals_fit(name: str, monkeypatch: pytest.MonkeyPatch):
    w = replace(networks.NETWORKS[name], sizes=TINY[name], rows=8, batch=4, dropout=0.0)
    x, y, _ = draw_data(w)
    created: list[int] = []
    original = jk.Variable.__init__

    def recorded(self: jk.Variable, *args, **kwargs):
        created.append(id(self))
        original(self, *args, **kwargs)

    monkeypatch.setattr(jk.layers, "Dropout", lambda rate: jk.layers.Identity())
    with monkeypatch.context() as m:
        m.setattr(jk.Variable, "__init__", recorded)
        model = keras_api.compiled(jk, w, [])
    weights = model.trainable_weights, model.non_trainable_weights
    parts = [sorted(part, key=lambda v: created.index(id(v))) for part in weights]
    params, stats = ([np.array(v) for v in part] for part in parts)  # fit donates the arrays
    drawn = hand_networks.draw(name, w.sizes, x[:4])
    assert [[a.shape for a in part] for part in drawn] == [[a.shape for a in part] for part in (params, stats)]

    order = np.arange(8).reshape(2, 4)
    state = hand_jax.epoch_by_steps(w, hand_jax.PLAIN)(hand_jax.start(w, params, stats), x, y, order)
    history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history

    if name != "gan":  # its custom step reports the loss of the last batch
        np.testing.assert_allclose(float(state["loss"]) / 2, history["loss"][0], rtol=1e-4)
    if "accuracy" in history:
        np.testing.assert_allclose(float(state["hits"]) / y.size, history["accuracy"][0], rtol=1e-6)
    for part, theirs in zip(parts, (state["params"], state["stats"])):
        for variable, array in zip(part, theirs):
            np.testing.assert_allclose(array, variable, rtol=2e-3, atol=2e-4, err_msg=variable.path)


def test_tiny_table_of_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(networks.NETWORKS, "gan", replace(networks.NETWORKS["gan"], sizes=TINY["gan"], rows=8, batch=4))
    networks.main(["--networks", "gan", "--peers", "jaxkeras", "--rounds", "1", "--output", str(tmp_path / "table")])
    found = json.loads((tmp_path / "table.json").read_text())["networks"]["gan"]["frameworks"]["jaxkeras"]
    assert found["first epoch"] > found["fit"]["min"] > 0 and found["peak_bytes"] > 0
    assert "| gan | 8 in 4 | jaxkeras |" in (tmp_path / "table.md").read_text()
    assert networks.ratio({"a": {"t": 3}, "jaxkeras": {"t": 2}}, "t", ["a", "b"]) == 1.5


def test_results_of_networks_are_added_to_earlier_ones():
    machine = {"cpu": "a", "cores": 2, "versions": {}}

    def run(cpu: str, **networks: dict) -> dict:
        return {"machine": {**machine, "cpu": cpu}, "networks": networks}

    def row(rows: int, **frameworks: int) -> dict:
        return {"rows": rows, "batch": 4, "frameworks": frameworks}

    old = run("a", gpt=row(8, jaxkeras=1, torch=2), unet=row(8, torch=3), gan=row(8, torch=4))
    new = run("a", gpt=row(8, jaxkeras=5), unet=row(16, jaxkeras=6))
    expected = {"gpt": row(8, jaxkeras=5, torch=2), "unet": row(16, jaxkeras=6), "gan": row(8, torch=4)}
    assert networks.added(old, new)["networks"] == expected
    with pytest.raises(ValueError, match="another machine"):
        networks.added(old, run("b"))


@pytest.mark.exhaustive
def test_the_accelerator_script_runs_with_tiny_sizes(tmp_path: Path):
    chosen = ["jaxkeras", "jax-scan"]
    output = tmp_path / "tiny"
    results = accelerator.main(["--tiny", "--frameworks", *chosen, "--output", str(output)])
    assert set(results["parts"]) == set(accelerator.PARTS)
    for by in results["parts"]["networks"].values():
        assert set(by) == {"jaxkeras", "jax by hand"}
        assert all(r["seconds"]["min"] > 0 and r["per_second"] > 0 for r in by.values()), by
    for part in ("predict", "members"):
        assert all(v > 0 for v in results["parts"][part].values()), results["parts"][part]
    assert "| jaxkeras |" in (tmp_path / "tiny.md").read_text()


def test_a_run_on_an_accelerator_that_takes_too_long_says_so():
    assert accelerator.in_process(accelerator.Clock(0), "predict", True) == {"failed": "no time left"}


@pytest.mark.exhaustive
def test_the_comparison_on_eight_devices_runs(tmp_path: Path):
    command = [sys.executable, "-m", "benchmarks.devices", "--rows", "512", "--width", "16", "--rounds", "1"]
    subprocess.run([*command, "--output", tmp_path / "tiny"], cwd=ROOT, check=True, capture_output=True, timeout=200)
    results = json.loads((tmp_path / "tiny.json").read_text())
    for way in ("data", "fsdp"):
        losses = results["ways"][way]["loss"]
        assert losses["jaxkeras"] == pytest.approx(losses["by hand"], rel=0.05)  # each draws its own order of rows


@pytest.mark.exhaustive
@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_operations_of_a_step_are_those_of_its_program(network: Network):
    """Elementwise operations, which the figure leaves out, are less than a hundredth."""
    params, logits, _ = accelerator_jax.parts(network)
    gradient = jax.make_jaxpr(jax.grad(functools.partial(accelerator_jax.loss, logits)))
    counted = count_flops(gradient(params, *network.data(1))).total
    assert network.step_flops < counted < 1.01 * network.step_flops
