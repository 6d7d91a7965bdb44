"""Datasets of text files in class folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkeras.data.pipeline import stack
from jaxkeras.utils.directory import Folder, datasets


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Create a dataset of texts from `.txt` files in one folder per class.

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
            format, verbose: as in `image_dataset_from_directory`.
        max_length: maximal number of characters of a text; longer ones are truncated (in Keras with `format="tf"`, the
            number of bytes).

    Returns:
        A `Dataset` of texts, NumPy arrays of `str` objects of shape `(batch,)`, or of pairs of them with the labels;
        with `subset="both"`, a list of two. It can be passed to `TextVectorization.adapt`, and to models that start
        with such a layer. Invalid UTF-8 is replaced by U+FFFD.

    Raises:
        ValueError: for inconsistent arguments, or if there are no texts.

    Example:

    >>> train = text_dataset_from_directory("reviews", max_length=500)  # doctest: +SKIP
    """

    def load(path: str) -> str:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")[:max_length]

    folder = Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
        verbose, format,
    )  # fmt: skip
    return datasets(folder, (".txt",), "texts", load, stack)
