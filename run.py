#!/usr/bin/env python3
"""Create a virtual environment beside this file and run a task in it. Needs only Python 3.11 or newer.

    python3 run.py quickstart     train a real model and show the result
    python3 run.py test           check style and run the test suite
    python3 run.py test --all     the same with the exhaustive sweeps, which take longer
    python3 run.py docs           build the documentation site in docs/_build/html

Further arguments of `test` go to pytest.
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv-run"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def call(*command: object) -> int:
    print("+", *command, flush=True)
    return subprocess.call([str(part) for part in command], cwd=ROOT)


def need(*command: object) -> None:
    code = call(*command)
    if code:
        sys.exit(code)


def create() -> None:
    """Create the environment. Debian's Python lacks `ensurepip` and refuses to install into the system."""
    if subprocess.call([sys.executable, "-m", "venv", str(ENVIRONMENT)], stdout=subprocess.DEVNULL) == 0:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    need(sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT)
    # pip can install itself into an environment without pip.
    if call(sys.executable, "-m", "pip", "--python", PYTHON, "install", "-q", "pip"):
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        sys.exit("Neither ensurepip nor pip is available. On Debian and Ubuntu: apt install python3-venv")


def install(extras: str) -> None:
    """Install the package with the extras of a task, unless pyproject.toml is unchanged since the last time."""
    stamp = ENVIRONMENT / f"installed-{extras}"
    project = ROOT / "pyproject.toml"
    if not PYTHON.exists():
        create()
    if not stamp.exists() or stamp.stat().st_mtime < project.stat().st_mtime:
        need(PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-e", f".[{extras}]")
        stamp.touch()


def quickstart() -> int:
    install("plot")
    return call(PYTHON, "examples/quickstart.py")


def test() -> int:
    install("test")
    need(PYTHON, "-m", "ruff", "check", ".")
    need(PYTHON, "-m", "pytest", "-q", "tests/contract/test_imports.py")
    arguments = sys.argv[2:]
    if "--all" in arguments:
        arguments.remove("--all")
        arguments += ["-m", ""]  # overrides the selection in pyproject.toml
    return call(PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile", *arguments)


def docs() -> int:
    install("docs")
    site = ROOT / "docs" / "_build" / "html"
    code = call(PYTHON, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", site)
    if code == 0:
        print("Open", (site / "index.html").as_uri())
    return code


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  (checks the interpreter that runs this file)
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    tasks = {"quickstart": quickstart, "test": test, "docs": docs}
    if len(sys.argv) < 2 or sys.argv[1] not in tasks:
        sys.exit(__doc__)
    sys.exit(tasks[sys.argv[1]]())
