"""`TensorBoard`: write logs for TensorBoard."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxkeras import registry
from jaxkeras.callbacks.callback import Callback
from jaxkeras.callbacks.event_files import EventFile, require_tensorboard
from jaxkeras.callbacks.learning_rate import logged_rates
from jaxkeras.core.config import image_data_format


class TensorBoard(Callback):
    """Writes logs for `tensorboard --logdir logs`: metrics, and optionally weights, images of them and a profile.

    Training curves are in the folder `train` and validation curves in `validation`, under Keras's names: `epoch_loss`,
    `epoch_learning_rate`, `batch_loss`, `evaluation_loss_vs_iterations`, `<path of a weight>/histogram`. Needs the
    package `tensorboard` (`pip install "jaxkeras[tensorboard]"`), but not TensorFlow. Each member of a population is a
    run of its own, in the folder `member_0` and so on.

    Args:
        log_dir: the folder, a string or path.
        histogram_freq: number of epochs between two histograms of all weights; 0 for none.
        write_graph: whether to write the layers of a functional or sequential model for the tab "Graphs".
        write_images: whether to write the weights also as images, at the epochs of the histograms.
        write_steps_per_second: whether to write the number of steps per second, for each epoch and each batch written.
        update_freq: `"epoch"`; or `"batch"` or a number N to write the running metrics after each or every N-th batch.
            Then each step waits for Python. With `steps_per_execution=K`, K batches count as one.
        profile_batch: a batch, or a pair of the first and the last one, counted from 1, to profile with
            `jax.profiler`; 0 for none.
        embeddings_freq: number of epochs between two writes of the vectors of `Embedding` layers for the tab
            "Projector"; 0 for none.
        embeddings_metadata: a file with a name for each id, relative to `log_dir`; or `{layer name: file}`.

    Raises:
        ImportError: without TensorBoard.
        ValueError: for any other `update_freq` or `profile_batch`, or unknown layers in `embeddings_metadata`.

    Example:

    >>> import jaxkeras as jk
    >>> board = jk.callbacks.TensorBoard("logs", histogram_freq=1)
    """

    one_process = True  # of several
    per_member = True
    state_attributes = ("_train_batches",)

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: int | str | Sequence[int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | dict[str, str] | None = None,
    ):
        super().__init__()
        require_tensorboard()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch" and not (isinstance(self.update_freq, int) and self.update_freq >= 1):
            raise ValueError(
                f"`update_freq` of TensorBoard must be 'epoch', 'batch' or a positive number; got {update_freq!r}."
            )
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self._profiled = _batches(profile_batch)
        self._profiling = self._tried = False
        self._train_batches = 0
        self._open()

    def _open(self) -> None:
        self._train = EventFile(os.path.join(self.log_dir, "train"))
        self._validation = EventFile(os.path.join(self.log_dir, "validation"))

    def for_member(self, index: int) -> None:
        self.log_dir = os.path.join(self.log_dir, f"member_{index}")
        self._open()

    def sees_batches(self, mode: str) -> bool:
        """Whether batches are written or profiled, or a subclass overrides their hooks."""
        own = any(
            getattr(type(self), hook) is not getattr(TensorBoard, hook)
            for hook in (f"on_{mode}_batch_begin", f"on_{mode}_batch_end")
        )
        return own or mode == "train" and (self.update_freq != "epoch" or self._profiled is not None)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._train_batches, self._tried = 0, False
        if self.write_graph and getattr(self.model, "_graph", None) is not None:
            try:
                # Without the compile arguments: they are not shown, and not every optimizer or loss has a config.
                layers = registry.serialize_dict(self.model.get_config())
                self._train.model(json.dumps({"class_name": type(self.model).__name__, "config": layers}))
            except Exception as problem:  # a missing graph must not stop training
                warnings.warn(f"TensorBoard shows no graph, since the model cannot be written: {problem}", stacklevel=2)
        if self.embeddings_freq:
            self._write_projector()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.write_steps_per_second:
            self._epoch_start = time.perf_counter(), self._iterations()
            self._written = self._epoch_start[0], self._train_batches

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._profiled is not None and not self._tried and self._train_batches + 1 >= self._profiled[0]:
            self._tried = True
            self._start_profile()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._train_batches += 1
        if self.update_freq != "epoch" and self._train_batches % self.update_freq == 0:  # type: ignore[operator]
            for name, value in _numbers(logs).items():
                self._train.scalar(f"batch_{name}", value, self._train_batches)
            if self.write_steps_per_second:  # since the last write, since other batches are not waited for
                (since, first), now = self._written, time.perf_counter()
                self._written = now, self._train_batches
                speed = (self._train_batches - first) / max(now - since, 1e-9)
                self._train.scalar("batch_steps_per_second", speed, self._train_batches)
        if self._profiling and self._train_batches >= self._profiled[1]:  # type: ignore[index]
            _numbers(logs)  # waits until the device has finished the batch
            self._stop_profile()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = _numbers(logs)
        seen = {name: value for name, value in logs.items() if not name.startswith("val_")}
        optimizer = getattr(self.model, "optimizer", None)
        if logs and (hasattr(optimizer, "learning_rate") or hasattr(optimizer, "optimizers")):
            seen |= logged_rates(optimizer)
        if logs and self.write_steps_per_second:
            since, before = self._epoch_start
            seen["steps_per_second"] = (self._iterations() - before) / max(time.perf_counter() - since, 1e-9)
        for name, value in seen.items():
            self._train.scalar(f"epoch_{name}", value, epoch)
        for name, value in logs.items():
            if name.startswith("val_"):
                self._validation.scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        self._train.flush()
        self._validation.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._profiling:
            self._stop_profile()
        self._train.close()
        self._validation.close()

    def release(self) -> None:
        self.on_train_end()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        if getattr(self.model, "optimizer", None) is not None:
            for name, value in _numbers(logs).items():
                self._validation.scalar(f"evaluation_{name}_vs_iterations", value, self._iterations())
            self._validation.flush()

    def _iterations(self) -> int:
        return int(np.asarray(self.model.optimizer.iterations))

    # -- weights -------------------------------------------------------------------------------------------------
    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                values, name = np.asarray(weight.numpy(), "float32"), weight.path.replace(":", "_")
                self._train.histogram(f"{name}/histogram", values, epoch)
                pixels = _as_images(values) if self.write_images else None
                if pixels is not None:
                    self._train.images(f"{name}/image", pixels, epoch)

    # -- the projector -------------------------------------------------------------------------------------------
    def _embeddings(self) -> list[tuple[Any, str]]:
        """Return the embedding layers with the files of their vectors, relative to `log_dir`."""
        from jaxkeras.layers import Embedding, ReversibleEmbedding

        layers = [layer for layer in self.model.layers if isinstance(layer, (Embedding, ReversibleEmbedding))]
        return [(layer, os.path.join("embeddings", f"{layer.name.replace('/', '_')}.tsv")) for layer in layers]

    def _write_projector(self) -> None:
        from google.protobuf import text_format
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig  # pyright: ignore[reportAttributeAccessIssue]

        files = self.embeddings_metadata
        config = ProjectorConfig()
        known = [layer.name for layer, _ in self._embeddings()]
        unknown = sorted(set(files) - set(known)) if isinstance(files, dict) else []
        if unknown:
            raise ValueError(
                f"`embeddings_metadata` of TensorBoard names {unknown}, but the Embedding layers of the model are "
                f"{known}."
            )
        for layer, path in self._embeddings():
            entry = config.embeddings.add(tensor_name=f"{layer.name}/embeddings", tensor_path=path)
            file = files.get(layer.name) if isinstance(files, dict) else files
            if file:
                entry.metadata_path = file
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w") as out:
            out.write(text_format.MessageToString(config))

    def _write_embeddings(self) -> None:
        for layer, path in self._embeddings():
            path = os.path.join(self.log_dir, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            np.savetxt(path, np.asarray(layer.embeddings.numpy(), "float32"), "%.6g", "\t")

    # -- profiling -----------------------------------------------------------------------------------------------
    def _start_profile(self) -> None:
        import jax

        try:
            jax.profiler.start_trace(self._train.folder)
            self._profiling = True
        except Exception as problem:  # for example, another profiler is running
            warnings.warn(f"TensorBoard cannot profile: {problem}", stacklevel=2)

    def _stop_profile(self) -> None:
        import jax

        self._profiling = False
        try:
            jax.profiler.stop_trace()
        except Exception as problem:
            warnings.warn(f"TensorBoard cannot write the profile: {problem}", stacklevel=2)


def _numbers(logs: dict[str, Any] | None) -> dict[str, Any]:
    """Return the scalars in the logs, read from the device."""
    return {name: value for name, value in (logs or {}).items() if np.ndim(value) == 0}


def _batches(given: int | str | Sequence[int]) -> tuple[int, int] | None:
    """Return the first and the last batch to profile, or None."""
    try:
        pair: Any = [int(part) for part in given.split(",")] if isinstance(given, str) else given
        first, last = (pair, pair) if isinstance(pair, int) else pair if len(pair) > 1 else (*pair, *pair)
        if 0 <= first <= last:
            return (int(first), int(last)) if last else None
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"`profile_batch` of TensorBoard must be a batch, counted from 1, or a pair of the first and the last one; "
        f"got {given!r}."
    )


def _as_images(values: np.ndarray) -> np.ndarray | None:
    """Reshape a weight to `(images, height, width, channels)`, or return None if it is not an image.

    Vectors are columns, matrices are wider than high, and a kernel of three axes has one image per filter.
    """
    values = np.squeeze(values)
    if values.ndim == 1:
        return values[None, :, None, None]
    if values.ndim == 2:
        values = values.T if values.shape[0] > values.shape[1] else values
        return values[None, :, :, None]
    if values.ndim == 3:
        last = image_data_format() == "channels_last"
        return (np.moveaxis(values, -1, 0) if last else values)[..., None]
    return values if values.ndim == 4 and values.shape[-1] in (1, 3, 4) else None
