"""Configs of layers, and layers from configs."""

from __future__ import annotations

from jaxkeras.layers._base.layer import Layer
from jaxkeras.lookup import lookup_functions

_, serialize, deserialize = lookup_functions(
    "keras.layers",
    "layer",
    instance_of=Layer,
    accepts="a Layer or its config",
    example=""">>> from jaxkeras.layers import ReLU
>>> serialize(ReLU())["class_name"]
'ReLU'
>>> deserialize(serialize(ReLU(name="r"))).name
'r'""",
)
