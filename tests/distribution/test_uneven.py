"""Rows that do not divide over the devices, and tools and callbacks, give the numbers of one device."""

import pytest

from tests.distribution import on_devices

pytestmark = pytest.mark.exhaustive


@pytest.mark.parametrize("axes", [1, 2])
def test_every_layer_on_rows_that_do_not_divide(axes):
    on_devices.run("uneven_layers", axes, devices=4, timeout=600)


def test_tools_and_callbacks_give_the_numbers_of_one_device():
    on_devices.run("tools", devices=4)
