"""The text of every table, index and trigger.

`alerts_alert` and `alerts_detect` are character for character what Django's four migrations of the original site
end in; everything else is ours and begins with `camalert_`. No trigger on one of Django's tables names the other one:
Django alters a table by building a copy, dropping the old one and renaming, and SQLite refuses the renaming while any
trigger names a table that is not there.

Every row of Django's two tables has one row of facts (`camalert_alert`, `camalert_detect`), also the rows that cams or
a `sqlite3` shell adds: triggers make it. Lists are read from the facts alone and never touch a page of pictures.
"""

from __future__ import annotations

from camalert.errors import ProtocolError
from camalert.store.queue import CLIP_BASE
from camalert.store.rows.tables import ALERTS, DETECTIONS, NOBODY, DjangoTable, give_way

DELETES_PER_INSERT = 2  # what one insert may delete, and hold in memory to undo it; upkeep removes any excess
_DJANGO_TABLE = (
    'CREATE TABLE "{name}" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "subject" varchar(200) NOT NULL, '
    '"timestamp" datetime NOT NULL, "snapshot" BLOB NOT NULL)'
)
DJANGO_MIGRATIONS = (
    'CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
    '"app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL)'
)


def django_table(table: DjangoTable) -> str:
    """Return the text of one of Django's two tables, as Django writes it."""
    return _DJANGO_TABLE.format(name=table.name)


# What both tables of facts say about an examination.
_VERDICT = """
    best_score REAL,            -- the best person score found, also below the threshold
    threshold REAL,
    people TEXT,                -- JSON: [{"x", "y", "width", "height", "score", "kind"}], px of the decoded frame
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
        first_id INTEGER NOT NULL,      -- its first alert, 0: none; clips are not counted
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


def _facts_of_holders(table: DjangoTable) -> tuple[str, ...]:
    """Return what gives each row of facts its holder, its size and its worth, and finds a holder's oldest rows."""
    facts, key, name = table.facts, table.key, table.name
    return (
        f"ALTER TABLE {facts} ADD COLUMN holder INTEGER NOT NULL DEFAULT {NOBODY}",
        f"ALTER TABLE {facts} ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0",
        f"ALTER TABLE {facts} ADD COLUMN worth INTEGER GENERATED ALWAYS AS ({table.worth}) VIRTUAL",
        f"UPDATE {facts} SET bytes = coalesce((SELECT length(snapshot) FROM {name} WHERE id = {key}), 0),"
        f" holder = {_holder_of(facts)}",
        f"CREATE INDEX {facts}_holder ON {facts} (holder, worth, {key})",
        *_counting(facts, table.count),
    )


def _holder_of(name: str) -> str:
    """Return the query for the holder of a row that was there before there were holders."""
    return (
        "coalesce((SELECT h.id FROM camalert_mail m JOIN camalert_holder h ON h.address = camalert_sender(m.peer)"
        f" AND h.camera = camalert_known_as(m.camera) WHERE m.id = {name}.mail), {NOBODY})"
    )


def _counting(name: str, count: str | None) -> tuple[str, ...]:
    """Return the triggers that keep `camalert_holder` right, whoever inserts, updates and deletes."""
    add, remove = (f"{count} = {count} {sign} 1, " if count else "" for sign in "+-")
    gain = f"UPDATE camalert_holder SET {add}bytes = bytes + NEW.bytes WHERE id = NEW.holder;"
    loss = f"UPDATE camalert_holder SET {remove}bytes = bytes - OLD.bytes WHERE id = OLD.holder;"
    return (
        f"CREATE TRIGGER {name}_gained AFTER INSERT ON {name} BEGIN {gain} END",
        f"CREATE TRIGGER {name}_moved AFTER UPDATE OF holder, bytes ON {name}"
        f" WHEN OLD.holder <> NEW.holder OR OLD.bytes <> NEW.bytes BEGIN {loss} {gain} END",
        f"CREATE TRIGGER {name}_lost AFTER DELETE ON {name} BEGIN {loss} END",
    )


