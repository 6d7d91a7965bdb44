"""`jaxkeras plan`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from jaxkeras.cli.model import load_model
from jaxkeras.cli.report import CommandError, Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("model", help="module:function or file.py:function that returns a compiled model, or a file")
    parser.add_argument("--topology", help="v5e:4x4, h100:8, cpu:8, ...; the devices of this machine by default")
    parser.add_argument("--distribution", default="data", help="data, fsdp, auto, or data=2,model=4")
    parser.add_argument("--batch-size", type=int, help="rows of a batch, over all devices; 32, or one for each")
    parser.add_argument("--x", help="shape of a row of the inputs, such as 28,28,1; that of the model by default")
    parser.add_argument("--y", help="shape of a row of the targets, such as 10; that of the outputs by default")


def run(options: argparse.Namespace) -> Report:
    """Plan a training step."""
    from jaxkeras.distribution.chips import describe_tpu

    describe_tpu(options.topology)
    from jaxkeras.distribution.planning import plan
    from jaxkeras.distribution.presets import axes_from_text

    model = load_model(options.model)
    try:
        found = plan(
            model, _rows(options.x, model, "inputs"), _rows(options.y, model, "outputs"), options.batch_size,
            axes_from_text(options.distribution), options.topology,
        )  # fmt: skip
    except (ValueError, ImportError) as error:
        raise CommandError(str(error)) from None
    return Report(dataclasses.asdict(found), str(found))


def _rows(text: str | None, model: Any, side: str) -> Any:
    """The shapes of rows, with a first axis for them."""
    import jax

    if text is not None:
        try:
            return (1, *(int(size) for size in text.split(",") if size))
        except ValueError:
            raise CommandError(f"{text!r} is no shape; write numbers, as in 28,28,1.") from None
    known = getattr(model, side, None)
    if known is None:
        raise CommandError(f"Model '{model.name}' does not tell the shapes of its {side}: give --x and --y.")
    if isinstance(known, list) and len(known) == 1:
        known = known[0]
    # A loss over classes takes integers, with one axis less than the outputs.
    sparse = side == "outputs" and "sparse" in str(getattr(model, "loss", "")).lower()

    def rows(tensor: Any) -> Any:
        shape = tensor.shape[1:-1] if sparse else tensor.shape[1:]
        return jax.ShapeDtypeStruct((1, *shape), "int32" if sparse else tensor.dtype)

    return jax.tree.map(rows, known)
