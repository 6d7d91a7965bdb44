"""The files of the datasets: URLs, digests, cache locations, and downloading."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

from jaxkeras.utils.file_utils import cache_home, digest, download, hash_algorithm_of, keras_home


class DatasetNotFoundError(FileNotFoundError):
    """The files of a dataset are not on this machine and cannot be downloaded."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a dataset.

    Args:
        url: where to download it.
        digest: SHA-256 or MD5, in hexadecimal digits.
        name: file name of our copy; by default the last part of the URL.
        folder: subfolder of the datasets folders, ours and Keras's.
        keras_names: file names of Keras's copy, which depend on its version; by default `name`.
        system: path of a copy installed by a system package.
        package: name of that Debian package.
        of_content: whether `digest` is that of the uncompressed content, because copies differ in their gzip headers.
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
    def locations(self) -> list[Path]:
        """Where to look for it; it is downloaded to the first."""
        name = self.name or self.url.rsplit("/", 1)[1]
        keras = Path(keras_home(), "datasets", self.folder)
        system = [Path(self.system)] if self.system else []
        ours = Path(cache_home(), "datasets", self.folder, name)
        return [ours, *(keras / each for each in self.keras_names or (name,)), *system]

    def verify(self, path: Path) -> None:
        """Raise ValueError if the file at `path` has another digest."""
        try:
            with gzip.open(path) if self.of_content else open(path, "rb") as stream:
                found = digest(stream, self.algorithm)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"a damaged gzip file: {error}") from error
        if found != self.digest:
            raise ValueError(f"damaged or a different file: its {self.algorithm} is {found}")


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


# URLs and digests are those of Keras 3.15. Keras has no digests for Fashion-MNIST; these are of the uncompressed files
# in github.com/zalandoresearch/fashion-mnist.
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
    """The first valid copy, or None, and the problem with each location before it."""
    misses = []
    for path in file.locations:
        try:
            file.verify(path)
            return path, misses
        except FileNotFoundError:
            misses.append(f"{path}: does not exist")
        except (OSError, ValueError) as error:
            misses.append(f"{path}: {error}")
    return None, misses


def _advice(dataset: str, missing: list[tuple[RemoteFile, list[str]]], reason: Exception) -> str:
    lines = [f"The files of the dataset {dataset!r} are not on this machine, and downloading failed.", f"  {reason}"]
    lines.append("Looked for them at:")
    lines += [f"  {miss}" for _, misses in missing for miss in misses]
    lines.append("On a machine with a connection, download them, and put them here:")
    for file, _ in missing:
        of = " of the uncompressed content" if file.of_content else ""
        lines.append(f"  {file.url}\n    as {file.locations[0]}\n    ({file.algorithm} {file.digest}{of})")
    packages = {file.package for file, _ in missing if file.package}
    lines += [f"Or on Debian and Ubuntu: apt install {package}" for package in sorted(packages)]
    lines.append(f"Set the environment variable JAXKERAS_HOME to use another folder than {cache_home()}.")
    lines.append("Datasets without a download: jaxkeras.datasets.digits, jaxkeras.datasets.movie_snippets.")
    return "\n".join(lines)


def fetch(*keys: str, name: str | None = None) -> list[Path]:
    """Find or download files of one dataset, and verify their digests.

    Looks into our cache folder, then into Keras's, then at the path of the system package. A file with a wrong digest
    counts as missing.

    Args:
        *keys: keys of `FILES`.
        name: file name in the cache folders; by default the last part of the URL.

    Returns:
        The paths, in the order of `keys`.

    Raises:
        ValueError: if `name` is not a plain file name.
        DatasetNotFoundError: if a file is missing and cannot be downloaded; the message says which file to put where.
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
            path = file.locations[0]
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
