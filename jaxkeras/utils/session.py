"""The state of the process."""

from __future__ import annotations

import gc

from jaxkeras.core import names, seeds
from jaxkeras.core.logging import enable_interactive_logging
from jaxkeras.core.policy import set_dtype_policy


def clear_session(free_memory: bool = True) -> None:
    """Start anew: automatic names count from the beginning, and global settings made by functions are as at import.

    These are the dtype policy, the global random generator and interactive logging. Models and layers that exist stay
    usable; `floatx`, `epsilon` and the image layout stay as they are, as in Keras.

    Args:
        free_memory: whether to collect garbage, which takes a moment: models and their compiled programs hold one
            another, so that only the collector frees them.

    Example:

    >>> import jaxkeras as jk
    >>> clear_session()
    >>> [jk.layers.Dense(1).name for _ in range(2)]
    ['dense', 'dense_1']
    """
    names.reset_uids()
    set_dtype_policy(None)
    seeds.reset_global_generator()
    enable_interactive_logging()
    if free_memory:
        gc.collect()
