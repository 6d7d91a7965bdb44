"""The architectures tested by default: the cheapest of each family."""

from collections.abc import Iterable
from typing import Any

import pytest

SMALLEST = (
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "MobileNetV2", "MobileNetV3Small", "ResNet50", "ResNet50V2",
)  # fmt: skip


def by_size(names: Iterable[str]) -> list[Any]:
    """Parameters for `parametrize`; the larger architectures are marked exhaustive."""
    return [pytest.param(name, marks=() if name in SMALLEST else pytest.mark.exhaustive) for name in names]
