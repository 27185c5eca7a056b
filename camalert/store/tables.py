"""The text of every table, index and trigger.

Pure. `alerts_alert` and `alerts_detect` are character for character what Django's four migrations of the original site
end in; everything else is ours and begins with `camalert_`. No trigger on one of Django's tables names the other one:
Django alters a table by building a copy, dropping the old one and renaming, and SQLite refuses the renaming while any
trigger names a table that is not there.

Every row of Django's two tables has one row of facts (`camalert_alert`, `camalert_detect`), also the rows that cams or
a `sqlite3` shell adds: triggers make it. Lists are read from the facts alone and never touch a page of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.errors import ProtocolError

# A clip waits under an id of its own until its examination makes an alert of it: CLIP_BASE + its id in camalert_clip.
# SQLite's ids are signed 64-bit numbers and the messages' are unsigned, so 2**62 fits both and no alert comes near.
CLIP_BASE = 1 << 62
DELETES_PER_INSERT = 4  # what one insert may delete, and hold in memory to undo it; maintenance removes any excess
ORIGINAL_KEEP = 1000  # rows, the number in the original's triggers

_DJANGO_TABLE = (
    'CREATE TABLE "{name}" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "subject" varchar(200) NOT NULL, '
    '"timestamp" datetime NOT NULL, "snapshot" BLOB NOT NULL)'
)
DJANGO_MIGRATIONS = (
    'CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
    '"app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL)'
)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Name one of Django's tables and what of ours belongs to it."""

    name: str  # Django's table
    facts: str  # our table of facts
    key: str  # the column of `facts` that holds the row's id
    trigger: str  # the trigger that keeps the newest rows, named as the original names it
    migrations: tuple[str, ...]  # the original's migrations that end in this table

    @property
    def create(self) -> str:
        """Return the table's text as Django writes it."""
        return _DJANGO_TABLE.format(name=self.name)


ALERTS = Reviewed(
    "alerts_alert",
    "camalert_alert",
    "alert_id",
    "delete_alarms",
    ("0001_initial", "0002_rename_alert_alerts", "0003_rename_alerts_alert"),
)
DETECTIONS = Reviewed("alerts_detect", "camalert_detect", "detect_id", "delete_detect", ("0004_detect",))
BOTH = (ALERTS, DETECTIONS)

# What both tables of facts say about an examination.
_VERDICT = """
    best_score REAL,            -- the best person score found, also below the threshold
    threshold REAL,
    people TEXT,                -- JSON: [{"x", "y", "width", "height", "score"}], px of the decoded frame
    reason TEXT,                -- why it was or was not counted, or why it failed
    engine TEXT, model TEXT, effort TEXT,
    decode_ms REAL, detect_ms REAL,
    height_px INTEGER, width_px INTEGER, original_height_px INTEGER, original_width_px INTEGER,
    details TEXT,               -- JSON object
    concluded_utc REAL,
    reviewed_utc REAL,          -- NULL: nobody has looked at it
    mark TEXT                   -- 'not a person', 'missed a person' or NULL
"""

