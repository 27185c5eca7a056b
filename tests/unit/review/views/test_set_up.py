"""What cameras just did, in words."""

from __future__ import annotations

import pytest

pytest.importorskip("django", reason="the site is an extra")

from camalert.review.views.set_up import said
from camalert.status.model import MailActivity


@pytest.mark.parametrize(
    ("pictures", "clips", "words"),
    [(2, 0, "2 pictures: works"), (1, 1, "1 picture and 1 clip: works"), (0, 1, "1 clip: works"), (0, 0, "without a")],
)
def test_clips_are_counted_as_clips(pictures: int, clips: int, words: str) -> None:
    """A clip is no picture to its owner, and a mail with a clip alone is no mail without a picture."""
    heard = MailActivity(0.0, "mail_stored", "10.0.0.5", "Garage", "", pictures, clips)

    assert words in said(heard, None)
