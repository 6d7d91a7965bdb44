# What is loaded when first used: see `core/lazy_imports.py`.
from jaxkeras.distribution.fully_sharded import FullySharded as FullySharded
from jaxkeras.distribution.layout import LayoutMap as LayoutMap
from jaxkeras.distribution.layout import TensorLayout as TensorLayout
from jaxkeras.distribution.layout import distribute_tensor as distribute_tensor
from jaxkeras.distribution.mesh import DeviceMesh as DeviceMesh
from jaxkeras.distribution.mesh import get_device_count as get_device_count
from jaxkeras.distribution.mesh import list_devices as list_devices
from jaxkeras.distribution.planning import Plan as Plan
from jaxkeras.distribution.planning import plan as plan
from jaxkeras.distribution.presets import distribution as distribution
from jaxkeras.distribution.presets import set_distribution as set_distribution
from jaxkeras.distribution.processes import initialize as initialize
from jaxkeras.distribution.strategies import DataParallel as DataParallel
from jaxkeras.distribution.strategies import Distribution as Distribution
from jaxkeras.distribution.strategies import ModelParallel as ModelParallel
from jaxkeras.distribution.table import layouts as layouts
from jaxkeras.distribution.tensor_parallel import TensorParallel as TensorParallel
