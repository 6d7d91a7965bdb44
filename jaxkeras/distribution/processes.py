"""More than one process: joining, and what they agree on."""

from __future__ import annotations

import os
import random
import zlib
from typing import Any

import jax
import numpy as np

from jaxkeras.core import seeds

_PREFIX = "KERAS_DISTRIBUTION_"


def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    heartbeat_timeout_seconds: int | None = None,
) -> None:
    """Join the processes of a run. Call it before anything else uses JAX.

    What is not given comes from the environment: `KERAS_DISTRIBUTION_JOB_ADDRESSES`, `KERAS_DISTRIBUTION_NUM_PROCESSES`
    and `KERAS_DISTRIBUTION_PROCESS_ID`, which `python -m jaxkeras.distribution.launch` sets; else from Slurm, Open MPI,
    Cloud TPU or Kubernetes, as `jax.distributed.initialize` finds them.

    All processes get the same global seed: that of `set_random_seed`, or one that process 0 draws.

    If a process is lost, the others end within `heartbeat_timeout_seconds`, with an error that names it.

    Args:
        job_addresses: `"host:port"` of process 0; or the addresses of all, separated by commas, of which the first
            counts.
        num_processes: how many processes there are.
        process_id: which of them this is, from 0.
        heartbeat_timeout_seconds: how long a process may be silent before it counts as lost; 100 by default.

    Raises:
        ValueError: for a number of addresses other than that of processes.
    """
    environ = os.environ
    job_addresses = environ.get(f"{_PREFIX}JOB_ADDRESSES") if job_addresses is None else job_addresses
    if num_processes is None and f"{_PREFIX}NUM_PROCESSES" in environ:
        num_processes = int(environ[f"{_PREFIX}NUM_PROCESSES"])
    if process_id is None and f"{_PREFIX}PROCESS_ID" in environ:
        process_id = int(environ[f"{_PREFIX}PROCESS_ID"])
    coordinator = job_addresses
    if job_addresses and "," in job_addresses:
        addresses = job_addresses.split(",")
        if num_processes is not None and num_processes != len(addresses):
            raise ValueError(
                f"The provided job_addresses {addresses} has {len(addresses)} jobs, but num_processes is "
                f"{num_processes}."
            )
        coordinator = addresses[0]
    timeout: dict[str, Any] = {}
    if heartbeat_timeout_seconds is not None:
        timeout["heartbeat_timeout_seconds"] = heartbeat_timeout_seconds
    jax.distributed.initialize(
        coordinator_address=coordinator, num_processes=num_processes, process_id=process_id, **timeout
    )
    _agree_on_seed()


def _agree_on_seed() -> None:
    """Give all processes one seed, unless a program has seeded all alike."""
    if jax.process_count() == 1:
        return
    from jax.experimental import multihost_utils

    state = zlib.crc32(repr(random.getstate()).encode())
    if len(set(multihost_utils.process_allgather(np.uint32(state)).tolist())) > 1:
        seeds.set_random_seed(int(multihost_utils.broadcast_one_to_all(np.uint32(seeds.make_default_seed()))))
