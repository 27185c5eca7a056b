"""Entry of the command line: `camalert COMMAND` or `python -m camalert COMMAND`.

The service's children are spawned from this module and import it again, so it must stay light and do nothing on import.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from camalert import __version__
from camalert.cli.commands import COMMANDS, Command, find, overview
from camalert.cli.terminal import complain, say
from camalert.config.build import near
from camalert.errors import CamalertError, ConfigError, Exit
from camalert.system import limits, rights
from camalert.system.logline import printable
from camalert.system.logsinks import is_journal

USAGE_ERROR = 2  # as argparse
INTERRUPTED = 130  # as a shell reports SIGINT
HELP_COLUMNS = 80


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; a mistake gives a sentence, not a traceback."""
    limits.open_standard_streams()
    if not is_journal(2, os.environ.get("JOURNAL_STREAM", "")):
        os.umask(rights.PRIVATE_UMASK)  # a unit has its own
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        say(*overview(__version__).splitlines())
        return Exit.OK if arguments else USAGE_ERROR
    if arguments[0] in ("-V", "--version"):
        say(f"camalert {__version__}")
        return Exit.OK
    command = find(arguments[0])
    if command is None:
        meant = near(arguments[0], [known.name for known in COMMANDS])
        hint = f"did you mean {meant}?" if meant else "`camalert --help` lists all"
        return _complain(f"there is no command {arguments[0]}; {hint}", USAGE_ERROR)
    try:
        return _run(command, arguments[1:])
    except ConfigError as error:
        return _complain(str(error), Exit.CONFIG)
    except CamalertError as error:
        return _complain(str(error), Exit.CRASH)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader (`head`, say) is gone; closing stdout at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.CRASH
    except OSError as error:
        # A file or folder that cannot be used: the system names it, and a traceback would not help.
        return _complain(f"{error.filename}: {error.strerror}" if error.filename else str(error), Exit.CRASH)


def _run(command: Command, arguments: Sequence[str]) -> int:
    module = importlib.import_module(f"camalert.cli.{command.module}")
    parser = _Parser(
        prog=f"camalert {command.name}",
        description=module.DESCRIPTION,
        epilog=module.EXAMPLES,
        formatter_class=functools.partial(argparse.RawDescriptionHelpFormatter, width=HELP_COLUMNS),
    )
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(arguments))
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Complain of arguments, which may be the names of somebody else's files (`camalert backup *`)."""
        super().error(printable(message))


def _complain(text: str, code: int) -> int:
    complain(text)
    return code


if __name__ == "__main__":
    sys.exit(main())
