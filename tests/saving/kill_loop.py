"""Repeatedly kills a process that saves in a loop and checks the files left behind; run by `test_crash.py`.

Arguments: the folder, the file extension, the number of kills. Children are forks, so JAX is imported only once.
"""

import json
import os
import pathlib
import random
import signal
import sys
import time

import numpy as np

import jaxkeras as jk
from jaxkeras.saving import load_model


def make(value: float):
    model = jk.Sequential([jk.Input((64,)), jk.layers.Dense(64), jk.layers.Dense(64)])
    model.compile("adam", "mse")
    model.set_weights([np.full_like(w, value) for w in model.get_weights()])
    return model


def main(folder: pathlib.Path, ending: str, kills: int) -> None:
    path = folder / f"model.{ending}"
    models = [make(1.0), make(2.0)]

    def save(model) -> None:
        if ending == "weights.h5":
            model.save_weights(path)
        elif ending == "weights.json":
            model.save_weights(path, max_shard_size=2e-5)
        else:
            model.save(path, zipped=ending != "folder")

    def extra() -> set[str]:
        """Files in the folder that do not belong to a complete save."""
        wanted = {path.name}
        if ending == "weights.json":
            wanted |= set(np.hstack(list(json.loads(path.read_text())["weight_map"].values())).tolist())
        return {p.name for p in folder.iterdir()} - wanted | {p.name for p in path.glob(".*")}

    def check() -> None:
        if ending.startswith("weights"):
            loaded = models[0].__class__.from_config(models[0].get_config())
            loaded.load_weights(path)
        else:
            loaded = load_model(path)
        values = {float(v) for w in loaded.get_weights() for v in np.unique(w)}
        assert values in ({1.0}, {2.0}), values

    save(models[0])
    check()
    rng = random.Random(0)
    saves, leftovers = 0, 0
    for _ in range(kills):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            for i in range(100_000):
                save(models[i % 2])
                os.write(write, b".")
        os.close(write)
        os.read(read, 1)  # the first save has begun
        time.sleep(rng.uniform(0.0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        saves += 1 + len(os.read(read, 1 << 16))
        os.close(read)
        leftovers += len(extra())
        check()
    save(models[1])
    check()
    assert not extra(), list(folder.rglob("*"))
    print(f"saves={saves} leftovers={leftovers}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
