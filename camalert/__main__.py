"""The command line's entry: `camalert COMMAND`, `python -m camalert COMMAND`.

Children of the service are spawned from this module too and import it again, so it must stay light and do nothing by
itself.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from camalert import __version__, descriptors
from camalert.cli.commands import COMMANDS, Command, find, overview
from camalert.errors import CamalertError, ConfigError, Exit
from camalert.problems import near

USAGE_ERROR = 2  # what argparse ends with
INTERRUPTED = 130  # what a shell reports for SIGINT


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; what the person at the keyboard did wrong is said in words."""
    descriptors.fill()
    words = sys.argv[1:] if words is None else list(words)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview(__version__))
        return Exit.OK if words else USAGE_ERROR
    if words[0] in ("-V", "--version"):
        sys.stdout.write(f"camalert {__version__}\n")
        return Exit.OK
    command = find(words[0])
    if command is None:
        meant = near(words[0], [known.name for known in COMMANDS])
        hint = f"did you mean {meant}?" if meant else "`camalert --help` lists them"
        return _complain(f"there is no command {words[0]}; {hint}", USAGE_ERROR)
    try:
        return _run(command, words[1:])
    except ConfigError as error:
        return _complain(str(error), Exit.CONFIG)
    except CamalertError as error:
        return _complain(str(error), Exit.CRASH)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader (`head`, say) has gone; closing stdout at exit must not complain about it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.CRASH


def _run(command: Command, words: Sequence[str]) -> int:
    module = importlib.import_module(f"camalert.cli.{command.module}")
    parser = argparse.ArgumentParser(
        prog=f"camalert {command.name}",
        description=module.DESCRIPTION,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(words))
    return code


def _complain(text: str, code: int) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"camalert: {line}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
