"""`NonFinite`: what to do when the loss or a weight becomes NaN or infinite."""

from __future__ import annotations

from typing import Any, Literal

from jaxkeras import registry
from jaxkeras.callbacks.callback import Callback
from jaxkeras.core.messages import print_message
from jaxkeras.training.faults import Fault
from jaxkeras.training.faults import NonFiniteError as NonFiniteError

ACTIONS = ("raise", "skip", "report")


class NonFinite(Callback):
    """Names the first value of a run that is NaN or infinite, and decides how training goes on.

    Without this callback `fit` reports, as with `action="report"`. In each case the trainer looks several times a
    second whether the loss, the weights and the optimizer's state are finite. If they are not, it goes back to a state
    that it kept, finds the step, and runs it once more op by op to find the layer, the tensor and the rows of the
    batch. Before a failure that costs less than 1 % of the time of a step. Several processes look at the end of each
    epoch whose loss is not finite.

    Args:
        action: `"raise"` ends `fit` with a `NonFiniteError` and leaves the state before the failing step in the model.
            `"skip"` leaves out every step that would make the loss, a weight or a moment NaN or infinite: weights,
            moments, moving statistics, seeds and metrics stay as they are, bit by bit. `"report"` prints the fault,
            once, and goes on. `"skip"` prints the first one too.

    Attributes:
        fault: the `Fault` that was found first, or None.
        skipped: how many steps `"skip"` has left out since `fit` began.

    Raises:
        ValueError: for an unknown action.
        NonFiniteError: from `fit`, with `action="raise"`.

    Example:

    >>> import numpy as np
    >>> import jaxkeras as jk
    >>> rate = jk.layers.Dense(1, kernel_initializer="ones", activation=jk.ops.log, name="rate")
    >>> model = jk.Sequential([jk.Input((2,)), rate], name="model")
    >>> model.compile("sgd", "mse")
    >>> x, y = -np.ones((4, 2)), np.ones((4, 1))
    >>> try:
    ...     model.fit(x, y, verbose=0, callbacks=[NonFinite("raise")])
    ... except NonFiniteError as error:
    ...     print(error.layer, error.tensor, error.rows, error.step)
    model/rate output (0, 1, 2, 3) 0
    """

    def __init__(self, action: Literal["raise", "skip", "report"] = "raise"):
        super().__init__()
        if action not in ACTIONS:
            raise ValueError(registry.unknown("action of NonFinite", action, ACTIONS))
        self.action = action
        self.fault: Fault | None = None
        self.skipped = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.fault, self.skipped = None, 0

    def found(self, fault: Fault) -> None:
        """Called with the first fault."""
        self.fault = fault
        if self.action != "raise":
            print_message(str(fault))
