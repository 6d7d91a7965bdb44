"""Chips that a plan can be made for: their published figures, and devices to compile for without having them."""

from __future__ import annotations

import functools
import math
import os
import re
from typing import Any, NamedTuple


class Chip(NamedTuple):
    """Published figures of a chip.

    Attributes:
        flops: peak of bfloat16 operations a second.
        memory: bytes.
        bandwidth: bytes of memory a second.
        links: bytes to other chips a second.
    """

    flops: float
    memory: float
    bandwidth: float
    links: float


GB = 10**9
#: https://cloud.google.com/tpu/docs/system-architecture and NVIDIA's data sheets.
CHIPS = {
    "v4": Chip(275e12, 32 * GB, 1228 * GB, 300 * GB),
    "v5e": Chip(197e12, 16 * GB, 819 * GB, 200 * GB),
    "v5p": Chip(459e12, 95 * GB, 2765 * GB, 600 * GB),
    "v6e": Chip(918e12, 32 * GB, 1640 * GB, 448 * GB),
    "a100": Chip(312e12, 80 * GB, 2039 * GB, 600 * GB),
    "h100": Chip(989e12, 80 * GB, 3350 * GB, 900 * GB),
    "h200": Chip(989e12, 141 * GB, 4800 * GB, 900 * GB),
}
_TPU_NAMES = {"v4": "v4", "v5e": "v5litepod", "v5p": "v5p", "v6e": "v6e"}
_SHAPE = r"\d+(x\d+)*"
_CORES_PER_CHIP = {"v4": 2, "v5p": 2}  # by which accelerator types are named


class Topology(NamedTuple):
    """Devices to plan for.

    Attributes:
        name: what the user wrote.
        devices: JAX's devices, which may be abstract.
        chip: its figures; None if they are unknown.
        compiler: the compiler that answers for it.
    """

    name: str
    devices: list[Any]
    chip: Chip | None
    compiler: str


def topology(name: str | None) -> Topology:
    """The devices of a topology.

    Args:
        name: `"v5e:4x4"` (TPUs, by the real compiler), `"h100:8"` or `"a100:8"` (GPUs) or `"cpu:8"`, both by the
            compiler for CPUs with that many devices; None for the devices of this process.

    Raises:
        ValueError: for an unknown name.
        ImportError: for TPUs without libtpu.
    """
    if name is None:
        import jax

        devices = jax.devices()
        kind = devices[0].device_kind.lower()
        chip = next((figures for key, figures in CHIPS.items() if key in kind), None)
        return Topology(f"{devices[0].platform}:{len(devices)}", devices, chip, devices[0].platform.upper())
    kind, shape = _parts(name)
    if not re.fullmatch(_SHAPE, shape) or kind not in (*CHIPS, "cpu"):
        raise ValueError(
            f"Unknown topology {name!r}; write a chip ({', '.join(CHIPS)} or cpu) and the shape or number of them, as "
            "in 'v5e:4x4' or 'h100:8'."
        )
    if kind in _TPU_NAMES:
        describe_tpu(name)
        return Topology(name, _tpu_devices(kind, shape), CHIPS[kind], "TPU")
    return Topology(name, _cpu_devices(_count(shape)), CHIPS.get(kind), "CPU")


def describe_tpu(name: str | None) -> None:
    """Say in environment variables what TPUs a topology has, for libtpu, which else looks for those of the machine.

    Before JAX is imported this also saves libtpu's messages about not finding any.

    Args:
        name: see `topology`; nothing is said for others than TPUs.
    """
    kind, shape = _parts(name or "")
    if kind not in _TPU_NAMES or not re.fullmatch(_SHAPE, shape):
        return
    wanted = {
        "TPU_ACCELERATOR_TYPE": f"{_TPU_NAMES[kind]}-{_count(shape) * _CORES_PER_CHIP.get(kind, 1)}",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_SKIP_MDS_QUERY": "1",
    }
    for key, value in wanted.items():
        if os.environ.get(key, "WARNING").startswith("WARNING"):  # which libtpu sets where it finds none
            os.environ[key] = value


def _parts(name: str) -> tuple[str, str]:
    """The chip and the shape of a topology."""
    kind, _, shape = name.partition(":")
    return kind, shape


def _count(shape: str) -> int:
    return math.prod(int(n) for n in shape.split("x"))


@functools.cache
def _cpu_devices(count: int) -> list[Any]:
    """CPU devices of a client of their own, whatever devices this process has."""
    import jax

    if jax.device_count("cpu") >= count:
        return jax.devices("cpu")[:count]
    from jaxlib import xla_client

    client = xla_client.make_cpu_client(num_devices=count)
    return client.devices()


@functools.cache
def _tpu_devices(kind: str, shape: str) -> list[Any]:
    from jax.experimental import topologies

    try:
        import libtpu  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        raise ImportError(
            f'A plan for {kind} needs the TPU compiler, which runs without a TPU: pip install "jaxkeras[tpu]"'
        ) from None
    return list(topologies.get_topology_desc(f"{kind}:{shape}", platform="tpu").devices)
