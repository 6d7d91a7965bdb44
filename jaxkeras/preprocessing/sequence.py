"""Sequences of different lengths."""

from jaxkeras.core import lazy_imports
from jaxkeras.utils.arrays import pad_sequences as pad_sequences

__all__ = ["pad_sequences"]
__dir__ = lazy_imports.public_dir(__name__)
