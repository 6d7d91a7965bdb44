"""Several processes over loopback: the numbers of one process, and what differs is named."""

import pytest

from tests.distribution.launched import succeeds

pytestmark = pytest.mark.exhaustive


@pytest.mark.parametrize(("count", "devices"), [(2, 2), (4, 1)])
def test_six_models_give_the_numbers_of_one_device(count, devices):
    assert succeeds(count, "same_numbers.py", devices=devices, timeout=500).count("same") == 18


def test_data_of_all_kinds():
    assert succeeds(2, "own_rows.py").count("ok") == 2


def test_processes_that_disagree_are_told_what_differs():
    assert succeeds(3, "disagree.py", devices=1).count("ok") == 3


def test_values_that_are_not_finite_are_found():
    assert "row 37" in succeeds(2, "faulty.py")


def test_logs_that_one_process_reads_make_none_wait():
    assert succeeds(2, "one_reads_logs.py", devices=2, timeout=100).count("ok") == 2
