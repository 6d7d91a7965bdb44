"""Parse the command line and run a command."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import jaxkeras
from jaxkeras.cli.report import CommandError

COMMANDS = {
    "info": "show versions, devices, the program cache, and which extras are installed",
    "doctor": "check the installation, and say what to mend",
    "train": "train a model on a table, arrays or a folder of images",
    "evaluate": "compute the loss and the metrics of a saved model",
    "predict": "write the outputs of a saved model to a file",
    "inspect": "show what a file holds: layers, shapes, sizes",
    "plan": "say what a training step needs on devices that need not be there",
    "bench": "measure how long training steps and predictions of a model take",
    "completion": "print a completion script for a shell",
}
EPILOG = """\
exit status: 0 success; 1 a check or a run failed; 2 wrong arguments or data

examples:
  jaxkeras train my_model.py:build iris.csv --target species --epochs 20 --output run
  jaxkeras evaluate run/model.keras test.csv --target species
  jaxkeras predict run/model.keras new.csv --output predictions.csv
"""


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    root = argparse.ArgumentParser(
        prog="jaxkeras", description="Train, evaluate and inspect models from the command line.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    root.add_argument("--version", action="version", version=f"jaxkeras {jaxkeras.__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        module = importlib.import_module(f"jaxkeras.cli.{name}")
        module.add_arguments(command)
        if name != "completion":
            command.add_argument("--json", action="store_true", help="print the result as JSON")
        command.set_defaults(run=module.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those of the process by default.

    Returns:
        The exit status: 0 for success, 1 if a check or a run failed, 2 for wrong arguments or data.

    Example:

    >>> main(["completion", "fish"])
    2
    """
    options = parser().parse_args(arguments)
    try:
        report = options.run(options)
    except CommandError as error:
        print(f"jaxkeras {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    report.show(getattr(options, "json", False))
    return report.code
