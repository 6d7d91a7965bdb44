"""The command line, `python -m jaxkeras` or `jaxkeras`.

`main.py` parses arguments and reports errors; each command has a module with `add_arguments(parser)` and
`run(options)`, which returns a `Report`.
"""
