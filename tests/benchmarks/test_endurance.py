"""The endurance benchmark runs and measures growth."""

import pytest

from benchmarks import endurance


@pytest.mark.exhaustive
def test_samples_and_slope():
    samples = endurance.epochs(4, 2) + endurance.models(1, 1)
    assert len(samples) == 3 and all(s["memory"] > 1 and s["threads"] and s["files"] for s in samples)
    assert endurance.slope([0, 0, 0, 6, 12, 18], every=3) == pytest.approx(2)
