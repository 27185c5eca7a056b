"""The description of the API is that of the site's addresses."""

from __future__ import annotations

import json

from camalert.review import openapi
from camalert.review.guard import OPENS
from camalert.review.openapi import OPERATIONS, describe, routes


def test_every_address_for_programs_is_described() -> None:
    """A new address needs an entry in OPERATIONS and a scope in OPENS; one that is gone has neither."""
    addresses = {name for name, _, _ in routes()}

    assert addresses - set(OPERATIONS) == set(), "describe them in review/openapi.py: OPERATIONS"
    assert set(OPERATIONS) - addresses == set(), "they are gone: remove them from review/openapi.py"
    assert addresses - set(OPENS) == set(), "give them a scope in review/guard.py: OPENS"


def test_description_is_whole_and_says_the_scopes() -> None:
    """References lead somewhere, ids are unique, and an address has what its parameters are."""
    found = describe()
    text = json.dumps(found)
    operations = [each for path in found["paths"].values() for name, each in path.items() if name != "parameters"]

    assert found["openapi"].startswith("3.1")
    assert len({each["operationId"] for each in operations}) == len(operations) == len(OPERATIONS)
    for name in openapi.SCHEMAS:
        assert f'"#/components/schemas/{name}"' in text
    rows = found["paths"]["/api/v1/{album}/{row_id}/"]
    assert [each["name"] for each in rows["parameters"]] == ["album", "row_id"]
    assert rows["get"]["x-scope"] == "read"
    assert found["paths"]["/api/v1/{album}/delete/"]["post"]["x-scope"] == "admin"
