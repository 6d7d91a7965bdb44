"""Arrays that lie on several devices or with several processes, in folders that Orbax writes and reads.

Every device's part is written by its own process and read back in any other layout, so that no device and no host
holds the whole. Orbax does not detect flipped bits, so arrays have digests. These do not depend on the layout either.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_BLOCK = 2**16  # words that fit into a core's cache


def is_spread(array: Any) -> bool:
    """Whether an array lies on more than one device."""
    return isinstance(array, jax.Array) and len(array.sharding.device_set) > 1


def digest(array: Any) -> str:
    """A digest of the values of an array and their positions: a sum over all of them, so that every device computes
    that of its own part. A change of a single value always changes it."""
    if is_spread(array):
        return _hex(_digest_on_devices(array))
    flat = np.ascontiguousarray(array).reshape(-1)
    words = flat.view(f"u{min(4, flat.dtype.itemsize)}")
    total = np.zeros(2, np.uint32)
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK].astype(np.uint32)
        positions = np.arange(start, start + len(block), dtype=np.uint64).astype(np.uint32)
        total += np.array([h.sum(dtype=np.uint32) for h in _hashes(block, positions)])
    return _hex(total)


@jax.jit
def _digest_on_devices(array: jax.Array) -> Any:
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        array = jnp.stack([array.real, array.imag], -1)
    if array.dtype == bool:
        array = array.astype(jnp.uint8)
    words = jax.lax.bitcast_convert_type(array, f"uint{8 * min(4, array.dtype.itemsize)}").astype(jnp.uint32)
    positions = jnp.zeros((), jnp.uint32)
    for axis, size in enumerate(words.shape):
        positions = positions * np.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, words.shape, axis)
    return [h.sum(dtype=jnp.uint32) for h in _hashes(words, positions)]


def _hashes(words: Any, positions: Any) -> tuple[Any, Any]:
    """Two 32-bit hashes of each word at its position; each is a bijection of the words."""
    h = (words ^ (positions * np.uint32(0x9E3779B1))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0xC2B2AE35)
    first = h ^ (h >> np.uint32(13))
    h = (first + positions) * np.uint32(0x27D4EB2F)
    return first, h ^ (h >> np.uint32(16))


def _hex(sums: Any) -> str:
    return "".join(f"{int(s):08x}" for s in sums)


def spec(shape: Any, dtype: Any, sharding: jax.sharding.Sharding | None) -> Any:
    """What an array is to be read as: under a sharding, of which each process reads its own part, or one of NumPy."""
    if sharding is not None:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)
    return np.broadcast_to(np.zeros((), dtype), shape)


def save(path: Any, arrays: list[jax.Array]) -> list[str]:
    """Write arrays to a new folder. All processes call this together.

    Returns:
        Their digests.
    """
    from orbax.checkpoint import v1 as ocp

    digests = [digest(array) for array in arrays]
    ocp.save_checkpointables(path, {"arrays": {str(i): array for i, array in enumerate(arrays)}}, overwrite=True)
    return digests


def load(path: Any, specs: list[Any], digests: list[str]) -> list[Any]:
    """Read arrays that `save` wrote. All processes call this together.

    Args:
        path: the folder.
        specs: for each array what `spec` returns.
        digests: what `save` returned.

    Raises:
        ValueError: if the folder is damaged.
    """
    from orbax.checkpoint import v1 as ocp

    wanted = {"arrays": {str(i): spec for i, spec in enumerate(specs)}}
    try:
        read = ocp.load_checkpointables(path, wanted)["arrays"]
    except Exception as error:  # Orbax raises many kinds for what it cannot read
        raise ValueError(f"'{path}' is damaged: {str(error)[:300]}") from error
    arrays = [read[str(i)] for i in range(len(specs))]
    if [digest(array) for array in arrays] != digests:
        raise ValueError(f"'{path}' is damaged: it is not as it was written (digests differ).")
    return arrays
