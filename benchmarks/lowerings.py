"""Time each operation of `jaxkeras.lowering` against its `jax.lax` form, inside a loop as in training.

`python -m benchmarks.lowerings [WORD ...]` measures the cases whose names contain one of the words, by default all.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import machine, report
from benchmarks.run import RESULTS
from jaxkeras import lowering

SECONDS = 0.03  # per measurement
Function = Callable[..., Any]


class Case(NamedTuple):
    """An operation and the shapes of its arguments; the first is the input, the others are trained."""

    name: str
    function: Function
    shapes: tuple[tuple[int, ...], ...]


def _conv(batch: int, sizes: Sequence[int], channels: int, filters: int, window: int = 3, groups: int = 1,
          operation: Function = lowering.conv, **options: Any) -> Case:  # fmt: skip
    options = {"padding": "same", **options}
    shape = (*[window] * len(sizes), channels // groups, filters)
    if operation is lowering.conv_transpose:
        shape = (*[window] * len(sizes), filters, channels)
    named = {"conv_transpose": "transposed ", "depthwise_conv": "depthwise "}.get(operation.__name__, "")
    notes = [f"{k.removesuffix('_rate')} {v}" for k, v in options.items() if (k, v) != ("padding", "same")]
    notes += [f"{groups} groups"] * (groups > 1)
    size = "x".join(map(str, (batch, *sizes, channels)))
    arrow = "" if operation is lowering.depthwise_conv else f" to {filters}"
    name = f"{named}conv{len(sizes)}d {size}{arrow}, window {window}{''.join(', ' + note for note in notes)}"
    return Case(name, lambda x, kernel: operation(x, kernel, **options), ((batch, *sizes, channels), shape))


def _depthwise(batch: int, sizes: Sequence[int], channels: int, window: int = 3, **options: Any) -> Case:
    return _conv(batch, sizes, channels, 1, window, operation=lowering.depthwise_conv, **options)


def _transposed(batch: int, sizes: Sequence[int], channels: int, filters: int, window: int, strides: int) -> Case:
    return _conv(batch, sizes, channels, filters, window, operation=lowering.conv_transpose, strides=strides)


def _first_layer(batch: int, sizes: Sequence[int], filters: int, **options: Any) -> Case:
    """A first layer, ReLU and the padding of a depthwise convolution, which XLA may fuse."""

    def layers(x: Any, kernel: Any, depthwise: Any) -> Any:
        y = jnp.maximum(lowering.conv(x, kernel, padding="same", **options), 0)
        return lowering.depthwise_conv(y, depthwise, padding="same")

    shapes = ((batch, *sizes, 3), (3, 3, 3, filters), (3, 3, filters, 1))
    notes = "".join(f", {name} {value}" for name, value in options.items())
    return Case(f"first layer {'x'.join(map(str, shapes[0]))} to {filters}{notes}, depthwise", layers, shapes)


def _mixer(batch: int, sizes: Sequence[int], channels: int) -> Case:
    """A depthwise convolution, layer normalisation and a mean, as at the end of ConvNeXt."""

    def layers(x: Any, kernel: Any, gamma: Any, beta: Any) -> Any:
        y = lowering.layer_norm(lowering.depthwise_conv(x, kernel, padding="same"), gamma, beta)
        return lowering.global_average_pool(x + y, (1, 2))

    shape = (batch, *sizes, channels)
    shapes = (shape, (7, 7, channels, 1), (channels,), (channels,))
    return Case(f"depthwise by 7, layer norm, global pool {'x'.join(map(str, shape))}", layers, shapes)


def _last_pool(*shape: int) -> Case:
    """A normalisation with known moments, ReLU, and the mean of an image, as at the end of ResNet."""

    def layers(x: Any, gamma: Any, beta: Any) -> Any:
        return lowering.global_average_pool(jnp.maximum(x * gamma + beta, 0), (1, 2))

    return Case(f"global pooling {'x'.join(map(str, shape))}", layers, (shape, shape[-1:], shape[-1:]))


def _pool(kind: str, shape: tuple[int, ...], size: int, strides: int) -> Case:
    operation = {"max": lowering.max_pool, "average": lowering.average_pool}[kind]
    name = f"{kind} pool {'x'.join(map(str, shape))}, {size} by {strides}"
    return Case(name, lambda x: operation(x, size, strides, "same"), (shape,))


def _batch_norm(*shape: int) -> Case:
    def normalised(x: Any, gamma: Any, beta: Any) -> Any:
        return lowering.batch_norm(x, gamma, beta)[0]

    return Case(f"batch norm {'x'.join(map(str, shape))}", normalised, (shape, shape[-1:], shape[-1:]))


def _layer_norm(*shape: int) -> Case:
    return Case(f"layer norm {'x'.join(map(str, shape))}", lowering.layer_norm, (shape, shape[-1:], shape[-1:]))


def _dense(*shape: int, units: int) -> Case:
    return Case(f"dense {'x'.join(map(str, shape))} to {units}", lowering.dense, (shape, (shape[-1], units)))


def _attention(batch: int, time: int, heads: int, size: int, masked: str = "") -> Case:
    shape = (batch, time, heads, size)

    def attention(query: Any, key: Any, value: Any) -> Any:
        # Signs of the query, so that the mask changes with the arguments.
        there = query[:, :, 0, 0] > 0 if masked == "padding" else None
        mask = None if there is None else there[:, None, None]
        causal = masked == "causal"
        return lowering.dot_product_attention(query, key, value, mask=mask, is_causal=causal, query_mask=there)

    name = f"attention {batch}x{time}, {heads} heads of {size}" + (masked and f", {masked}")
    return Case(name, attention, (shape,) * 3)


def _gelu(*shape: int) -> Case:
    return Case(f"gelu {'x'.join(map(str, shape))}", lambda x: lowering.gelu(x, approximate=False), (shape,))


def _argmax(*shape: int) -> Case:
    def function(x: Any) -> Any:
        return lowering.argmax(x).astype(x.dtype)

    return Case(f"argmax {'x'.join(map(str, shape))}", function, (shape,))


def _recurrent(kind: str, batch: int, time: int, units: int) -> Case:
    gates = {"lstm": 4, "gru": 3, "simple rnn": 1}[kind] * units

    def outputs(x_gates: Any, recurrent: Any) -> Any:
        h = jnp.zeros((batch, units), x_gates.dtype)
        if kind == "lstm":
            return lowering.lstm_sequence(x_gates, h, h, recurrent)[0]
        operation = lowering.gru_sequence if kind == "gru" else lowering.simple_rnn_sequence
        return operation(x_gates, h, recurrent)[0]

    return Case(f"{kind} {batch}x{time}, {units} units", outputs, ((time, batch, gates), (units, gates)))


CASES: list[Case] = [
    # Two dimensions: first layers, then typical inner layers for several batch sizes.
    _conv(32, (28, 28), 1, 6, 5), _conv(32, (28, 28), 1, 32), _conv(32, (32, 32), 3, 32), _conv(32, (32, 32), 3, 64),
    _conv(8, (96, 96), 3, 32, strides=2), _conv(4, (112, 112), 3, 64, 7, strides=2),
    _conv(32, (13, 13), 32, 64, padding="valid"), _conv(32, (5, 5), 64, 64, padding="valid"),
    _conv(32, (28, 28), 8, 8), _conv(32, (32, 32), 16, 16), _conv(32, (16, 16), 32, 32), _conv(32, (8, 8), 64, 64),
    _conv(32, (32, 32), 64, 64), _conv(32, (16, 16), 128, 128), _conv(32, (8, 8), 256, 256),
    _conv(32, (4, 4), 512, 512), _conv(1, (32, 32), 64, 64), _conv(1, (8, 8), 256, 256), _conv(1, (6, 6), 48, 48),
    _conv(256, (8, 8), 32, 32),
    _conv(256, (16, 16), 16, 32), _conv(8, (32, 32), 12, 12), _conv(8, (32, 32), 24, 12),
    _conv(32, (16, 16), 48, 12), _conv(64, (28, 28), 16, 1),
    _conv(4, (56, 56), 64, 64), _conv(4, (28, 28), 128, 128),
    _conv(32, (16, 16), 64, 128, strides=2), _conv(32, (32, 32), 32, 64, strides=2), _conv(32, (16, 16), 64, 64, 5),
    _conv(32, (32, 32), 32, 64, 2, strides=2), _conv(32, (16, 16), 24, 48, 2, strides=2),
    _conv(32, (14, 14), 6, 16, 5, padding="valid"), _conv(32, (16, 16), 64, 64, dilation_rate=2),
    _conv(32, (16, 16), 64, 128, 1), _conv(32, (16, 16), 128, 64, 1, strides=2), _conv(4, (28, 28), 256, 64, 1),
    # Groups.
    _conv(32, (16, 16), 64, 64, groups=4), _conv(32, (16, 16), 128, 128, groups=32),
    _conv(32, (8, 8), 64, 64, groups=16), _conv(4, (28, 28), 128, 128, groups=32, strides=2),
    # One and three dimensions.
    _conv(32, (128,), 64, 64), _conv(32, (128,), 64, 64, 5), _conv(32, (128,), 1, 32, 7),
    _conv(32, (1024,), 16, 32, 9, strides=4), _conv(32, (128,), 64, 64, 2, padding="causal", dilation_rate=8),
    _conv(8, (1000,), 32, 32, 3), _conv(256, (32,), 32, 64), _conv(32, (64,), 256, 256),
    _conv(4, (16, 16, 16), 1, 16), _conv(4, (16, 16, 16), 16, 32), _conv(4, (8, 8, 8), 32, 64),
    _conv(4, (16, 16, 16), 16, 32, strides=2), _conv(2, (16, 28, 28), 3, 32),
    # Transposed.
    _transposed(32, (7, 7), 64, 32, 3, 2), _transposed(32, (14, 14), 32, 1, 3, 2),
    _transposed(32, (8, 8), 128, 64, 4, 2), _transposed(32, (16, 16), 64, 64, 3, 1),
    _transposed(32, (64,), 32, 32, 4, 2), _transposed(4, (8, 8, 8), 32, 16, 3, 2),
    _transposed(64, (14, 14), 32, 16, 3, 2), _transposed(8, (16, 16), 24, 12, 2, 2),
    # Depthwise.
    _depthwise(32, (32, 32), 64), _depthwise(32, (32, 32), 64, strides=2), _depthwise(32, (16, 16), 128, 5),
    _depthwise(4, (56, 56), 96), _depthwise(4, (28, 28), 192, 7), _depthwise(1, (32, 32), 64),
    _depthwise(32, (128,), 64, 5), _depthwise(32, (16, 16), 24, 7), _depthwise(32, (8, 8), 48, 7),
    _depthwise(32, (32, 32), 24), _depthwise(4, (14, 14), 384, 7),
    # Other operations.
    _pool("max", (32, 28, 28, 32), 2, 2), _pool("max", (32, 28, 28, 32), 3, 2), _pool("max", (64, 24, 24, 24), 3, 2),
    _pool("max", (32, 128, 64), 2, 2),
    _pool("average", (32, 28, 28, 32), 2, 2), _pool("average", (32, 28, 28, 32), 3, 1),
    _batch_norm(32, 28, 28, 32), _batch_norm(32, 7, 7, 128), _batch_norm(64, 24, 24, 24), _batch_norm(64, 6, 6, 48),
     _batch_norm(32, 64),
    _first_layer(64, (24, 24), 24), _first_layer(32, (32, 32), 12, strides=2),
    _mixer(32, (16, 16), 24), _mixer(32, (8, 8), 48), _last_pool(1, 6, 6, 48),
    _layer_norm(32, 80, 64), _layer_norm(32, 64, 96), _layer_norm(256, 12, 32), _layer_norm(32, 256),
    _dense(32, 784, units=300), _dense(32, 80, 64, units=64), _dense(32, 80, 64, units=256),
    _attention(32, 80, 4, 16), _attention(16, 256, 4, 32), _attention(4, 512, 8, 64),
    _attention(32, 80, 4, 16, "padding"), _attention(32, 64, 4, 24, "causal"),
    _gelu(2048, 384), _gelu(32, 300), _argmax(32, 64, 256), _argmax(32, 1000),
    _recurrent("lstm", 32, 80, 64), _recurrent("lstm", 32, 20, 256), _recurrent("gru", 32, 80, 64),
    _recurrent("simple rnn", 32, 80, 64),
]  # fmt: skip


def _forward(function: Function) -> Function:
    def turn(i: Any, carry: Any) -> Any:
        arrays, y = carry
        return arrays, function(*_moved(arrays, y))

    return turn


def _with_gradients(function: Function) -> Function:
    def turn(i: Any, carry: Any) -> Any:
        arrays, (y, _) = carry
        y, pull = jax.vjp(function, *_moved(arrays, y))
        return arrays, (y, pull(y))

    return turn


def _moved(arrays: Any, y: Any) -> Any:
    """Arrays that differ between iterations; otherwise XLA would hoist the operation out of the loop."""
    return [a + 1e-30 * y.ravel()[0] for a in arrays]


def prepare(case: Case, turn: Callable[[Function], Function]) -> Callable[[], float]:
    """Compile a loop over an operation; return a function that runs it and returns seconds per iteration."""
    draw = np.random.default_rng(0)
    arrays = [jnp.asarray(draw.normal(size=shape).astype("float32") / 8) for shape in case.shapes]
    y = jax.eval_shape(case.function, *arrays)
    rest: Any = y if turn is _forward else (y, tuple(arrays))
    rest = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), rest)
    body = turn(case.function)
    turns = jax.jit(lambda count, *carry: jax.lax.fori_loop(0, count, body, carry))
    loop = turns.lower(np.int32(1), arrays, rest).compile()

    def once(count: int) -> float:
        since = time.perf_counter()
        jax.block_until_ready(loop(np.int32(count), arrays, rest))
        return (time.perf_counter() - since) / count

    once(1)
    count = max(1, min(1000, int(SECONDS / once(1))))
    return lambda: once(count)


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Seconds per iteration, the minimum over all rounds, for each kind of program and each implementation."""
    contestants: dict[str, Callable[[], float]] = {}
    for what, turn in (("forward", _forward), ("with gradients", _with_gradients)):
        contestants[f"{what}, ours"] = prepare(case, turn)
        with patch("jaxkeras.lowering.dispatch.wants_reference", lambda: True):  # references only
            contestants[f"{what}, lax"] = prepare(case, turn)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            times[name].append(run())
    return {name: min(seconds) for name, seconds in times.items()}


