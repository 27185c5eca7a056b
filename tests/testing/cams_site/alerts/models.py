"""The two tables of cams."""

from __future__ import annotations

from django.db import models


class Picture(models.Model):
    """What both tables have."""

    subject = models.CharField(max_length=200)
    timestamp = models.DateTimeField()
    snapshot = models.BinaryField()

    class Meta:
        abstract = True


class Alert(Picture):
    """A snapshot as it came."""


class Detect(Picture):
    """A snapshot with people marked."""
