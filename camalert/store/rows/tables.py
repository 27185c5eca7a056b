"""Django's two tables with what of ours belongs to each, whose rows give way, and how moments are written in them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

NOBODY = 0  # the holder of rows that came from elsewhere
YOUNG_S = 86_400  # a row that gives way before this age is worth a warning
SILENT_S = 2_592_000  # a holder that sent nothing for longer gives way sooner: its rows weigh more with every month
# How much longer rows stay than plain ones, by `worth`: 10 times as many alarms for people, 100 for marked ones.
WEIGHTS = {0: 1.0, 1: 0.1, 2: 0.01}
ORIGINAL_KEEP = 1000  # rows, the number in the original's triggers
# Seconds since 1970, in SQLite's words; `postgresql.dialect` has the other's.
NOW = "(julianday('now') - 2440587.5) * 86400.0"


@dataclass(frozen=True, slots=True)
class DjangoTable:
    """One of Django's two tables, and what of ours belongs to it."""

    name: str  # Django's table
    facts: str  # our table of facts
    key: str  # the column of `facts` that holds the row's id
    count: str  # the column of `camalert_holder` that counts the rows
    worth: str  # what `facts.worth` is made from
    trigger: str  # the trigger that keeps the newest rows, named as the original names it
    migrations: tuple[str, ...]  # the original's migrations that end in this table


ALERTS = DjangoTable(
    "alerts_alert",
    "camalert_alert",
    "alert_id",
    "alerts",
    # A row of ours without an outcome is pending and has no weight: it never gives way.
    "CASE WHEN outcome IS NULL AND mail IS NOT NULL THEN 3 WHEN mark IS NOT NULL THEN 2"
    " WHEN outcome = 'person' THEN 1 ELSE 0 END",
    "delete_alarms",
    ("0001_initial", "0002_rename_alert_alerts", "0003_rename_alerts_alert"),
)
DETECTIONS = DjangoTable(
    "alerts_detect",
    "camalert_detect",
    "detect_id",
    "detections",
    "CASE WHEN mark IS NOT NULL THEN 2 ELSE 1 END",
    "delete_detect",
    ("0004_detect",),
)
BOTH = (ALERTS, DETECTIONS)


def largest(count: str, *, now: str) -> str:
    """Return the query for the holder whose row gives way: of the address that has the most, the camera with the most.

    So an address pays for all the cameras it names. What a holder has weighs more when it has long been silent.

    Args:
        count: The column of `camalert_holder` that says how much it has.
        now: Seconds since 1970, as SQL.
    """
    weight = f"max(1.0, ({now} - %s) / {SILENT_S}.0)"
    return f"""SELECT id FROM camalert_holder WHERE {count} > 0 AND address = (
          SELECT address FROM camalert_holder WHERE {count} > 0 GROUP BY address
          ORDER BY sum({count}) * {weight % "max(last_utc)"} DESC, max(last_utc) DESC LIMIT 1)
        ORDER BY {count} * {weight % "last_utc"} DESC, last_utc DESC LIMIT 1"""


def gives_way(table: DjangoTable, *, holder: str, newest: str) -> str:
    """Return the query for the row of a holder that gives way: the oldest, by rows that came since and by its worth.

    A row with people stays ten times as long as a plain one, a marked one a hundred times. Never one that is pending,
    and never the newest.

    Args:
        table: Which of the two tables.
        holder: The holder's id, as SQL.
        newest: The id of the newest row, as SQL.
    """
    idle = f" AND {table.key} NOT IN (SELECT alert_id FROM camalert_pending)" if table is ALERTS else ""
    key = table.key
    oldest = " UNION ALL ".join(
        f"""SELECT * FROM (SELECT {key} AS id, ({newest} - {key}) * {weight} AS age FROM {table.facts}
            WHERE holder = {holder} AND worth = {worth} AND {key} <> {newest}{idle}
            ORDER BY {key} LIMIT 1) AS of_worth_{worth}"""
        for worth, weight in WEIGHTS.items()
    )
    return f"SELECT id FROM ({oldest}) AS candidates ORDER BY age DESC LIMIT 1"


def give_way(table: DjangoTable, newest: str) -> tuple[str, ...]:
    """Return the statements that remove one row of a table that has too many: whose, which, was it young, away with it.

    Args:
        table: Which of the two tables.
        newest: The id of the newest row, as SQL.
    """
    too_many = f"WHERE name = '{table.name}' AND rows > keep"
    victim = gives_way(table, holder="camalert_rows.holder", newest=newest)
    return (
        f"UPDATE camalert_rows SET victim = NULL, holder = ({largest(table.count, now=NOW)}) {too_many}",
        f"UPDATE camalert_rows SET victim = ({victim}) {too_many}",
        f"UPDATE camalert_rows SET young = young + 1 {too_many} AND victim IN ("
        f"SELECT {table.key} FROM {table.facts} WHERE {table.key} = victim AND received_utc > {NOW} - {YOUNG_S})",
        f"DELETE FROM {table.name} WHERE id = (SELECT victim FROM camalert_rows {too_many})",
    )


def timestamp_of(utc_s: float, zone: str) -> str:
    """Return how a moment is written in the two tables: `YYYY-MM-DD HH:MM:SS`, local time or UTC.

    Args:
        utc_s: Seconds since 1970; what no calendar holds counts as 1970.
        zone: `local` or `utc`, as `[database] timestamps` says.
    """
    try:
        moment = datetime.datetime.fromtimestamp(utc_s, datetime.UTC)
        moment = moment.astimezone() if zone == "local" else moment
    except (OverflowError, ValueError, OSError):
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def seconds_of(text: str) -> float | None:
    """Return the moment that a text of the tables names, as if it were in UTC; None when it names none."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def day_of(utc_s: float, zone: str) -> str:
    """Return the day of a moment, `YYYY-MM-DD`."""
    return timestamp_of(utc_s, zone)[:10]
