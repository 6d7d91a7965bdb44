"""Convolutions and their transposes."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("Conv1D", lambda: L.Conv1D(4, 3, padding="causal", activation="relu"), (2, 7, 3)),
    Row("Conv1D-dilated", lambda: L.Conv1D(4, 2, dilation_rate=2), (2, 7, 3)),
    Row("Conv2D", lambda: L.Conv2D(4, 3, padding="same"), (2, 5, 6, 3)),
    Row("Conv2D-groups", lambda: L.Conv2D(4, (2, 3), strides=2, groups=2, use_bias=False), (2, 5, 6, 4)),
    Row("Conv2D-channels_first", lambda: L.Conv2D(4, 3, data_format="channels_first"), (2, 3, 5, 6)),
    Row("Conv2D-lora", lambda: L.Conv2D(4, 2, lora_rank=2), (2, 4, 4, 3), step=1e-3),
    Row("Conv3D", lambda: L.Conv3D(3, 2), (2, 3, 3, 3, 2)),
    Row("DepthwiseConv1D", lambda: L.DepthwiseConv1D(3, depth_multiplier=2), (2, 7, 3)),
    Row("DepthwiseConv2D", lambda: L.DepthwiseConv2D(3, strides=2, padding="same"), (2, 5, 6, 3)),
    Row("SeparableConv1D", lambda: L.SeparableConv1D(4, 3), (2, 7, 3)),
    Row("SeparableConv2D", lambda: L.SeparableConv2D(4, 3, padding="same"), (2, 5, 6, 3)),
    Row("Conv1DTranspose", lambda: L.Conv1DTranspose(4, 3, strides=2), (2, 5, 3)),
    Row("Conv2DTranspose", lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same"), (2, 3, 4, 3)),
    Row(
        "Conv2DTranspose-channels_first",
        lambda: L.Conv2DTranspose(4, 3, strides=2, output_padding=1, data_format="channels_first"),
        (2, 3, 3, 4),
    ),
    Row("Conv3DTranspose", lambda: L.Conv3DTranspose(2, 2, strides=2), (2, 2, 2, 2, 3)),
]
