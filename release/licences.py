"""Print the licences of everything that is shipped: camalert, its networks' weights, and each package of a lock file.

    python release/licences.py requirements.lock

Run by the Python of an environment in which these packages are installed. What a wheel bundles (ffmpeg in OpenCV's,
OpenBLAS in numpy's) is in the texts that its makers put into it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
OWN = (("camalert", CHECKOUT / "LICENSE"),
       ("the networks' weights", CHECKOUT / "camalert/detection/models/LICENSE.Apache-2.0"))  # fmt: skip
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_LICENCE = re.compile(r"(licen[cs]e|copying|notice|third.?party|authors)[^/]*$", re.IGNORECASE)
_TEXTS = ("", ".txt", ".md", ".rst")


def pinned(lock: str) -> list[str]:
    """Return the names of the packages of a lock file."""
    return _PINNED.findall(lock)


def texts(package: Distribution) -> Iterator[tuple[str, str]]:
    """Yield name and content of each licence file of an installed package."""
    for path in package.files or ():
        file = Path(str(package.locate_file(path)))
        if _LICENCE.search(path.name) and path.suffix.lower() in _TEXTS and file.is_file():
            yield str(path), file.read_text(encoding="utf-8", errors="replace")


def summary(package: Distribution) -> str:
    """Return what a package says its licence is, in a few words."""
    found = package.metadata
    classified = [line.rsplit(" :: ", 1)[-1] for line in found.get_all("Classifier", []) if line.startswith("License")]
    words = found.get("License-Expression") or ", ".join(classified) or found.get("License", "")
    return words.strip().splitlines()[0] if words.strip() else "see the text"


def report(lock: str) -> Iterator[str]:
    """Yield the lines of the whole file.

    Raises: PackageNotFoundError for a package of the list that is not installed.
    """
    yield "Licences of what camalert ships: itself, and the packages that it is installed with."
    for title, file in OWN:
        yield from ("", "=" * 100, title, "=" * 100, "", file.read_text(encoding="utf-8").strip())
    for name in pinned(lock):
        package = distribution(name)
        yield from ("", "=" * 100, f"{package.name} {package.version}: {summary(package)}", "=" * 100)
        found = list(texts(package))
        if not found:
            yield from ("", f"No text is in the package; its makers: {package.metadata.get('Home-page') or name}")
        for path, content in found:
            yield from ("", f"--- {path}", "", content.strip())


if __name__ == "__main__":
    try:
        print("\n".join(report(Path(sys.argv[1]).read_text(encoding="utf-8"))))
    except PackageNotFoundError as error:
        sys.exit(f"{error}: install {sys.argv[1]} first")
