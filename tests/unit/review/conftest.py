"""Django is set up once, without a database: most modules of the site know its models."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from testing import reviewrig

from camalert.review.settings import build

collect_ignore_glob: list[str] = []
if find_spec("django") is None:
    collect_ignore_glob = ["*"]  # the review extra is not installed
else:
    import django
    from django.conf import settings

    settings.configure(**build(reviewrig.config(Path("nowhere"), 0), "key"))
    django.setup()
