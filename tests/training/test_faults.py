"""The first value that is not finite is named: 40 planted faults, and what `NonFinite` does about them."""

import contextlib
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkeras as jk
from jaxkeras.callbacks import NonFinite, NonFiniteError
from tests.cases import by_default
from tests.training.planted_faults import FAULTS

DEFAULT = {
    "a_later_batch_of_a_stream", "a_branch_that_where_does_not_choose", "an_optimizer_without_epsilon",
}  # fmt: skip


@pytest.mark.parametrize("name", by_default(FAULTS, DEFAULT))
def test_planted_fault_is_named(name):
    model, arguments, expected = FAULTS[name]()
    with pytest.raises(NonFiniteError) as raised:
        model.fit(**arguments, verbose=0, callbacks=[NonFinite("raise")])
    error = raised.value
    for attribute, value in expected.items():
        found = getattr(error, attribute)
        assert value in found if attribute in ("name", "detail") else found == value, str(error)
    assert error.epoch is not None and error.step is not None
    assert error.share > 0 and (error.layer or error.name) in str(error)


def small_model(optimizer="adam", **kwargs):
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(2), jk.layers.Dropout(0.2), jk.layers.Dense(1)])
    model.compile(optimizer, "mse", **kwargs)
    return model


def data(*bad_rows):
    x = np.linspace(0, 1, 48, dtype="float32").reshape(16, 3)
    y = x.sum(1, keepdims=True)
    x[list(bad_rows), 1] = np.nan
    return x, y


def leaves(model):
    return [v.numpy() for v in (*model.weights, *model.optimizer.variables)]


def same(a, b):
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


class EveryBatch(jk.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


def stream(x, y):
    for i in range(0, len(x), 4):
        yield x[i : i + 4], y[i : i + 4]


@pytest.mark.parametrize("how", by_default(("fused", "stream", "every batch", "eager"), {"fused"}))
def test_raise_leaves_the_state_before_the_step(how):
    x, y = data(9)
    arguments = {"x": stream(x, y)} if how == "stream" else {"x": x, "y": y, "batch_size": 4, "shuffle": False}
    callbacks = [EveryBatch()] if how == "every batch" else []
    jk.utils.set_random_seed(0)
    model = small_model(run_eagerly=how == "eager")
    warned = contextlib.nullcontext() if how == "stream" else pytest.warns(match="not finite")
    with warned, pytest.raises(NonFiniteError) as raised:
        model.fit(**arguments, verbose=0, callbacks=[*callbacks, NonFinite("raise")])
    assert (raised.value.step, raised.value.rows, raised.value.columns) == (2, (1,), (1,))
    jk.utils.set_random_seed(0)
    sound = small_model(run_eagerly=how == "eager")
    sound.fit(x[:8], y[:8], batch_size=4, shuffle=False, verbose=0)
    assert same(leaves(model), leaves(sound))


def test_skip_leaves_everything_as_it_was(capsys):
    x, y = data(4, 5)
    jk.utils.set_random_seed(0)
    model, skip = small_model(), NonFinite("skip")
    with pytest.warns(match="column 1"):
        history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0, epochs=2, callbacks=[skip])
    good = np.r_[0:4, 8:16]
    jk.utils.set_random_seed(0)
    sound = small_model()
    expected = sound.fit(x[good], y[good], batch_size=4, shuffle=False, verbose=0, epochs=2)
    assert same(leaves(model), leaves(sound))
    np.testing.assert_array_equal(history.history["loss"], expected.history["loss"])
    assert skip.skipped == 2 and skip.fault.step == 1 and capsys.readouterr().out.count("first value") == 1


def test_report_is_printed_once_and_changes_nothing(capsys):
    x, y = data(4)
    histories = []
    for callbacks in ([], [NonFinite("report")]):
        jk.utils.set_random_seed(0)
        with pytest.warns(match="column 1"):
            histories.append(small_model().fit(x, y, batch_size=4, verbose=0, epochs=3, callbacks=callbacks).history)
        text = capsys.readouterr().out
        assert text.count("first value") == 1 and "row 4 of the data" in text
    assert np.isnan(histories[0]["loss"]).all() and histories[0].keys() == histories[1].keys()


def test_an_epoch_without_a_good_step_has_no_loss():
    x, y = data(*range(16))
    with pytest.warns(match="column 1"):
        history = small_model().fit(x, y, verbose=0, callbacks=[NonFinite("skip")])
    assert np.isnan(history.history["loss"]).all()


@pytest.mark.parametrize("action", by_default(("raise", "skip"), {"raise"}))
def test_the_member_of_a_population_is_named(action):
    model = jk.Sequential([jk.Input((3,)), jk.layers.Dense(1, name="last")], name="m")
    population = jk.Population(model, seeds=range(3), learning_rate=[0.1, 1e9, 0.1])
    population.compile("sgd", "mse")
    x, y = data()
    response = NonFinite(action)
    with pytest.raises(NonFiniteError) if action == "raise" else contextlib.nullcontext():
        history = population.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[response]).history
        assert np.isfinite(history["loss"][:, ::2]).all() and 0 < response.skipped < 16
    assert (response.fault.member, response.fault.layer) == (1, "m/last")
    assert "learning rate" in response.fault.detail


@pytest.mark.exhaustive
def test_a_state_too_large_to_keep_is_still_reported(monkeypatch, capsys):
    monkeypatch.setattr("jaxkeras.training.fault_watch.free_bytes", lambda: 0)
    model = small_model()
    x, y = data(4)
    with pytest.warns(match="column 1"):
        model.fit(x, y, batch_size=4, verbose=0)
        assert "too large to keep" in capsys.readouterr().out
        with pytest.raises(NonFiniteError) as raised:  # which keeps it nevertheless
            small_model().fit(x, y, batch_size=4, verbose=0, callbacks=[NonFinite()])
    assert raised.value.data_rows == (4,)


def test_debug_nans_names_the_layer():
    model, arguments, _ = FAULTS["a_branch_that_where_does_not_choose"]()
    with jax.debug_nans(True), pytest.raises(FloatingPointError) as raised:
        model.fit(**arguments, verbose=0)
    assert "layer 'm/where'" in raised.value.__notes__[-1]


def test_nothing_is_said_of_sound_programs(capsys):
    """Masked losses, imputing layers, gradients that a loss scale leaves out, infinite constants."""

    def masked(y_true, y_pred):
        known = jnp.isfinite(y_true)
        return jnp.where(known, (jnp.where(known, y_true, 0) - y_pred) ** 2, 0)

    x, y = data(3)
    y[7] = np.nan
    impute = jk.layers.Lambda(lambda x: jnp.nan_to_num(x))
    model = jk.Sequential([jk.Input((3,)), impute, jk.layers.Dense(1, dtype="mixed_float16")])
    optimizer = jk.optimizers.LossScaleOptimizer(jk.optimizers.Adam(), initial_scale=2.0**30)
    model.compile(optimizer, masked)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(x, y, batch_size=4, verbose=0, epochs=6)
    assert capsys.readouterr().out == "" and optimizer.dynamic_scale.numpy() < 2.0**30


def test_an_error_of_the_replay_is_part_of_the_report(capsys, monkeypatch):
    def fails(*args):
        raise RuntimeError("no replay")

    monkeypatch.setattr("jaxkeras.training.fault_replay._Replay.step", fails)
    model, arguments, _ = FAULTS["log_of_a_negative_number"]()
    model.fit(**arguments, verbose=0)
    assert "no replay" in capsys.readouterr().out


def test_unknown_action():
    with pytest.raises(ValueError, match="Did you mean 'raise'"):
        NonFinite("rise")
