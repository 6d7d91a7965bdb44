"""A base class of tests, for packages whose tests use Keras's."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from typing import Any

import numpy as np

from jaxkeras import saving, tree


class TestCase(unittest.TestCase):
    """A `unittest.TestCase` with assertions about arrays, and about layers and other configurable objects."""

    def get_temp_dir(self) -> str:
        """A folder that is removed after the test."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def assertAllClose(
        self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None, **kwargs: Any
    ) -> None:
        """Check that arrays, or structures of arrays, are equal up to a tolerance."""
        tree.map_structure(
            lambda a, b: np.testing.assert_allclose(
                np.asarray(a), np.asarray(b), atol=atol, rtol=rtol, err_msg=msg or ""
            ),
            x1, x2,
        )  # fmt: skip

    def assertNotAllClose(
        self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Check that some elements of two arrays differ by more than a tolerance."""
        self.assertFalse(np.allclose(np.asarray(x1), np.asarray(x2), atol=atol, rtol=rtol), msg)

    def assertAllEqual(self, x1: Any, x2: Any, msg: str | None = None) -> None:
        """Check that arrays, or structures of arrays, are equal."""
        tree.map_structure(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b), msg or ""), x1, x2)

    def assertLen(self, iterable: Any, expected_len: int, msg: str | None = None) -> None:
        """Check a length."""
        self.assertEqual(len(iterable), expected_len, msg)

    def run_class_serialization_test(self, instance: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """Check that an object made from a config has the same config.

        Returns:
            That object.
        """
        config = saving.serialize_keras_object(instance)
        revived = saving.deserialize_keras_object(config, custom_objects)
        self.assertEqual(config, saving.serialize_keras_object(revived))
        return revived
