"""The code that proves ownership of the machine: without it nobody can make the first login in a browser.

It is in a file that only the service's user can read, and the first screen and the log show it. The site withdraws it
as soon as there is a login. The supervisor imports this too, so it knows neither Django nor a database.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

CODE_FILE = "first-login-code"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that looks like another
_CHARS = 12  # 60 bits: nothing to guess in the few tries a minute that there are


def wanted(folder: Path) -> str:
    """Return the code to show at the start, "" when the site has a database and no code: it has a login.

    Raises: OSError when the folder cannot be made or written.
    """
    if (folder / CODE_FILE).exists() or not (folder / "site.sqlite3").exists():
        return code(folder)
    return ""


def code(folder: Path) -> str:
    """Return the code, made if there is none.

    Raises: OSError when the folder cannot be made or written.
    """
    path = folder / CODE_FILE
    try:
        found = path.read_text(encoding="ascii").strip()
        if found:
            return found
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CHARS))
    made = "-".join(letters[start : start + 4] for start in range(0, _CHARS, 4))
    draft = folder / f".{CODE_FILE}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(made + "\n")
    os.replace(draft, path)
    return made


def withdraw(folder: Path) -> None:
    """Remove the code: there is a login now."""
    (folder / CODE_FILE).unlink(missing_ok=True)


def fits(said: str, folder: Path) -> bool:
    """Tell whether what was typed is the code; case, blanks and hyphens do not matter."""
    try:
        right = (folder / CODE_FILE).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(_bare(right)) and hmac.compare_digest(_bare(said), _bare(right))


def _bare(text: str) -> bytes:
    return "".join(letter for letter in text.upper() if letter.isalnum()).encode("utf-8", "replace")
