"""`keras.distribution` in a process without distributions: what packages ask before they would distribute anything."""

from __future__ import annotations

from typing import Any

import jax


def distribution() -> None:
    """The current distribution: there is none."""


def set_distribution(value: None) -> None:
    """Set the current distribution, which can only be None.

    Raises:
        NotImplementedError: for a distribution.
    """
    if value is not None:
        raise NotImplementedError(f"jaxkeras has no distributions yet; got {value!r}.")


def list_devices(device_type: str | None = None) -> list[str]:
    """The devices, such as `["cpu:0"]`, of the default kind or of the kind `"cpu"`, `"gpu"` or `"tpu"`."""
    return [f"{device.platform}:{device.id}" for device in jax.devices(device_type and device_type.lower())]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"`{name}`: jaxkeras, which is imported as keras here, has no distributions yet.")
