"""Conventions of Keras's layers that programs rely on: attributes, eager types, leniency and types of errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras import layers
from jaxkeras.core.masks import get_mask
from jaxkeras.data.dataset import Dataset


def ones(*shape):
    return np.ones(shape, "float32")


def test_pooling_starts_built_and_warns_of_an_empty_output():
    layer = layers.MaxPooling1D(5)
    assert layer.built
    assert layer.pool_mode == "max"
    with pytest.warns(UserWarning, match="empty output"):
        assert layer(ones(2, 3, 1)).shape == (2, 0, 1)


@pytest.mark.parametrize("name, axis, after", [
    ("LayerNormalization", -1, [-1]), ("LayerNormalization", (2, 1), [1, 2]), ("RMSNormalization", -1, [-1]),
])  # fmt: skip
def test_axis_is_a_list_after_build(name, axis, after):
    keras = pytest.importorskip("keras")
    ours, theirs = (getattr(k.layers, name)(axis=axis) for k in (jk, keras))
    assert ours.get_config()["axis"] == theirs.get_config()["axis"]
    for layer in (ours, theirs):
        layer.build((2, 3, 4))
    assert ours.get_config()["axis"] == theirs.get_config()["axis"] == after


def test_masks_are_attributes_of_eager_arrays():
    x = layers.Masking()(ones(1, 2, 3))
    assert get_mask(x) is x._keras_mask
    x._keras_mask = None
    assert get_mask(x) is None


def test_compute_mask_takes_the_mask_by_keyword_and_checks_lists():
    mask = np.array([[True, False]])
    pair = [ones(1, 2, 3), ones(1, 2, 3)]
    assert layers.Attention().compute_mask(inputs=pair, mask=[mask, None]).tolist() == mask.tolist()
    assert layers.Masking().compute_mask(ones(1, 2, 3)).tolist() == [[True, True]]
    assert layers.Masking().compute_mask(jk.KerasTensor((None, 2, 3))).shape == (None, 2)
    for cls in (layers.Add, layers.Concatenate):
        assert cls().compute_mask(pair, mask=[None, None]) is None
        for inputs, masks in ((pair, mask), (pair[0], [None, None]), (pair, [None])):
            with pytest.raises(ValueError, match="compute_mask"):
                cls().compute_mask(inputs, masks)


def test_a_bad_config_is_a_type_error():
    with pytest.raises(TypeError, match="`input_dim`"):
        layers.Embedding.from_config({"input_dim": 3.7, "output_dim": 8})


@pytest.mark.parametrize("make, shape, name", [
    (lambda: layers.Dense(2), (2, 3), "kernel"), (lambda: layers.Embedding(4, 3), (2, 3), "embeddings"),
    (lambda: layers.Conv1D(2, 2), (2, 3, 3), "kernel"),
])  # fmt: skip
def test_the_adapted_weight_is_the_sum_with_lora(make, shape, name):
    layer = make()
    with pytest.raises(AttributeError, match="built"):
        getattr(layer, name)
    layer(ones(*shape))
    assert getattr(layer, name) is getattr(layer, f"_{name}")
    layer.enable_lora(1, lora_alpha=3.0, b_initializer="ones")
    a = getattr(layer, f"lora_{name}_a")
    expected = np.asarray(getattr(layer, f"_{name}").value) + 3 * np.asarray(a.value)
    np.testing.assert_allclose(np.asarray(getattr(layer, name)), expected, rtol=1e-6)


def test_parts_by_their_private_names():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense, self.drop = layers.Dense(2), layers.Dropout(0.5)
            self.mean = jk.metrics.Mean()

    block = Block()
    assert block._layers == [block.dense, block.drop]
    assert block._metrics == [block.mean]
    assert len(block.drop._seed_generators) == 1
    block._layers = []
    assert block._layers == []


def test_a_layer_of_integers_casts_floats():
    assert layers.Identity(dtype="int32")(ones(2)).dtype == jnp.int32
    assert layers.Discretization([0.5], dtype="int32")(ones(2)).tolist() == [1, 1]


@pytest.mark.parametrize("make, x, dtype", [
    (lambda: layers.StringLookup(vocabulary=["a"]), ["a"], "int32"),
    (lambda: layers.StringLookup(vocabulary=["a"], output_mode="multi_hot"), [["a"]], "int32"),
    (lambda: layers.IntegerLookup(vocabulary=[7], output_mode="count"), [[7]], "int32"),
    (lambda: layers.StringLookup(vocabulary=["a"], output_mode="tf_idf", idf_weights=[2.0]), [["a"]], "float32"),
    (lambda: layers.Hashing(3), [["a"]], "int32"),
])  # fmt: skip
def test_host_layers_return_jax_arrays_but_numpy_arrays_in_a_pipeline(make, x, dtype):
    layer = make()
    y = layer(np.array(x))
    assert isinstance(y, jax.Array)
    assert y.dtype == dtype
    seen = []
    list(Dataset.from_tensor_slices(np.array(x)).map(lambda row: seen.append(layer(row)) or 0))
    assert isinstance(seen[0], np.ndarray)


def test_boxes_move_with_a_transformation_alone():
    layer = layers.RandomFlip("horizontal", seed=1, bounding_box_format="xyxy")
    boxes = {"boxes": np.array([[2.0, 1.0, 4.0, 3.0]]), "labels": np.array([1])}
    given = {"flips": np.array([[[[True]]]]), "input_shape": (10, 8, 3)}
    moved = layer.transform_bounding_boxes(boxes, given)
    assert moved["boxes"].tolist() == [[4.0, 1.0, 6.0, 3.0]]
    assert moved["labels"].tolist() == [1]


def test_long_windows_over_unknown_lengths():
    assert layers.Conv1D(4, 400)(jk.Input((None, 1))).shape == (None, None, 4)
    assert layers.STFTSpectrogram(frame_length=2048)(jk.Input((None, 2))).shape == (None, None, 2050)
    with pytest.raises(TypeError, match="takes floats"):
        layers.STFTSpectrogram()(np.zeros((1, 512, 1), "int32"))


def test_shapes_before_adapt():
    layer = layers.Discretization(num_bins=4, output_mode="one_hot")
    assert layer.compute_output_shape((None, 3)) == (None, 3, 4)
    assert layers.Dense(2).compute_output_shape(input_shape=(None, 3)) == (None, 2)


def test_an_input_layer_refuses_arguments_that_contradict_its_tensor():
    tensor = jk.KerasTensor((2, 3))
    assert layers.InputLayer((3,), batch_size=2, dtype="float32", input_tensor=tensor).call() is None
    for wrong in ({"shape": (4,)}, {"batch_shape": (2, 4)}, {"batch_size": 5}, {"dtype": "float16"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            layers.InputLayer(input_tensor=tensor, **wrong)


@pytest.mark.parametrize("name", ["parts", "linked", "own_variables", "state", "params"])
def test_layers_may_have_attributes_of_any_name(name):
    class Scale(layers.Layer):
        def build(self, shape):
            setattr(self, name, self.add_weight(shape[1:], "ones", name="scale"))

        def call(self, x):
            return getattr(self, name) * x

    model = jk.Sequential([Scale()])
    assert model.predict(ones(2, 3), verbose=0).tolist() == [[1, 1, 1]] * 2
    assert [v.name for v in model.weights] == ["scale"]


def test_a_sequential_model_leaves_sizes_to_its_layers():
    flat = jk.Sequential([layers.Input((4, 2)), layers.Flatten()])
    assert flat(ones(2, 5, 2)).shape == (2, 10)
    assert flat.predict(ones(3, 6, 2), verbose=0).shape == (3, 12)
    with pytest.raises(ValueError, match="axis -1 of input shape to have value 3"):
        jk.Sequential([layers.Input((4, 3)), layers.Dense(1)])(ones(2, 4, 2))
    with pytest.raises(ValueError, match="the data has shape"):
        flat(ones(2, 4, 2, 2))


def test_registered_context_arguments_reach_inner_layers():
    class Inner(layers.Layer):
        def __init__(self):
            super().__init__()
            self._register_call_context_args("shifted")

        def call(self, x, shifted=None):
            return x + 1 if shifted else x

    inputs = layers.Input((1,))
    model = jk.Model(inputs, jk.Sequential([Inner()])(inputs))
    model._register_call_context_args("shifted")
    assert model(ones(1, 1), shifted=True).tolist() == [[2]]
    assert model(ones(1, 1)).tolist() == [[1]]
    inner = Inner()
    assert inner(ones(1), shifted=True).tolist() == [2]
    with pytest.raises(RuntimeError, match="before the layer is called"):
        inner._register_call_context_args("other")


def test_add_weight_says_where_a_name_goes():
    layer = layers.Layer()
    with pytest.raises(ValueError, match="name='matrix'"):
        layer.add_weight("matrix")
    with pytest.raises(ValueError, match="is a keyword argument"):
        layer.add_weight("matrix", shape=(3, 4))
    with pytest.raises(TypeError, match="positional"):
        layer.add_weight((3, 4), "zeros", "float32", "matrix")
