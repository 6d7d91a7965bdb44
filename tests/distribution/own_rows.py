"""Data over processes: the numbers of one process, whatever the data are, and rows that each process reads."""

import functools
import importlib.util

import jax
import numpy as np

import jaxkeras as jk
from jaxkeras.data.arrays import Rows
from tests.distribution.models import difference

jk.distribution.initialize()
me, count = jax.process_index(), jax.process_count()
ROWS, BATCH = 64, 8
X = np.random.default_rng(0).normal(size=(ROWS, 6)).astype("float32")
part = BATCH // count


class Batches(jk.utils.PyDataset):
    """Whole batches, or this process's part of each."""

    def __init__(self, own=False):
        super().__init__()
        self.own = own

    def __len__(self):
        return ROWS // BATCH

    def __getitem__(self, i):
        first = i * BATCH + me * part if self.own else i * BATCH
        rows = slice(first, first + (part if self.own else BATCH))
        return X[rows], X[rows, :2]


def generated(own=False):
    return (Batches(own)[i] for i in range(len(Batches())))


def grained(own=False):
    import grain

    return grain.MapDataset.source(Batches(own)).to_iter_dataset()


def run(data, way, shuffle=False, **how):
    jk.distribution.set_distribution(way)
    jk.utils.set_random_seed(0)
    model = jk.Sequential([jk.Input((6,)), jk.layers.Dense(8, "tanh"), jk.layers.Dense(2)])
    model.compile(jk.optimizers.SGD(0.1), "mse", metrics=["mae"])
    history = model.fit(**data(), **how, shuffle=shuffle, verbose=0)
    numbers = [*map(np.array, history.history.values()), *map(np.asarray, model.get_weights())]
    return [*numbers, np.array(model.evaluate(**data(), verbose=0)), model.predict(data()["x"], verbose=0)]


arrays = {"x": X, "y": X[:, :2], "batch_size": BATCH}
SOURCES = {
    "arrays": lambda own=False: arrays,
    "PyDataset": lambda own=False: {"x": Batches(own)},
    "generator": lambda own=False: {"x": generated(own)},
}
if importlib.util.find_spec("grain"):
    SOURCES["grain"] = lambda own=False: {"x": grained(own)}

for name, source in SOURCES.items():
    epochs = 1 if name == "generator" else 3
    shuffle = name in ("arrays", "PyDataset")
    expected = run(source, None, shuffle, epochs=epochs)
    ways = ["data", "fsdp"]
    if name != "arrays":
        ways.append(jk.distribution.DataParallel(auto_shard_dataset=False))
    for way in ways:
        own = not getattr(way, "auto_shard_dataset", True)
        found = difference(expected, run(functools.partial(source, own), way, shuffle, epochs=epochs))
        if me == 0:
            print(name, way, found, flush=True)
        assert found < 1e-6, (name, way, found)

# Of arrays every process reads the rows of its own devices alone (and row 0, to fill up a chunk).
read: set[int] = set()
whole = Rows.__getitem__


def seen(self, where):
    read.update(self.index[where[: self.index.ndim]].reshape(-1).tolist())
    return whole(self, where)


Rows.__getitem__ = seen
jk.distribution.set_distribution("data")
model = jk.Sequential([jk.Input((6,)), jk.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(X, X[:, :2], batch_size=BATCH, verbose=0)
assert ROWS // count <= len(read) <= ROWS // count + 1, read
print("ok", list(SOURCES))
