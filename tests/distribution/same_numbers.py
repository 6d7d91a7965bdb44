"""Trains models on one device and on meshes, of one process or several; prints the largest differences."""

import os
import sys

import jax

import jaxkeras as jk
from tests.distribution.models import MODELS, difference, train

if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
    jk.distribution.initialize()
count = jax.device_count()
ways = ["data", "fsdp", {"data": max(1, count // 2), "model": min(2, count)}]
for make in MODELS:
    if len(sys.argv) > 1 and make.__name__ not in sys.argv[1:]:
        continue
    _, expected, _ = train(make, None)
    for way in ways:
        _, numbers, counts = train(make, way)
        print("same" if jax.process_index() == 0 else "", make.__name__, way, difference(expected, numbers), flush=True)
        assert difference(expected, numbers) < 1e-6, (make.__name__, way)
        assert counts[0] == counts[-1], f"recompiled: {counts}"
