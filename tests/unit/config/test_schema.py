"""The checks of single values."""

from __future__ import annotations

import pytest

from camalert.config.schema import parse_polygon
from camalert.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,0 10,10", "3 to 64 corners, not 2"),
        ("", "corners, not 0"),
        ("0,0 10,x 5,5", "'10,x'"),
        ("0,0 1,2,3 5,5", "'1,2,3'"),
        ("0,0 101,0 5,5", "outside the picture"),
        ("0,0 nan,0 5,5", "outside the picture"),
        (" ".join(["1,1"] * 65), "corners, not 65"),
    ],
)
def test_parse_polygon_of_nonsense_says_what_is_wrong(text, words):
    """The message holds the corner that cannot be read, or their number."""
    with pytest.raises(ConfigError, match=words):
        parse_polygon(text)
