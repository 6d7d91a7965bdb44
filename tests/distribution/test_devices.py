"""The same numbers on any number of devices, each count in a process of its own."""

import numpy as np
import pytest

from tests.distribution import on_devices


def test_eight_devices():
    assert "ok 8" in on_devices.run("small", JAXKERAS_DISTRIBUTION="data")


@pytest.mark.exhaustive
@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_six_models_give_the_numbers_of_one_device(devices):
    assert on_devices.run("same_numbers", devices=devices).count("same") == 18


@pytest.mark.exhaustive
def test_steps_with_options_give_the_numbers_of_one_device():
    on_devices.run("options", devices=4)


@pytest.mark.exhaustive
def test_every_layer_on_rows_that_do_not_divide():
    on_devices.run("uneven_layers", devices=4, timeout=600)


@pytest.mark.exhaustive
def test_tools_and_callbacks_give_the_numbers_of_one_device():
    on_devices.run("tools", devices=4)


@pytest.mark.exhaustive
def test_memory_and_collectives():
    on_devices.run("collectives")


@pytest.mark.exhaustive
def test_files_are_never_whole_on_a_device(tmp_path):
    on_devices.run("whole_files", tmp_path)


def test_members_of_a_population_are_split_over_devices():
    assert "ok 3" in on_devices.run("members", "quick", devices=3)


@pytest.mark.exhaustive
def test_members_are_what_they_are_alone_and_resume_on_other_devices(tmp_path):
    assert "ok 4" in on_devices.run("members", devices=4)
    assert "ok 4" in on_devices.run("members", devices=4, JAXKERAS_DISTRIBUTION="data")
    for name, before, after in (("same", 4, 4), ("fewer", 4, 1), ("more", 1, 4)):
        on_devices.run("members", tmp_path / name, "crash", devices=before)
        on_devices.run("members", tmp_path / name, "resume", devices=after)
    expected, *others = (np.load(tmp_path / f"{name}.npy") for name in ("same", "fewer", "more"))
    assert np.isfinite(expected).sum(axis=1).tolist() == [5, 3, 3, 3]
    for losses in others:
        np.testing.assert_allclose(losses, expected, rtol=1e-5)
