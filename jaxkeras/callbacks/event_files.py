"""TensorBoard event files, written with the package `tensorboard`, without TensorFlow.

Values are tensors tagged with the plugin that shows them, as TensorFlow 2 writes them.
"""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np

_MAX_IMAGES, _BUCKETS = 3, 30


def require_tensorboard() -> None:
    """Raise ImportError with the install command if TensorBoard is missing."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise ImportError('TensorBoard needs the package tensorboard: pip install "jaxkeras[tensorboard]"') from None


class EventFile:
    """An event file, created on the first write.

    Args:
        folder: the folder of the file.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self._writer: Any = None

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """Write a scalar."""
        from tensorboard.plugins.scalar import metadata

        about = metadata.create_summary_metadata(display_name=None, description=None)
        self._add(tag, np.asarray(value, "float32"), about, step)

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """Write a histogram of the finite values."""
        from tensorboard.plugins.histogram import metadata

        about = metadata.create_summary_metadata(display_name=None, description=None)
        self._add(tag, _buckets(values), about, step)

    def images(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Write the first images of a batch.

        Args:
            tag: name of the images.
            pixels: array of shape `(images, height, width, channels)` with 1, 3 or 4 channels and values from 0 to 1.
            step: training step.
        """
        from tensorboard.plugins.image import metadata

        about = metadata.create_summary_metadata(display_name=None, description=None)
        count, height, width, _ = pixels.shape
        files = [_png(one) for one in pixels[: min(count, _MAX_IMAGES)]]
        self._add(tag, np.array([str(width).encode(), str(height).encode(), *files], object), about, step)

    def model(self, config: str) -> None:
        """Write the layers of a model, given as JSON, for the graph plugin."""
        from tensorboard.compat.proto.summary_pb2 import SummaryMetadata  # pyright: ignore[reportAttributeAccessIssue]

        plugin = SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
        self._add("keras", np.array([config.encode()], object), SummaryMetadata(plugin_data=plugin), 0)

    def flush(self) -> None:
        """Flush the file, so that readers see all events."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Close the file; later events go to a new one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _add(self, tag: str, tensor: np.ndarray, metadata: Any, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util import tensor_util

        if self._writer is None:
            self._writer = EventFileWriter(self.folder)
        value = Summary.Value(tag=tag, tensor=tensor_util.make_tensor_proto(tensor), metadata=metadata)
        self._writer.add_event(Event(wall_time=time.time(), step=int(step), summary=Summary(value=[value])))


def _buckets(values: np.ndarray) -> np.ndarray:
    """Return an array of shape `(buckets, 3)`: left edge, right edge, count."""
    values = np.asarray(values, "float64").ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return np.zeros((0, 3))
    low, high = values.min(), values.max()
    if low == high:  # as in TensorFlow, equal values are all in the last bucket
        counts = np.zeros(_BUCKETS)
        counts[-1] = values.size
        return np.stack([np.full(_BUCKETS, low), np.full(_BUCKETS, high), counts], 1)
    counts, edges = np.histogram(values, _BUCKETS)
    return np.stack([edges[:-1], edges[1:], counts], 1)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    # TensorFlow converts x to floor(255.5 x), at most 255.
    levels = np.clip(np.nan_to_num(pixels) * 255.5, 0, 255).astype("uint8")
    file = io.BytesIO()
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(file, "PNG")
    return file.getvalue()
