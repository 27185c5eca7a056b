"""The matrix of disk faults as a command: a call of the writer fails, then the power, and nothing is lost.

    .venv/bin/python tests/diskfaults.py --step 1 --last 150

does every cell; larger steps leave cells out. Needs a C compiler.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from testing import disk, diskmatrix


def main(arguments: list[str]) -> int:
    """Run the matrix from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", type=int, default=5, help="let every so many'th call of a kind fail (default: 5)")
    parser.add_argument("--last", type=int, default=60, help="up to this one (default: 60)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="camalert-disk-") as name:
        folder = Path(name)
        library = disk.build(folder)
        if library is None:
            print("this needs gcc or cc")
            return 2
        chosen = list(diskmatrix.cells(options.step, options.last))
        problems, cuts = diskmatrix.run(chosen, library, folder)
    print(f"{len(chosen)} cells, {cuts} power cuts, {len(problems)} problems")
    print("\n".join(problems[:50]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
