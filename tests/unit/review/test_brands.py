"""What to enter in a camera, brand by brand."""

from __future__ import annotations

import pytest

from camalert.review import brands


@pytest.mark.parametrize("brand", brands.brands(), ids=lambda brand: brand.key)
def test_each_brand_names_server_port_and_encryption(brand: brands.Brand) -> None:
    """Whatever the menu's words, these must be entered; nothing is left unfilled."""
    fields = brand.filled("192.168.1.5", 1025, "garage@camera.home")

    assert [field.value for field in fields if field.is_exact].count("192.168.1.5") == 1
    assert "1025" in [field.value for field in fields]
    assert brand.menu
    assert brand.event
    assert not any("{" in field.value for field in fields)
    labels = " ".join(field.label for field in fields).lower()
    assert any(word in labels for word in ("ssl", "tls", "security", "encrypt", "auth"))


def test_unknown_brand_is_that_of_other_cameras() -> None:
    """An address that somebody typed shows a page all the same."""
    assert brands.find("nonsense").key == brands.OTHER
    assert len({brand.key for brand in brands.brands()}) == len(brands.brands())
