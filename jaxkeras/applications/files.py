"""Files of pretrained models: Keras's own, in the folder where Keras keeps them."""

from __future__ import annotations

import os
from typing import NamedTuple

from jaxkeras.utils.file_utils import get_file, keras_home

WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"


class Pretrained(NamedTuple):
    """Files of weights trained on ImageNet, with and without the classifier.

    Attributes:
        folder: URL of the folder, relative to that of all applications.
        stem: the name before the endings.
        endings: of the file with the classifier, and of that without.
        hashes: SHA-256 or MD5 of the two, where known.
        local: the stem of the name in the cache, where it is another one.
    """

    folder: str
    stem: str
    hashes: tuple[str | None, str | None] = (None, None)
    endings: tuple[str, str] = (".h5", "_notop.h5")
    local: str | None = None

    def path(self, include_top: bool) -> str:
        """The path of the file, which is downloaded if it is not in the cache."""
        which = 0 if include_top else 1
        ending, file_hash = self.endings[which], self.hashes[which]
        folder = self.folder if "://" in self.folder else WEIGHTS_URL + self.folder
        return fetch((self.local or self.stem) + ending, folder + self.stem + ending, file_hash, "weights='imagenet'")


def fetch(name: str, url: str, file_hash: str | None, user: str) -> str:
    """The path of a file in Keras's cache folder for models, downloaded if it is not there.

    Args:
        name: of the file in the cache folder.
        url: where it can be downloaded.
        file_hash: its SHA-256 or MD5, if known.
        user: who needs it, for the error.

    Raises:
        FileNotFoundError: if it is not there and cannot be downloaded; says where to put it.
    """
    try:
        return get_file(name, url, cache_subdir="models", file_hash=file_hash)
    except OSError as error:
        raise FileNotFoundError(
            f"{user} needs the file '{name}', which is not on this machine and could not be downloaded.\n"
            f"  {error}\n"
            f"On a machine with a connection, download\n"
            f"  {url}\n"
            f"and put it here as\n"
            f"  {os.path.join(keras_home(), 'models', name)}\n"
            "(the environment variable KERAS_HOME chooses another folder in place of ~/.keras)."
        ) from error
