"""Which files the datasets need, where they may lie, and how to get them."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from jaxkeras.utils.file_utils import cache_home, digest, download, hash_algorithm_of, keras_home


class DatasetNotFoundError(FileNotFoundError):
    """A dataset's files are neither on this machine nor to be had from the network."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a dataset.

    Args:
        url: public address.
        digest: SHA-256 or MD5 in hexadecimal digits.
        name: what to call our copy, if not by the last part of the URL.
        folder: subfolder of the datasets folder, ours and Keras's.
        keras_names: what Keras, by its version, calls its copy, if not the same.
        system: path of a copy that a system package installs.
        package: that Debian package.
        of_content: the digest is that of the content before gzip, because copies differ in their gzip headers.
    """

    url: str
    digest: str
    name: str = ""
    folder: str = ""
    keras_names: tuple[str, ...] = ()
    system: str = ""
    package: str = ""
    of_content: bool = False

    @property
    def algorithm(self) -> str:
        return hash_algorithm_of(self.digest)

    @property
    def places(self) -> list[Path]:
        """Where it may lie; the first is where it is downloaded to."""
        name = self.name or self.url.rsplit("/", 1)[1]
        keras = Path(keras_home(), "datasets", self.folder)
        system = [Path(self.system)] if self.system else []
        ours = Path(cache_home(), "datasets", self.folder, name)
        return [ours, *(keras / each for each in self.keras_names or (name,)), *system]

    def verify(self, path: Path) -> None:
        """Raise ValueError unless `path` holds this file."""
        try:
            with gzip.open(path) if self.of_content else open(path, "rb") as stream:
                found = digest(stream, self.algorithm)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"a damaged gzip file: {error}") from error
        if found != self.digest:
            raise ValueError(f"another or a damaged file: its {self.algorithm} is {found}")


_KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"


def _fashion(name: str, sha256: str) -> RemoteFile:
    return RemoteFile(
        _KERAS_FILES + name,
        sha256,
        folder="fashion-mnist",
        system=f"/usr/share/datasets/fashion-mnist/{name}",
        package="dataset-fashion-mnist",
        of_content=True,
    )


# URLs and digests as in Keras 3.15, except Fashion-MNIST, for which Keras has no digests: these are of the content of
# the files in github.com/zalandoresearch/fashion-mnist.
FILES: dict[str, RemoteFile] = {
    "mnist": RemoteFile(_KERAS_FILES + "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    "fashion_mnist/x_train": _fashion(
        "train-images-idx3-ubyte.gz", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "fashion_mnist/y_train": _fashion(
        "train-labels-idx1-ubyte.gz", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "fashion_mnist/x_test": _fashion(
        "t10k-images-idx3-ubyte.gz", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "fashion_mnist/y_test": _fashion(
        "t10k-labels-idx1-ubyte.gz", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
    "cifar10": RemoteFile(
        _TORONTO + "cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        keras_names=("cifar-10-batches-py-target_archive", "cifar-10-batches-py.tar.gz", "cifar-10-python.tar.gz"),
    ),
    "cifar100": RemoteFile(
        _TORONTO + "cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        keras_names=("cifar-100-python-target_archive", "cifar-100-python.tar.gz"),
    ),
    "imdb": RemoteFile(_KERAS_FILES + "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"),
    "imdb/word_index": RemoteFile(_KERAS_FILES + "imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),
    "reuters": RemoteFile(
        _KERAS_FILES + "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
    ),
    "reuters/word_index": RemoteFile(_KERAS_FILES + "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"),
    "california_housing": RemoteFile(
        _KERAS_FILES + "california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
    ),
    "boston_housing": RemoteFile(
        _KERAS_FILES + "boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"
    ),
}


def _find(file: RemoteFile) -> tuple[Path | None, list[str]]:
    """Return the first good copy, and why each place before it was no good."""
    misses = []
    for path in file.places:
        try:
            file.verify(path)
            return path, misses
        except FileNotFoundError:
            misses.append(f"{path}: not there")
        except (OSError, ValueError) as error:
            misses.append(f"{path}: {error}")
    return None, misses


def _advice(dataset: str, missing: list[tuple[RemoteFile, list[str]]], reason: Exception) -> str:
    lines = [f"The files of the dataset {dataset!r} are not on this machine, and downloading failed.", f"  {reason}"]
    lines.append("Looked at:")
    lines += [f"  {miss}" for _, misses in missing for miss in misses]
    lines.append("On a machine with a connection, download, then put here:")
    for file, _ in missing:
        of = " of the content before gzip" if file.of_content else ""
        lines.append(f"  {file.url}\n    as {file.places[0]}\n    ({file.algorithm} {file.digest}{of})")
    packages = {file.package for file, _ in missing if file.package}
    lines += [f"Or on Debian and Ubuntu: apt install {package}" for package in sorted(packages)]
    lines.append(f"The environment variable JAXKERAS_HOME chooses another folder in place of {cache_home()}.")
    lines.append("Need no download: jaxkeras.datasets.digits, jaxkeras.datasets.movie_snippets.")
    return "\n".join(lines)


def fetch(*keys: str, name: str | None = None) -> list[Path]:
    """Return paths of verified copies of some files of one dataset, downloading those that are missing.

    Looks into our cache folder, then Keras's, then where the system keeps datasets. A file whose digest is wrong counts
    as missing there.

    Args:
        keys: keys of `FILES`.
        name: what to call the file in the cache folders, by default as at its URL.

    Raises:
        ValueError: if `name` is not a plain file name.
        DatasetNotFoundError: with what was looked at and where to put which file.
    """
    if name is not None and os.path.basename(name) != name:
        raise ValueError(
            f"path={name!r} is not a plain file name. Datasets are kept in {os.path.join(cache_home(), 'datasets')}; "
            "set the environment variable JAXKERAS_HOME for another folder."
        )
    files = [replace(FILES[key], name=name) if name else FILES[key] for key in keys]
    searches = [_find(file) for file in files]
    paths = []
    for index, (file, (path, _)) in enumerate(zip(files, searches)):
        if path is None:
            path = file.places[0]
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                download(file.url, path, file.verify)
            except (OSError, ValueError) as error:
                missing = [
                    (each, misses) for each, (found, misses) in zip(files[index:], searches[index:]) if found is None
                ]
                raise DatasetNotFoundError(_advice(keys[0].split("/")[0], missing, error)) from error
        paths.append(path)
    return paths
