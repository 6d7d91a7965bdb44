"""Fixtures shared by the tests of saving."""

import pytest

from tests.saving.hostile import honest_files


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A folder with one model saved in all formats, and the model."""
    folder = tmp_path_factory.mktemp("honest")
    return folder, honest_files(folder)