SECOND_VERSION = (
    # Whose rows they are: a camera's at an address. Cameras that an address names beyond a bound share the row of ''.
    """CREATE TABLE camalert_holder (
        id INTEGER PRIMARY KEY,
        address TEXT NOT NULL, camera TEXT NOT NULL,
        alerts INTEGER NOT NULL DEFAULT 0, detections INTEGER NOT NULL DEFAULT 0,  -- rows of the two tables
        bytes INTEGER NOT NULL DEFAULT 0,       -- of all that is kept: rows, clips and raw mails
        last_utc REAL NOT NULL,                 -- when it last sent something that was kept
        UNIQUE (address, camera))""",
    f"INSERT INTO camalert_holder (id, address, camera, last_utc) VALUES ({NOBODY}, '', '', camalert_now())",
    """INSERT OR IGNORE INTO camalert_holder (address, camera, last_utc)
        SELECT camalert_sender(peer), camalert_known_as(camera), max(received_utc) FROM camalert_mail
        GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 256""",
    # For the trigger that keeps the newest rows: whose row gives way, which one, and how many young ones did.
    "ALTER TABLE camalert_rows ADD COLUMN holder INTEGER",
    "ALTER TABLE camalert_rows ADD COLUMN victim INTEGER",
    "ALTER TABLE camalert_rows ADD COLUMN young INTEGER NOT NULL DEFAULT 0",
    *_facts_of_holders(ALERTS),
    *_facts_of_holders(DETECTIONS),
    *(
        statement
        for name in ("camalert_clip", "camalert_raw")
        for statement in (
            # Those that are there stay nobody's: to write a column means to write the clip or the mail once more.
            f"ALTER TABLE {name} ADD COLUMN holder INTEGER NOT NULL DEFAULT {NOBODY}",
            *_counting(name, None),
        )
    ),
    # They cover all that retention asks: the column `holder` is behind the bytes of a clip or a mail.
    "CREATE INDEX camalert_clip_holder ON camalert_clip (holder, alert_id, state, bytes)",
    "CREATE INDEX camalert_raw_holder ON camalert_raw (holder, bytes)",
)

# The picture that leaves a visit may be its best one; the last one takes it along.
LEAVING = """CREATE TRIGGER camalert_visit_left AFTER DELETE ON camalert_alert WHEN OLD.visit IS NOT NULL
    BEGIN
      UPDATE camalert_visit SET (best_alert, best_score) = (SELECT alert_id, coalesce(best_score, 0.0)
        FROM camalert_alert WHERE visit = OLD.visit ORDER BY best_score DESC, alert_id LIMIT 1)
        WHERE id = OLD.visit AND best_alert = OLD.alert_id AND EXISTS (
          SELECT 1 FROM camalert_alert WHERE visit = OLD.visit);
      DELETE FROM camalert_visit WHERE id = OLD.visit AND best_alert = OLD.alert_id;
    END"""
THIRD_VERSION = (
    # Pictures with people of one camera, with gaps of at most `visits.gap_seconds`.
    """CREATE TABLE camalert_visit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        camera TEXT NOT NULL,           -- as it is written, and as it is compared
        known_as TEXT NOT NULL,
        began_utc REAL NOT NULL, last_utc REAL NOT NULL,    -- by the times of its pictures
        heard_utc REAL NOT NULL,        -- when the latest was received
        pictures INTEGER NOT NULL,      -- that were seen; some may be deleted
        people INTEGER NOT NULL,        -- the most in one picture
        best_alert INTEGER NOT NULL,    -- alerts_alert.id, one that is there
        best_score REAL NOT NULL,
        state TEXT NOT NULL)            -- 'open', 'over'""",
    "CREATE INDEX camalert_visit_camera ON camalert_visit (known_as, last_utc)",
    "CREATE INDEX camalert_visit_began ON camalert_visit (began_utc, id)",
    "CREATE INDEX camalert_visit_open ON camalert_visit (heard_utc) WHERE state = 'open'",
    "ALTER TABLE camalert_alert ADD COLUMN visit INTEGER",
    "CREATE INDEX camalert_alert_visit ON camalert_alert (visit, best_score, alert_id) WHERE visit IS NOT NULL",
    # The rows from before there were visits: upkeep takes them from here, a few at a time.
    "CREATE INDEX camalert_alert_unvisited ON camalert_alert (alert_id) WHERE outcome = 'person' AND visit IS NULL",
    LEAVING,
    "ALTER TABLE camalert_day ADD COLUMN visits INTEGER NOT NULL DEFAULT 0",
)

