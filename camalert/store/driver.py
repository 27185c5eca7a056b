"""Whether the driver for PostgreSQL is installed, for those who must not load it themselves."""

from __future__ import annotations

import importlib.util

MISSING = "needs psycopg, which is not installed: pip install 'camalert[postgresql]'"


def is_available() -> bool:
    """Tell whether `[database] url` can be used here."""
    return importlib.util.find_spec("psycopg") is not None
