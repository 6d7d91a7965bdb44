"""Preprocessing."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("Rescaling", lambda: L.Rescaling(0.5, offset=1.0), (2, 3)),
    Row("Normalization", lambda: L.Normalization(), (2, 3)),
    Row("Normalization-given", lambda: L.Normalization(axis=None, mean=1.0, variance=4.0), (2, 3)),
    Row("Discretization", lambda: L.Discretization([-0.5, 0.5], output_mode="one_hot"), (2, 3), grad=False),
    Row("CategoryEncoding", lambda: L.CategoryEncoding(4, output_mode="count"), (2, 3), dtype="int32", grad=False),
    Row("Hashing", lambda: L.Hashing(3), (2, 3), dtype="int32", host=True, grad=False),
    Row("IntegerLookup", lambda: L.IntegerLookup(vocabulary=[3, 1]), (2, 3), dtype="int32", host=True, grad=False),
]
