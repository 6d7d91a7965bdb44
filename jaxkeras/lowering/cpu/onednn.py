"""Convolutions by oneDNN, which Linux builds of jaxlib for x86-64 contain.

XLA:CPU calls oneDNN for custom calls of reserved names. Programs with such calls cannot be serialized (jaxlib 0.10 to
0.12 reads past the operation and runs out of memory), so they may only be part of `local.ephemeral` programs. There
are no derivatives.
"""

from __future__ import annotations

import functools
import json
import platform
import sys
import threading

import jax
import jax.numpy as jnp
from jaxlib import version as jaxlib

from jaxkeras.lowering.geometry import ConvSpec, window_output

Array = jax.Array

# What a call means is not documented, and a call that oneDNN does not understand ends the process: so only versions
# that were tested.
FIRST, BEFORE = (0, 10), (0, 13)


@functools.cache
def available() -> bool:
    """Whether the compiler of this process has these calls."""
    version = tuple(map(int, jaxlib.__version__.split(".")[:2]))
    if sys.platform != "linux" or platform.machine() != "x86_64" or not FIRST <= version < BEFORE:
        return False
    found: list[bool] = []
    # On a thread of its own: on this one, JAX may be in the middle of a trace.
    thread = threading.Thread(target=lambda: found.append(_compiles()))
    thread.start()
    thread.join()
    return found == [True]


def _compiles() -> bool:
    x, kernel = jax.ShapeDtypeStruct((1, 1, 1, 1), "float32"), jax.ShapeDtypeStruct((1, 1, 1, 1), "float32")
    spec = ConvSpec((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, False)
    try:
        with jax.default_device(jax.devices("cpu")[0]):
            jax.jit(functools.partial(forward, spec=spec)).lower(x, kernel).compile()
    except Exception:  # of the compiler: no such call
        return False
    return True


def can_run(x: Array, kernel: Array, spec: ConvSpec) -> bool:
    """Whether oneDNN computes such convolutions: numbers of 32 bits, no input dilation, no cropping, not empty."""
    plain = max(spec.input_dilation) == 1 and min(low_high for pads in spec.pads for low_high in pads) >= 0
    return plain and x.dtype == kernel.dtype == jnp.float32 and x.size > 0 and kernel.size > 0


def forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """x: (batch, *spatial, channels), kernel: (*window, channels / groups, filters)."""
    rank, window = spec.rank, kernel.shape[:-2]
    sizes = window_output(x.shape[1:-1], window, spec.strides, spec.pads, spec.dilation, spec.input_dilation)
    y = jax.ShapeDtypeStruct((x.shape[0], *sizes, kernel.shape[-1]), x.dtype)
    rows = {"dims": x.ndim, "data": {"feature_dim": rank + 1, "spatial_dims": list(range(1, rank + 1))}}
    axes = {"input_feature_dim": rank, "output_feature_dim": rank + 1, "spatial_dims": list(range(rank))}
    config = {
        "dims": x.ndim,
        "input": rows,
        "kernel": {"dims": x.ndim, "filter": axes},
        "output": rows,
        "window": {
            "size": window,
            "pad_left": [low for low, _ in spec.pads],
            "pad_right": [high for _, high in spec.pads],
            "strides": spec.strides,
            "window_dilations": spec.dilation,
        },
        "feature_groups": spec.groups,
    }
    settings = json.dumps({"onednn_conv_config": config})
    call = jax.ffi.ffi_call("__onednn$convolution", y, custom_call_api_version=1, legacy_backend_config=settings)
    return call(x, kernel)


def depthwise_forward(x: Array, kernel: Array, spec: ConvSpec) -> Array:
    """kernel: (*window, channels)."""
    return forward(x, jnp.expand_dims(kernel, -2), spec._replace(groups=x.shape[-1]))
