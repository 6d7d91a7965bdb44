"""Drawings, checked by single pixels and by the elements of a figure."""

import numpy as np
import pytest

import jaxkeras as jk

v = jk.visualization
RED = (255, 0, 0)
BOXES = {"boxes": np.array([[[4.0, 12, 40, 40], [0, 0, 9, 9]]]), "labels": np.array([[2, -1]])}


def black(count=1, size=48, channels=3):
    return np.zeros((count, size, size, channels), "float32")


# -- boxes ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["xyxy", "rel_yxyx", "center_xywh"])
def test_boxes_are_outlined_and_label_minus_one_is_skipped(form):
    boxes = {**BOXES, "boxes": jk.utils.bounding_boxes.convert_format(BOXES["boxes"], "xyxy", form, 48, 48)}
    drawn = v.draw_bounding_boxes(black(), boxes, form, color=RED, line_thickness=2)[0]
    assert drawn.shape == (48, 48, 3) and drawn.dtype == "uint8"
    assert (drawn[12:14, 4:41] == RED).all() and (drawn[12:41, 39:41] == RED).all()
    assert not drawn[14:39, 6:39].any() and not drawn[:12].any()
    np.testing.assert_array_equal(BOXES["boxes"][0, 0], [4, 12, 40, 40])  # the input is unchanged


def test_names_are_drawn_above_or_inside_boxes_with_confidences():
    def painted(top, **more):
        boxes = {"boxes": np.array([[[10.0, top, 60, 70]]]), "labels": np.array([[2]]), **more}
        drawn = v.draw_bounding_boxes(black(size=80), boxes, "xyxy", {2: "dog"}, RED, font_scale=0.5)[0]
        return (drawn == RED).all(-1)

    above, inside = painted(40.0), painted(2.0)
    # A label is a colored bar with letters cut out.
    assert above[25:38, 10:30].mean() > 0.3 and not above[:20].any() and inside[4:15, 14:30].mean() > 0.3
    assert painted(40.0, confidences=np.array([[0.51234]]))[:38].sum() > 1.5 * above[:38].sum()
    # Near the right border the label shifts left; letters are white on red.
    right = {"boxes": np.array([[[70.0, 40, 79, 60]]]), "labels": np.array([[0]])}
    drawn = v.draw_bounding_boxes(black(size=80), right, "xyxy", {0: "horse"}, RED, font_scale=0.5)[0]
    assert (drawn[:38, :60] == RED).all(-1).any() and (drawn[:38] == 255).all(-1).any()


@pytest.mark.parametrize("channels", [1, 4])
def test_grayscale_and_transparent_images(channels):
    drawn = v.draw_bounding_boxes(black(channels=channels), BOXES, "xyxy", {2: "x"}, color=(200, 200, 200))
    assert drawn.shape == (1, 48, 48, channels) and drawn[0, 39, 20, 0] == 200
    assert channels == 1 or drawn[0, 39, 20, 3] == 255


def test_value_ranges_data_formats_and_degenerate_boxes():
    gray = np.full((1, 3, 48, 48), 0.5, "float32")
    odd = {"boxes": [[[40.0, 40, 4, 12], [np.nan, 0, 1, 1], [-1e9, -1e9, 1e9, 1e9]]], "labels": [[0, 0, 0]]}
    drawn = v.draw_bounding_boxes(gray, odd, "xyxy", color=RED, data_format="channels_first")
    assert drawn.shape == (1, 3, 48, 48)
    assert drawn[0, :, 39, 20].tolist() == list(RED) and drawn[0, :, 0, 0].tolist() == [127] * 3
    whole = v.draw_bounding_boxes(np.full((1, 9, 9, 3), 200.0), {"boxes": [[]], "labels": [[]]}, "xyxy")
    assert (whole == 200).all()


@pytest.mark.parametrize(
    "images, boxes, error, text",
    [
        (black()[0], BOXES, ValueError, "batch"),
        (black(), [1], TypeError, "dict"),
        (black(), {"boxes": BOXES["boxes"]}, ValueError, "labels"),
        (black(2), BOXES, ValueError, "2 images"),
        (black(channels=2), BOXES, ValueError, "channels"),
    ],
)
def test_invalid_images_and_boxes_raise(images, boxes, error, text):
    with pytest.raises(error, match=text):
        v.draw_bounding_boxes(images, boxes, "xyxy")


# -- masks ------------------------------------------------------------------------------------------------------------
MASK = np.array([[[0, 1], [2, 3]]])


