"""Forms for GPUs, as far as a machine without one can show."""

from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkeras.lowering import operations, reference
from jaxkeras.lowering.gpu import attention as cudnn

RNG = np.random.default_rng(0)


def normal(*shape, dtype="bfloat16"):
    return jnp.asarray(RNG.normal(size=shape), dtype)


def arguments(time=4, size=8, value_size=8, dtype="bfloat16", bias=None, mask=None, drop=None, query_mask=None):
    query, key = normal(2, time, 2, size, dtype=dtype), normal(2, 6, 2, size, dtype=dtype)
    return query, key, normal(2, 6, 2, value_size, dtype=dtype), bias, mask, 0.5, drop, True, query_mask


WHAT_FITS = {
    "bfloat16": ({}, True),
    "float16": ({"dtype": "float16"}, True),
    "float32": ({"dtype": "float32"}, False),
    "heads of 12": ({"size": 12}, False),
    "heads of 256": ({"size": 256, "value_size": 256}, False),
    "other values": ({"value_size": 16}, False),
    "dropout": ({"drop": object()}, False),
    "odd length": ({"time": 3}, True),
    "odd length with a mask": ({"time": 3, "mask": jnp.ones((1, 1, 3, 6), bool)}, False),
    "odd length with hidden targets": ({"time": 3, "query_mask": jnp.ones((2, 3), bool)}, False),
}


@pytest.mark.parametrize("name", WHAT_FITS)
def test_what_cudnn_computes(name):
    options, expected = WHAT_FITS[name]
    with patch.object(cudnn, "is_available", lambda: True):
        for operation in (operations.attention_of_any_length, operations.blockwise_attention):
            chosen = operation.choose("cuda", *arguments(**options))
            assert (chosen is cudnn.attention) == expected


def test_programs_for_other_machines_keep_the_plain_form():
    with patch.object(cudnn, "is_available", lambda: False):
        assert operations.attention_of_any_length.choose("cuda", *arguments()) is reference.attention


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("has_bias", [False, True])
@pytest.mark.parametrize("has_mask", [False, True])
@pytest.mark.parametrize("has_query_mask", [False, True])
def test_the_arguments_for_cudnn_mean_the_same(is_causal, has_bias, has_mask, has_query_mask):
    """The same call with JAX's other implementation, which every platform runs, gives what the reference gives."""
    bias = normal(1, 2, 4, 6) if has_bias else None
    mask = jnp.asarray(RNG.random((2, 1, 4, 6)) > 0.4) if has_mask else None
    query_mask = jnp.asarray([[1, 0, 1, 1], [1, 1, 0, 0]], bool) if has_query_mask else None
    args = (*arguments(bias=bias, mask=mask)[:-2], is_causal, query_mask)
    original = jax.nn.dot_product_attention

    def elsewhere(*a, implementation, **options):
        assert implementation == "cudnn"
        return original(*a, implementation="xla", **options)

    with patch("jax.nn.dot_product_attention", elsewhere):
        ours = cudnn.attention(*args)
    expected = reference.attention(*args)
    np.testing.assert_allclose(ours.astype("float32"), expected.astype("float32"), atol=0.03)  # 8 bits of a bfloat16
