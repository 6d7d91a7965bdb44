"""Datasets of WAV files in class folders."""

from __future__ import annotations

import math
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras.data.pipeline import stack
from jaxkeras.utils.directory import Folder, datasets


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Create a dataset of sounds from `.wav` files in one folder per class.

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
            format, verbose: as in `image_dataset_from_directory`.
        sampling_rate: samples per second to resample to; by default each file keeps its own.
        output_sequence_length: number of samples to truncate or zero-pad each sound to, after resampling; by default
            sounds are padded to the longest in their batch.
        ragged: whether to keep the lengths: a batch is then an object array of sounds, which must be processed further
            before it is passed to a model.

    Returns:
        A `Dataset` of float32 arrays of shape `(batch, samples, channels)` with values in [-1, 1), or of pairs of them
        with the labels; with `subset="both"`, a tuple of two.

    Raises:
        ValueError: for inconsistent arguments, if there are no sounds, or, when it is read, for a file that is not PCM.

    Example:

    >>> sounds = audio_dataset_from_directory("words", output_sequence_length=16000)  # doctest: +SKIP
    """
    if ragged and output_sequence_length is not None:
        raise ValueError("With ragged=True sounds keep their lengths, so leave out `output_sequence_length`.")
    if ragged and format == "grain":
        raise ValueError("With format='grain' there are no ragged datasets; leave out ragged=True.")
    if sampling_rate is not None and (not isinstance(sampling_rate, int) or sampling_rate <= 0):
        raise ValueError(f"`sampling_rate` must be a positive integer; got {sampling_rate!r}.")

    def load(path: str) -> np.ndarray:
        sound, rate = _read(path)
        if sampling_rate is not None and rate != sampling_rate:
            sound = _resampled(sound, rate, sampling_rate)
        if output_sequence_length is not None:
            sound = sound[:output_sequence_length]
            sound = np.pad(sound, ((0, output_sequence_length - len(sound)), (0, 0)))
        return sound

    folder = Folder(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links,
        verbose, format,
    )  # fmt: skip
    result = datasets(folder, (".wav",), "sounds", load, _ragged if ragged else _padded)
    return tuple(result) if isinstance(result, list) else result


def _padded(elements: list[Any]) -> Any:
    return stack(elements, pad=True)


def _ragged(elements: list[Any]) -> Any:
    pairs = isinstance(elements[0], tuple)
    sounds = np.empty(len(elements), object)
    for i, element in enumerate(elements):
        sounds[i] = element[0] if pairs else element
    return (sounds, np.stack([label for _, label in elements])) if pairs else sounds


def _read(path: str) -> tuple[np.ndarray, int]:
    """Read a file as a float32 array of shape `(samples, channels)`, and its sampling rate."""
    try:
        with wave.open(path, "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"The file {path!r} cannot be read as PCM sound: {error}") from error
    return (_samples(data, width) / np.float32(2 ** (8 * width - 1))).reshape(-1, channels), rate


def _samples(data: bytes, width: int) -> np.ndarray:
    if width == 1:  # the only unsigned format
        return np.frombuffer(data, np.uint8).astype(np.float32) - 128
    if width == 3:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        # Put into the upper three bytes of four, so that the sign bit is in its place.
        whole = np.pad(parts, ((0, 0), (1, 0))).copy().view("<i4")[:, 0]
        return (whole >> 8).astype(np.float32)
    return np.frombuffer(data, f"<i{width}").astype(np.float32)


def _resampled(sound: np.ndarray, rate: int, target: int) -> np.ndarray:
    from scipy.signal import resample_poly

    common = math.gcd(rate, target)
    return resample_poly(sound, target // common, rate // common, axis=0).astype(np.float32)
