"""URLs of databases: a password in one is refused, however it is written, and none is ever shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import postgresql, schema
from camalert.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@db/alarms",
        "postgresql://me:sec#secret@db/alarms",
        "postgresql://me:sec?secret@db/alarms",
        "postgresql://me:@secret@db/alarms",
        "postgres://me?x:secret@db",
        "postgresql://:secret@/alarms",
        "postgresql://me:℀secret@db/alarms",
        "postgresql://me:secret/secret@db/alarms",
        "postgresql://me@db/alarms?password=secret",
        "postgresql://me@db/alarms?sslmode=require&pass%77ord=secret",
        "postgresql://me@db/alarms?application_name=#&password=secret",
        "postgresql://me@db?sslpassword=secret",
    ],
)
def test_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    """The library finds it also where other programs see no user at all."""
    with pytest.raises(ConfigError, match=r"must not have|if it is a password") as raised:
        schema.check_database_url(url)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me@db.example.org/alarms?sslmode=verify-full", "postgresql://db.example.org/alarms"),
        ("postgres://me@db1:5432,db2:5433/alarms", "postgresql://db1,db2/alarms"),
        ("postgresql://me@[2001:db8::1]:5432/alarms", "postgresql://[2001:db8::1]/alarms"),
        ("postgresql://[::1]/alarms", "postgresql://[::1]/alarms"),
        ("postgresql://camalert@/alarms?host=/run/postgresql", "postgresql:///run/postgresql/alarms"),
        ("postgresql://me%40home@db", "postgresql://db/me@home"),
        ("postgresql://db?dbname=alarms&user=me", "postgresql://db/alarms"),
        ("postgresql:///?service=cams", "postgresql://cams/"),
        ("postgresql:///alarms?connect_timeout=3", "postgresql://local/alarms"),
        ("postgresql://me?x@db/alarms", "postgresql://db/alarms"),
    ],
)
def test_url_without_a_password_is_taken_and_shown_as_host_and_database(url: str, place: str) -> None:
    """Colons of ports and of IPv6 addresses are none of a password."""
    schema.check_database_url(url)

    assert postgresql.place_of(url) == place


@given(st.text("aB:@/?#&=%,[]41", max_size=30))
def test_any_url_is_taken_or_refused_and_can_be_shown(text: str) -> None:
    """Never another error."""
    url = f"postgresql://{text}"
    try:
        schema.check_database_url(url)
    except ConfigError:
        return
    assert postgresql.place_of(url).startswith("postgresql://")
