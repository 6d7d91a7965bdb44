"""Tools and callbacks on several devices: each gives the numbers of one device."""

import sys
import tempfile
import warnings

import jax
import numpy as np

import jaxkeras as jk
from tests.distribution.models import difference

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 8)).astype("float32")  # the last batch does not divide
Y = X[:, :4]


def made(**how):
    model = jk.Sequential([jk.Input((8,)), jk.layers.Dense(16, "tanh", name="hidden"), jk.layers.Dense(4, name="out")])
    model.compile(jk.optimizers.SGD(0.1), "mse", **how)
    return model


def fit_of(model, *callbacks):
    return model.fit(X, Y, 16, 2, 0, list(callbacks), validation_data=(X, Y)).history


def fitted(callbacks=(), **how):
    model = made(**how)
    return model, fit_of(model, *callbacks)


def learning_rate():
    sweep = jk.utils.find_learning_rate(made(), X, Y, batch_size=16, steps=20)
    return [sweep.losses, sweep.suggestion]


def report():
    found = jk.utils.program_report(made(), X, Y, batch_size=16, measure=True)
    assert found.seconds > 0 and str(found)
    return [found.parameters, found.step_flops]


def batch_size():
    model = made()
    found = jk.utils.find_batch_size(model, (None, 8), (None, 4), max_batch_size=64)
    small = jk.utils.find_batch_size(model, (None, 8), (None, 4), limit_bytes=200e3)
    assert small > 1 and small % model._session.where.shards == 0
    return [found]


def tuned():
    model = made()
    jk.utils.tune(model, X, Y, 16, 0)
    return fit_of(model).values()


def dev_run():
    return [jk.utils.dev_run(made(), X, Y, batch_size=16).logs["loss"]]


def intermediates():
    model = made()
    return [*model.intermediates(X[:6]).values(), *model.intermediates(X[:8], training=True).values()]


def cross_validated():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(jk.cross_validate(made(), X[:48], Y[:48], folds=3, batch_size=8).values())


def not_finite(action):
    x = X.copy()
    x[21, 3] = np.nan
    watch = jk.callbacks.NonFinite(action)
    model = made()
    try:
        model.fit(x, Y, 16, 2, 0, [watch])
    except jk.callbacks.NonFiniteError as error:
        assert action == "raise"
        fault = error.fault
    else:
        fault = watch.fault
    return [fault.step, fault.rows, fault.data_rows, watch.skipped, *model.get_weights()]


def panel():
    _, history = fitted([jk.callbacks.LivePanel()])
    return list(history.values())


def validate_every():
    checks = jk.callbacks.ValidateEvery(3)
    _, history = fitted([checks])
    return [*history.values(), *checks.history.values()]


def whole_epoch():
    def correlation(y_true, y_pred):
        return np.corrcoef(y_true.ravel(), y_pred.ravel())[0, 1]

    model, history = fitted(metrics=[jk.metrics.WholeEpoch(correlation)])
    return [*history.values(), model.evaluate(X, Y, 16, 0)]


def step_stats():
    _, history = fitted([jk.callbacks.StepStats()])
    assert history.pop("step_time")[0] > 0
    return list(history.values())


def profile():
    with tempfile.TemporaryDirectory() as folder:
        trace = jk.callbacks.Profile((2, 5), folder, rows=0)
        model, history = fitted([trace])
        assert trace.operations and any("hidden" in o.layer for o in trace.operations)
    return list(history.values())


def averaged():
    model = made()
    model.compile(jk.optimizers.SGD(0.1, use_ema=True), "mse")
    model.fit(X, Y, 16, 2, 0, [jk.callbacks.SwapEMAWeights()])
    return model.get_weights()


def stopped_and_scheduled():
    with tempfile.TemporaryDirectory() as folder:
        _, history = fitted([
            jk.callbacks.EarlyStopping("loss", patience=0, restore_best_weights=True),
            jk.callbacks.ReduceLROnPlateau("loss", patience=0),
            jk.callbacks.ModelCheckpoint(f"{folder}/best.keras", save_best_only=True),
            jk.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
            jk.callbacks.CSVLogger(f"{folder}/log.csv"),
        ])  # fmt: skip
        loaded = jk.models.load_model(f"{folder}/best.keras")
        return [*history.values(), *loaded.get_weights()]


CASES = {
    "find_learning_rate": learning_rate, "program_report": report, "find_batch_size": batch_size, "tune": tuned,
    "dev_run": dev_run, "intermediates": intermediates, "cross_validate": cross_validated,
    "NonFinite raise": lambda: not_finite("raise"), "NonFinite skip": lambda: not_finite("skip"),
    "NonFinite report": lambda: not_finite("report"), "LivePanel": panel, "ValidateEvery": validate_every,
    "WholeEpoch": whole_epoch, "StepStats": step_stats, "Profile": profile, "SwapEMAWeights": averaged,
    "other callbacks": stopped_and_scheduled,
}  # fmt: skip


def numbers(run, way):
    jk.distribution.set_distribution(way)
    jk.utils.set_random_seed(0)
    return [np.asarray(value, "float64") for value in run()]


for name, run in CASES.items():
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        continue
    expected = numbers(run, None)
    for way in ("data", "fsdp"):
        found = difference([np.nan_to_num(a) for a in expected], [np.nan_to_num(a) for a in numbers(run, way)])
        print(name, way, found, flush=True)
        assert found < 1e-6, (name, way, found)
print("ok", jax.device_count())
