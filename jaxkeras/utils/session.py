"""Reset the global state."""

from __future__ import annotations

import gc

from jaxkeras.core import names, seeds
from jaxkeras.core.logging import enable_interactive_logging
from jaxkeras.core.policy import reset_dtype_policy


def clear_session(free_memory: bool = True) -> None:
    """Reset automatic names, the dtype policy, the global random generator and interactive logging.

    Existing models and layers stay usable. As in Keras, `floatx`, `epsilon` and the image data format are kept.

    Args:
        free_memory: whether to run the garbage collector, which takes a moment. Models and their compiled programs
            refer to each other, so only the collector frees them.

    Example:

    >>> import jaxkeras as jk
    >>> clear_session()
    >>> [jk.layers.Dense(1).name for _ in range(2)]
    ['dense', 'dense_1']
    """
    names.reset_uids()
    reset_dtype_policy()
    seeds.reset_global_generator()
    enable_interactive_logging()
    if free_memory:
        gc.collect()
