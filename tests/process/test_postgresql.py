"""The service and the original's site on a PostgreSQL database, with a server that is killed on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testing.cams import LIMIT_S, RunSite, finish, migrate, site
from testing.pictures import cat_jpeg, numbered, person_jpeg
from testing.ports import free_port
from testing.postgresql import Server
from testing.service import ServiceUnderTest
from testing.storerig import JPEG, Rig
from testing.waiting import until

from camalert.ipc.messages import StoreCode

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -e '.[postgresql]'")


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Query a database from outside."""
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


# --- the original's site ----------------------------------------------------------------------------------------------


@pytest.fixture
def url(postgresql_server: Server) -> str:
    """Return the URL of an empty database."""
    return postgresql_server.database()


@pytest.fixture
def run_site(url: str, tmp_path: Path) -> Iterator[RunSite]:
    """Run a program of the site on the database."""
    pytest.importorskip("django", reason="Django is not installed in this environment")
    found = psycopg.conninfo.conninfo_to_dict(url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": found["dbname"], "USER": found["user"], "HOST": found["host"],
    }  # fmt: skip
    with site(tmp_path, CAMS_ALERTS="", CAMS_DATABASE=json.dumps(database)) as run:
        yield run


def shape(url: str) -> list[Any]:
    """Return everything about Django's tables that a program could see."""
    tables = "('alerts_alert', 'alerts_detect', 'django_migrations')"
    return [
        rows(url, f"SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default,"
                  " is_identity, identity_generation, identity_start, identity_increment, identity_maximum"
                  f" FROM information_schema.columns WHERE table_name IN {tables} ORDER BY 1, ordinal_position"),
        rows(url, f"SELECT tablename, indexdef FROM pg_indexes WHERE tablename IN {tables} ORDER BY 1, indexname"),
        rows(url, "SELECT conrelid::regclass::text, contype, pg_get_constraintdef(oid) FROM pg_constraint"
                  f" WHERE conrelid::regclass::text IN {tables} ORDER BY 1, 2, 3"),
        rows(url, "SELECT app, name FROM django_migrations WHERE app = 'alerts' ORDER BY id"),
    ]  # fmt: skip


def test_tables_are_exactly_django_s_whoever_is_first(
    run_site: RunSite, url: str, postgresql_server: Server, tmp_path: Path
) -> None:
    """`migrate` succeeds on a database that we made, and we work on one that Django made."""
    ours = postgresql_server.database()
    Rig(tmp_path, url=ours).close()
    migrate(run_site)
    expected = shape(url)

    assert shape(ours) == expected
    rig = Rig(tmp_path, url=url)
    assert rig.store(JPEG).code == StoreCode.STORED
    rig.close()
    assert shape(url) == expected
    assert finish(run_site("-m", "django", "migrate", "--database=alerts", "--check")) == ""


def test_migrate_on_our_tables_and_cams_while_mails_arrive(run_site: RunSite, url: str, tmp_path: Path) -> None:
    """Unchanged but for its database setting: list, filter by date, open, add, delete; every mail is stored."""
    rig = Rig(tmp_path, url=url, busy_seconds=10.0, timestamps="utc")
    try:
        migrate(run_site)
        rig.store(JPEG, JPEG)
        process = run_site("visit.py", "3.0")
        codes = []
        while process.poll() is None:
            codes.append(rig.store(JPEG).code)
            time.sleep(0.1)  # the cameras' pace, not a wait for something
        done = json.loads(finish(process))

        assert set(codes) == {StoreCode.STORED}
        assert done["opened"] == 200
        assert done["filtered"] >= 2
        assert min(done["lists"], done["adds"]) > 0
        assert done["deletes"] == done["adds"]
        assert done["deleted_alert"] == 302
        assert rows(url, f"SELECT count(*) FROM camalert_alert WHERE alert_id = {done['alert']}") == [(0,)]
        assert rows(url, "SELECT count(*) FROM camalert_detect") == [(0,)]
    finally:
        rig.close()


# --- the service ------------------------------------------------------------------------------------------------------


