"""`keras` as an alias of jaxkeras. Each test starts a Python process, since the alias holds for a whole process."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

import jaxkeras

ROOT = str(pathlib.Path(jaxkeras.__file__).parents[1])


def run(*arguments, code=0, **environment):
    """The output of a Python process, which must end with an exit code."""
    variables = {**os.environ, "PYTHONPATH": ROOT, **environment}
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=variables)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


SCRIPT = """
import importlib, importlib.metadata, json, pickle, sys
import keras
assert "jax" not in sys.modules and keras.Layer is not None  # names are loaded when they are used
import keras.layers
from keras import ops
from keras.utils import to_categorical

import jaxkeras
assert keras.layers is jaxkeras.layers and ops is jaxkeras.ops
assert keras.__name__ == "keras" and keras.__version__ == keras.version() == importlib.metadata.version("keras")
assert tuple(map(int, keras.__version__.split("."))) >= (3, 15)

from keras.api.layers import Conv2D
from keras._tf_keras.keras.models import Sequential
from keras.src.layers.core.dense import Dense
from keras.src.layers import Dense as same
from keras.src.ops.numpy import einsum
from keras.src import backend, saving
assert Dense is same is keras.layers.Dense and Conv2D is keras.layers.Conv2D and einsum is ops.einsum
assert backend.standardize_dtype("float32") == "float32" and saving.serialization_lib.serialize_keras_object

model = Sequential([keras.Input((2,)), Dense(3)])
assert isinstance(model, keras.Model) and isinstance(model.layers[0], jaxkeras.layers.Dense)
assert keras.saving.serialize_keras_object(model.layers[0])["module"] == "keras.layers"
assert pickle.loads(pickle.dumps(Dense)) is Dense
assert pickle.loads(b"ckeras.src.layers.core.dense\\nDense\\n.") is Dense  # as written by Keras

errors = {}
for code in json.loads(sys.argv[1]):
    try:
        exec(code)
    except ImportError as error:
        errors[code] = str(error)
print(json.dumps(errors))

from jaxkeras.alias import finder, table
for (module, name), counterpart in table.COUNTERPARTS.items():
    assert getattr(importlib.import_module("keras.src." + module), name) is not None
for module in [*table.PACKAGES, *filter(None, table.NAMESPACES)]:
    assert importlib.import_module("keras.src." + module).__name__ == "keras.src." + module
for namespaces in table.NAMESPACES.values():
    assert all(finder._public_module(name) is not None for name in namespaces)
"""


def test_script_with_arguments(tmp_path):
    """Public names are the same objects, private ones have counterparts, and unknown ones say so."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    imports = {
        "from keras.src.backend import set_keras_masks": "Did you mean set_keras_mask",
        "import keras.src.engine.base_layer": "keras.src.engine is private to Keras",
        "from keras.src.layers.core.dense import nothing": "no counterpart",
        "import keras.engine": "no public module 'keras.engine'",
        "import keras.layers.core": "no public module 'keras.layers.core'",
        "from keras.layers import Nothing": "cannot import name 'Nothing'",
    }
    errors = json.loads(run("-m", "jaxkeras.as_keras", str(script), json.dumps(list(imports))))
    assert errors.keys() == imports.keys()
    for code, part in imports.items():
        assert part in errors[code]


def test_refused_after_keras():
    code = "import sys, types; sys.modules['keras'] = types.ModuleType('keras'); import jaxkeras.as_keras"
    assert "keras was imported before jaxkeras.as_keras" in run("-c", code, code=1)


def test_pytest_plugin_and_counterparts(tmp_path):
    (tmp_path / "test_package.py").write_text(textwrap.dedent(COUNTERPARTS))
    assert "passed" in run("-m", "pytest", "-q", "-p", "jaxkeras.as_keras", "-p", "no:cacheprovider", str(tmp_path))