FOURTH_VERSION = (
    # What was decided to tell, and why somebody was not told; see `outbox`.
    """CREATE TABLE camalert_outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,       -- of target, kind and visit: nothing is told twice
        target TEXT NOT NULL, event TEXT NOT NULL,
        camera TEXT NOT NULL,           -- as it is written, and as it is compared; '' for the service
        known_as TEXT NOT NULL,
        visit INTEGER NOT NULL, alert INTEGER NOT NULL,     -- 0: none
        at_utc REAL NOT NULL,           -- when it happened, by this machine's clock
        created_utc REAL NOT NULL,
        due_utc REAL,                   -- of the next try; NULL: there is none
        tries INTEGER NOT NULL,
        state TEXT NOT NULL,            -- 'waiting', 'sent', 'given_up', 'silent'
        reason TEXT NOT NULL,           -- why nobody is told, or why the last try failed
        priority TEXT NOT NULL, score REAL NOT NULL, message TEXT NOT NULL,
        sent_utc REAL)""",
    "CREATE INDEX camalert_outbox_due ON camalert_outbox (target, due_utc) WHERE state = 'waiting'",
    "CREATE INDEX camalert_outbox_sent ON camalert_outbox (known_as, target, sent_utc) WHERE state = 'sent'",
    "CREATE INDEX camalert_outbox_target ON camalert_outbox (target, state, id)",
    "CREATE INDEX camalert_outbox_visit ON camalert_outbox (visit) WHERE visit <> 0",
    # What the owner has switched, by camera ('' for all); see `switches`.
    """CREATE TABLE camalert_switch (
        kind TEXT NOT NULL,             -- 'armed', 'snooze', 'presence'
        camera TEXT NOT NULL,           -- as it is compared
        value TEXT NOT NULL, until_utc REAL, "by" TEXT NOT NULL,
        PRIMARY KEY (kind, camera)) WITHOUT ROWID""",
)

