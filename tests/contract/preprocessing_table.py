"""Preprocessing."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("Rescaling", lambda: L.Rescaling(0.5, offset=1.0), (2, 3)),
    Row("Normalization", lambda: L.Normalization(), (2, 3)),
    Row("Normalization-given", lambda: L.Normalization(axis=None, mean=1.0, variance=4.0), (2, 3)),
    Row("Discretization", lambda: L.Discretization([-0.5, 0.5], output_mode="one_hot"), (2, 3), grad=False),
    Row("CategoryEncoding", lambda: L.CategoryEncoding(4, output_mode="count"), (2, 3), dtype="int32", grad=False),
    Row("STFTSpectrogram", lambda: L.STFTSpectrogram("magnitude", frame_length=8), (2, 20, 2)),
    Row(
        "MelSpectrogram",
        lambda: L.MelSpectrogram(16, 8, sampling_rate=4000, num_mel_bins=4, power_to_db=False),
        (2, 40),
    ),
    Row("Pipeline", lambda: L.Pipeline([L.Rescaling(0.5), L.CenterCrop(2, 3)]), (2, 4, 4, 3), grad=False),
    *(
        Row(name, make, shape, dtype=dtype, host=True, keras=False)
        for name, make, shape, dtype in (
            ("Hashing", lambda: L.Hashing(3), (2, 3), "int32"),
            ("HashedCrossing", lambda: L.HashedCrossing(5), [(2,), (2,)], "int32"),
            ("IntegerLookup", lambda: L.IntegerLookup(vocabulary=[3, 1]), (2, 3), "int32"),
            ("StringLookup", lambda: L.StringLookup(vocabulary=["a", "d"], output_mode="multi_hot"), (2, 3), "string"),
            ("TextVectorization", lambda: L.TextVectorization(vocabulary=["a", "c"]), (3,), "string"),
        )
    ),
]