def test_service_keeps_and_examines_what_it_acknowledged_through_kills_of_the_server(
    make_service: Callable[..., ServiceUnderTest], postgresql_server: Server
) -> None:
    """What got a 250 is there once and examined once; while the server is away cameras read 451 and try again."""
    server = Server()
    try:
        place = server.database()
        service = make_service(database__url=place).start()
        sent: list[bytes] = []
        refused = 0
        for round_number in range(3):
            for number in range(6):
                picture = numbered(person_jpeg() if number % 3 == 0 else cat_jpeg(), 10 * round_number + number)
                if number == 3:
                    server.stop(kill=True)
                code, words = service.send([picture], f"Motion {round_number} {number}")
                if code != 250:
                    refused += 1
                    assert code == 451, words
                    server.start()
                    until(
                        lambda: service.send([picture], f"Motion {round_number} {number}")[0] == 250,  # noqa: B023
                        lambda: f"the mail is not taken again\n{service.tail()}",
                        60,
                    )
                sent.append(picture)
        until(
            lambda: rows(place, "SELECT count(*) FROM camalert_pending") == [(0,)],
            lambda: f"pending examinations\n{service.tail()}",
            LIMIT_S,
        )
        assert refused == 3
        assert sorted(picture for (picture,) in rows(place, "SELECT snapshot FROM alerts_alert")) == sorted(sent)
        outcomes = rows(place, "SELECT outcome, count(*) FROM camalert_alert GROUP BY 1")
        assert dict(outcomes) == {"person": 6, "nobody": 12}
        assert rows(place, "SELECT count(*), count(DISTINCT alert_id) FROM camalert_detect") == [(6, 6)]
        assert service.find("confinement_incomplete") == []
        service.close()
    finally:
        server.close()


def test_service_connects_over_tls_with_the_password_of_a_file(
    make_service: Callable[..., ServiceUnderTest], tmp_path: Path
) -> None:
    """Confined as it is, and to the server alone whose certificate it knows."""
    server = Server()
    try:
        place, port, password = server.database(), free_port(), tmp_path / "password"
        password.write_text("a long password\n")
        with psycopg.connect(place, autocommit=True) as owner:
            owner.execute("CREATE ROLE guard LOGIN PASSWORD 'a long password'")
            owner.execute("GRANT ALL ON SCHEMA public TO guard")
            name = owner.info.dbname
        certificate = server.serve_tls(port)
        server.stop()
        server.start()
        url = f"postgresql://guard@127.0.0.1:{port}/{name}?sslmode=verify-full&sslrootcert={certificate}"
        service = make_service(database__url=url, database__password_file=password).start()

        assert service.send([cat_jpeg()])[0] == 250

        service.close()
        with psycopg.connect(url, password="a long password") as guard:
            assert guard.execute("SELECT count(*) FROM alerts_alert").fetchone() == (1,)
    finally:
        server.close()


def test_node_that_is_killed_leaves_its_pictures_to_the_other(
    make_service: Callable[..., ServiceUnderTest], url: str
) -> None:
    """Two services on one database: what either acknowledged is there once and examined once, whoever dies."""
    north = make_service("north", database__url=url, node__name="north").start()
    south = make_service("south", database__url=url, node__name="south").start()
    sent: list[bytes] = []
    for number in range(12):
        picture = numbered(person_jpeg() if number % 3 == 0 else cat_jpeg(), number)
        code, words = (north if number % 4 else south).send([picture], f"Motion {number}")
        assert code == 250, words
        sent.append(picture)
    assert north.process is not None
    north.process.kill()
    north.process.wait(30)

    until(
        lambda: rows(url, "SELECT count(*) FROM camalert_pending") == [(0,)],
        lambda: f"pending examinations\n{south.tail()}",
        LIMIT_S,
    )
    assert sorted(picture for (picture,) in rows(url, "SELECT snapshot FROM alerts_alert")) == sorted(sent)
    assert dict(rows(url, "SELECT outcome, count(*) FROM camalert_alert GROUP BY 1")) == {"person": 4, "nobody": 8}
    assert rows(url, "SELECT count(*), count(DISTINCT alert_id) FROM camalert_detect") == [(4, 4)]
    north.start()  # and what it left is cleaned up
    assert north.send([numbered(cat_jpeg(), 99)])[0] == 250


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"review__enabled": "true"}, "the site reads SQLite only"),
        ({"database__url": "postgresql://me:secret@/alarms"}, "password_file"),
        ({"database__url": "mysql://me@/alarms"}, "postgresql://"),
    ],
)
def test_what_does_not_work_is_refused_at_the_start_in_words(
    make_service: Callable[..., ServiceUnderTest], url: str, settings: dict[str, str], words: str
) -> None:
    """Nobody finds out later; and no password is ever shown."""
    service = make_service(**{"database__url": url, **settings}).start(is_ready=False)

    assert service.process is not None
    assert service.process.wait(60) == 78
    assert words in service.log_file.read_text()
    assert "secret" not in service.log_file.read_text()
