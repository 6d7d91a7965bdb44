"""A process that reads files on request and reports the memory used; run by `test_bombs.py`.

A process's peak of memory never falls again, so the peak of the tests' own process says nothing about one file. Here
nothing but small files has been read before. One line of JSON on standard input is a request, one on standard output
the answer:

- `{"path": str, "weights": bool, "quiet": bool}`: read it as a model, or as weights of the honest model; if quiet,
  nothing else may happen meanwhile (see `nothing_happens`);
- `{"hold": int}`: hold so many MiB, which shows that the measure can fail.

Answers: `caught` (the name of the exception's class, if one came), `message`, `grew` (MiB by which the peak is above
the one after the honest files), `seconds`.
"""

import contextlib
import json
import os
import resource
import sys
import time

_MIB = 1024**2 if sys.platform == "darwin" else 1024  # macOS counts bytes, all others KiB


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


def main(folder: str) -> None:
    import pathlib

    from jaxkeras.saving import load_model
    from tests.saving.hostile import honest_files, nothing_happens

    model = honest_files(pathlib.Path(folder))
    with nothing_happens():
        before = _peak()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request, caught = json.loads(line), None
        start = time.monotonic()
        try:
            if "hold" in request:
                b"x" * (request["hold"] * 1024**2)
            else:
                with nothing_happens(request["path"]) if request["quiet"] else contextlib.nullcontext():
                    (model.load_weights if request["weights"] else load_model)(request["path"])
        except BaseException as error:
            caught = error
        answer = {"caught": caught and type(caught).__name__, "message": str(caught)}
        print(json.dumps(answer | {"grew": _peak() - before, "seconds": time.monotonic() - start}), flush=True)


if __name__ == "__main__":
    # On Linux a program inherits the peak memory of the process that starts it, but a fork of it does not.
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    main(sys.argv[1])
