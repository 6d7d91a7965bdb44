"""Members of a population on several devices: each is what it would be alone, and resumes on other devices."""

import pathlib
import sys
import tempfile

import jax
import numpy as np

import jaxkeras as jk
from tests.models.test_population import X, Y, noisy

FIT = {"batch_size": 16, "epochs": 2, "validation_data": (X[:20], Y[:20]), "verbose": 0}
RATES = np.geomspace(1e-3, 1e-1, 5)  # 5 members do not divide by the devices


def population():
    made = jk.Population(noisy(), seeds=range(5), learning_rate=RATES)
    made.compile("adam", "mse", metrics=["mae", jk.metrics.WholeEpoch(largest)])
    return made


def largest(y_true, y_pred):
    return np.abs(y_pred).max()


def same_as_alone():
    members = population()
    jk.utils.set_random_seed(9)
    history = members.fit(X, Y, **FIT).history
    leaf = jax.tree.leaves(members._session.store.current.params)[0]
    assert len(leaf.sharding.device_set) == jax.device_count() > 1, "members are split over all devices"
    outputs = members.predict(X, verbose=0)
    for i in (0, 4):
        jk.utils.set_random_seed(i)
        alone = noisy()
        alone.compile(jk.optimizers.Adam(RATES[i]), "mse", metrics=["mae", jk.metrics.WholeEpoch(largest)])
        jk.utils.set_random_seed(9)
        own = alone.fit(X, Y, **FIT).history
        assert own.keys() == history.keys()
        for name, values in own.items():
            np.testing.assert_allclose(history[name][:, i], values, rtol=1e-5, atol=1e-5, err_msg=name)
        for ours, its in zip(members.member(i).get_weights(), alone.get_weights()):
            np.testing.assert_allclose(ours, its, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(outputs[i], alone.predict(X, verbose=0), rtol=1e-5, atol=1e-5)


def quick():
    """A line, without the rest."""
    line = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    members = jk.Population(line, seeds=range(4), learning_rate=RATES[:4])
    members.compile("sgd", "mse")
    members.fit(X, Y, batch_size=25, shuffle=False, verbose=0)
    assert len(jax.tree.leaves(members._session.store.current.params)[0].sharding.device_set) == jax.device_count()
    jk.utils.set_random_seed(3)
    alone = jk.Sequential([jk.Input((4,)), jk.layers.Dense(1)])
    alone.compile(jk.optimizers.SGD(RATES[3]), "mse")
    alone.fit(X, Y, batch_size=25, shuffle=False, verbose=0)
    np.testing.assert_allclose(members.predict(X, verbose=0)[3], alone.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


def halving_and_folds():
    members = population()
    halve = jk.callbacks.SuccessiveHalving("loss", factor=2, rungs=[1])
    history = members.fit(X, Y, batch_size=8, epochs=2, callbacks=[halve], folds=3, verbose=0).history
    assert np.isfinite(history["loss"]).sum(axis=1).tolist() == [5, 3]
    np.testing.assert_allclose(members.evaluate(X, Y, verbose=0)[0].shape, (5,))


class Crash(jk.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError("a crash")


def resume(folder, *, crash):
    """A run that crashes, or the rest of it; prints the losses."""
    jk.utils.set_random_seed(1)
    halve = jk.callbacks.SuccessiveHalving("loss", factor=2, rungs=[1])
    backup = jk.callbacks.BackupAndRestore(folder)
    members = population()
    try:
        callbacks = [halve, backup, *([Crash()] if crash else [])]
        history = members.fit(X, Y, epochs=4, batch_size=16, callbacks=callbacks, verbose=0)
        np.save(pathlib.Path(folder).with_suffix(".npy"), history.history["loss"])
    except RuntimeError as error:
        assert "a crash" in str(error)


if __name__ == "__main__":
    if sys.argv[1:] == ["quick"]:
        quick()
    elif len(sys.argv) > 1:
        resume(sys.argv[1], crash=sys.argv[2] == "crash")
    else:
        same_as_alone()
        halving_and_folds()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "members.population"
            first = population()
            first.fit(X, Y, **FIT)
            first.save(path)
            again = jk.Population.load(path, {"largest": largest})
            np.testing.assert_array_equal(again.predict(X, verbose=0), first.predict(X, verbose=0))
    print("ok", jax.device_count())
