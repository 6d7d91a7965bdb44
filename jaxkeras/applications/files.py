"""Keras's files of pretrained weights, cached where Keras caches them."""

from __future__ import annotations

import os
from typing import NamedTuple

from jaxkeras.utils.file_utils import get_file, keras_home

WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"


class Pretrained(NamedTuple):
    """Two files of weights trained on ImageNet: with and without the classifier.

    Attributes:
        folder: URL of the folder, absolute or relative to `WEIGHTS_URL`.
        stem: common part of the file names.
        hashes: SHA-256 or MD5 of the two files, where known.
        endings: endings of the two file names.
        local: stem of the names in the cache, if not `stem`.
    """

    folder: str
    stem: str
    hashes: tuple[str | None, str | None] = (None, None)
    endings: tuple[str, str] = (".h5", "_notop.h5")
    local: str | None = None

    def path(self, include_top: bool) -> str:
        """The path of the cached file, which is downloaded if needed."""
        which = 0 if include_top else 1
        ending, file_hash = self.endings[which], self.hashes[which]
        folder = self.folder if "://" in self.folder else WEIGHTS_URL + self.folder
        return fetch((self.local or self.stem) + ending, folder + self.stem + ending, file_hash, "weights='imagenet'")


def fetch(name: str, url: str, file_hash: str | None, user: str) -> str:
    """The path of a file in Keras's cache folder for models, downloaded if needed.

    Args:
        name: file name in the cache folder.
        url: where to download it.
        file_hash: its SHA-256 or MD5, if known.
        user: what needs the file, for the error message.

    Raises:
        FileNotFoundError: if it is not cached and cannot be downloaded; the message says where to put it.
    """
    try:
        return get_file(name, url, cache_subdir="models", file_hash=file_hash)
    except OSError as error:
        raise FileNotFoundError(
            f"{user} needs the file '{name}', which is not cached and could not be downloaded.\n"
            f"  {error}\n"
            f"On a machine with a connection, download\n"
            f"  {url}\n"
            f"and put it here as\n"
            f"  {os.path.join(keras_home(), 'models', name)}\n"
            "(set the environment variable KERAS_HOME to use another folder than ~/.keras)."
        ) from error
