"""A base class of tests, for packages whose tests use Keras's."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import unittest
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxkeras import saving


class TestCase(unittest.TestCase):
    """A `unittest.TestCase` with assertions about arrays, and about layers and other configurable objects."""

    def get_temp_dir(self) -> str:
        """A folder that is removed after the test."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def assertAllClose(self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None) -> None:
        """Check that two arrays are equal up to a tolerance."""
        np.testing.assert_allclose(np.asarray(x1), np.asarray(x2), atol=atol, rtol=rtol, err_msg=msg or "")

    def assertNotAllClose(
        self, x1: Any, x2: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Check that some elements of two arrays differ by more than a tolerance."""
        self.assertFalse(np.allclose(np.asarray(x1), np.asarray(x2), atol=atol, rtol=rtol), msg)

    def assertAllEqual(self, x1: Any, x2: Any, msg: str | None = None) -> None:
        """Check that two arrays are equal."""
        np.testing.assert_array_equal(np.asarray(x1), np.asarray(x2), msg or "")

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


def named_product(*args: Iterable[Any], **kwargs: Iterable[Any]) -> list[dict[str, Any]]:
    """All combinations of values, for `parameterized.named_parameters`.

    Args:
        *args: one iterable of dicts with a `testcase_name`.
        **kwargs: the values of each argument.

    Returns:
        Dicts of arguments, each with a `testcase_name` made of the values.
    """
    named = [[dict(item) for item in values] for values in args]
    rows = []
    for combination in itertools.product(*named, *kwargs.values()):
        given, values = combination[: len(named)], combination[len(named) :]
        names = [*(str(item.get("testcase_name", "")) for item in given), *(f"{k}_{v}" for k, v in zip(kwargs, values))]
        merged = {key: value for item in given for key, value in item.items()}
        rows.append({**merged, **dict(zip(kwargs, values)), "testcase_name": "_".join(names)})
    return rows
