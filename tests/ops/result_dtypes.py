"""What dtypes ops return, op by op and dtype by dtype, as a letter each: of ours, or of Keras's on JAX.

`KERAS_BACKEND=jax python -m tests.ops.result_dtypes` writes down Keras's.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import jax

from tests.ops.numpy_rows import BINARY, DTYPES, REDUCTIONS, UNARY

STORED = pathlib.Path(__file__).with_name("result_dtypes.json")
SECOND = (*DTYPES, True, 2, 1.5)  # of two arguments
LETTERS = {**dict(zip(DTYPES, "?uaswxhbf")), "complex64": "c", "int64": "l", "float64": "d"}


def letters(function: Any, two: bool) -> str:
    """For every dtype (of the second argument, for every one of the first) the letter of the result, `!` if refused."""
    first = [jax.ShapeDtypeStruct((2, 3), dtype) for dtype in DTYPES]
    second = [jax.ShapeDtypeStruct((2, 3), s) if isinstance(s, str) else s for s in SECOND]
    return "".join(_letter(function, x, y) for x in first for y in (second if two else [None]))


def _letter(function: Any, x: Any, y: Any) -> str:
    try:
        if y is None:
            out = jax.eval_shape(function, x)
        elif isinstance(y, jax.ShapeDtypeStruct):
            out = jax.eval_shape(function, x, y)
        else:
            out = jax.eval_shape(lambda x: function(x, y), x)
    except Exception:  # whatever it raises, it takes no such numbers
        return "!"
    return LETTERS[str(jax.tree.leaves(out)[0].dtype)]


def table(ops: Any) -> dict[str, str]:
    """`{name: letters}` of every op there is."""
    return {
        name: letters(getattr(ops, name), name in BINARY)
        for name in (*UNARY, *REDUCTIONS, *BINARY)
        if hasattr(ops, name)
    }


if __name__ == "__main__":
    import keras

    assert keras.config.backend() == "jax"
    rows = {"keras": keras.version(), "dtypes": table(keras.ops)}
    STORED.write_text(json.dumps(rows, indent=0) + "\n")
