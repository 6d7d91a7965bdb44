"""A process that loads files on request and reports the memory used; run by `test_bombs.py`.

Peak memory never decreases, so the peak of the test process says nothing about a single file. This process has loaded
only small files before. Each line of JSON on standard input is a request, and each line on standard output a
response:

- `{"path": str, "weights": bool, "quiet": bool}`: load the file as a model, or as weights of a valid model; if quiet,
  without side effects (see `nothing_happens`);
- `{"hold": int}`: allocate that many MiB, to show that the measurement works.

Responses: `caught` (class name of the exception, if any), `message`, `grew` (MiB of peak memory beyond the peak after
loading valid files), `seconds`.
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
    # On Linux a new program inherits the peak memory of its parent process, but a fork does not.
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    main(sys.argv[1])
