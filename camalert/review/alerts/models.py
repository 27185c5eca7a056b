"""The rows of the service's database. Unmanaged: `camalert.store` makes and alters these tables.

Lists are read from the tables of facts; the pictures of `alerts_alert` and `alerts_detect` are read one at a time.
"""

from __future__ import annotations

from django.db import models


class Snapshot(models.Model):
    """What the two tables of the original have in common."""

    subject = models.CharField(max_length=200)
    timestamp = models.DateTimeField()
    snapshot = models.BinaryField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.timestamp} {self.subject}"


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
    """What is known of a row of either table; a row that came from elsewhere has little more than its subject."""

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
    reason = models.TextField(null=True)
    engine = models.TextField(null=True)
    model = models.TextField(null=True)
    effort = models.TextField(null=True)
    decode_ms = models.FloatField(null=True)
    detect_ms = models.FloatField(null=True)
    height_px = models.IntegerField(null=True)
    width_px = models.IntegerField(null=True)
    original_height_px = models.IntegerField(null=True)
    original_width_px = models.IntegerField(null=True)
    details = models.TextField(null=True)
    concluded_utc = models.FloatField(null=True)
    reviewed_utc = models.FloatField(null=True)
    mark = models.TextField(null=True)

    class Meta:
        abstract = True


class AlertFacts(Facts):
    """Facts of a snapshot as it came."""

    alert_id = models.BigIntegerField(primary_key=True)
    picture_kind = models.TextField(null=True)
    picture_name = models.TextField(null=True)
    picture_bytes = models.BigIntegerField(null=True)
    clip = models.BigIntegerField(null=True)
    detect_id = models.BigIntegerField(null=True)
    outcome = models.TextField(null=True)

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


class Pending(models.Model):
    """An alarm whose examination is not concluded."""

    alert_id = models.BigIntegerField(primary_key=True)

    class Meta:
        managed = False
        db_table = "camalert_pending"


class Mail(models.Model):
    """A mail as it was received."""

    received_utc = models.FloatField()
    peer = models.TextField()
    helo = models.TextField()
    login = models.TextField()
    sender = models.TextField()
    recipients = models.TextField()
    subject = models.TextField()
    camera = models.TextField()
    event = models.TextField()
    camera_time = models.TextField()
    kind = models.TextField()
    unreadable = models.TextField()
    headers = models.TextField()

    class Meta:
        managed = False
        db_table = "camalert_mail"


class Clip(models.Model):
    """A clip as it came; its bytes are read in pieces (see `clips`)."""

    mail = models.BigIntegerField()
    name = models.TextField()
    kind = models.TextField()
    bytes = models.BigIntegerField()
    alert_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "camalert_clip"


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


class CameraDay(models.Model):
    """The sums of one camera's day; they stay when rows are deleted."""

    pk = models.CompositePrimaryKey("day", "camera")
    day = models.TextField()
    camera = models.TextField()
    mails = models.BigIntegerField()
    alerts = models.BigIntegerField()
    detections = models.BigIntegerField()

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
