"""The command line: one module a command, listed in `commands`, imported only when it is asked for.

A command's module has `DESCRIPTION` and `EXAMPLES` (what `--help` shows above and below the options),
`add_arguments(parser)` and `run(arguments) -> int`, which returns an exit code and raises CamalertError for what the
person at the keyboard should read.
"""
