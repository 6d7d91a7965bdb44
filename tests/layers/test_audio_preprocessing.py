"""Spectrograms: parity with Keras."""

import json

import jax
import numpy as np
import pytest

import jaxkeras as jk
from tests.layers.parity import make_input, same_signature

keras = pytest.importorskip("keras")
L = jk.layers


def plain(config):
    return json.loads(json.dumps({**config, "name": None}))


@pytest.mark.parametrize("name", ["STFTSpectrogram", "MelSpectrogram"])
def test_signature(name):
    same_signature(keras, name)


@pytest.mark.parametrize("settings", [
    *({"mode": mode} for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")),
    {"frame_step": 5, "fft_length": 32, "window": "hamming", "periodic": True, "scaling": "spectrum"},
    {"padding": "same", "window": None, "scaling": None}, {"expand_dims": True}, {"data_format": "channels_first"},
    {"data_format": "channels_first", "expand_dims": True},
], ids=str)  # fmt: skip
def test_stft(settings):
    settings = {"frame_length": 16, **settings}
    ours, theirs = L.STFTSpectrogram(**settings), keras.layers.STFTSpectrogram(**settings)
    x = make_input((2, 3, 70) if settings.get("data_format") == "channels_first" else (2, 70, 3))
    y, z = ours(x), theirs(x)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, tuple(w.shape)) for w in theirs.weights]
    np.testing.assert_allclose(y, z, rtol=1e-3, atol=1e-4 if settings.get("mode") != "angle" else 2e-3)
    assert plain(ours.get_config()) == plain(theirs.get_config())
    assert L.STFTSpectrogram.from_config(ours.get_config()).get_config() == ours.get_config()
    assert ours.compute_output_shape((None, *x.shape[1:]))[1:] == y.shape[1:]


@pytest.mark.parametrize("settings", [
    {}, {"power_to_db": False, "mag_exp": 1.0, "window": "hamming"}, {"top_db": 10.0, "ref_power": 0.5},
    {"sequence_length": 48, "min_freq": 100.0, "max_freq": 1500.0, "window": None},
], ids=str)  # fmt: skip
def test_mel(settings):
    settings = {"fft_length": 64, "sequence_stride": 20, "sampling_rate": 4000, "num_mel_bins": 12, **settings}
    ours, theirs = L.MelSpectrogram(**settings), keras.layers.MelSpectrogram(**settings)
    for x in (make_input((2, 300)), make_input((300,))):
        np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-3, atol=2e-2)
    assert plain(ours.get_config()) == plain(theirs.get_config())
    y, _ = jax.jit(ours.apply)({}, {}, x)
    np.testing.assert_allclose(y, ours(x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("make, message", [
    (lambda: L.STFTSpectrogram(frame_step=300), "frame_step"), (lambda: L.STFTSpectrogram(mode="power"), "mode"),
    (lambda: L.STFTSpectrogram(fft_length=100), "fft_length"),
    (lambda: L.MelSpectrogram(fft_length=10, sequence_length=20), "fft_length"),
])  # fmt: skip
def test_errors_name_the_argument(make, message):
    with pytest.raises(ValueError, match=message):
        make()