def test_masks_are_blended_and_the_background_is_unchanged():
    images = np.full((1, 2, 2, 3), 100, "uint8")
    colors = {1: RED, 2: (0, 255, 0), 3: (0, 0, 255)}
    drawn = v.draw_segmentation_masks(images, MASK, color_mapping=colors, alpha=0.4)[0]
    assert drawn[0, 0].tolist() == [100] * 3
    assert drawn[0, 1].tolist() == [162, 60, 60] and drawn[1, 1].tolist() == [60, 60, 162]
    plain = v.draw_segmentation_masks(images, MASK[..., None], color_mapping=colors, blend=False, ignore_index=3)[0]
    assert plain[1, 0].tolist() == [0, 255, 0] and plain[1, 1].tolist() == [100] * 3
    background = v.draw_segmentation_masks(images, MASK, 1, color_mapping={0: RED, 1: RED}, blend=False)[0]
    assert background[0].tolist() == [list(RED)] * 2 and background[1].tolist() == [[100] * 3] * 2


def test_default_colors_differ_and_data_formats_agree():
    drawn = v.draw_segmentation_masks(black(size=2), MASK, alpha=1.0)
    assert len({tuple(color) for color in drawn.reshape(-1, 3).tolist()}) == 4
    first = v.draw_segmentation_masks(
        black(size=2).transpose(0, 3, 1, 2), MASK[:, None], alpha=1.0, data_format="channels_first"
    )
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), drawn)


@pytest.mark.parametrize(
    "mask, more, error, text",
    [
        (MASK.astype("float32"), {}, TypeError, "astype"),
        (MASK[:, :1], {}, ValueError, r"\(1, 1, 2\)"),
        (MASK, {"color_mapping": {1: RED}}, ValueError, r"\[2, 3\]"),
    ],
)
def test_invalid_masks_raise(mask, more, error, text):
    with pytest.raises(error, match=text):
        v.draw_segmentation_masks(black(size=2), mask, **more)


# -- galleries --------------------------------------------------------------------------------------------------------
def shown(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def test_gallery_shows_every_image_with_its_classes():
    images = np.stack([np.full((4, 6, 3), i / 4, "float32") for i in range(5)])
    figure = v.plot_image_gallery(
        images,
        y_true=[0, 1, 0, 1, 7],
        y_pred=np.zeros(5),
        label_map={0: "cat", 1: "dog"},
        value_range=(0, 1),
        show=False,
    )
    assert [int(picture.max()) for picture in shown(figure)] == [0, 63, 127, 191, 255]
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[1] == "Label: dog  Pred: cat" and titles[4].startswith("Label: Unknown") and titles[5] == ""
    assert len(figure.axes) == 6  # three rows of two, the last cell empty
    few = v.plot_image_gallery(images, rows=1, cols=2, value_range=(0, 1), show=False)
    assert len(shown(few)) == 2


def test_gallery_is_saved_to_a_file(tmp_path):
    from PIL import Image

    assert v.plot_image_gallery(black(2, 8, 1), path=tmp_path / "a.png", dpi=50) is None
    assert Image.open(tmp_path / "a.png").size[0] > 50
    with pytest.raises(ValueError, match="not both"):
        v.plot_image_gallery(black(), path="a.png", show=True)
    with pytest.raises(ValueError, match="label_map"):
        v.plot_image_gallery(black(), y_true=[0])


def test_box_gallery_draws_true_and_predicted_boxes_with_a_legend():
    images = np.full((1, 3, 48, 48), -1.0, "float32")
    figure = v.plot_bounding_box_gallery(
        images, "xyxy", y_true=BOXES, y_pred={**BOXES, "boxes": BOXES["boxes"] + 4}, value_range=(-1, 1), legend=True,
        true_color=RED, data_format="channels_first", show=False,
    )  # fmt: skip
    (picture,) = shown(figure)
    assert picture[12, 10].tolist() == list(RED) and picture[16, 20].tolist() == [255, 235, 59]
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Ground Truth", "Prediction"]
    with pytest.raises(ValueError, match="not both"):
        v.plot_bounding_box_gallery(black(), "xyxy", legend=True, legend_handles=[1])


def test_mask_gallery_has_one_row_per_image():
    figure = v.plot_segmentation_mask_gallery(
        black(2, 2), 3, y_true=np.repeat(MASK, 2, 0), y_pred=np.zeros((2, 2, 2, 1)), show=False
    )
    pictures = shown(figure)
    assert len(pictures) == 6 and figure.axes[0].get_gridspec().get_geometry() == (2, 3)
    assert pictures[1].any() and not pictures[0].any() and not pictures[2].any()
