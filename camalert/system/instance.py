"""One running instance: its lock file and the names of its shared memory.

Two services with different run directories never touch each other's segments.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from camalert.errors import CamalertError

_PREFIX_CHARACTERS = 8  # of a digest: two instances on one machine collide once in four thousand million


class Instance:
    """Hold the lock of a run directory, by an open file that the next program of this process may inherit."""

    def __init__(self, run_dir: Path, file: int | None = None) -> None:
        """Lock the run directory, making it if need be; or take over the `file` that holds its lock already.

        Raises: CamalertError when another camalert holds it, or it cannot be made.
        """
        self.run_dir = run_dir
        digest = hashlib.sha256(os.fsencode(run_dir.resolve())).hexdigest()
        self.prefix = f"camalert-{digest[:_PREFIX_CHARACTERS]}"
        self._file = self._lock(run_dir) if file is None else file

    @staticmethod
    def _lock(run_dir: Path) -> int:
        path = run_dir / "lock"
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise CamalertError(f"the run directory {run_dir} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip()
            os.close(file)
            raise CamalertError(
                f"another camalert (pid {holder or 'unknown'}) runs with {run_dir}: stop it, "
                "or give this one its own service.run_dir"
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
        return file

    def fileno(self) -> int:
        """Return the descriptor that holds the lock."""
        return self._file

    @property
    def segment_name(self) -> str:
        """Return the name of this run's shared memory."""
        return f"{self.prefix}-{os.getpid()}"

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._file)