def markdown(results: dict[str, Any]) -> str:
    m = results["machine"]
    rows = []
    for name, seconds in results["cases"].items():
        row = [name]
        for what in ("forward", "with gradients"):
            lax, ours = seconds[f"{what}, lax"], seconds[f"{what}, ours"]
            row += [f"{1000 * lax:.3g}", f"{1000 * ours:.3g}", f"{lax / ours:.2f}"]
        rows.append(row)
    header = ["", "lax, ms", "ours, ms", "times faster", "with gradients: lax, ms", "ours, ms", "times faster"]
    return "\n".join([
        f"# Operations in a loop: {results['label']}", "",
        f"{m['cpu']}, {m['cores']} cores; load average at the start {m['load_average_at_start']}. Float32; the least "
        f"of {results['rounds']} measurements.", "",
        *report.table(header, rows), "",
    ])  # fmt: skip


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, write and return the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lowerings", description="Operations against lax's.")
    parser.add_argument("words", nargs="*", help="parts of the names of cases")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="without a suffix; default results/lowerings-<date>")
    args = parser.parse_args(argv)
    output = args.output or RESULTS / f"lowerings-{datetime.date.today().isoformat()}"
    results: dict[str, Any] = {"label": output.name, "machine": machine.facts(), "rounds": args.rounds, "cases": {}}
    for case in CASES:
        if args.words and not any(word in case.name for word in args.words):
            continue
        seconds = results["cases"][case.name] = measure(case, args.rounds)
        print(case.name, {name: f"{1000 * s:.3g} ms" for name, s in seconds.items()}, flush=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_name(output.name + ".json").write_text(json.dumps(results, indent=1) + "\n")
    output.with_name(output.name + ".md").write_text(markdown(results))
    return results


if __name__ == "__main__":
    main()
