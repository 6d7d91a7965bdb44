"""A base class of tests, for packages whose tests use Keras's."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import unittest
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxkeras import saving, tree
from jaxkeras.core.dtypes import standardize_dtype
from jaxkeras.core.symbolic import KerasTensor
from jaxkeras.layers import Layer
from jaxkeras.models import Model


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

    def assertDType(self, x: Any, dtype: str, msg: str | None = None) -> None:
        """Check the dtype of an array."""
        self.assertEqual(standardize_dtype(x.dtype), standardize_dtype(dtype), msg)

    def assertContainsSubset(self, expected_subset: Any, actual_set: Any, msg: str | None = None) -> None:
        """Check that all expected elements are there."""
        self.assertLessEqual(set(expected_subset), set(actual_set), msg)

    def run_layer_test(
        self, layer_cls: type[Layer], init_kwargs: dict[str, Any], input_shape: Any = None, input_dtype: Any = None,
        input_data: Any = None, call_kwargs: dict[str, Any] | None = None, expected_output_shape: Any = None,
        expected_output_dtype: str | None = None, expected_output: Any = None, supports_masking: bool | None = None,
        expected_num_seed_generators: int | None = None, expected_num_losses: int | None = None,
        custom_objects: dict[str, Any] | None = None, run_training_check: bool = True,
        run_mixed_precision_check: bool = True, assert_built_after_instantiation: bool = False, **expected: Any,
    ) -> None:  # fmt: skip
        """Check a layer: its config, its weights, its outputs for symbolic and for random inputs, and that it trains.

        Args:
            layer_cls: the class of the layer.
            init_kwargs: the arguments of its constructor.
            input_shape: the shape of its input with the batch axis, or a structure of shapes.
            input_dtype: the dtype of the input, float32 by default, or a structure of dtypes.
            input_data: inputs to use in place of random ones.
            call_kwargs: further arguments of a call.
            expected_output_shape, expected_output_dtype, expected_output: what the output is.
            supports_masking: the attribute of the layer.
            expected_num_seed_generators: how many seed generators it has.
            expected_num_losses: how many losses it adds in a call.
            custom_objects: names for its config.
            run_training_check: whether to train a model of the layer for one step.
            run_mixed_precision_check: whether to call it under `mixed_bfloat16`.
            assert_built_after_instantiation: whether it has its weights before it is called.
            **expected: `expected_num_trainable_weights`, `expected_num_non_trainable_weights` and
                `expected_num_non_trainable_variables`.
        """
        layer = layer_cls(**init_kwargs)
        self.run_class_serialization_test(layer, custom_objects)
        if assert_built_after_instantiation:
            self.assertTrue(layer.built)
        if input_data is None and input_shape is None:
            return
        if input_data is None:
            input_data = _random_inputs(input_shape, input_dtype)
        keywords = call_kwargs or {}
        symbolic = tree.map_structure(lambda x: KerasTensor(x.shape, standardize_dtype(x.dtype)), input_data)
        specs = layer(**symbolic, **keywords) if isinstance(symbolic, dict) else layer(symbolic, **keywords)
        outputs = layer(**input_data, **keywords) if isinstance(input_data, dict) else layer(input_data, **keywords)
        tree.map_structure(lambda spec, y: self.assertEqual(tuple(spec.shape), tuple(y.shape)), specs, outputs)
        if expected_output_shape is not None:
            shapes = [tuple(y.shape) for y in tree.flatten(outputs)]
            self.assertEqual(shapes, _shapes(expected_output_shape))
        if expected_output_dtype is not None:
            for y in tree.flatten(outputs):
                self.assertDType(y, expected_output_dtype)
        if expected_output is not None:
            self.assertAllClose(outputs, expected_output)
        if supports_masking is not None:
            self.assertEqual(layer.supports_masking, supports_masking)
        if expected_num_losses is not None:
            self.assertLen(layer.losses, expected_num_losses)
        if expected_num_seed_generators is not None:
            self.assertLen(layer._own_seeds(), expected_num_seed_generators)
        for name, count in expected.items():
            if name.startswith("expected_num_") and count is not None:
                self.assertLen(getattr(layer, name.removeprefix("expected_num_")), count, name)
        if run_training_check and not isinstance(input_data, dict):
            self._check_training(layer_cls(**init_kwargs), input_data, outputs)
        if run_mixed_precision_check and not isinstance(input_data, dict):
            mixed = layer_cls(**{**init_kwargs, "dtype": "mixed_bfloat16"})
            mixed(input_data, **keywords)
            for variable in mixed.trainable_weights:
                self.assertDType(variable, "float32")

    def _check_training(self, layer: Layer, inputs: Any, outputs: Any) -> None:
        class LayerModel(Model):
            def __init__(self) -> None:
                super().__init__()
                self.layer = layer

            def call(self, x: Any) -> Any:
                return self.layer(x)

        model = LayerModel()
        model.compile(optimizer="sgd", loss="mse")
        model.fit(inputs, tree.map_structure(np.zeros_like, outputs), verbose=0)


def _shapes(structure: Any) -> list[tuple[int, ...]]:
    """The shapes in a structure of shapes."""
    if isinstance(structure, dict):
        return [shape for value in structure.values() for shape in _shapes(value)]
    if all(isinstance(size, int) for size in structure):
        return [tuple(structure)]
    return [shape for value in structure for shape in _shapes(value)]


def _random_inputs(shape: Any, dtype: Any) -> Any:
    if isinstance(shape, dict):
        dtypes = dtype if isinstance(dtype, dict) else dict.fromkeys(shape, dtype)
        return {name.removesuffix("_shape"): _random_inputs(value, dtypes[name]) for name, value in shape.items()}
    if not all(isinstance(size, int) for size in shape):
        return type(shape)(_random_inputs(value, dtype) for value in shape)
    if np.issubdtype(np.dtype(dtype or "float32"), np.floating):
        return np.random.default_rng(0).standard_normal(shape).astype(dtype or "float32")
    return np.random.default_rng(0).integers(0, 2, shape).astype(dtype)


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
