"""The service's tables, with the columns that the site reads; `camalert.store` makes and alters them.

Lists are read from the tables of facts; the pictures of `alerts_alert` and `alerts_detect` are read one at a time.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.expressions import RawSQL

from camalert.review.selection import Album


class Snapshot(models.Model):
    """What the two tables of the original have in common."""

    subject = models.CharField(max_length=200)
    timestamp = models.DateTimeField()
    snapshot = models.BinaryField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.timestamp} {self.subject}"

    @classmethod
    def stored(cls, row_id: int) -> bytes | None:
        """Return the picture of a row, None when the row is gone."""
        found = cls.objects.filter(pk=row_id).values_list("snapshot", flat=True).first()
        return None if found is None else bytes(found)


class Alert(Snapshot):
    """A snapshot as it came."""

    class Meta:
        managed = False
        db_table = "alerts_alert"
        ordering = ("-id",)


class Detect(Snapshot):
    """A snapshot with the people in it marked."""

    class Meta:
        managed = False
        db_table = "alerts_detect"
        ordering = ("-id",)
        verbose_name = "detection"


class Facts(models.Model):
    """What is known of a row of either table; a row of another program has little more than its subject."""

    subject = models.TextField()
    timestamp = models.TextField()
    mail = models.BigIntegerField(null=True)
    camera = models.TextField()
    event = models.TextField()
    received_utc = models.FloatField(null=True)
    taken_utc = models.FloatField(null=True)
    best_score = models.FloatField(null=True)
    threshold = models.FloatField(null=True)
    people = models.TextField(null=True)
    kinds = models.TextField(null=True, db_column="objects")  # what counted; `objects` is Django's own name
    reason = models.TextField(null=True)
    engine = models.TextField(null=True)
    model = models.TextField(null=True)
    effort = models.TextField(null=True)
    detect_ms = models.FloatField(null=True)
    height_px = models.IntegerField(null=True)
    width_px = models.IntegerField(null=True)
    original_height_px = models.IntegerField(null=True)
    original_width_px = models.IntegerField(null=True)
    concluded_utc = models.FloatField(null=True)
    reviewed_utc = models.FloatField(null=True)
    mark = models.TextField(null=True)

    class Meta:
        abstract = True


class AlertFacts(Facts):
    """Facts of a snapshot as it came."""

    alert_id = models.BigIntegerField(primary_key=True)
    picture_name = models.TextField(null=True)
    picture_kind = models.TextField(null=True)
    clip = models.BigIntegerField(null=True)
    detect_id = models.BigIntegerField(null=True)
    clip_second = models.FloatField(null=True)
    visit = models.BigIntegerField(null=True)
    outcome = models.TextField(null=True)
    uncounted = models.TextField(null=True)
    others = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "camalert_alert"


class DetectFacts(Facts):
    """Facts of a snapshot with people."""

    detect_id = models.BigIntegerField(primary_key=True)
    alert_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "camalert_detect"


PICTURES: dict[Album, Any] = {Album.PEOPLE: Detect, Album.ALARMS: Alert}
FACTS: dict[Album, Any] = {Album.PEOPLE: DetectFacts, Album.ALARMS: AlertFacts}


# As literals: SQLite uses an index of some of the rows only where the query's own text says that it asks for those.
TO_REVIEW = RawSQL("unreviewed > 0", (), output_field=models.BooleanField())
REVIEWED = RawSQL("unreviewed = 0", (), output_field=models.BooleanField())
IS_OPEN = RawSQL("state = 'open'", (), output_field=models.BooleanField())


class Visit(models.Model):
    """Somebody in front of one camera, from the first picture to the last."""

    camera = models.TextField()
    known_as = models.TextField()
    began_utc = models.FloatField()
    last_utc = models.FloatField()
    pictures = models.BigIntegerField()
    people = models.BigIntegerField()
    kinds = models.TextField(null=True, db_column="objects")
    best_alert = models.BigIntegerField()
    best_score = models.FloatField()
    state = models.TextField()
    heard_utc = models.FloatField()
    unreviewed = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "camalert_visit"


class Binned(models.Model):
    """A picture that somebody deleted, for a day; its bytes are read one row at a time."""

    deletion = models.BigIntegerField()
    deleted_utc = models.FloatField()
    by = models.TextField()
    subject = models.TextField()
    timestamp = models.TextField()
    camera = models.TextField()
    alert_id = models.BigIntegerField(null=True)
    detect_id = models.BigIntegerField(null=True)
    size_bytes = models.BigIntegerField(db_column="bytes")
    alert = models.TextField(null=True)
    snapshot = models.BinaryField(null=True)
    marked = models.BinaryField(null=True)

    class Meta:
        managed = False
        db_table = "camalert_bin"

    @classmethod
    def stored(cls, row_id: int) -> bytes | None:
        """Return the picture as it came, or with the people marked when that is all there is; None when it is gone."""
        found = cls.objects.filter(pk=row_id).values_list("snapshot", "marked").first()
        return None if found is None else bytes(found[0] or found[1] or b"")


class Told(models.Model):
    """Who was told of something, or why not; one row for each target and event."""

    key = models.TextField()
    target = models.TextField()
    event = models.TextField()
    camera = models.TextField()
    created_utc = models.FloatField()
    visit = models.BigIntegerField()
    at_utc = models.FloatField()
    due_utc = models.FloatField(null=True)
    tries = models.IntegerField()
    state = models.TextField()
    reason = models.TextField()
    sent_utc = models.FloatField(null=True)

    class Meta:
        managed = False
        db_table = "camalert_outbox"


class Pending(models.Model):
    """An alarm that is still to be examined."""

    alert_id = models.BigIntegerField(primary_key=True)

    class Meta:
        managed = False
        db_table = "camalert_pending"


class Mail(models.Model):
    """A mail as it was received."""

    peer = models.TextField()
    sender = models.TextField()
    subject = models.TextField()
    camera = models.TextField()
    camera_time = models.TextField()
    unreadable = models.TextField()
    headers = models.TextField()
    reasons = models.TextField()

    class Meta:
        managed = False
        db_table = "camalert_mail"


class KeptMail(models.Model):
    """A mail that could not be read, or not all of it; its bytes are read in pieces (see `views.files`)."""

    mail = models.BigIntegerField(primary_key=True)
    received_utc = models.FloatField()
    bytes = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "camalert_raw"


PLAYED = ("mp4",)  # the kinds of clips that browsers play


class Clip(models.Model):
    """A clip as it came; its bytes are read in pieces (see `views.files`)."""

    mail = models.BigIntegerField()
    name = models.TextField()
    kind = models.TextField()
    size_bytes = models.BigIntegerField(db_column="bytes")
    timestamp = models.TextField()
    state = models.TextField()
    reason = models.TextField()
    alert_id = models.BigIntegerField(null=True)
    clip = models.BinaryField()

    class Meta:
        managed = False
        db_table = "camalert_clip"

    @classmethod
    def stored(cls, row_id: int) -> bytes | None:
        """Return the whole clip, None when it is gone."""
        found = cls.objects.filter(pk=row_id).values_list("clip", flat=True).first()
        return None if found is None else bytes(found)

    @property
    def is_played(self) -> bool:
        """Tell whether browsers play it."""
        return self.kind in PLAYED

    @property
    def is_previewed(self) -> bool:
        """Tell whether the site makes a moving preview of it."""
        return bool(settings.CAMALERT.review.thumbnails)


KNOWN_MAILS = 20  # as for the service: a camera that sent so many is not an invented name


class SeenCamera(models.Model):
    """A camera that mailed at least once."""

    name = models.TextField(primary_key=True)
    first_seen_utc = models.FloatField()
    last_seen_utc = models.FloatField()
    last_kind = models.TextField()
    last_peer = models.TextField()
    mails = models.BigIntegerField()
    alerts = models.BigIntegerField()
    detections = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "camalert_camera"

    @classmethod
    def foremost(cls, count: int) -> models.QuerySet[SeenCamera]:
        """Return at most `count` cameras, those seen last first; invented names never displace established ones."""
        is_known = models.Case(models.When(mails__gte=KNOWN_MAILS, then=1), default=0)
        names = cls.objects.order_by(is_known.desc(), "-last_seen_utc").values("name")[:count]
        return cls.objects.filter(name__in=names).order_by("-last_seen_utc")


class CameraDay(models.Model):
    """The sums of one camera's day; they stay when rows are deleted."""

    pk = models.CompositePrimaryKey("day", "camera")
    day = models.TextField()
    camera = models.TextField()
    alerts = models.BigIntegerField()
    detections = models.BigIntegerField()
    visits = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "camalert_day"


class Meta(models.Model):
    """What the service remembers of the database itself."""

    name = models.TextField(primary_key=True)
    value = models.TextField()

    class Meta:
        managed = False
        db_table = "camalert_meta"
