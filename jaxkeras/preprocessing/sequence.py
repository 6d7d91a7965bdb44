"""Sequences of different lengths."""

from jaxkeras.utils.arrays import pad_sequences as pad_sequences
