"""Run programs and packages that import `keras` on jaxkeras, unmodified.

Importing this module makes `import keras`, `import keras.layers` and `from keras.src... import ...` resolve to jaxkeras
for the rest of the process. Four ways to do so before anything imports Keras:

- `import jaxkeras.as_keras` as the first import of a program;
- `python -m jaxkeras.as_keras script.py arguments`, or `python -m jaxkeras.as_keras -m module arguments`;
- `pytest -p jaxkeras.as_keras`;
- the environment variable `JAXKERAS_AS_KERAS=1`, once `python -m jaxkeras.as_keras --install` has put the file
  `jaxkeras_as_keras.pth` into the environment's site-packages, where Python reads it whenever it starts
  (`--uninstall` removes it). Child processes inherit the variable, and only this way reaches those that are spawned.

`keras.layers` is `jaxkeras.layers` itself, and likewise for every public module, so classes and functions are the same
under either name. `keras.__version__` is the release of Keras whose API jaxkeras has. Names that are private to Keras
(`keras.src`) work where they stand for something public or for one of the counterparts listed in
`jaxkeras/alias/table.py`; others raise an ImportError that says so.

Raises:
    ImportError: if Keras itself has been imported.
"""

from __future__ import annotations

import pathlib
import runpy
import sys
import sysconfig

from jaxkeras.alias import finder

_VARIABLE = "JAXKERAS_AS_KERAS"
_PTH = "jaxkeras_as_keras.pth"
_LINE = f'import os; os.environ.get("{_VARIABLE}", "0") in ("", "0") or __import__("jaxkeras.as_keras")\n'
_USAGE = f"""usage: python -m jaxkeras.as_keras script.py [argument ...]
       python -m jaxkeras.as_keras -m module [argument ...]
       python -m jaxkeras.as_keras --install | --uninstall [folder]

Run a Python program with `keras` resolved to jaxkeras. --install writes a file to site-packages (or another folder that
Python treats as such) that does so for every Python process with {_VARIABLE}=1 in its environment; --uninstall removes
it."""

finder.install()


def _main(arguments: list[str]) -> int:
    if arguments[:1] in (["--install"], ["--uninstall"]):
        file = pathlib.Path(*arguments[1:2] or [sysconfig.get_path("purelib")], _PTH)
        if arguments[0] == "--install":
            file.write_text(_LINE)
            print(f"Wrote {file}: with {_VARIABLE}=1, `import keras` is jaxkeras.")
        else:
            file.unlink(missing_ok=True)
            print(f"Removed {file}.")
    elif arguments[:1] == ["-m"] and len(arguments) > 1:
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments and not arguments[0].startswith("-"):
        sys.argv = arguments
        sys.path[0] = str(pathlib.Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")
    else:
        print(_USAGE)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
