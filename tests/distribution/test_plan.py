"""Plans: memory and exchanges of a small transformer on eight CPU devices, and a compile for TPUs."""

import pytest

import jaxkeras as jk
from jaxkeras.cli.main import main
from jaxkeras.distribution.collectives import collectives


def model():
    """A block of a transformer, whose parameters take `PARAMETERS` bytes."""
    x = jk.Input((16,), dtype="int32")
    h = jk.layers.Embedding(64, 32)(x)
    h = jk.layers.Add()([h, jk.layers.MultiHeadAttention(8, 4)(h, h)])
    h = jk.layers.Add()([h, jk.layers.Dense(32)(jk.layers.Dense(64, "gelu")(h))])
    made = jk.Model(x, jk.layers.Dense(64)(h))
    made.compile("adam", jk.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


PARAMETERS = 4 * (64 * 32 + 4 * (32 * 32 + 32) + 2 * 32 * 64 + 64 + 32 + 32 * 64 + 64)
SHAPES = dict(x=(64, 16), y=(64, 16), batch_size=64)


def planned(way, topology="cpu:8"):
    import jax

    x, y = (jax.ShapeDtypeStruct(SHAPES[name], "int32") for name in "xy")
    return jk.distribution.plan(model(), x, y, 64, way, topology)


def test_memory_and_exchanges_of_a_transformer():
    data, fsdp, split = (planned(way) for way in ("data", "fsdp", {"data": 2, "model": 4}))
    assert data.parameter_bytes == PARAMETERS and data.optimizer_bytes == 2 * PARAMETERS + 8
    assert set(data.collectives) == {"all-reduce"} and 0 <= data.collectives["all-reduce"] - PARAMETERS < 100
    assert fsdp.parameter_bytes == PARAMETERS / 8 and fsdp.optimizer_bytes == 2 * PARAMETERS / 8 + 8
    assert PARAMETERS * 0.9 < fsdp.collectives["all-gather"] <= PARAMETERS
    assert PARAMETERS / 4 <= split.parameter_bytes < 0.3 * PARAMETERS
    assert data.flops == fsdp.flops == split.flops > 6 * PARAMETERS / 4 * 64 * 16 * 0.8
    assert fsdp.peak_bytes < data.peak_bytes and "8), analysed by the CPU compiler" in str(data)
    assert data.step_seconds is data.fits is None


def test_estimates_for_a_chip():
    small = jk.Sequential([jk.Input((8,)), jk.layers.Dense(8)])
    small.compile("sgd", "mse")
    plan = jk.distribution.plan(small, (2, 8), (2, 8), 4, "data", "h100:2")
    assert plan.fits and plan.step_seconds > 0 and plan.largest_batch > 10**6 and plan.largest_batch % 2 == 0


def test_plans_that_cannot_be_made_say_why():
    with pytest.raises(ValueError, match="Unknown topology 'v9:2'"):
        planned("data", "v9:2")
    with pytest.raises(ValueError, match="multiply to 4, but there are 8 devices"):
        planned({"data": 4})
    with pytest.raises(ValueError, match="batch_size=4 is smaller than the 8 parts"):
        jk.distribution.plan(model(), (64, 16), (64, 16), 4, "data", "cpu:8")


def test_a_model_larger_than_this_machine():
    big = jk.Sequential([jk.Input((65536,)), *[jk.layers.Dense(65536, use_bias=False) for _ in range(16)]])
    big.compile("adam", "mse")
    plan = jk.distribution.plan(big, (8, 65536), (8, 65536), 8, "fsdp", "h100:8")
    assert plan.parameter_bytes == 16 * 65536**2 * 4 // 8 and plan.fits is False
    assert not any(w.materialized for w in big.weights)


def test_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.py").write_text(
        "import jaxkeras as jk\n"
        "def build():\n"
        "    model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(8)])\n"
        "    model.compile('sgd', 'mse')\n"
        "    return model\n"
    )
    assert main(["plan", "made.py:build", "--topology", "cpu:2", "--distribution", "fsdp"]) == 0
    assert "FullySharded over {'batch': 2}" in capsys.readouterr().out
    assert main(["plan", "made.py:build", "--topology", "h100:48"]) == 0
    assert "48 rows" in capsys.readouterr().out


def test_exchanges_of_a_tpu_program():
    text = """
%all-reduce-scatter.3 (input_0: f32[512,2048], input_1: f32[8,8]) -> (f32[512,512], f32[8,2]) {
  %all-reduce.12 = (f32[512,2048]{1,0:T(8,128)}, f32[8,8]{0,1}) all-reduce(%input_0, %input_1), channel_id=1
}
%fused_computation.52 (param_0.100: bf16[512,64]) -> (bf16[512,64], bf16[2048,64], s32[2]) {
  %all-gather.29 = bf16[2048,64]{1,0:T(8,128)(2,1)} all-gather(%param_0.100), channel_id=3, dimensions={0}
}
%async_collective_fusion.43 (param_0.103: bf16[512,64], param_1.166: f32[2048,64]) -> f32[2048,64] {
  %all-gather.31 = bf16[2048,64]{1,0:T(8,128)(2,1)S(1)} all-gather(%param_0.103), channel_id=3, dimensions={0}
}
ENTRY %main.1_spmd (param: f32[4,8]) -> f32[4,8] {
  %reduce-scatter.1 = f32[4,2]{1,0} reduce-scatter(%param), channel_id=4, replica_groups=[2,4]<=[8], dimensions={1}
}"""
    found = [(c.kind, c.nbytes, c.arrays) for c in collectives(text)]
    assert found == [
        ("reduce-scatter", 4 * (512 * 2048 + 64), ((512, 512), (8, 2))),
        ("all-gather", 2 * 2048 * 64, ((2048, 64),)),
        ("reduce-scatter", 4 * 4 * 8, ((4, 2),)),
    ]


@pytest.mark.exhaustive
def test_tpu_compiler():
    pytest.importorskip("libtpu")
    plan = planned("data", "v5e:2x2")
    assert plan.compiler == "TPU" and plan.devices == 4 and plan.fits and "all-reduce" in plan.collectives
    large = jk.Sequential([jk.Input((512,)), *[jk.layers.Dense(2048, "relu") for _ in range(2)], jk.layers.Dense(8)])
    large.compile("adam", "mse")
    plan = jk.distribution.plan(large, (1024, 512), (1024, 8), 1024, "fsdp", "v5e:2x2")
    gradients = 4 * large.count_params()
    assert 0.98 * gradients < plan.collectives["reduce-scatter"] < 1.1 * gradients
    assert plan.collectives["all-reduce"] < 0.01 * gradients  # biases, and the loss
