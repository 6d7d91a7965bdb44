"""`jaxkeras completion`."""

from __future__ import annotations

import argparse

from jaxkeras.cli.report import CommandError, Report

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "shell", help=f"one of {', '.join(SHELLS)}; for example: jaxkeras completion bash > "
        "~/.local/share/bash-completion/completions/jaxkeras",
    )  # fmt: skip


def run(options: argparse.Namespace) -> Report:
    """Make the script."""
    if options.shell not in SHELLS:
        raise CommandError(f"there is no script for {options.shell!r}; expected one of {', '.join(SHELLS)}.")
    try:
        import shtab
    except ModuleNotFoundError:
        raise CommandError('completion scripts need shtab: pip install "jaxkeras[cli]"') from None
    from jaxkeras.cli.main import parser

    script = shtab.complete(parser(), shell=options.shell)
    return Report({"script": script}, script)
