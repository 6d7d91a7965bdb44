"""`TerminateOnNaN`: stop when the loss is NaN or infinite."""

from __future__ import annotations

import math
from typing import Any

from jaxkeras.callbacks.callback import Callback
from jaxkeras.core.messages import print_message


class TerminateOnNaN(Callback):
    """Stops training when the loss becomes NaN or infinite.

    The loss is checked after each piece of steps that runs as one program (a fraction of a second), so that training is
    not slowed down. The loss is a mean over the epoch so far, which stays NaN once it is, so no bad batch is missed.

    Args:
        raise_error: whether to raise an error, in which case no `on_train_end` is called, instead of ending `fit`.

    Raises:
        RuntimeError: from `fit`, with `raise_error=True`.
    """

    sees_pieces = True
    per_member = True

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = logs.get("loss") if logs is not None else None
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss became {loss} at batch {batch} or a few batches before.")
        print_message(f"Batch {batch}: the loss is {loss}; training ends.")
        self.model.stop_training = True
