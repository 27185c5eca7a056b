"""A server that goes away, comes back, is read-only, is not safe, or is another program's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from testing.ports import free_port
from testing.postgresql import Server
from testing.storerig import JPEG, Rig
from testing.stores import Node, PostgresqlPlace
from testing.waiting import until

from camalert.config.schema import Database
from camalert.errors import ConfigError, StoreBusy, StoreError, StoreForeign
from camalert.ipc.messages import Concluded, Loaded, Outcome, StoreCode, Stored
from camalert.store.postgresql import tables
from camalert.store.postgresql.store import PostgresqlStore
from camalert.store.rows.tables import BOTH

PICTURE = b"\xff\xd8" + bytes(range(256)) * 40 + b"\xff\xd9"


@pytest.fixture
def own_server(postgresql_server: Server) -> Iterator[Server]:
    """Return a server that a test may end."""
    server = Server()
    yield server
    server.close()


def _until(work: Callable[[], object], limit_s: float = 20.0) -> object:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return work()
        except StoreError:
            assert time.monotonic() < deadline, "the store did not recover"
            time.sleep(0.1)


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
def test_server_that_goes_and_comes_back_loses_and_doubles_nothing(own_server: Server, is_killed: bool) -> None:
    """While it is away every call says so at once; afterwards the same mail is stored once, and all rows are there."""
    place = PostgresqlPlace(own_server)
    node = Node(place.store())
    node.store.open()
    kept = node.mail(PICTURE, mail_id=b"k" * 16)
    epoch = node.store.epoch

    own_server.stop(kill=is_killed)
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(StoreBusy, match=r"cannot be reached|stops"):
            node.mail(PICTURE, mail_id=b"n" * 16)
        assert time.monotonic() - began < 2
    with pytest.raises(StoreBusy):
        node.conclude(kept.first_id, Outcome.NOBODY)
    own_server.start()

    found = _until(lambda: node.mail(PICTURE, mail_id=b"n" * 16))
    assert found.code is StoreCode.STORED  # type: ignore[attr-defined]
    assert node.mail(PICTURE, mail_id=b"k" * 16).first_id == kept.first_id
    assert [picture for (picture,) in node.rows("SELECT snapshot FROM alerts_alert")] == [PICTURE, PICTURE]
    assert node.conclude(kept.first_id, Outcome.PERSON).is_written
    assert node.store.epoch == epoch
    node.store.close()


def test_standby_takes_over_with_everything_that_was_answered(own_server: Server) -> None:
    """With a synchronous standby nothing is lost: it is found by itself, and it is the same database."""
    url = own_server.database()
    standby = Server(of=own_server)
    try:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            owner.execute("SELECT pg_reload_conf()")
        name = url.partition("?")[0].rpartition("/")[2]
        both = f"postgresql://camalert@/{name}?host={own_server.folder},{standby.folder}"
        node = Node(PostgresqlStore(Database(url=both)))
        node.store.open()
        epoch = node.store.epoch
        kept = [node.mail(PICTURE).first_id for _ in range(5)]
        own_server.stop(kill=True)
        with pytest.raises(StoreBusy):
            node.mail(PICTURE)

        standby.promote()

        kept.append(_until(lambda: node.mail(PICTURE)).first_id)  # type: ignore[attr-defined]
        assert [alert_id for (alert_id,) in node.rows("SELECT id FROM alerts_alert ORDER BY id")] == kept
        assert node.store.epoch == epoch
        node.store.close()
    finally:
        standby.close()


def test_connection_that_is_ended_in_a_transaction_rolls_back(place: PostgresqlPlace) -> None:
    """As a server does that fails over; the next call connects anew."""
    node = Node(place.store())
    node.store.open()

    def end_own_connection(rows: object) -> None:
        rows.execute("INSERT INTO camalert_meta (name, value) VALUES ('x', 'y')")  # type: ignore[attr-defined]
        [[pid]] = rows.execute("SELECT pg_backend_pid()").fetchall()  # type: ignore[attr-defined]
        with place.connected() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        time.sleep(0.2)
        rows.execute("SELECT 1")  # type: ignore[attr-defined]

    with pytest.raises(StoreBusy):
        node.store.write(end_own_connection)

    assert node.rows("SELECT count(*) FROM camalert_meta WHERE name = 'x'") == [(0,)]
    assert node.mail(PICTURE).code is StoreCode.STORED
    node.store.close()


def test_read_only_database_is_busy_until_it_may_be_written_again(place: PostgresqlPlace) -> None:
    """A standby, or an administrator's setting: 451, and not the refusal of a single mail."""
    node = Node(place.store())
    node.store.open()
    with place.connected() as other:
        name = other.info.dbname
        other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        node.store.close()
        with pytest.raises(StoreBusy, match="read-only"):
            node.mail(PICTURE)
        other.execute("SET default_transaction_read_only = off")
        other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert _until(lambda: node.mail(PICTURE).code) is StoreCode.STORED
    node.store.close()


