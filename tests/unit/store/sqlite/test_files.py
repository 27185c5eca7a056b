"""Copies, verification, compaction, and what is known of files, versions and times."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from testing.storerig import JPEG, Rig

from camalert.config.schema import Database as Settings
from camalert.errors import ConfigError, StoreBusy, StoreDamaged, StoreError
from camalert.ipc.messages import Loaded, Outcome
from camalert.store import filesystem
from camalert.store.rows.tables import timestamp_of
from camalert.store.sqlite import opening
from camalert.store.sqlite.backup import backup
from camalert.store.sqlite.compact import compact
from camalert.store.sqlite.verify import verify

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /mnt/nas rw,relatime - nfs4 nas:/export rw,vers=4.2
31 22 0:26 / /mnt/with\\040blank rw - cifs //nas/share rw
32 30 254:1 / /mnt/nas/local rw - ext4 /dev/vdb rw
33 22 0:27 / /over rw - ext4 /dev/vdc rw
34 22 0:28 / /over rw - nfs nas:/other rw
"""


def test_backup_of_a_database_in_use_is_complete_by_itself(rig: Rig, tmp_path: Path) -> None:
    """One file, every row that was committed, and progress from nothing to all."""
    for _ in range(5):
        rig.store(JPEG)
    told: list[tuple[int, int]] = []

    size = backup(rig.path, tmp_path / "copy.sqlite3", lambda done, total: told.append((done, total)))

    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.sqlite3"]
    assert size == (tmp_path / "copy.sqlite3").stat().st_size
    assert told[-1][0] == told[-1][1]
    copy = sqlite3.connect(tmp_path / "copy.sqlite3")
    assert copy.execute("SELECT count(*) FROM alerts_alert WHERE snapshot = ?", (JPEG,)).fetchone() == (5,)
    copy.close()
    assert verify(tmp_path / "copy.sqlite3").is_sound


def test_backup_overwrites_nothing(rig: Rig, tmp_path: Path) -> None:
    """A file that exists is somebody's."""
    (tmp_path / "copy.sqlite3").write_text("mine")

    with pytest.raises(StoreError, match="exists"):
        backup(rig.path, tmp_path / "copy.sqlite3")

    assert (tmp_path / "copy.sqlite3").read_text() == "mine"


def test_backup_that_fails_leaves_no_half_copy(rig: Rig, tmp_path: Path) -> None:
    """What is there afterwards is whole or not there."""

    def stop(_done: int, _total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space"):
        backup(rig.path, tmp_path / "copy.sqlite3", stop)

    assert list(tmp_path.glob("copy*")) == []


def test_verify_of_a_worked_with_database_finds_nothing_wrong(rig: Rig) -> None:
    """Pending, examined and deleted alerts are all accounted for."""
    rig.turn(*rig.lend(3))
    for _ in range(6):
        rig.store(JPEG)
    for loaded in rig.take(Loaded):
        rig.turn(rig.conclusion(loaded, Outcome.PERSON))
    rig.writer._store.write(lambda found: found.execute("DELETE FROM alerts_alert WHERE id IN (2, 5)"))

    report = verify(rig.path)

    assert report.is_sound, report.findings
    assert (report.alerts, report.detections, report.pending) == (4, 3, 2)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM camalert_pending", "neither examined nor pending"),
        (
            "INSERT INTO camalert_visit (id, camera, known_as, began_utc, last_utc, heard_utc, pictures, people,"
            " best_alert, best_score, state) VALUES (1, '', '', 0, 0, 0, 1, 1, 77, 0.5, 'over')",
            "whose best picture is gone",
        ),
        (
            "INSERT INTO camalert_visit (id, camera, known_as, began_utc, last_utc, heard_utc, pictures, people,"
            " best_alert, best_score, state, unreviewed) VALUES (1, '', '', 0, 0, 0, 1, 1, 77, 0.5, 'over', 7)",
            "unreviewed pictures are counted wrongly",
        ),
        (
            "INSERT INTO camalert_clip (mail, name, kind, bytes, subject, timestamp, camera, event, received_utc,"
            " state, reason, alert_id, clip) VALUES (1, '', 'mp4', 1, '', '', '', '', 0, 'examined', '', -5, x'00')",
            "not in the bin",
        ),
        (
            'INSERT INTO camalert_bin (deletion, deleted_utc, "by", subject, timestamp, camera, alert_id, bytes)'
            " SELECT 1, 0, '', '', '', '', max(id), 0 FROM alerts_alert",
            "also among the others",
        ),
        ("UPDATE camalert_alert SET visit = 9", "alerts of visits that are gone"),
        ("INSERT INTO camalert_pending VALUES (77, 0, 1)", "alerts that are gone"),
        ("DELETE FROM camalert_alert", "without their row"),
        ("INSERT INTO camalert_detect (detect_id, subject, timestamp) VALUES (9, '', '')", "whose row"),
        ("UPDATE camalert_rows SET rows = 9", "wrong count"),
        ("DROP TRIGGER delete_alarms", "delete_alarms is missing"),
        ("UPDATE alerts_alert SET snapshot = substr(snapshot, 1, 9)", "another size"),
        ("UPDATE camalert_alert SET outcome = 'failed', reason = ''", "without a reason"),
    ],
)
def test_verify_names_what_is_wrong(rig: Rig, statement: str, expected: str) -> None:
    """Each relation that must hold is looked at."""
    rig.store(JPEG)
    rig.writer._store.write(lambda found: found.execute(statement))

    report = verify(rig.path)

    assert not report.is_sound
    assert any(expected in finding.message for finding in report.findings)