FIRST_VERSION = (
    """CREATE TABLE camalert_meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID""",
    # Django's tables, how many rows they have and how many the trigger keeps (NULL: a trigger of somebody else does).
    """CREATE TABLE camalert_rows (
        name TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL, keep INTEGER) WITHOUT ROWID""",
    """CREATE TABLE camalert_mail (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mail_id BLOB NOT NULL UNIQUE,   -- 16 bytes, given by smtp
        digest TEXT NOT NULL,           -- of envelope and bytes; '' takes no part in the repeat rule
        received_utc REAL NOT NULL,
        first_id INTEGER NOT NULL,      -- alerts first_id ... first_id + count - 1; clips are not among them
        count INTEGER NOT NULL,
        peer TEXT NOT NULL, helo TEXT NOT NULL, login TEXT NOT NULL, sender TEXT NOT NULL,
        recipients TEXT NOT NULL,       -- JSON list
        subject TEXT NOT NULL, camera TEXT NOT NULL, event TEXT NOT NULL, camera_time TEXT NOT NULL,
        kind TEXT NOT NULL,             -- 'alarm', 'test', 'health', 'end'
        unreadable TEXT NOT NULL,       -- why no reader understood it; the mail is in camalert_raw
        headers TEXT NOT NULL)""",
    "CREATE INDEX camalert_mail_digest ON camalert_mail (digest, received_utc)",
    "CREATE INDEX camalert_mail_received ON camalert_mail (received_utc)",
    "CREATE INDEX camalert_mail_camera ON camalert_mail (camera, id)",
    f"""CREATE TABLE camalert_alert (
    alert_id INTEGER PRIMARY KEY,       -- alerts_alert.id
    subject TEXT NOT NULL,              -- subject and timestamp follow alerts_alert by trigger
    timestamp TEXT NOT NULL,
    mail INTEGER,                       -- camalert_mail.id; NULL: the row came from elsewhere
    camera TEXT NOT NULL DEFAULT '', event TEXT NOT NULL DEFAULT '',
    received_utc REAL, taken_utc REAL,
    picture_kind TEXT, picture_name TEXT, picture_bytes INTEGER,
    clip INTEGER,                       -- camalert_clip.id, when the snapshot is a clip's best picture
    detect_id INTEGER,                  -- alerts_detect.id, while that row exists
    outcome TEXT,                       -- 'person', 'nobody', 'failed', 'unexamined'; NULL: pending or not ours
    {_VERDICT})""",
    "CREATE INDEX camalert_alert_camera ON camalert_alert (camera, timestamp, alert_id)",
    # With the score, so that a list from some score on is read newest first without a look at the rows left out.
    "CREATE INDEX camalert_alert_timestamp ON camalert_alert (timestamp, alert_id, best_score)",
    "CREATE INDEX camalert_alert_outcome ON camalert_alert (outcome, timestamp, alert_id) WHERE outcome IS NOT NULL",
    "CREATE INDEX camalert_alert_unreviewed ON camalert_alert (timestamp, alert_id) WHERE reviewed_utc IS NULL",
    "CREATE INDEX camalert_alert_marked ON camalert_alert (timestamp, alert_id) WHERE mark IS NOT NULL",
    f"""CREATE TABLE camalert_detect (
    detect_id INTEGER PRIMARY KEY,      -- alerts_detect.id
    subject TEXT NOT NULL,              -- subject and timestamp follow alerts_detect by trigger
    timestamp TEXT NOT NULL,
    alert_id INTEGER,                   -- its alert, which may be deleted already
    mail INTEGER,
    camera TEXT NOT NULL DEFAULT '', event TEXT NOT NULL DEFAULT '',
    received_utc REAL, taken_utc REAL,
    {_VERDICT})""",
    "CREATE INDEX camalert_detect_camera ON camalert_detect (camera, timestamp, detect_id)",
    "CREATE INDEX camalert_detect_timestamp ON camalert_detect (timestamp, detect_id, best_score)",
    "CREATE INDEX camalert_detect_unreviewed ON camalert_detect (timestamp, detect_id) WHERE reviewed_utc IS NULL",
    "CREATE INDEX camalert_detect_marked ON camalert_detect (timestamp, detect_id) WHERE mark IS NOT NULL",
    "CREATE INDEX camalert_detect_mail ON camalert_detect (mail)",
    # The queue: alerts, and clips from CLIP_BASE on, whose examination is not concluded.
    """CREATE TABLE camalert_pending (
        alert_id INTEGER PRIMARY KEY,
        tries INTEGER NOT NULL DEFAULT 0,   -- examinations that a process died of or hung in
        bytes INTEGER NOT NULL)""",
    """CREATE TABLE camalert_clip (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        mail INTEGER NOT NULL,
        name TEXT NOT NULL, kind TEXT NOT NULL, bytes INTEGER NOT NULL,
        subject TEXT NOT NULL, timestamp TEXT NOT NULL,
        camera TEXT NOT NULL, event TEXT NOT NULL,
        received_utc REAL NOT NULL, taken_utc REAL,
        state TEXT NOT NULL,                -- 'pending', 'examined', 'failed'
        reason TEXT NOT NULL,
        alert_id INTEGER,                   -- the alert made from it; deleting that alert deletes the clip
        clip BLOB NOT NULL)""",
    f"""CREATE TRIGGER camalert_clip_removed AFTER DELETE ON camalert_clip
    BEGIN
      DELETE FROM camalert_pending WHERE alert_id = {CLIP_BASE} + OLD.id;
    END""",
    "CREATE INDEX camalert_clip_mail ON camalert_clip (mail)",
    "CREATE INDEX camalert_clip_alert ON camalert_clip (alert_id)",
    """CREATE TABLE camalert_raw (
        mail INTEGER PRIMARY KEY,           -- camalert_mail.id of a mail that no reader understood
        received_utc REAL NOT NULL, bytes INTEGER NOT NULL, raw BLOB NOT NULL)""",
    """CREATE TRIGGER camalert_mail_removed AFTER DELETE ON camalert_mail
    BEGIN
      DELETE FROM camalert_raw WHERE mail = OLD.id;
    END""",
    """CREATE TABLE camalert_camera (
        name TEXT NOT NULL PRIMARY KEY,
        first_seen_utc REAL NOT NULL, last_seen_utc REAL NOT NULL,
        last_kind TEXT NOT NULL, last_peer TEXT NOT NULL,
        mails INTEGER NOT NULL, alerts INTEGER NOT NULL, detections INTEGER NOT NULL) WITHOUT ROWID""",
    # Sums by day of reception, in the time zone of [database] timestamps; they stay when rows are deleted.
    """CREATE TABLE camalert_day (
        day TEXT NOT NULL, camera TEXT NOT NULL,
        mails INTEGER NOT NULL, alerts INTEGER NOT NULL, detections INTEGER NOT NULL,
        PRIMARY KEY (day, camera)) WITHOUT ROWID""",
)


