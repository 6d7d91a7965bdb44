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
import queue
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv-run"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
# By extra: what is installed besides the library, and about how large it is in MB: to download, and installed.
CONTENTS = {
    "plot": ("JAX, optax, NumPy, SciPy, h5py, rich, Orbax and Matplotlib", 205, 760),
    "test": ("JAX, Keras, Flax, Equinox, scikit-learn, pandas, pytest and what they need", 380, 1360),
    "docs": ("JAX, Sphinx, Jupyter, scikit-learn, Matplotlib and what they need", 250, 900),
}


def call(*command: object) -> int:
    print("+", *command, flush=True)
    return subprocess.call([str(part) for part in command], cwd=ROOT)


def need(*command: object) -> None:
    code = call(*command)
    if code:
        sys.exit(code)


def create() -> None:
    """Create the environment. Debian's Python lacks `ensurepip` and refuses to install into the system."""
    print(f"Creating a virtual environment in {ENVIRONMENT}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], capture_output=True)
    if made.returncode == 0:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    need(sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT)
    # pip can install itself into an environment without pip.
    if call(sys.executable, "-m", "pip", "--python", PYTHON, "install", "-q", "pip"):
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        sys.exit("Neither ensurepip nor pip is available. On Debian and Ubuntu: apt install python3-venv")


def install(extra: str) -> None:
    """Install the package with the extra of a task, unless pyproject.toml is unchanged since the last time."""
    stamp = ENVIRONMENT / f"installed-{extra}"
    project = ROOT / "pyproject.toml"
    if not PYTHON.exists():
        create()
    if not stamp.exists() or stamp.stat().st_mtime < project.stat().st_mtime:
        what, download, size = CONTENTS[extra]
        print(f"Installing {what}:", flush=True)
        print(f"about {download} MB to download, unless pip has them; {size} MB when installed.", flush=True)
        # Python compiles what it imports, which is half of it.
        pip = [PYTHON, "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", "--progress-bar", "off"]
        watch([str(part) for part in [*pip, "-e", f".[{extra}]"]], size)
        stamp.touch()


def watch(command: list[str], megabytes: int) -> None:
    """Run pip and show how far it is: one line that moves in a terminal, a line for each file elsewhere."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True)
    reader.start()
    start, now, output = time.monotonic(), "looking for packages", []
    moves = sys.stdout.isatty()
    while reader.is_alive() or not lines.empty():
        try:
            line = lines.get(timeout=0.5)
        except queue.Empty:
            line = ""
        output.append(line)
        if found := re.match(r"\s*(Downloading|Using cached) ([\w.]+)-(\S+?)-\S+\.whl( \(.*B\))?$", line):
            now = f"{found[1].lower()} {found[2]} {found[3]}{found[4] or ''}"
            if not moves:
                print(f"  {now}", flush=True)
        elif line.startswith("Installing collected packages"):
            now = f"unpacking {line.count(',') + 1} packages"
            if not moves:
                print(f"  {now}", flush=True)
        if moves:
            done = f", {size_of(ENVIRONMENT):.0f} of {megabytes} MB" if now.startswith("unpacking") else ""
            text = f"  {time.monotonic() - start:3.0f} s  {now}{done}"
            print(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K", end="", flush=True)
    code = process.wait()
    if code:
        sys.exit("\n" + "".join(output) + f"pip failed; its command was: {' '.join(command)}")
    seconds = time.monotonic() - start
    print("\r\x1b[K" * moves + f"Installed in {seconds:.0f} s; {ENVIRONMENT} holds {size_of(ENVIRONMENT):.0f} MB.")


def size_of(folder: pathlib.Path) -> float:
    """The size of the files in a folder, in MB."""
    paths = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(path).st_size for path in paths if os.path.lexists(path)) / 1e6


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