COUNTERPARTS = """
    import io
    import keras
    import numpy as np
    import pytest
    from keras.src import testing
    from keras.src.backend import get_keras_mask, set_keras_mask
    from keras.src.ops.operation_utils import compute_conv_output_shape, compute_pooling_output_shape
    from keras.src.saving import saving_lib
    from keras.src.saving.serialization_lib import in_safe_mode
    from keras.src.utils.argument_validation import standardize_padding, standardize_tuple
    from keras.src.utils.module_utils import LazyModule
    from keras.src.utils.tracking import no_automatic_dependency_tracking


    class TestCounterparts(testing.TestCase):
        def test_arrays(self):
            x = keras.ops.ones((2, 3))
            set_keras_mask(x, keras.ops.ones((2,), bool))
            self.assertAllEqual(get_keras_mask(x), [True, True])
            self.assertAllClose(x, np.ones((2, 3)))
            with self.assertRaises(AssertionError):
                self.assertAllClose(x, np.zeros((2, 3)))
            with self.assertRaises(AssertionError):
                self.assertNotAllClose(x, np.ones((2, 3)))

        def test_layer(self):
            arguments = dict(init_kwargs={"units": 2}, input_shape=(4, 3))
            self.run_layer_test(
                keras.layers.Dense, **arguments, expected_output_shape=(4, 2), expected_num_trainable_weights=2,
                expected_num_losses=0, supports_masking=True,
            )
            for wrong in ({"expected_output_shape": (4, 3)}, {"expected_num_trainable_weights": 1}):
                with self.assertRaises(AssertionError):
                    self.run_layer_test(keras.layers.Dense, **arguments, **wrong)

        def test_files(self):
            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            file = io.BytesIO()
            saving_lib.save_model(model, file)
            loaded = saving_lib.load_model(io.BytesIO(file.getvalue()))
            self.assertAllEqual(loaded.get_weights()[0], model.get_weights()[0])

        def test_safe_mode(self):
            class Asks(keras.layers.Layer):
                @classmethod
                def from_config(cls, config):
                    modes.append(in_safe_mode())
                    return cls(**config)

            modes, config = [in_safe_mode()], keras.saving.serialize_keras_object(Asks())
            for safe_mode in (True, False):
                keras.saving.deserialize_keras_object(config, {"Asks": Asks}, safe_mode=safe_mode)
            self.assertEqual(modes, [None, True, False])

        def test_untracked(self):
            class Holder(keras.layers.Layer):
                @no_automatic_dependency_tracking
                def hold(self, other):
                    self.other = other

            holder, held = Holder(), keras.layers.Dense(1)
            held.build((None, 2))
            holder.hold(held)
            self.assertLen(holder.weights, 0)
            holder.owned = held
            self.assertLen(holder.weights, 2)


    def test_arguments():
        assert standardize_tuple(2, 3, "size") == (2, 2, 2)
        assert standardize_padding("Same") == "same"
        with pytest.raises(ValueError):
            standardize_padding("causal")
        assert compute_pooling_output_shape((None, 5, None, 2), (2, 2)) == (None, 2, None, 2)
        assert compute_conv_output_shape((None, 5, 6, 2), 7, (3, 3), 2) == (None, 2, 2, 7)
        assert [row["testcase_name"] for row in testing.test_utils.named_product(a=(1, 2))] == ["a_1", "a_2"]


    def test_lazy_module():
        assert LazyModule("colorsys").rgb_to_hsv and not LazyModule("no_such_module").available
        with pytest.raises(ImportError, match="pip install"):
            LazyModule("no_such_module").anything
"""


def test_environment_variable(tmp_path):
    run("-m", "jaxkeras.as_keras", "--install", str(tmp_path))
    code = f"import site, sys; site.addsitedir({str(tmp_path)!r}); print('jaxkeras.as_keras' in sys.modules)"
    assert run("-c", code, JAXKERAS_AS_KERAS="1") == "True\n"
    assert run("-c", code, JAXKERAS_AS_KERAS="0") == "False\n"
    run("-m", "jaxkeras.as_keras", "--uninstall", str(tmp_path))
    assert not list(tmp_path.iterdir())
