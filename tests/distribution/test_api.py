"""`keras.distribution`: equal to Keras in what it computes, on one device."""

import jax
import keras
import numpy as np
import pytest

import jaxkeras as jk

ours, theirs = jk.distribution, keras.distribution


def both(function):
    """The result of a function of either library, which must be equal; errors by type."""
    results = []
    for api in (ours, theirs):
        try:
            results.append(function(api))
        except Exception as error:
            results.append(type(error))
    assert results[0] == results[1]
    return results[0]


NAMES = [f"cpu:{i}" for i in range(8)]


def layout_map(api):
    rules = api.LayoutMap(api.DeviceMesh((4, 2), ["data", "model"], NAMES))
    rules["dense/kernel"] = ("data", "model")
    rules[".*dense.*/bias"] = ("model",)
    rules["conv.*kernel"] = api.TensorLayout((None, None, None, "model"))
    return rules


@pytest.mark.parametrize(
    "path", ["dense/kernel", "net/dense/kernel", "dense_1/bias", "conv_2/kernel", "a/conv/kernel", "none"]
)
def test_layouts_by_path(path):
    both(lambda api: getattr(layout_map(api)[path], "axes", None))


def test_meshes_layouts_and_maps():
    assert both(lambda api: api.DeviceMesh((4, 2), ["a", "b"], NAMES).devices.tolist())
    assert both(lambda api: list(layout_map(api)))
    for wrong in [
        lambda api: api.DeviceMesh((3,), ["a"], NAMES),
        lambda api: api.DeviceMesh((), ["a"], NAMES),
        lambda api: api.DeviceMesh((4, 2), ["a"], NAMES),
        lambda api: api.TensorLayout(("x",), api.DeviceMesh((8,), ["a"], NAMES)),
        lambda api: layout_map(api).__setitem__("dense/kernel", ("data",)),
        lambda api: layout_map(api).__setitem__("other", 3),
        lambda api: api.ModelParallel(layout_map=None),
        lambda api: api.DataParallel(device_mesh=3),
    ]:
        assert both(wrong) is ValueError
    assert ours.list_devices("cpu")[0] == "cpu:0" and ours.get_device_count("cpu") == len(ours.list_devices("cpu"))


def test_distributions_on_one_device():
    # Not compared: Keras needs one of its backends for devices.
    rules = ours.LayoutMap(ours.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"]))
    rules[".*kernel"] = (None, "model")
    one, two = ours.DataParallel(devices=["cpu:0"]), ours.ModelParallel(layout_map=rules)
    with two.scope():
        assert ours.distribution() is two
    assert ours.distribution() is None
    variable = type("V", (), {"shape": (2, 3), "path": "a/kernel"})
    assert one.get_variable_layout(variable).axes == (None, None)
    assert two.get_variable_layout(variable).axes == (None, "model")
    for d in (one, two):
        assert d.get_data_layout((4, 3)).axes == ("batch", None) and d.auto_shard_dataset
        assert (d.num_model_replicas, d.num_data_shards, d.data_shard_id, d.batch_dim_name) == (1, 1, 0, "batch")


@pytest.mark.parametrize("way", ["data", "fsdp", {"data": 1, "model": 1}], ids=str)
def test_to_set_a_distribution_again_changes_nothing(way):
    try:
        jk.distribution.set_distribution(way)
        first = jk.distribution.distribution()
        jk.distribution.set_distribution(dict(way) if isinstance(way, dict) else way)
        assert jk.distribution.distribution() is first
        jk.distribution.set_distribution(None)
        jk.distribution.set_distribution(way)
        assert type(jk.distribution.distribution()) is type(first)
    finally:
        jk.distribution.set_distribution(None)
    assert jk.distribution.distribution() is None


def test_a_mesh_of_one_device_changes_nothing():
    def weights(way):
        jk.distribution.set_distribution(way)
        try:
            jk.utils.set_random_seed(0)
            model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(3), jk.layers.Dropout(0.5)])
            model.compile("adam", "mse")
            model.fit(np.ones((10, 4)), np.ones((10, 3)), batch_size=4, epochs=2, verbose=0)
            assert model._session.placement is None  # so the programs are those of one device
            return model.get_weights()
        finally:
            jk.distribution.set_distribution(None)

    for a, b in zip(weights(None), weights({"data": 1, "model": 1}), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_variables_take_their_layout():
    mesh = ours.DeviceMesh((1,), ["model"], ["cpu:0"])
    v = jk.Variable(np.ones((2, 4)), layout=ours.TensorLayout((None, "model"), mesh))
    w = jk.Variable("zeros", shape=(2, 4), layout=ours.TensorLayout((None, "model"), mesh).backend_layout)
    for variable in (v, w):
        variable.assign(np.full((2, 4), 3.0))
        assert isinstance(variable.value.sharding, jax.sharding.NamedSharding) and variable.numpy().sum() == 24


def test_alias():
    import jaxkeras.alias.finder as finder

    assert finder._public_module("distribution") is jk.distribution


def test_a_wrong_environment_variable_is_named_each_time(monkeypatch):
    from jaxkeras.core import placement

    monkeypatch.setattr(placement, "_current", placement._UNSET)
    monkeypatch.setenv("JAXKERAS_DISTRIBUTION", "dtaa")
    for _ in range(2):
        with pytest.raises(ValueError, match="JAXKERAS_DISTRIBUTION is wrong. Unknown distribution 'dtaa'"):
            jk.distribution.distribution()


def test_rules_are_checked_on_one_device():
    rules = ours.LayoutMap(ours.DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"]))
    rules["kernle"] = (None, "model")
    model = jk.Sequential([jk.Input((4,)), jk.layers.Dense(3)])
    with ours.ModelParallel(layout_map=rules).scope(), pytest.raises(ValueError, match="'kernle'.*matches no variable"):
        model.predict(np.ones((2, 4)), verbose=0)
