"""A browser in words a person uses."""

from __future__ import annotations

import pytest

from camalert.review.devices import device_of

MOZILLA = "Mozilla/5.0 "
KHTML = "AppleWebKit/537.36 (KHTML, like Gecko) "


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (MOZILLA + "(Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        (MOZILLA + "(X11; Linux x86_64) " + KHTML + "Chrome/142.0.0.0 Safari/537.36", "Chrome on Linux"),
        (MOZILLA + "(Windows NT 10.0) " + KHTML + "Chrome/142.0.0.0 Safari/537.36 Edg/142.0", "Edge on Windows"),
        (MOZILLA + "(Linux; Android 14; K) " + KHTML + "Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (MOZILLA + "(Linux; Android 14) " + KHTML + "SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36",
         "Samsung Internet on Android"),
        (MOZILLA + "(iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1",
         "Safari on iPhone"),
        (MOZILLA + "(iPhone; CPU iPhone OS 18_1 like Mac OS X) CriOS/142.0 Mobile/15E148 Safari/604.1",
         "Chrome on iPhone"),
        (MOZILLA + "(Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1.15", "Safari on Mac"),
        ("Home Assistant/2026.11 (Android 14; Pixel)", "Home Assistant on Android"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("a\x00b\x1b[31m" + "c" * 500, "ab[31m" + "c" * 52),
        ("", "A program that does not say what it is"),
    ],
)  # fmt: skip
def test_browser_and_system(agent: str, words: str) -> None:
    """What is known is named; what is not is shown as it is, printable and short."""
    assert device_of(agent) == words
