"""Checks of layouts against the variables of a model."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from jaxkeras.distribution.layout import LayoutMap


def check_rules(layout_map: LayoutMap, variables: Sequence[Any]) -> None:
    """Find rules that match no variable. Rules for outputs of layers (`<layer>/output`) are not checked.

    Raises:
        ValueError: for such a rule, with the nearest paths.
    """
    paths = [v.path for v in variables]
    for rule in layout_map:
        if "output" in rule or any(re.fullmatch(rule, path) for path in paths):
            continue
        words = re.sub(r"[^\w/]+", "", rule)
        inside = [path for path in paths if re.search(rule, path)]
        near = inside or difflib.get_close_matches(words, paths, 5, 0.3) or paths[:5]
        hint = f" It matches a part of these paths only: write '.*{rule}.*'." if inside else ""
        raise ValueError(
            f"The rule '{rule}' of the LayoutMap matches no variable; a rule must match a whole path.{hint} Near "
            f"paths: {', '.join(map(repr, near[:5]))}."
        )
