"""One line: a distribution from a word, and the one in force."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxkeras.core import placement
from jaxkeras.distribution.fully_sharded import FullySharded
from jaxkeras.distribution.mesh import DeviceMesh, get_device_count, list_devices
from jaxkeras.distribution.strategies import DataParallel, Distribution
from jaxkeras.distribution.tensor_parallel import TensorParallel

_WORDS = ("data", "fsdp", "auto")
_last: tuple[Any, Any] = (None, None)  # what was asked for last, and the distribution made of it


def distribution() -> Distribution | None:
    """The distribution in force, or None.

    Example:

    >>> import jaxkeras as jk
    >>> jk.distribution.distribution() is None
    True
    """
    return placement.current()


def set_distribution(value: Any) -> None:
    """Put a distribution in force for the whole process: models run on more than one device from then on.

    Models may be created before or after; they are moved when they run next. To ask again for what is in force changes
    nothing.

    Args:
        value: `"data"` (each device computes a part of the batch), `"fsdp"` (parameters, gradients and optimizer state
            are split over all devices, too), `"auto"` (`"data"` if the model fits on each device, else `"fsdp"`),
            `{"data": 2, "model": 4}` (the axes of a mesh; weights are split over `"model"` by their shapes, see
            `TensorParallel`), a `Distribution`, or None for one device. Without a call of this function it is what the
            environment variable `JAXKERAS_DISTRIBUTION` says: `data`, or `data=2,model=4`.

    Raises:
        ValueError: for an unknown word or axis, or axes that do not multiply to the number of devices.

    Example:

    >>> import jaxkeras as jk
    >>> jk.distribution.set_distribution({"data": 1, "model": 1})
    >>> jk.distribution.distribution()
    <TensorParallel device_mesh=<DeviceMesh shape=(1, 1), axis_names=['data', 'model']>>
    >>> jk.distribution.set_distribution(None)
    """
    global _last
    asked = dict(value) if isinstance(value, Mapping) else value
    if value is None or asked != _last[0] or placement.current() is not _last[1]:
        _last = asked, resolve(value)
        placement.set_current(_last[1])


def resolve(value: Any, devices: Any = None) -> Any:
    """A distribution from what `set_distribution` takes.

    Args:
        value: see there.
        devices: the devices to use; all by default.
    """
    if value is None or hasattr(value, "get_variable_layout"):
        return value
    if isinstance(value, str):
        if value == "data":
            return DataParallel(devices=devices)
        if value in _WORDS:
            return FullySharded(devices=devices, only_if_needed=value == "auto")
        raise ValueError(
            f"Unknown distribution {value!r}; expected one of {', '.join(map(repr, _WORDS))}, a dict of axes such as "
            "{'data': 2, 'model': 4}, a Distribution, or None."
        )
    if isinstance(value, Mapping):
        return _from_axes(dict(value), devices)
    raise ValueError(
        f"A distribution is one of {', '.join(map(repr, _WORDS))}, a dict such as {{'data': 2, 'model': 4}}, a "
        f"Distribution, or None; got {value!r}."
    )


def _from_axes(axes: dict[str, int], devices: Any) -> Distribution:
    unknown = [name for name in axes if name not in ("data", "model", "fsdp")]
    if unknown or not axes:
        raise ValueError(f"Unknown axis {unknown[0] if unknown else axes!r}; axes are 'data', 'fsdp' and 'model'.")
    if "fsdp" in axes and len(axes) > 1:
        raise ValueError(f"'fsdp' splits everything over all devices and goes with no other axis; got {axes}.")
    for name, size in axes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"The length of axis '{name}' must be a positive whole number; got {size!r}.")
    count = get_device_count() if devices is None else len(devices)
    if math.prod(axes.values()) != count:
        raise ValueError(
            f"The axes {axes} multiply to {math.prod(axes.values())}, but there are {count} devices "
            f"({', '.join(map(str, (devices or list_devices())[:8]))}{', ...' if count > 8 else ''})."
        )
    mesh = DeviceMesh(tuple(axes.values()), list(axes), devices)
    if "model" in axes:
        return TensorParallel(mesh)
    return FullySharded(mesh) if "fsdp" in axes else DataParallel(mesh)


def from_text(text: str) -> Any:
    """A distribution from text: `"data"`, or `"data=2,model=4"`."""
    return resolve(axes_from_text(text))


def axes_from_text(text: str) -> str | dict[str, int]:
    """What `set_distribution` takes, from text."""
    if "=" not in text:
        return text.strip()
    try:
        return {name.strip(): int(size) for name, size in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise ValueError(f"{text!r} is no distribution: write data, fsdp, auto or data=2,model=4.") from None
