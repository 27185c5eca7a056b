"""Print the Dockerfile of the add-on for Home Assistant, made of the Containerfile.

python release/addon.py Containerfile
"""

from __future__ import annotations

import sys
from pathlib import Path

# What differs at its end; each must be there once.
CHANGES = {
    "USER 10001:10001\n": "COPY start.py /opt/camalert/start.py\n",
    "VOLUME /data\n": "",
    'ENTRYPOINT ["tini", "--", "camalert"]\n': 'ENTRYPOINT ["tini", "--", "python", "/opt/camalert/start.py"]\n',
    'CMD ["run"]\n': "",
}


def dockerfile(containerfile: str) -> str:
    """Return the add-on's.

    Raises: ValueError when the Containerfile no longer has what differs.
    """
    for before, after in CHANGES.items():
        if containerfile.count(before) != 1:
            raise ValueError(f"the Containerfile has {before!r} {containerfile.count(before)} times")
        containerfile = containerfile.replace(before, after)
    return containerfile


if __name__ == "__main__":
    sys.stdout.write(dockerfile(Path(sys.argv[1]).read_text(encoding="utf-8")))
