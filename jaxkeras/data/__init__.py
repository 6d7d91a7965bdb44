"""Sources of batches: arrays, generators, `Dataset`, `PyDataset`, and datasets of other frameworks."""

from jaxkeras.data.arrays import ArraySource as ArraySource
from jaxkeras.data.arrays import BatchSource as BatchSource
from jaxkeras.data.arrays import Rows as Rows
from jaxkeras.data.arrays import Source as Source
from jaxkeras.data.dataset import AUTOTUNE as AUTOTUNE
from jaxkeras.data.dataset import Dataset as Dataset
from jaxkeras.data.pydataset import PyDataset as PyDataset
from jaxkeras.data.pydataset import Sequence as Sequence
from jaxkeras.data.sources import adapt as adapt
from jaxkeras.data.sources import split_validation as split_validation
from jaxkeras.data.streams import StreamSource as StreamSource
from jaxkeras.data.utils import pack_x_y_sample_weight as pack_x_y_sample_weight
from jaxkeras.data.utils import train_validation_split as train_validation_split
from jaxkeras.data.utils import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from jaxkeras.data.workers import prefetch as prefetch
