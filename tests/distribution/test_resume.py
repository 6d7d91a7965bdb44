"""A run on eight devices that is killed goes on with eight, four and two."""

import shutil

import numpy as np
import pytest

from tests.distribution import on_devices
from tests.distribution.models import difference


def numbers(folder):
    with np.load(folder / "numbers.npz") as file:
        return [file[name] for name in file.files]


@pytest.mark.exhaustive
def test_a_killed_run_goes_on_with_another_number_of_devices(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir(), killed.mkdir()
    on_devices.run("resume", "fsdp", whole)
    process = on_devices.start("resume", "fsdp", killed, "crash")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 9, output
    for devices in (8, 4, 2):
        folder = tmp_path / str(devices)
        shutil.copytree(killed, folder)
        on_devices.run("resume", "fsdp", folder, devices=devices)
        if devices == 8:
            assert all(np.array_equal(a, b) for a, b in zip(numbers(whole), numbers(folder), strict=True))
        assert difference(numbers(whole), numbers(folder)) < 1e-6
