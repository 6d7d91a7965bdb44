"""Bounding-box functions, compared with Keras on NumPy."""

import jax
import keras
import numpy as np
import pytest

import jaxkeras as jk

ours, theirs = jk.utils.bounding_boxes, keras.utils.bounding_boxes
RNG = np.random.default_rng(0)


def boxes(*shape):
    corner = RNG.uniform(0, 30, (*shape, 2))
    return np.concatenate([corner, corner + RNG.uniform(1, 20, (*shape, 2))], axis=-1).astype("float32")


A, B, PAIR = boxes(2, 3), boxes(2, 5), boxes(2, 3)
MASKED = np.concatenate([B, np.full((2, 1, 4), -1, "float32")], axis=1)


@pytest.mark.parametrize(
    "first, second, more",
    [
        (A, B, {}),
        (A[0], B[0], {}),
        (A, B[0], {}),
        (A[0], B, {}),
        (A, MASKED, {"use_masking": True, "mask_val": -7}),
        (A / 50, B / 50, {"bounding_box_format": "rel_yxyx", "image_shape": (40, 50, 3)}),
        (A, B, {"bounding_box_format": "center_xywh"}),
    ],
)
def test_compute_iou_equals_keras(first, second, more):
    arguments = {"bounding_box_format": "xyxy", **more}
    expected = theirs.compute_iou(first.copy(), second.copy(), **arguments)
    np.testing.assert_allclose(ours.compute_iou(first, second, **arguments), expected, rtol=1e-5, atol=1e-6)


def test_compute_iou_rejects_a_wrong_shape_or_a_missing_image_shape():
    with pytest.raises(ValueError, match="image_shape"):
        ours.compute_iou(A, B, "rel_xyxy")
    with pytest.raises(ValueError, match=r"\(3, 4\) and \(4,\)"):
        ours.compute_iou(A[0], B[0, 0], "xyxy")


@pytest.mark.parametrize("form", ["xyxy", "center_yxhw"])
def test_compute_ciou_equals_keras(form):
    expected = theirs.compute_ciou(A.copy(), PAIR.copy(), form)
    np.testing.assert_allclose(ours.compute_ciou(A, PAIR, form), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.compute_ciou(A, A, form), 1.0, atol=1e-5)


def test_compute_ciou_accepts_relative_boxes_unlike_keras():
    unit = np.array([50, 40, 50, 40], "float32")
    relative = ours.compute_ciou(A / unit, PAIR / unit, "rel_xyxy", image_shape=(40, 50, 3))
    np.testing.assert_allclose(relative, ours.compute_ciou(A, PAIR, "xyxy"), rtol=1e-4)


PARAMETERS = {
    "angle": [30.0, -10.0], "translate_x": [0.1, 0.0], "translate_y": [-0.2, 0.3], "scale": [1.2, 0.8],
    "shear_x": [5.0, 0.0], "shear_y": [0.0, 12.0],
}  # fmt: skip


@pytest.mark.parametrize("center", [{}, {"center_x": 0.2, "center_y": 0.9}])
def test_affine_transform_equals_keras(center):
    given = {name: np.array(values, "float32") for name, values in PARAMETERS.items()}
    expected = theirs.affine_transform(A.copy(), **given, height=40, width=50, **center)
    actual = ours.affine_transform(A, **given, height=40, width=50, **center)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)
    one = ours.affine_transform(A[0], **{k: v[0] for k, v in given.items()}, height=40, width=50, **center)
    np.testing.assert_allclose(one, expected[0], rtol=1e-4, atol=1e-3)


def test_crop_and_pad_equal_keras():
    np.testing.assert_allclose(ours.crop(A, 5, 7, 20, 18), theirs.crop(A, 5, 7, 20, 18), rtol=1e-6)
    np.testing.assert_allclose(ours.pad(A, 5, 7), theirs.pad(A, 5, 7), rtol=1e-6)
    with pytest.raises(ValueError, match="convert_format"):
        ours.crop(A, 5, 7, 20, 18, bounding_box_format="xywh")


@pytest.mark.parametrize("coding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_encoding_deltas_equals_keras_and_decoding_inverts_it(coding, variance):
    shared = {"anchor_format": "xyxy", "box_format": "rel_xywh", "variance": variance, "image_shape": (40, 50, 3)}
    relative = np.asarray(ours.convert_format(A, "xyxy", "rel_xywh", 40, 50))
    deltas = ours.encode_box_to_deltas(PAIR[0], relative, encoding_format=coding, **shared)
    expected = theirs.encode_box_to_deltas(PAIR[0], relative, encoding_format=coding, **shared)
    np.testing.assert_allclose(deltas, expected, rtol=1e-4, atol=1e-5)
    back = ours.decode_deltas_to_boxes(PAIR[0], deltas, encoded_format=coding, **shared)
    np.testing.assert_allclose(back, relative, rtol=1e-4, atol=1e-5)
    levels = ours.decode_deltas_to_boxes({"P3": PAIR[0]}, {"P3": deltas}, encoded_format=coding, **shared)
    np.testing.assert_array_equal(levels["P3"], back)


def test_invalid_variance_raises():
    with pytest.raises(ValueError, match="four numbers"):
        ours.encode_box_to_deltas(A[0], A, "xyxy", "xyxy", variance=[1.0, 2.0])


def test_box_functions_run_under_jit():
    shape = jax.eval_shape(lambda a, b: ours.compute_iou(a, b, "xyxy"), A, B)
    assert shape.shape == (2, 3, 5)
