"""What a browser says of itself, as a person would say it: "Firefox on Windows"."""

from __future__ import annotations

from django.utils.translation import gettext

# The first that occurs counts: most browsers also name those that they descend from.
_BROWSERS = (
    ("Home Assistant", "Home Assistant"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi", "Vivaldi"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
)
_CHARS = 60  # of what is none of these


def device_of(agent: str) -> str:
    """Return browser and system of a User-Agent header; of one that has neither, its beginning."""
    browser = next((name for part, name in _BROWSERS if part in agent), "")
    system = next((name for part, name in _SYSTEMS if part in agent), "")
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    printable = "".join(char for char in agent[:_CHARS] if char.isprintable()).strip()
    return browser or system or printable or gettext("A program that does not say what it is")
