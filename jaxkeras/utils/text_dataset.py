"""Texts in folders."""

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
    """Batches of texts from a folder of `.txt` files with a folder for each class.

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
            format, verbose: as in `image_dataset_from_directory`.
        max_length: how many characters of a text to keep (in Keras with `format="tf"`: bytes).

    Returns:
        A `Dataset` of texts, NumPy arrays of `str` objects `(batch,)`, or of pairs of them with the labels; with
        `subset="both"`, a list of two. It goes into `TextVectorization.adapt`, and into models that begin with such a
        layer. Bytes that are no UTF-8 become U+FFFD.

    Raises:
        ValueError: for arguments that do not fit together, or if there are no texts.

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