def test_server_that_forgets_is_refused_in_words(postgresql_server: Server) -> None:
    """A commit must be on its disk."""
    server = Server(["fsync=off"])
    try:
        with pytest.raises(ConfigError, match=r"fsync = off.*power"):
            PostgresqlPlace(server).store().open()
    finally:
        server.close()


def test_asynchronous_commits_of_others_are_not_ours(place: PostgresqlPlace) -> None:
    """What the role or the database says for everybody is overruled for our own transactions."""
    with place.connected() as other:
        other.execute(f"ALTER DATABASE {other.info.dbname} SET synchronous_commit = off")
    node = Node(place.store())
    node.store.open()

    assert node.rows("SELECT current_setting('synchronous_commit')") == [("on",)]
    node.store.close()


def test_change_of_the_server_s_configuration_does_not_reach_our_commits(own_server: Server) -> None:
    """A reload changes what live sessions have not set themselves."""
    place = PostgresqlPlace(own_server)
    node = Node(place.store())
    node.store.open()
    with place.connected() as owner:
        owner.execute("ALTER SYSTEM SET synchronous_commit = off")
        owner.execute("SELECT pg_reload_conf()")
        until(lambda: owner.execute("SHOW synchronous_commit").fetchone() == ("off",), "nothing was loaded anew")

    assert node.rows("SELECT current_setting('synchronous_commit')") == [("on",)]
    node.store.close()


def test_value_of_the_server_for_commits_stays(place: PostgresqlPlace) -> None:
    """With a synchronous standby it may promise more than we ask for."""
    with place.connected() as other:
        other.execute(f"ALTER DATABASE {other.info.dbname} SET synchronous_commit = remote_apply")
    node = Node(place.store())
    node.store.open()

    assert node.rows("SELECT current_setting('synchronous_commit')") == [("remote_apply",)]
    node.store.close()


def test_server_notices_a_client_that_was_cut_off(own_server: Server) -> None:
    """Or the locks of a node whose cable was pulled would stop all the others for hours."""
    place, port = PostgresqlPlace(own_server), free_port()
    with place.connected() as owner:
        owner.execute("ALTER ROLE camalert PASSWORD 'a long password'")
        name = owner.info.dbname
    own_server.serve_tls(port)
    own_server.stop()
    own_server.start()
    (own_server.folder / "word").write_text("a long password")
    url = f"postgresql://camalert@127.0.0.1:{port}/{name}?sslmode=require"
    node = Node(PostgresqlStore(Database(url=url, password_file=str(own_server.folder / "word"))))
    node.store.open()

    names = ("keepalives_idle", "keepalives_interval", "keepalives_count", "user_timeout")
    found = [node.rows(f"SELECT current_setting('tcp_{name}')")[0][0] for name in names]
    assert found == ["10", "3", "3", "15000"]
    assert node.rows("SELECT current_setting('idle_in_transaction_session_timeout')") == [("1min",)]
    node.store.close()


