"""`jaxkeras doctor`."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from jaxkeras.cli.info import OPTIONAL, REQUIRED, cache_contents, installed
from jaxkeras.cli.report import Report


class Finding(NamedTuple):
    """The result of a check: `"ok"`, `"note"` or `"fail"`, what was found, and what to do about it."""

    status: str
    found: str
    cure: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments of its own."""


def python_version() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):  # noqa: UP036  (checks the interpreter that runs this)
        return Finding("fail", f"Python {version}", "Python 3.11 or newer is needed.")
    return Finding("ok", f"Python {version}")


def required_packages() -> Finding:
    missing = [name for name in REQUIRED if installed(name) is None]
    if missing:
        return Finding("fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Finding("ok", "all required packages are installed")


def matching_jaxlib() -> Finding:
    jax, jaxlib = installed("jax") or "0", installed("jaxlib") or "0"
    if jax.split(".")[:2] != jaxlib.split(".")[:2]:
        return Finding("fail", f"jax {jax} with jaxlib {jaxlib}", f"pip install -U 'jax=={jax}'")
    return Finding("ok", f"jax {jax}, jaxlib {jaxlib}")


def device_computes() -> Finding:
    import jax
    import jax.numpy as jnp

    device = jax.devices()[0]
    value = float(jax.jit(lambda x: (x @ x).sum())(jnp.ones((64, 64))))
    if value != 64.0**3:
        return Finding("fail", f"{device}: a product of ones gave {value}", "Reinstall jaxlib for this machine.")
    return Finding("ok", f"{device.platform} {device.device_kind} computes")


def accelerator() -> Finding:
    import jax

    if jax.default_backend() != "cpu":
        return Finding("ok", f"{len(jax.devices())} {jax.default_backend()} device(s)")
    if os.path.exists("/dev/nvidiactl") or os.path.exists("/proc/driver/nvidia/version"):
        return Finding("note", "an NVIDIA GPU is not used", "pip install -U 'jax[cuda12]'")
    return Finding("ok", "no accelerator, training runs on the CPU")


def cache_is_writable() -> Finding:
    contents = cache_contents()
    folder = contents["folder"]
    if folder is None:
        return Finding("note", "compiled programs are not kept", "Unset JAXKERAS_PROGRAM_CACHE to keep them.")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("note", f"{folder} cannot be written: {error}", "Set JAXKERAS_PROGRAM_CACHE to another folder.")
    if os.name != "nt" and os.stat(folder).st_mode & 0o022:
        return Finding("note", f"{folder} can be written by others, so it is not used", f"chmod go-w {folder}")
    return Finding("ok", f"{folder} holds {contents['programs']} programs")


def trains_and_saves() -> Finding:
    import numpy as np

    import jaxkeras as jk

    model = jk.Sequential([jk.Input((2,)), jk.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 2), "float32"), np.zeros((8, 1), "float32")
    losses = model.fit(x, y, epochs=2, verbose=0).history["loss"]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        same = np.array_equal(jk.models.load_model(path).predict(x, verbose=0), model.predict(x, verbose=0))
    if not losses[1] < losses[0] or not same:
        return Finding("fail", f"a small model did not learn or load: losses {losses}", "Reinstall jax and jaxkeras.")
    return Finding("ok", "a small model trains, saves and loads")


def environment_variables() -> Finding:
    noted = [name for name in ("JAX_DISABLE_JIT", "JAX_DEBUG_NANS", "JAX_ENABLE_X64") if os.environ.get(name)]
    if noted:
        return Finding("note", f"set: {', '.join(noted)}", "These slow training down or change types.")
    backend = os.environ.get("KERAS_BACKEND")
    if backend and backend != "jax":
        return Finding("note", f"KERAS_BACKEND={backend}", "jaxkeras always runs on JAX and ignores it.")
    return Finding("ok", "no setting that slows training down")


def optional_packages() -> Finding:
    missing = [f"{name} ({use})" for name, (_, use) in OPTIONAL.items() if installed(name) is None]
    if missing:
        return Finding("note", f"not installed: {'; '.join(missing)}", "Install what you need with pip.")
    return Finding("ok", "all optional packages are installed")


def consistent_environment() -> Finding:
    command = [sys.executable, "-m", "pip", "check"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return Finding("note", "pip could not be run")
    ours = [line for line in done.stdout.splitlines() if re.match(r"(jax|optax|numpy|h5py|orbax|flax|chex)", line)]
    if "No module named pip" in done.stderr:
        return Finding("note", "pip is not installed in this environment")
    return Finding("note", "; ".join(ours), "Install versions that agree.") if ours else Finding("ok", "versions agree")


CHECKS: dict[str, Callable[[], Finding]] = {
    "Python": python_version,
    "packages": required_packages,
    "JAX": matching_jaxlib,
    "versions": consistent_environment,
    "device": device_computes,
    "accelerator": accelerator,
    "program cache": cache_is_writable,
    "settings": environment_variables,
    "training": trains_and_saves,
    "extras": optional_packages,
}


def run(options: argparse.Namespace) -> Report:
    """Run every check. The exit status is 1 if one fails."""
    findings: dict[str, Finding] = {}
    for name, check in CHECKS.items():
        try:
            findings[name] = check()
        except Exception as error:  # a broken installation fails in any way
            findings[name] = Finding("fail", f"{type(error).__name__}: {error}", "Reinstall jax and jaxkeras.")
    failed = [name for name, finding in findings.items() if finding.status == "fail"]
    lines = []
    for name, (status, found, cure) in findings.items():
        lines.append(f"{status:<5} {name}: {found}")
        if cure:
            lines.append(f"      -> {cure}")
    lines.append(f"{len(failed)} of {len(findings)} checks failed." if failed else "Nothing to mend.")
    values = {"checks": {name: finding._asdict() for name, finding in findings.items()}, "failed": failed}
    return Report(values, "\n".join(lines), 1 if failed else 0)
