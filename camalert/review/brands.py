"""What to enter in a camera, brand by brand: the table `brands.toml` with this machine's address in it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import tomli

FILE = Path(__file__).with_name("brands.toml")
OTHER = "other"
MARKS = ("{server}", "{port}", "{sender}")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a camera's menu.

    Attributes:
        label: Its name there.
        value: What to enter.
        is_exact: Whether it is to be typed letter by letter, and so worth copying.
    """

    label: str
    value: str
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Brand:
    """Cameras with one menu."""

    key: str
    name: str
    menu: str
    event: str
    fields: tuple[tuple[str, str], ...]

    def filled(self, server: str, port: int, sender: str) -> tuple[Field, ...]:
        """Return the fields in the menu's order with their values."""
        values = dict(zip(MARKS, (server, str(port), sender), strict=True))
        return tuple(Field(label, values.get(value, value), value in values) for label, value in self.fields)


@functools.cache
def brands() -> tuple[Brand, ...]:
    """Return all brands in the order of the table."""
    rows = tomli.loads(FILE.read_text(encoding="utf-8"))["brand"]
    return tuple(
        Brand(
            row["key"], row["name"], row["menu"], row["event"], tuple((label, value) for label, value in row["fields"])
        )
        for row in rows
    )


def find(key: str) -> Brand:
    """Return the brand of a key, that of unknown cameras for any other text."""
    return next((brand for brand in brands() if brand.key == key), brands()[-1])
