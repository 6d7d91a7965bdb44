"""Layers: one file a family."""

from jaxkeras.layers.base import Layer as Layer
from jaxkeras.layers.dense import Dense as Dense
from jaxkeras.layers.input import Input as Input
from jaxkeras.layers.input import InputLayer as InputLayer
from jaxkeras.layers.input_spec import InputSpec as InputSpec
