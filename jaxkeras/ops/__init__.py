"""Keras's ops: functions of arrays, variables and KerasTensors."""

from jaxkeras.core import late

__getattr__, __dir__, __all__ = late.names(__name__)
