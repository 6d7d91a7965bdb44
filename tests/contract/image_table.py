"""Image preprocessing."""

from jaxkeras import layers as L
from tests.contract.row import Row

X = (2, 6, 5, 3)
# Keras's RandomCrop does not crop at inference, contrary to its documentation and inferred shape (ours crops the
# center); its RandomShear rejects its own config. Mosaic is newer than the Keras of these tests.
APART = ("RandomCrop", "RandomShear", "Mosaic")
# Steps and lookups have no useful derivative. At inference, where Keras is compared, most of these do nothing.
ROWS = [
    Row(
        name, (lambda name=name, settings=settings: getattr(L, name)(**settings)), X, grad=False,
        keras=name not in APART,
    )  # fmt: skip
    for name, settings in {
        "AugMix": {"num_chains": 2, "chain_depth": 2},
        "AutoContrast": {},
        "CenterCrop": {"height": 4, "width": 3},
        "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (2, 2)},
        "CutMix": {},
        "Equalization": {"bins": 16},
        "MaxNumBoundingBoxes": {"max_number": 3},
        "MixUp": {},
        "Mosaic": {},
        "RandAugment": {},
        "RandomBrightness": {"factor": 0.3},
        "RandomColorDegeneration": {"factor": 0.5},
        "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.2, "hue_factor": 0.1},
        "RandomContrast": {"factor": 0.5},
        "RandomCrop": {"height": 4, "width": 3},
        "RandomElasticTransform": {},
        "RandomErasing": {},
        "RandomFlip": {},
        "RandomGaussianBlur": {},
        "RandomGrayscale": {},
        "RandomHue": {"factor": 0.5},
        "RandomInvert": {"factor": 0.5},
        "RandomPerspective": {},
        "RandomPosterization": {"factor": 4},
        "RandomRotation": {"factor": 0.2},
        "RandomSaturation": {"factor": 0.5},
        "RandomSharpness": {"factor": 0.5},
        "RandomShear": {"x_factor": 0.3},
        "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.3},
        "RandomZoom": {"height_factor": 0.3},
        "Resizing": {"height": 4, "width": 3},
        "Solarization": {"addition_factor": 0.5},
    }.items()
]
