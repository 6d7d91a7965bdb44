"""Normalization of activations and weights."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("BatchNormalization", lambda: L.BatchNormalization(momentum=0.9), (6, 4), batch_stats=True),
    Row("BatchNormalization-axis", lambda: L.BatchNormalization(axis=1), (3, 4, 5), batch_stats=True),
    Row("BatchNormalization-mask", lambda: L.BatchNormalization(), (3, 4, 5), mask=True, batch_stats=True),
    Row("BatchNormalization-renorm", lambda: L.BatchNormalization(renorm=True), (6, 4)),
    Row("LayerNormalization", lambda: L.LayerNormalization(), (2, 3, 4)),
    Row("LayerNormalization-axes", lambda: L.LayerNormalization(axis=[1, 2], center=False), (2, 3, 4)),
    Row("GroupNormalization", lambda: L.GroupNormalization(2), (2, 3, 4)),
    Row("RMSNormalization", lambda: L.RMSNormalization(), (2, 3, 4)),
    Row("UnitNormalization", lambda: L.UnitNormalization(), (2, 3)),
    Row("SpectralNormalization", lambda: L.SpectralNormalization(L.Dense(3)), (2, 4)),
]
