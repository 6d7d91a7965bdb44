"""Choose the forms of a model's operations by measurement."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxkeras.lowering import tuning
from jaxkeras.lowering.tuning import TunedForms


def tune(model: Any, x: Any, y: Any = None, batch_size: int = 32, seconds: float = 60.0) -> TunedForms:
    """Time the forms of a model's operations on this machine once, and use the fastest from then on.

    Convolutions, pooling, normalization, attention and recurrent layers, and their gradients, have several forms, which
    compute the same numbers up to rounding. Which one is fastest depends on the processor; by default a table decides
    that was measured on a few. The choice is kept in the program cache (see `jaxkeras.config.set_program_cache`) for
    this machine, version of jaxlib, shapes and types, so later processes use it too. `JAXKERAS_TUNE=1` in the
    environment does the same for whatever a process compiles.

    Close other programs before: what they take from the processor disturbs the measurement.

    Args:
        model: a compiled model. Its weights are not changed.
        x: inputs; only their shapes and types are used.
        y: targets, likewise. Without them only the forms for prediction are measured.
        batch_size: rows in a batch, as later in `fit`.
        seconds: a limit on the time that the measurements take; what is left over keeps the form of the table.

    Returns:
        The forms that were chosen now: a dict by operation and arguments, of `(form, usual, speedup)`, that is shown
        with a line for each operation.

    Example:

    >>> import jaxkeras as jk
    >>> model = jk.Sequential([jk.Input((8, 8, 4)), jk.layers.Conv2D(4, 3), jk.layers.Flatten(), jk.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> chosen = jk.utils.tune(model, np.ones((16, 8, 8, 4), "float32"), np.ones((16, 1), "float32"), seconds=0)
    >>> chosen  # there was no time
    no operation was measured
    """

    def spec(array: Any) -> jax.ShapeDtypeStruct:
        array = array if hasattr(array, "dtype") else np.asarray(array)
        return jax.ShapeDtypeStruct((batch_size, *array.shape[1:]), array.dtype)

    inputs, targets = jax.tree.map(spec, (x, y))
    model._session.discard_steps()
    with tuning.measuring(seconds) as chosen:
        for mode in ("predict",) if y is None else ("fit", "evaluate", "predict"):
            model.precompile(inputs, targets, batch_size=batch_size, modes=[mode])
    return chosen
