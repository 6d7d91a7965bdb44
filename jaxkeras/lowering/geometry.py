"""Window arithmetic shared by convolutions and pooling: Keras arguments in, explicit numbers out.

Everything here is plain Python on static shapes, so that no form has to interpret a padding name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Pads = tuple[tuple[int, int], ...]


class ConvSpec(NamedTuple):
    """A convolution with nothing left to infer. `input_dilation` > 1 makes it a transposed convolution."""

    strides: tuple[int, ...]
    pads: Pads
    dilation: tuple[int, ...]
    input_dilation: tuple[int, ...]
    groups: int
    channels_first: bool

    @property
    def rank(self) -> int:
        return len(self.strides)


class PoolSpec(NamedTuple):
    """A pooling window with explicit padding, spatial dimensions only."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    pads: Pads
    channels_first: bool


def ntuple(value: int | Sequence[int], rank: int, name: str) -> tuple[int, ...]:
    """`value` repeated, or checked to have one entry for each of `rank` spatial dimensions."""
    items = (value,) * rank if isinstance(value, int) else tuple(int(v) for v in value)
    if len(items) != rank:
        raise ValueError(f"`{name}` needs one integer or {rank} of them (one a spatial dimension), got {value!r}.")
    if any(item < 1 for item in items):
        raise ValueError(f"`{name}` must be positive, got {value!r}.")
    return items


def is_channels_first(data_format: str) -> bool:
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f'`data_format` must be "channels_last" or "channels_first", got {data_format!r}.')
    return data_format == "channels_first"


def spatial_shape(shape: Sequence[int], channels_first: bool) -> tuple[int, ...]:
    return tuple(shape[2:]) if channels_first else tuple(shape[1:-1])


def channel_count(shape: Sequence[int], channels_first: bool) -> int:
    return shape[1] if channels_first else shape[-1]


def effective(window: int, dilation: int) -> int:
    """The extent of a window with `dilation` - 1 holes between its taps."""
    return (window - 1) * dilation + 1


def window_pads(
    padding: str | Sequence[tuple[int, int]],
    sizes: Sequence[int],
    windows: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    allow_causal: bool = False,
) -> Pads:
    """Explicit (low, high) padding. "same" puts the odd cell at the end, as TensorFlow and Keras do."""
    extents = [effective(w, d) for w, d in zip(windows, dilation)]
    if not isinstance(padding, str):
        pads = tuple((int(low), int(high)) for low, high in padding)
        if len(pads) != len(windows):
            raise ValueError(f"Explicit padding needs {len(windows)} (low, high) pairs, got {padding!r}.")
        return pads
    name = padding.lower()
    if name == "valid":
        return ((0, 0),) * len(windows)
    if name == "same":
        pads = []
        for size, extent, stride in zip(sizes, extents, strides):
            total = max((-(-size // stride) - 1) * stride + extent - size, 0)
            pads.append((total // 2, total - total // 2))
        return tuple(pads)
    if name == "causal" and allow_causal:
        return tuple((extent - 1, 0) for extent in extents)
    names = '"valid", "same"' + (' or "causal"' if allow_causal else "")
    raise ValueError(f"`padding` must be {names} or (low, high) pairs, got {padding!r}.")


def window_output(
    sizes: Sequence[int],
    windows: Sequence[int],
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    input_dilation: Sequence[int],
) -> tuple[int, ...]:
    """Number of window positions in every spatial dimension (not clipped: an impossible window gives < 1)."""
    return tuple(
        (effective(n, a) + low + high - effective(w, d)) // s + 1
        for n, w, s, (low, high), d, a in zip(sizes, windows, strides, pads, dilation, input_dilation)
    )


def back_to_input(sizes: Sequence[int], out: Sequence[int], windows: Sequence[int], spec: ConvSpec) -> ConvSpec:
    """The convolution of an output's cotangent, with the kernel flipped, that gives the input's.

    Args:
        sizes: spatial sizes of the input.
        out: those of the output.
        windows: those of the kernel.
        spec: the convolution, without groups and with channels last.
    """
    pads = []
    for n, o, w, s, d, a, (low, _) in zip(
        sizes, out, windows, spec.strides, spec.dilation, spec.input_dilation, spec.pads
    ):
        first = effective(w, d) - 1 - low
        pads.append((first, (n - 1) * a + effective(w, d) - effective(o, s) - first))
    return ConvSpec(spec.input_dilation, tuple(pads), spec.dilation, spec.strides, 1, False)


def transpose_pads(
    windows: Sequence[int],
    strides: Sequence[int],
    padding: str,
    output_padding: Sequence[int | None],
    dilation: Sequence[int],
) -> Pads:
    """Padding of the stride-dilated input that gives a transposed convolution Keras's output shape.

    With the extent e of the dilated kernel and stride s, Keras promises, for an input of n cells:
    "valid": (n - 1) s + e + output_padding (default max(e, s) - e);
    "same": n s, or (n - 1) s + e % 2 + output_padding where one is given.
    """
    pads = []
    for window, stride, extra, hole in zip(windows, strides, output_padding, dilation):
        extent = effective(window, hole)
        if padding == "valid":
            extra = max(extent, stride) - extent if extra is None else extra
            pads.append((extent - 1, extent - 1 + extra))
        elif padding == "same":
            total = stride + extent - 2 if extra is None else extent + extent % 2 - 2 + extra
            low = min(-(-total // 2), extent - 1)
            pads.append((low, total - low))
        else:
            raise ValueError(f'`padding` of a transposed convolution must be "valid" or "same", got {padding!r}.')
    return tuple(pads)
