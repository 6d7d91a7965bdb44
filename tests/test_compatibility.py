"""The README's table of supported Keras names. `python -m tests.test_compatibility` updates it."""

import importlib
import inspect
import os
import pathlib
import pkgutil

os.environ["KERAS_BACKEND"] = "numpy"
import keras  # noqa: E402

README = pathlib.Path(__file__).parent.parent / "README.md"
START, END = "<!-- compatibility: start -->", "<!-- compatibility: end -->"
# Wrappers for other frameworks and switches for Keras's backends.
NOT_OURS = {"TorchModuleWrapper", "TFSMLayer", "nnx_enabled", "is_nnx_enabled", "enable_nnx"}
_SKIPPED = ("keras.src", "keras._tf_keras")


def namespaces():
    """Keras's public modules by namespace: `keras.applications.vgg16` belongs to `applications`."""
    found = {}
    for module in pkgutil.walk_packages(keras.__path__, "keras."):
        if not module.name.startswith(_SKIPPED) and ".legacy" not in module.name:
            found.setdefault(module.name.split(".")[1], []).append(module.name.removeprefix("keras."))
    return dict(sorted(found.items()))


def names(path):
    module = importlib.import_module(f"keras.{path}")
    public = {n for n in dir(module) if not n.startswith("_") and not inspect.ismodule(getattr(module, n))}
    return public - NOT_OURS


def ours(path, name):
    try:
        return hasattr(importlib.import_module(f"jaxkeras.{path}"), name)
    except ModuleNotFoundError:
        return hasattr(getattr(importlib.import_module("jaxkeras"), path, None), name)


def table():
    lines = ["| namespace | names | not here |", "| --- | --- | --- |"]
    for part, paths in namespaces().items():
        all_names = [(path, name) for path in paths for name in sorted(names(path))]
        missing = list(dict.fromkeys(name for path, name in all_names if not ours(path, name)))
        there = sum(ours(path, name) for path, name in all_names)
        lines.append(f"| `{part}` | {there} of {len(all_names)} | {', '.join(f'`{n}`' for n in missing)} |")
    return "\n".join(lines)


def test_readme_table_is_up_to_date():
    text = README.read_text()
    assert text.split(START)[1].split(END)[0].strip() == table(), "run: python -m tests.test_compatibility"


if __name__ == "__main__":
    text = README.read_text()
    before, rest = text.split(START)
    README.write_text(f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}")