def test_database_of_another_encoding_is_refused(place: PostgresqlPlace) -> None:
    """A subject with a character that it lacks would refuse its mail for ever."""
    with place.connected() as owner:
        name = owner.info.dbname
        owner.execute(f"CREATE DATABASE {name}_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    url = place.settings.url.replace(f"/{name}?", f"/{name}_latin?")

    with pytest.raises(ConfigError, match="encoding LATIN1"):
        PostgresqlStore(Database(url=url)).open()
    with pytest.raises(StoreForeign, match="encoding LATIN1"):
        PostgresqlStore(Database(url=url)).look()


def test_server_that_is_too_old_is_refused(place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, and not by the first statement that it does not know."""
    monkeypatch.setattr("camalert.store.postgresql.store.OLDEST_SERVER", 99)

    with pytest.raises(ConfigError, match=r"PostgreSQL \d\d: camalert needs 99"):
        place.store().open()


def test_database_of_another_program_is_refused(place: PostgresqlPlace) -> None:
    """A wrong name must not fill somebody's database with our tables."""
    with place.connected() as other:
        other.execute("CREATE TABLE invoices (id int)")

    with pytest.raises(ConfigError, match=r"another program's.*invoices"):
        place.store().open()


def test_newer_database_is_refused(place: PostgresqlPlace) -> None:
    """An older release never touches a newer one's tables."""
    store = place.store()
    store.open()
    store.write(lambda rows: rows.execute("INSERT INTO camalert_schema (version, applied_utc) VALUES (99, 0)"))
    store.close()

    with pytest.raises(ConfigError, match="version 99"):
        place.store().open()


def test_table_that_a_crash_would_empty_is_refused(place: PostgresqlPlace) -> None:
    """UNLOGGED is no place for what was answered."""
    store = place.store()
    store.open()
    store.write(lambda rows: rows.execute("ALTER TABLE alerts_alert SET UNLOGGED"))
    store.close()

    with pytest.raises(ConfigError, match="UNLOGGED"):
        place.store().open()


def test_second_node_of_a_name_waits_until_the_first_is_gone(place: PostgresqlPlace) -> None:
    """It would take the other's claims for its own."""
    first, second = (PostgresqlStore(place.settings, node="north") for _ in range(2))
    first.open()
    with pytest.raises(StoreBusy, match="another camalert of the name north"):
        second.open()

    first.close()

    _until(second.open)
    second.close()


def test_password_comes_from_its_file_and_is_never_shown(place: PostgresqlPlace, tmp_path: Path) -> None:
    """Neither in the place nor in what is said of a fault."""
    file = tmp_path / "password"
    file.write_text("s3cret word\n")
    settings = replace(place.settings, url="postgresql://me@127.0.0.1:1/alarms", password_file=str(file))
    store = PostgresqlStore(settings)

    assert store._parameters["password"] == "s3cret word"
    assert store.place == "postgresql://127.0.0.1/alarms"
    with pytest.raises(StoreBusy) as found:
        store.open()
    assert "s3cret" not in str(found.value)
    with pytest.raises(ConfigError, match="password_file"):
        PostgresqlStore(replace(settings, password_file=f"{file}.gone"))


def test_original_s_rows_are_adopted_with_their_facts(place: PostgresqlPlace) -> None:
    """Rows that a site has put there before us are counted, listed and kept."""
    with place.connected() as site:
        for table in BOTH:
            site.execute(tables.DJANGO_TABLE.format(name=table.name))
        site.execute("SET TimeZone = 'UTC'")
        site.execute(
            "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('old', '2020-01-02 03:04:05', 'x')"
        )
    node = Node(place.store(timestamps="utc"))
    node.store.open()

    assert node.rows("SELECT subject, timestamp, bytes, worth FROM camalert_alert") == [
        ("old", "2020-01-02 03:04:05", 1, 0)
    ]
    assert node.rows("SELECT rows, keep FROM camalert_rows WHERE name = 'alerts_alert'") == [(1, 1000)]
    assert node.mail(PICTURE).first_id == 2
    node.store.close()


def test_writer_passes_pictures_on_and_writes_verdicts(make_rig: Callable[..., Rig]) -> None:
    """The writer itself, from the intake slot to the detection, with a restart in between."""
    rig = make_rig()
    rig.turn(*rig.lend(1))
    assert rig.store(JPEG, event="motion").code == StoreCode.STORED
    (loaded,) = rig.take(Loaded)
    rig.turn(rig.conclusion(loaded, Outcome.PERSON))
    assert rig.take(Concluded)
    assert rig.store(JPEG * 2).code == StoreCode.STORED  # waits for a slot

    rig.start()
    rig.take(Loaded)
    rig.turn(*rig.lend(2))
    (loaded,) = rig.take(Loaded)
    with rig.pool.encoded(loaded.slot) as encoded:
        assert bytes(encoded[: len(JPEG) * 2]) == JPEG * 2
    rig.turn(rig.conclusion(loaded, Outcome.NOBODY))

    assert rig.rows("SELECT outcome FROM camalert_alert ORDER BY alert_id") == [("person",), ("nobody",)]
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(0,)]
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(1,)]


