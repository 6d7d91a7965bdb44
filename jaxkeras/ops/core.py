"""Arrays in and out, control flow, indexing and gradients."""

from jaxkeras.ops._core.arrays import cast as cast
from jaxkeras.ops._core.arrays import convert_to_numpy as convert_to_numpy
from jaxkeras.ops._core.arrays import convert_to_tensor as convert_to_tensor
from jaxkeras.ops._core.arrays import custom_gradient as custom_gradient
from jaxkeras.ops._core.arrays import dtype as dtype
from jaxkeras.ops._core.arrays import grad as grad
from jaxkeras.ops._core.arrays import is_tensor as is_tensor
from jaxkeras.ops._core.arrays import saturate_cast as saturate_cast
from jaxkeras.ops._core.arrays import shape as shape
from jaxkeras.ops._core.arrays import stop_gradient as stop_gradient
from jaxkeras.ops._core.control_flow import _switch as _switch  # recorded in graphs
from jaxkeras.ops._core.control_flow import associative_scan as associative_scan
from jaxkeras.ops._core.control_flow import cond as cond
from jaxkeras.ops._core.control_flow import fori_loop as fori_loop
from jaxkeras.ops._core.control_flow import map as map
from jaxkeras.ops._core.control_flow import scan as scan
from jaxkeras.ops._core.control_flow import switch as switch
from jaxkeras.ops._core.control_flow import vectorized_map as vectorized_map
from jaxkeras.ops._core.control_flow import while_loop as while_loop
from jaxkeras.ops._core.indexing import rearrange as rearrange
from jaxkeras.ops._core.indexing import scatter as scatter
from jaxkeras.ops._core.indexing import scatter_update as scatter_update
from jaxkeras.ops._core.indexing import slice as slice
from jaxkeras.ops._core.indexing import slice_update as slice_update
from jaxkeras.ops._core.indexing import unstack as unstack
from jaxkeras.ops._namespace import public

__all__, __dir__ = public(__name__)
