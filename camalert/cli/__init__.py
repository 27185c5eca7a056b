"""The command line: one module for each command, listed in `commands` and imported only when it is called.

A command's module has `DESCRIPTION` and `EXAMPLES` (what `--help` shows above and below the options),
`add_arguments(parser)` for its options, and `run(arguments)`, which carries it out and returns an exit code. It raises
CamalertError with what the person at the keyboard should read. Only `__main__` imports this package, and nothing is
printed but through `terminal`.
"""
