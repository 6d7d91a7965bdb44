"""Windowed, global and adaptive pooling."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("MaxPooling1D", lambda: L.MaxPooling1D(2), (2, 7, 3)),
    Row("AveragePooling1D", lambda: L.AveragePooling1D(2, padding="same"), (2, 7, 3)),
    Row("GlobalMaxPooling1D", lambda: L.GlobalMaxPooling1D(), (2, 7, 3)),
    Row("GlobalAveragePooling1D", lambda: L.GlobalAveragePooling1D(), (2, 7, 3)),
    Row("AdaptiveMaxPooling1D", lambda: L.AdaptiveMaxPooling1D(2), (2, 7, 3)),
    Row("AdaptiveAveragePooling1D", lambda: L.AdaptiveAveragePooling1D(2), (2, 7, 3)),
    Row("MaxPooling2D", lambda: L.MaxPooling2D(2), (2, 5, 6, 3)),
    Row("AveragePooling2D", lambda: L.AveragePooling2D(2, padding="same"), (2, 5, 6, 3)),
    Row("GlobalMaxPooling2D", lambda: L.GlobalMaxPooling2D(), (2, 5, 6, 3)),
    Row("GlobalAveragePooling2D", lambda: L.GlobalAveragePooling2D(), (2, 5, 6, 3)),
    Row("AdaptiveMaxPooling2D", lambda: L.AdaptiveMaxPooling2D(2), (2, 5, 6, 3)),
    Row("AdaptiveAveragePooling2D", lambda: L.AdaptiveAveragePooling2D(2), (2, 5, 6, 3)),
    Row("MaxPooling3D", lambda: L.MaxPooling3D(2), (2, 4, 4, 3, 2)),
    Row("AveragePooling3D", lambda: L.AveragePooling3D(2, padding="same"), (2, 4, 4, 3, 2)),
    Row("GlobalMaxPooling3D", lambda: L.GlobalMaxPooling3D(), (2, 4, 4, 3, 2)),
    Row("GlobalAveragePooling3D", lambda: L.GlobalAveragePooling3D(), (2, 4, 4, 3, 2)),
    Row("AdaptiveMaxPooling3D", lambda: L.AdaptiveMaxPooling3D(2), (2, 4, 4, 3, 2)),
    Row("AdaptiveAveragePooling3D", lambda: L.AdaptiveAveragePooling3D(2), (2, 4, 4, 3, 2)),
    Row("GlobalAveragePooling1D-mask", lambda: L.GlobalAveragePooling1D(), (2, 7, 3), mask=True),
]
