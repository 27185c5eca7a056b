"""The rules' SQL in PostgreSQL's words."""

from __future__ import annotations

import pytest

from camalert.store.postgresql.dialect import statement, values_of
from camalert.store.rows.tables import NOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 FROM a WHERE b = ? AND c = :name", "SELECT 1 FROM a WHERE b = %s AND c = %(name)s"),
        ("SELECT '?', ':x', 'it''s ?', \"?\", a::text", "SELECT '?', ':x', 'it''s ?', \"?\", a::text"),
        ("SELECT '5 %', a % b", "SELECT '5 %%', a %% b"),
        ("SELECT a FROM b INDEXED BY c WHERE d", "SELECT a FROM b WHERE d"),
        (f"SELECT max(1.0, {NOW} - a)", "SELECT greatest(1.0, extract(epoch FROM clock_timestamp())::float8 - a)"),
        ("SELECT max(a) FROM b", "SELECT max(a) FROM b"),
        ("INSERT INTO camalert_mail (a) VALUES (?)", "INSERT INTO camalert_mail (a) VALUES (%s) RETURNING id"),
        ("INSERT INTO camalert_meta (a) VALUES (?)", "INSERT INTO camalert_meta (a) VALUES (%s)"),
        (
            "INSERT INTO camalert_outbox (a) VALUES (?) ON CONFLICT DO NOTHING",
            "INSERT INTO camalert_outbox (a) VALUES (%s) ON CONFLICT DO NOTHING",
        ),
    ],
)
def test_statement_is_translated(text: str, expected: str) -> None:
    """Values, and what SQLite says otherwise; nothing within quotes."""
    assert statement(text).text == expected


def test_nul_in_a_text_is_replaced_and_bytes_stay() -> None:
    """PostgreSQL refuses a text with NUL, and a camera's subject may have one."""
    assert values_of(["a\0b", b"a\0b", None, 5]) == ["a\ufffdb", b"a\0b", None, 5]
    assert values_of({"x": "\0"}) == {"x": "\ufffd"}
