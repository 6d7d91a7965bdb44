"""Layers that perturb or penalize activations in training."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("Dropout", lambda: L.Dropout(0.5), (2, 3)),
    Row("Dropout-noise_shape", lambda: L.Dropout(0.5, (None, 1), seed=1), (2, 3)),
    Row("SpatialDropout1D", lambda: L.SpatialDropout1D(0.5), (2, 3, 4)),
    Row("SpatialDropout2D", lambda: L.SpatialDropout2D(0.5), (2, 3, 3, 4)),
    Row("SpatialDropout3D", lambda: L.SpatialDropout3D(0.5, "channels_first"), (2, 3, 2, 2, 2)),
    Row("GaussianDropout", lambda: L.GaussianDropout(0.5), (2, 3)),
    Row("GaussianNoise", lambda: L.GaussianNoise(0.5), (2, 3)),
    Row("AlphaDropout", lambda: L.AlphaDropout(0.5), (2, 3)),
    Row("ActivityRegularization", lambda: L.ActivityRegularization(0.1, 0.1), (2, 3)),
]