FIFTH_VERSION = (
    # With what a search looks at and a day is summed up by: rows that do not fit are not even looked up.
    "DROP INDEX camalert_alert_timestamp",
    "CREATE INDEX camalert_alert_timestamp ON camalert_alert (timestamp, alert_id, best_score, camera, event, subject)",
    "DROP INDEX camalert_detect_timestamp",
    "CREATE INDEX camalert_detect_timestamp ON camalert_detect"
    " (timestamp, detect_id, best_score, camera, event, subject)",
    # Who was found and did not count by threshold, height or area: JSON like `people`; NULL: not kept then.
    "ALTER TABLE camalert_alert ADD COLUMN uncounted TEXT",
    "ALTER TABLE camalert_alert ADD COLUMN clip_second REAL",  # of a clip's picture: when in the clip it is
    # How many of a visit's pictures nobody has looked at: a visit is reviewed when its pictures are.
    "ALTER TABLE camalert_visit ADD COLUMN unreviewed INTEGER NOT NULL DEFAULT 0",
    """UPDATE camalert_visit SET unreviewed = (
        SELECT count(*) FROM camalert_alert WHERE visit = camalert_visit.id AND reviewed_utc IS NULL)""",
    """CREATE TRIGGER camalert_visit_looked AFTER UPDATE OF reviewed_utc, visit ON camalert_alert
    WHEN OLD.visit IS NOT NEW.visit OR (OLD.reviewed_utc IS NULL) <> (NEW.reviewed_utc IS NULL)
    BEGIN
      UPDATE camalert_visit SET unreviewed = unreviewed - (OLD.reviewed_utc IS NULL) WHERE id = OLD.visit;
      UPDATE camalert_visit SET unreviewed = unreviewed + (NEW.reviewed_utc IS NULL) WHERE id = NEW.visit;
    END""",
    """CREATE TRIGGER camalert_visit_unlooked AFTER DELETE ON camalert_alert
    WHEN OLD.visit IS NOT NULL AND OLD.reviewed_utc IS NULL
    BEGIN
      UPDATE camalert_visit SET unreviewed = unreviewed - 1 WHERE id = OLD.visit;
    END""",
    "CREATE INDEX camalert_visit_unreviewed ON camalert_visit (began_utc, id) WHERE unreviewed > 0",
    "CREATE INDEX camalert_visit_reviewed ON camalert_visit (began_utc, id) WHERE unreviewed = 0",
    "CREATE INDEX camalert_visit_known_as ON camalert_visit (known_as, began_utc, id)",
    # What people have deleted on the site, for a day; see `deletions`.
    f"""CREATE TABLE camalert_bin (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        deletion INTEGER NOT NULL,      -- the id of the first row that was deleted together with this one
        deleted_utc REAL NOT NULL, "by" TEXT NOT NULL,
        subject TEXT NOT NULL, timestamp TEXT NOT NULL, camera TEXT NOT NULL,
        alert_id INTEGER, detect_id INTEGER,                -- the ids that the rows had, and get again
        alert TEXT, detect TEXT, visit TEXT,                -- JSON: their rows of facts, and their visit's row
        holder INTEGER NOT NULL DEFAULT {NOBODY}, bytes INTEGER NOT NULL,
        snapshot BLOB, marked BLOB)""",
    "CREATE INDEX camalert_bin_deleted ON camalert_bin (deleted_utc, id, bytes)",
    "CREATE INDEX camalert_bin_deletion ON camalert_bin (deletion)",
    # A clip stays where it is: while its alert is in the bin, it has the negative of the alert's id.
    """CREATE TRIGGER camalert_bin_removed AFTER DELETE ON camalert_bin WHEN OLD.alert_id IS NOT NULL
    BEGIN
      DELETE FROM camalert_clip WHERE alert_id = -OLD.alert_id;
    END""",
    *_counting("camalert_bin", None),
    # Of a digest: from when on it tells.
    "ALTER TABLE camalert_outbox ADD COLUMN since_utc REAL NOT NULL DEFAULT 0",
    # Of presence: since when it is so, and since when it had been otherwise before.
    "ALTER TABLE camalert_switch ADD COLUMN since_utc REAL",
    "ALTER TABLE camalert_switch ADD COLUMN before_utc REAL",
    # JSON: [[what, as what it was read, why], ...] of camera, event, time and kind
    "ALTER TABLE camalert_mail ADD COLUMN reasons TEXT NOT NULL DEFAULT ''",
    # What a camera is called that calls itself otherwise; '' for one that was forgotten then. See `store.cameras`.
    """CREATE TABLE camalert_name (
        known_as TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, changed_utc REAL NOT NULL) WITHOUT ROWID""",
    # Things that are found and are no people, by place and look; see `learned`.
    """CREATE TABLE camalert_known (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        camera TEXT NOT NULL,           -- as it is written, and as it is compared
        known_as TEXT NOT NULL,
        kind TEXT NOT NULL,             -- 'marked', 'static', 'watched': the last one still counts
        x REAL NOT NULL, y REAL NOT NULL, width REAL NOT NULL, height REAL NOT NULL,    -- shares of the frame
        look BLOB NOT NULL,             -- of the place
        needs REAL NOT NULL,            -- the likeness from which on it is the same
        first_utc REAL NOT NULL, last_utc REAL NOT NULL,
        moments INTEGER NOT NULL,       -- at which it was seen, and the latest of them
        moment_utc REAL NOT NULL,
        alert INTEGER NOT NULL,         -- alerts_alert.id of the newest picture that shows it; it may be deleted
        mark INTEGER NOT NULL,          -- alerts_alert.id of the picture whose mark made it; 0: none
        "by" TEXT NOT NULL)""",
    "CREATE INDEX camalert_known_camera ON camalert_known (known_as, kind, last_utc)",
    "CREATE INDEX camalert_known_kind ON camalert_known (kind, last_utc)",
    "CREATE INDEX camalert_known_mark ON camalert_known (mark) WHERE mark <> 0",
    "ALTER TABLE camalert_alert ADD COLUMN left_out TEXT",  # JSON like `people`: what did not count because it is known
    "CREATE INDEX camalert_alert_missed ON camalert_alert (camera, best_score) WHERE mark = 'missed a person'",
    # What counted in a picture, and what was seen in a visit: "person", "person,dog"; NULL: people, from before.
    *(
        f"ALTER TABLE {name} ADD COLUMN objects TEXT"
        for name in ("camalert_alert", "camalert_detect", "camalert_visit")
    ),
    # What else was seen: JSON like `people`.
    "ALTER TABLE camalert_alert ADD COLUMN others TEXT",
)

