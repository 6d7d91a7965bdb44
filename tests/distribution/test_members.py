"""Members of a population on several devices, each count of them in a process of its own."""

import numpy as np
import pytest

from tests.distribution import on_devices


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
