"""Which cases of a table run by default."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest


def by_default(cases: Iterable[Any], chosen: Collection[Any] | Callable[[Any], bool]) -> list[Any]:
    """Parameters for `parametrize`: the chosen cases run by default, the others with the exhaustive tests.

    Args:
        cases: the cases; a tuple is the values of several parameters, and its first value is what is chosen by.
        chosen: the chosen values, or a function that tells whether a value is chosen.
    """
    is_chosen = chosen if callable(chosen) else chosen.__contains__
    parameters = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        parameters.append(pytest.param(*values, marks=() if is_chosen(values[0]) else pytest.mark.exhaustive))
    return parameters
