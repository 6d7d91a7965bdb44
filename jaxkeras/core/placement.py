"""Where arrays live on more than one device: the distribution in force, and how arrays come to a sharding."""

from __future__ import annotations

import functools
import os
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxkeras.core import hooks

settings: Any = jax.config  # which declares none of its attributes
VARIABLE = "JAXKERAS_DISTRIBUTION"
_UNSET = object()
_current: Any = _UNSET
_was_set = False


def current() -> Any:
    """The distribution in force, or None. At first it is that of the environment variable `JAXKERAS_DISTRIBUTION`."""
    global _current
    if _current is _UNSET:
        _current = None
        if os.environ.get(VARIABLE):
            try:
                set_current(hooks.distribution_from_text(os.environ[VARIABLE]))
            except ValueError as error:
                _current = _UNSET
                raise ValueError(f"The environment variable {VARIABLE} is wrong. {error}") from None
    return _current


def in_use() -> Any:
    """The distribution in force, if arrays have to be placed by it: None for a mesh of the default device alone."""
    return _if_needed(current())


def _if_needed(distribution: Any) -> Any:
    if distribution is None or _is_default_device(distribution, settings.jax_default_device):
        return None
    return distribution


@functools.lru_cache(maxsize=8)
def _is_default_device(distribution: Any, default: Any) -> bool:
    mesh = distribution.device_mesh
    alone = mesh.devices.size == 1 and jax.process_count() == 1
    return alone and mesh.backend_mesh.devices.item() == default_device()


def default_device() -> Any:
    """The device that JAX computes on where nothing says otherwise."""
    default = settings.jax_default_device
    return default if isinstance(default, jax.Device) else jax.local_devices(backend=default)[0]


def set_current(distribution: Any) -> None:
    """Put a distribution in force for the whole process."""
    global _current, _was_set
    _current = distribution
    _was_set = _was_set or distribution is not None


def was_set() -> bool:
    """Whether a distribution was ever in force, so that arrays may lie where it put them."""
    return _was_set


def sharding_at_rest(variable: Any, distribution: Any = None) -> jax.sharding.Sharding | None:
    """The sharding of a variable by its own layout, or by the distribution in force (else by the one given); None for
    one device."""
    layout, distribution = variable.layout, _if_needed(current() or distribution)
    if layout is None and distribution is not None:
        layout = distribution.get_variable_layout(variable)
    return getattr(layout, "backend_layout", layout)


def see_variables(variables: Any) -> None:
    """Show the distribution in force all variables of a model, since a layout may depend on the others. Values that are
    assigned afterwards go to the devices in parts."""
    if current() is not None:
        current().variable_layouts(variables)


def put(value: Any, sharding: jax.sharding.Sharding) -> jax.Array:
    """An array under a sharding. From a host array, every device and every process takes only its own part."""
    if isinstance(value, jax.Array) and (sharding.is_fully_addressable or not value.is_fully_addressable):
        return value if value.sharding == sharding else jax.device_put(value, sharding)
    if sharding.is_fully_addressable:
        return jax.device_put(value, sharding)
    host = value if hasattr(value, "shape") and not isinstance(value, jax.Array) else np.asarray(value)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def to_host(value: Any) -> Any:
    """A NumPy array from an array. If parts of it are with other processes, all processes must call this together."""
    if isinstance(value, jax.Array) and not isinstance(value, Tracer):
        if not (value.is_fully_addressable or value.is_fully_replicated):
            return _from_all_processes(value)
    return np.asarray(value)


def _from_all_processes(value: jax.Array) -> np.ndarray:
    """Broadcast the parts of an array one by one, so that no device ever holds the whole."""
    from jax.experimental import multihost_utils

    own = {str(shard.index): shard.data for shard in value.addressable_shards}
    parts: dict[str, Any] = {}  # slices cannot be hashed
    for device, index in value.sharding.devices_indices_map(value.shape).items():
        parts.setdefault(str(index), (index, device.process_index))
    whole = np.empty(value.shape, value.dtype)
    words = np.dtype(f"u{min(4, value.dtype.itemsize)}")  # a broadcast is a sum, which would lose the sign of -0.0
    for name, (index, owner) in parts.items():
        part = np.asarray(own[name]) if name in own else np.empty(whole[index].shape, value.dtype)
        flat = np.ascontiguousarray(part).reshape(-1).view(words)
        flat = multihost_utils.broadcast_one_to_all(flat, is_source=owner == jax.process_index())
        whole[index] = np.asarray(flat).view(value.dtype).reshape(part.shape)
    return whole


def writes_files() -> bool:
    """Whether this process is the one that writes logs and whole files."""
    return jax.process_index() == 0


def wait_for_processes(what: str) -> None:
    """Wait until all processes are here."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(what)
