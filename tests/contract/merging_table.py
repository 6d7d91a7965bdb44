"""Layers that combine several inputs."""

from jaxkeras import layers as L
from tests.contract.row import Row

ROWS = [
    Row("Add", lambda: L.Add(), [(2, 3, 4), (2, 3, 4)]),
    Row("Subtract", lambda: L.Subtract(), [(2, 3, 4), (2, 3, 4)]),
    Row("Multiply", lambda: L.Multiply(), [(2, 3, 4), (2, 3, 4)]),
    Row("Average", lambda: L.Average(), [(2, 3, 4), (2, 3, 4)]),
    Row("Maximum", lambda: L.Maximum(), [(2, 3, 4), (2, 3, 4)]),
    Row("Minimum", lambda: L.Minimum(), [(2, 3, 4), (2, 3, 4)]),
    Row("Add-broadcast", lambda: L.Add(), [(2, 3, 4), (2, 4), (2, 1, 4)]),
    Row("Concatenate", lambda: L.Concatenate(), [(2, 3), (2, 4)]),
    Row("Concatenate-axis", lambda: L.Concatenate(axis=1), [(2, 3, 4), (2, 1, 4)]),
    Row("Dot", lambda: L.Dot(axes=(2, 1)), [(2, 3, 4), (2, 4, 5)]),
    Row("Dot-normalize", lambda: L.Dot(axes=-1, normalize=True), [(2, 3, 4), (2, 5, 4)]),
]