SIXTH_VERSION = (
    # Whether anything of a mail is there: the ids of its alerts need not follow each other.
    "CREATE INDEX camalert_alert_mail ON camalert_alert (mail) WHERE mail IS NOT NULL",
)


def keeper(table: DjangoTable) -> str:
    """Return the trigger that keeps as many rows as the owner wants, and says whose row gives way.

    It deletes at most `DELETES_PER_INSERT` rows and never one whose examination is pending. The rows are counted in
    `camalert_rows`, because the original's OFFSET walks the pages of every picture.
    """
    once = "".join(f"\n      {statement};" for statement in give_way(table, "NEW.id"))
    return f"""CREATE TRIGGER {table.trigger} AFTER INSERT ON {table.name}
    WHEN (SELECT rows > keep FROM camalert_rows WHERE name = '{table.name}')
    BEGIN{once * DELETES_PER_INSERT}
    END"""


def original_keeper(table: DjangoTable) -> str:
    """Return the original's trigger with `{keep}` where its number stands."""
    return f"""CREATE TRIGGER {table.trigger} AFTER INSERT ON {table.name}
    BEGIN
      DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} ORDER BY id DESC LIMIT -1 OFFSET {{keep}});
    END"""


def followers(table: DjangoTable) -> dict[str, str]:
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
    # The count comes BEFORE the insert: the order of several AFTER triggers is undefined, and the keeper reads it. A
    # row that is there already (INSERT OR IGNORE, OR REPLACE, ON CONFLICT) is not one more.
    return {
        f"{facts}_counted": f"""CREATE TRIGGER {facts}_counted BEFORE INSERT ON {name}
    WHEN NEW.id IS NULL OR NEW.id NOT IN (SELECT id FROM {name})
    BEGIN
      UPDATE camalert_rows SET rows = rows + 1 WHERE name = '{name}';
    END""",
        f"{facts}_added": f"""CREATE TRIGGER {facts}_added AFTER INSERT ON {name}
    BEGIN
      DELETE FROM {facts} WHERE {key} = NEW.id;
      INSERT INTO {facts} ({key}, subject, timestamp, bytes)
        VALUES (NEW.id, NEW.subject, NEW.timestamp, length(NEW.snapshot));
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
