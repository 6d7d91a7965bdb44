"""Datasets in a module that spawned worker processes can import, with minimal imports."""

import os
import time

import numpy as np

import jaxkeras as jk  # noqa: F401  as in a user's file
from jaxkeras.data import PyDataset


class Numbers(PyDataset):
    """Batch `i` is `[scale * i]` and its process; `on_epoch_end` doubles the scale; batch `fault` fails."""

    def __init__(self, size=6, fault=None, **kwargs):
        super().__init__(**kwargs)
        self.size, self.scale, self.fault = size, 1, fault

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if index == self.fault:
            raise LookupError(f"row {index} is gone")
        if index == 99:
            os._exit(3)
        time.sleep(0.01 * (self.size - index) if self.size < 50 else 0)  # the first batches take longest
        x = np.array([self.scale * index], "float32")
        return x, np.array([os.getpid()]), np.random.uniform(size=1)

    def on_epoch_end(self):
        self.scale *= 2
