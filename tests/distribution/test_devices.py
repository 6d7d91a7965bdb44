"""The same numbers on any number of devices, each count in a process of its own."""

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
def test_memory_and_collectives():
    on_devices.run("collectives")


@pytest.mark.exhaustive
def test_files_are_never_whole_on_a_device(tmp_path):
    on_devices.run("whole_files", tmp_path)


@pytest.mark.exhaustive
def test_weights_are_made_in_parts():
    on_devices.run("made_in_parts")


@pytest.mark.exhaustive
def test_kernels_split_along_their_window():
    on_devices.run("split_windows", devices=4)
