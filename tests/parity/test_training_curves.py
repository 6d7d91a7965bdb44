"""Training from the same weights on the same batches gives Keras's losses and metrics after every epoch.

Keras's numbers are stored in `curves.json`, since training with Keras takes a minute; `keras_curves.py` writes it.
"""

import inspect
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import jaxkeras as jk
from tests.cases import by_default
from tests.parity.models import EPOCHS, MODELS, curves

HERE = pathlib.Path(__file__).parent
STORED = json.loads((HERE / "curves.json").read_text())["curves"]


def close(ours, theirs, rtol):
    assert set(ours) == set(theirs)
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=rtol, atol=1e-6, err_msg=key)


# One per kind of layer with its own training behaviour; the others are in the exhaustive suite.
USUAL = {
    "dense_sgd", "convolution_batch_normalization_rmsprop", "gru_lion", "grouped_queries_muon", "embedding_loss_scale",
    "merging_schedule", "weights_and_a_smaller_batch",
}  # fmt: skip


@pytest.mark.parametrize("name", by_default(MODELS, USUAL))
def test_training_curves_equal_keras(name):
    ours = curves(jk, name)
    assert len(ours["loss"]) == EPOCHS and ours["loss"][0] != ours["loss"][-1]
    close(ours, STORED[name], rtol=1e-3)


def test_stored_curves_equal_the_installed_keras():
    pytest.importorskip("keras")
    name = "weights_and_a_smaller_batch"
    done = subprocess.run(
        [sys.executable, HERE / "keras_curves.py", name], env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    close(json.loads(done.stdout.splitlines()[-1])[name], STORED[name], rtol=1e-5)


def test_models_cover_every_optimizer_and_trainable_layer():
    used, optimizers = set(), set()
    for make in MODELS.values():
        model, settings, _ = make(jk)
        used |= {type(layer).__name__ for layer in model.layers}
        optimizers.add(type(settings["optimizer"]).__name__)
    public = {name for name in dir(jk.optimizers) if inspect.isclass(getattr(jk.optimizers, name))}
    # ScheduleFreeAdamW is compared step by step in tests/optimizers.
    assert public - optimizers - {"Optimizer", "OptaxOptimizer", "OptimizerMap", "ScheduleFreeAdamW"} == set()
    trained = """
    Dense EinsumDense Embedding Conv1D Conv2D Conv3D Conv2DTranspose Conv3DTranspose DepthwiseConv2D SeparableConv1D
    SeparableConv2D LSTM GRU SimpleRNN RNN Bidirectional TimeDistributed ConvLSTM2D PReLU MultiHeadAttention
    GroupedQueryAttention BatchNormalization LayerNormalization GroupNormalization RMSNormalization
    SpectralNormalization
    """
    assert set(trained.split()) <= used