def keeper(table: Reviewed) -> str:
    """Return the trigger that keeps the newest rows of a table.

    It deletes at most `DELETES_PER_INSERT` of the rows beyond the limit and never one whose examination is pending. The
    rows are counted in `camalert_rows`, because the original's OFFSET walks the pages of every picture.
    """
    pending = " AND id NOT IN (SELECT alert_id FROM camalert_pending)" if table is ALERTS else ""
    return f"""CREATE TRIGGER {table.trigger} AFTER INSERT ON {table.name}
    BEGIN
      DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} ORDER BY id LIMIT (
        SELECT min({DELETES_PER_INSERT}, max(0, rows - keep)) FROM camalert_rows
        WHERE name = '{table.name}' AND keep IS NOT NULL)){pending};
    END"""


def original_keeper(table: Reviewed) -> str:
    """Return the original's trigger with `{keep}` where its number stands."""
    return f"""CREATE TRIGGER {table.trigger} AFTER INSERT ON {table.name}
    BEGIN
      DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} ORDER BY id DESC LIMIT -1 OFFSET {{keep}});
    END"""


def followers(table: Reviewed) -> dict[str, str]:
    """Return our triggers on a table by name: they count its rows and let the facts follow."""
    name, facts, key = table.name, table.facts, table.key
    if table is ALERTS:
        also = (
            "DELETE FROM camalert_pending WHERE alert_id = OLD.id; DELETE FROM camalert_clip WHERE alert_id = OLD.id;"
        )
    elif table is DETECTIONS:
        also = """UPDATE camalert_alert SET detect_id = NULL WHERE detect_id = OLD.id
          AND alert_id = (SELECT alert_id FROM camalert_detect WHERE detect_id = OLD.id);"""
    else:
        raise ProtocolError(f"{name} is not one of the two reviewed tables")
    # The count comes BEFORE the insert: the order of several AFTER triggers is undefined, and the keeper reads it.
    return {
        f"{facts}_counted": f"""CREATE TRIGGER {facts}_counted BEFORE INSERT ON {name}
    BEGIN
      UPDATE camalert_rows SET rows = rows + 1 WHERE name = '{name}';
    END""",
        f"{facts}_added": f"""CREATE TRIGGER {facts}_added AFTER INSERT ON {name}
    BEGIN
      INSERT OR IGNORE INTO {facts} ({key}, subject, timestamp) VALUES (NEW.id, NEW.subject, NEW.timestamp);
    END""",
        f"{facts}_edited": f"""CREATE TRIGGER {facts}_edited AFTER UPDATE OF subject, timestamp ON {name}
    BEGIN
      UPDATE {facts} SET subject = NEW.subject, timestamp = NEW.timestamp WHERE {key} = NEW.id;
    END""",
        f"{facts}_removed": f"""CREATE TRIGGER {facts}_removed AFTER DELETE ON {name}
    BEGIN
      {also}
      UPDATE camalert_rows SET rows = rows - 1 WHERE name = '{name}';
      DELETE FROM {facts} WHERE {key} = OLD.id;
    END""",
    }
