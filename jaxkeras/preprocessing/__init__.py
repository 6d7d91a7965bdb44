"""Data sets from folders and arrays, and helpers for images and sequences."""

from jaxkeras.preprocessing import image as image
from jaxkeras.preprocessing import sequence as sequence
