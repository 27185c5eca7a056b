"""A QR code as inline SVG, by segno; without that package there is none, and the page shows the key to type."""

from __future__ import annotations

import io
from importlib.util import find_spec

QUIET_MODULES = 4  # the margin that ISO/IEC 18004 asks for


def svg(text: str) -> str:
    """Return an SVG element without a size of its own, "" when the package is not installed."""
    if find_spec("segno") is None:
        return ""
    import segno  # noqa: PLC0415 - an optional extra

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", border=QUIET_MODULES, omitsize=True, xmldecl=False, svgns=False, dark="#000", light="#fff",
        svgclass="qr", lineclass=None, nl=False,
    )  # fmt: skip
    return out.getvalue().decode()
