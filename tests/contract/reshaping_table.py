"""Layers that reshape, repeat, crop or pad."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("Flatten", lambda: L.Flatten(), (2, 3, 4)),
    Row("Flatten-channels_first", lambda: L.Flatten("channels_first"), (2, 3, 4, 5)),
    Row("Reshape", lambda: L.Reshape((-1, 2)), (2, 3, 4)),
    Row("Permute", lambda: L.Permute((2, 1)), (2, 3, 4)),
    Row("RepeatVector", lambda: L.RepeatVector(3), (2, 4)),
    Row("Cropping1D", lambda: L.Cropping1D((0, 2)), (2, 5, 3)),
    Row("Cropping2D", lambda: L.Cropping2D(((1, 0), (0, 2))), (2, 5, 6, 3)),
    Row("Cropping3D", lambda: L.Cropping3D(), (2, 4, 5, 6, 2)),
    Row("ZeroPadding1D", lambda: L.ZeroPadding1D((0, 2)), (2, 5, 3)),
    Row("ZeroPadding2D", lambda: L.ZeroPadding2D((1, 2), "channels_first"), (2, 3, 4, 5)),
    Row("ZeroPadding3D", lambda: L.ZeroPadding3D(), (2, 2, 2, 3, 2)),
    Row("UpSampling1D", lambda: L.UpSampling1D(3), (2, 4, 3)),
    Row("UpSampling2D", lambda: L.UpSampling2D((1, 2)), (2, 3, 4, 2)),
    Row("UpSampling2D-bilinear", lambda: L.UpSampling2D(interpolation="bilinear"), (2, 3, 4, 2)),
    Row("UpSampling3D", lambda: L.UpSampling3D(), (2, 2, 3, 2, 2)),
]