def test_verify_counts_rows_from_elsewhere_as_no_fault(rig: Rig) -> None:
    """What cams adds by hand is nobody's to examine."""
    rig.writer._store.write(
        lambda found: found.execute("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('s', 't', x'ff')")
    )

    report = verify(rig.path)

    assert report.is_sound
    assert "from elsewhere" in report.findings[0].message


def test_verify_notes_detections_of_no_alert(rig: Rig) -> None:
    """What the original system or a shell put there is named, and is no fault."""
    rig.writer._store.write(
        lambda found: found.execute("INSERT INTO alerts_detect (subject, timestamp, snapshot) VALUES ('s', 't', x'ff')")
    )

    report = verify(rig.path)

    assert report.is_sound
    assert "belong to no alert" in report.findings[0].message


def test_verify_sees_a_file_that_lost_its_end(rig: Rig, tmp_path: Path) -> None:
    """A copy that was broken off within a page; SQLite itself reads zeros there."""
    rig.store(JPEG)
    backup(rig.path, tmp_path / "copy.sqlite3")
    with (tmp_path / "copy.sqlite3").open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1000)

    report = verify(tmp_path / "copy.sqlite3")

    assert not report.is_sound
    assert any("ends 1000 bytes before" in finding.message for finding in report.findings)


def test_verify_of_no_database_says_so(tmp_path: Path) -> None:
    """A missing file and one that is no database are errors in words."""
    with pytest.raises(StoreError, match="there is no database"):
        verify(tmp_path / "none.sqlite3")
    (tmp_path / "text.sqlite3").write_text("hello " * 1000)
    with pytest.raises(StoreDamaged):
        verify(tmp_path / "text.sqlite3")


def test_compact_makes_an_old_file_small_and_able_to_shrink(rig: Rig) -> None:
    """Deleted pictures leave the file, and auto_vacuum is on from then on; in use it is refused."""
    for _ in range(20):
        rig.store(JPEG * 6, slot=2)
    rig.writer._store.write(lambda found: found.execute("DELETE FROM alerts_alert WHERE id > 1"))
    with pytest.raises(StoreBusy, match="first stop camalert"):
        compact(rig.path)
    rig.writer._store.close()

    before, after = compact(rig.path)

    assert after < before
    assert rig.rows("PRAGMA auto_vacuum") == [(2,)]
    assert rig.rows("PRAGMA journal_mode") == [("wal",)]
    assert rig.rows("SELECT snapshot FROM alerts_alert") == [(JPEG * 6,)]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/alerts.sqlite3", "ext4"),
        ("/mnt/nas/alerts.sqlite3", "nfs4"),
        ("/mnt/nasty/alerts.sqlite3", "ext4"),
        ("/mnt/nas/local/alerts.sqlite3", "ext4"),
        ("/mnt/with blank/alerts.sqlite3", "cifs"),
        ("/over/alerts.sqlite3", "nfs"),
    ],
)
def test_file_system_is_that_of_the_longest_mount(path: str, kind: str) -> None:
    """Names that only begin alike, mounts in mounts and mounts over mounts."""
    assert filesystem.kind_of(path, MOUNTS) == kind


def test_network_file_system_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that do not hold would lose alarms."""
    monkeypatch.setattr(filesystem, "kind", lambda _path: "nfs4")

    with pytest.raises(ConfigError, match="nfs4"):
        opening.open_writer(Settings(path=str(tmp_path / "a.sqlite3")), wait_s=0.0)


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 50, 6), True), ((3, 50, 7), False),
     ((3, 51, 2), True), ((3, 51, 3), False), ((3, 52, 0), False), ((3, 6, 23), False)],
)  # fmt: skip
def test_affected_versions_of_sqlite_are_known(version: tuple[int, int, int], is_affected: bool) -> None:
    """3.7.0 to 3.51.2, but for the two older lines that have the fix."""
    assert opening.is_affected(version) is is_affected


def test_wal_is_on_the_disk_before_an_answer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """In WAL mode each commit is followed by a sync; a disk that refuses it makes the answer a 451."""
    synced: list[int] = []
    monkeypatch.setattr("camalert.store.sqlite.wal.os.fdatasync", synced.append)
    rig.store(JPEG)
    assert synced

    def refuse(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("camalert.store.sqlite.wal.os.fdatasync", refuse)
    assert rig.store(JPEG).code == 3


def test_rollback_journal_is_synced_by_sqlite(tmp_path: Path) -> None:
    """The other journal keeps synchronous=EXTRA and works as well."""
    rig = Rig(tmp_path, journal="delete")
    try:
        assert rig.store(JPEG).code == 1
        pragma = rig.writer._store.read(lambda found: found.execute("PRAGMA synchronous").fetchone())
        assert pragma == (3,)
        assert not Path(f"{rig.path}-wal").exists()
    finally:
        rig.close()


@pytest.mark.parametrize(("moment", "text"), [(0.0, "1970-01-01 00:00:00"), (1e300, "1970-01-01 00:00:00")])
def test_text_of_a_moment_is_always_a_date(moment: float, text: str) -> None:
    """A clock without a battery, or a nonsense time, breaks nothing."""
    assert timestamp_of(moment, "utc") == text
