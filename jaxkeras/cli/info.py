"""`jaxkeras info`."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import sys
from typing import Any

import jaxkeras
from jaxkeras.cli.report import Report, table
from jaxkeras.core.program_cache import program_cache
from jaxkeras.display.text import format_bytes

REQUIRED = ("jax", "jaxlib", "optax", "numpy", "h5py", "rich", "orbax-checkpoint")
#: what an optional package is for: `{distribution: (module, use)}`
OPTIONAL = {
    "matplotlib": ("matplotlib", "plots of curves and models"),
    "pydot": ("pydot", "model_to_dot"),
    "pillow": ("PIL", "image files"),
    "pandas": ("pandas", "tables, CSV and Parquet on the command line"),
    "scikit-learn": ("sklearn", "wrappers for scikit-learn"),
    "anywidget": ("anywidget", "callbacks.LivePanel"),
    "tensorboard": ("tensorboard", "callbacks.TensorBoard"),
    "flax": ("flax", "layers.FlaxLayer"),
    "grain": ("grain", "grain datasets"),
    "shtab": ("shtab", "completion scripts"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """This command has no arguments of its own."""


def installed(distribution: str) -> str | None:
    """The version of a distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def cache_contents() -> dict[str, Any]:
    """The folder of compiled programs, their number, and their size in bytes."""
    folder = program_cache()
    files = list(folder.glob("*.program")) if folder is not None and folder.is_dir() else []
    return {
        "folder": None if folder is None else str(folder),
        "programs": len(files),
        "bytes": sum(f.stat().st_size for f in files),
    }


def run(options: argparse.Namespace) -> Report:
    """Collect versions, devices, and the contents of the cache."""
    import jax

    devices = [f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()]
    cache = cache_contents()
    values = {
        "jaxkeras": jaxkeras.__version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "packages": {name: installed(name) for name in REQUIRED},
        "optional": {name: installed(name) for name in OPTIONAL},
        "devices": devices,
        "default_backend": jax.default_backend(),
        "program_cache": cache,
    }
    lines = [
        ("jaxkeras", values["jaxkeras"]),
        ("Python", f"{values['python']} ({sys.executable})"),
        ("platform", values["platform"]),
        *[(name, version or "MISSING") for name, version in values["packages"].items()],
        ("devices", "; ".join(devices)),
        ("program cache", f"{cache['programs']} programs, {format_bytes(cache['bytes'])}, in {cache['folder']}"),
        *[(name, f"{installed(name) or 'not installed'} ({use})") for name, (_, use) in OPTIONAL.items()],
    ]
    return Report(values, table(lines))
