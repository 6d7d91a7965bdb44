"""Processes that differ in one thing each: every one of them is told which, at once, and can go on."""

import time

import jax
import numpy as np

import jaxkeras as jk

jk.distribution.initialize()
me, count = jax.process_index(), jax.process_count()
X = np.random.default_rng(0).normal(size=(64, 8)).astype("float32")
last = me == count - 1  # the one that differs


def fit(rows=64, width=16, way="data", batch_size=16, activation="relu", seed=0, stream=None, verbose=0, **how):
    jk.distribution.set_distribution(way)
    jk.utils.set_random_seed(seed)
    model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(width, activation), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = X[:rows], X[:rows, :1]
    if stream is not None:
        x, y, batch_size = ((X[i : i + 8], X[i : i + 8, :1]) for i in range(0, stream, 8)), None, None
    model.fit(x, y, batch_size, verbose=verbose, **how)
    return model


every_batch = jk.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)


def twice(second):
    model = fit()
    getattr(model, second)(X, verbose=0, batch_size=16, **({"y": X[:, :1]} if second == "evaluate" else {}))


CASES = [
    ("batch size", dict(batch_size=8), "64 rows, 4 batches, 16 rows each, and data: 64 rows, 8 batches, 8 rows each"),
    ("rows", dict(rows=48), "data: 64 rows, 4 batches, 16 rows each, and data: 48 rows, 3 batches"),
    ("model", dict(width=24), "2 processes"),
    ("operations", dict(activation="tanh"), "disagree about the program to run: operations or constants"),
    ("epochs", dict(epochs=3), r"disagree about fit: epochs (range(0, 1), and range(0, 3))"),
    (
        "validation", dict(validation_data=(X, X[:, :1])),
        "validation (none, and data: 64 rows, 4 batches, 16 rows each)",
    ),
    ("distribution", dict(way="fsdp"), "distribution (<DataParallel"),
    ("no distribution", dict(way=None), "and None)"),
    ("seed", dict(seed=1), "seed ("),
    ("callbacks", dict(callbacks=[every_batch]), "steps_per_call (None, and 1)"),
]


def told(run, message):
    since = time.monotonic()
    try:
        run()
    except RuntimeError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"no error: {message}")
    assert time.monotonic() - since < 20


fit()
for name, differing, message in CASES:
    message = message.replace("2 processes", "4 weights with 161 numbers, and 4 weights with 241 numbers")
    told(lambda: fit(**(differing if last else {})), message)  # noqa: B023
    if me == 0:
        print(name, flush=True)
told(lambda: fit(stream=64 if last else 32), "batches of a generator: ")
told(lambda: twice("evaluate" if last else "predict"), f"0 came to predict, but process {count - 1} to")
fit(verbose=int(me == 0), epochs=2, validation_data=(X, X[:, :1]))  # what one process shows need not matter
print("ok")