def test_writer_answers_busy_while_the_server_is_away_and_goes_on(own_server: Server, tmp_path: Path) -> None:
    """A camera reads 451 and sends it again; the verdict of the meantime is written when the server is back."""
    rig = Rig(tmp_path, url=own_server.database())
    try:
        rig.turn(*rig.lend(1))
        rig.store(JPEG)
        (loaded,) = rig.take(Loaded)
        own_server.stop(kill=True)
        assert rig.store(JPEG, mail_id=b"b" * 16).code == StoreCode.BUSY
        rig.turn(rig.conclusion(loaded, Outcome.PERSON))
        assert rig.take(Concluded)
        own_server.start()

        rig.turn_until(lambda: rig.rows("SELECT count(*) FROM alerts_detect") == [(1,)])
        rig.turn(rig.put_mail(JPEG, mail_id=b"b" * 16))
        (stored,) = rig.take(Stored)[-1:]
        assert stored.code == StoreCode.STORED
        assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]
    finally:
        rig.close()


def test_opening_waits_for_no_name_of_this_machine_s_zone(
    place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times would be written wrongly."""
    monkeypatch.setitem(os.environ, "TZ", "Nowhere/Else")

    with pytest.raises(ConfigError, match="Nowhere/Else"):
        place.store().open()


@pytest.fixture
def _own_zone() -> Iterator[None]:
    """Show this machine's own time again when the test is over."""
    yield
    time.tzset()


@pytest.mark.usefixtures("_own_zone")
def test_zone_is_the_one_found_before_the_process_was_confined(
    place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is made anew cannot read the machine's files any more."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    node = Node(place.store())
    monkeypatch.setattr("camalert.store.postgresql.store._local_zone", lambda: "UTC")

    node.store.open()

    assert node.rows("SELECT current_setting('TimeZone')") == [("Asia/Tokyo",)]
    node.store.close()


@pytest.mark.usefixtures("_own_zone")
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/London"])
def test_zone_that_is_not_this_machine_s_is_refused(
    place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """In winter as in summer: times would be wrong by hours, at the latest half a year on."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    monkeypatch.setattr("camalert.store.postgresql.store._local_zone", lambda: "UTC")

    with pytest.raises(ConfigError, match="does not show the time that the database server has for UTC"):
        place.store().open()
    utc = place.store(timestamps="utc")
    utc.open()
    utc.close()


def test_tables_that_a_site_alters_meanwhile_cost_one_answer_at_most(place: PostgresqlPlace) -> None:
    """A `migrate` makes a column longer or adds one that must have a value; the next mail is stored."""
    node = Node(place.store())
    node.store.open()
    for _ in range(8):  # often enough for the driver to prepare what it sends
        waiting = node.pending()
        node.mail(PICTURE)
        node.rows("SELECT * FROM alerts_alert ORDER BY id LIMIT 1")
    with place.connected() as site:
        site.execute("ALTER TABLE alerts_alert ALTER COLUMN subject TYPE varchar(300)")
        site.execute("ALTER TABLE alerts_alert ADD COLUMN seen boolean NOT NULL DEFAULT false")
        site.execute("ALTER TABLE alerts_alert ALTER COLUMN seen DROP DEFAULT")

    assert len(_until(lambda: node.rows("SELECT * FROM alerts_alert ORDER BY id LIMIT 1"))[0]) == 5  # type: ignore[arg-type,index]
    assert _until(lambda: node.mail(PICTURE).code) is StoreCode.STORED
    assert node.load(waiting[0]) is not None
    assert node.rows("SELECT count(*) FROM alerts_alert WHERE NOT seen") == [(9,)]
    node.store.close()


def test_site_needs_no_rights_on_our_tables(place: PostgresqlPlace) -> None:
    """Its user deletes and edits its own two; the triggers do the rest."""
    node = Node(place.store())
    node.store.open()
    alert_id = node.mail(PICTURE).first_id
    with place.connected() as owner:
        owner.execute("DROP ROLE IF EXISTS site_of_cams")
        owner.execute("CREATE ROLE site_of_cams LOGIN")
        owner.execute("GRANT SELECT, UPDATE, DELETE ON alerts_alert TO site_of_cams")
        with psycopg.connect(place.settings.url.replace("camalert@", "site_of_cams@"), autocommit=True) as site:
            site.execute("UPDATE alerts_alert SET subject = 'edited'")
            assert node.rows("SELECT subject FROM camalert_alert") == [("edited",)]
            site.execute("DELETE FROM alerts_alert WHERE id = %s", (alert_id,))
        owner.execute("DROP OWNED BY site_of_cams")
        owner.execute("DROP ROLE site_of_cams")

    assert node.rows("SELECT (SELECT count(*) FROM camalert_alert), (SELECT count(*) FROM camalert_pending)") == [
        (0, 0)
    ]
    node.store.close()
