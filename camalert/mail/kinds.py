"""Alarm, end of an alarm, sign of life or test: what a mail without a picture is.

Pure.
"""

from __future__ import annotations

import re

# A mail with a picture is an alarm whatever it says, so that a wrong guess here never costs a picture.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "test",
            r"\btest(?:ing)?[ -]?(?:e-?mail|mail|message|the e-?mail)\b|\b(?:e-?mail|mail|smtp|message) test\b"
            r"|^\W*test\W*$"
            r"|\bthis is a test\b|\bif you (?:can )?(?:receive|see|read) this (?:e-?mail|mail|message)\b|\u6d4b\u8bd5",
        ),
        ("health", r"\bhealth (?:e-?)?mail\b|\bkeep[ -]?alive\b|\bheart ?beat\b|\bstill alive\b|\bhealth check\b"),
        (
            "end",
            r"\balarm stop(?:ped)?\b|\b(?:motion|detection|event|alarm|intrusion|crossing)[\w ]{0,20}"
            r"\b(?:stop(?:ped)?|end(?:ed)?|cleared|finished|is over)\b|\bend of (?:the )?(?:alarm|event|motion)\b",
        ),
    )
)


def kind_named(subject: str, text: str) -> str:
    """Return "test", "health", "end" or "alarm" for a mail by its words."""
    words = f"{subject}\n{text[:4096]}"
    return next((kind for kind, pattern in _KINDS if pattern.search(subject) or pattern.search(words)), "alarm")
