"""Links that show one visit to whoever has them, for some time."""

from __future__ import annotations

import secrets
import time

from django.db import models, transaction

from camalert.review.accounts.models import digest_of

TOKEN_BYTES = 24  # 192 random bits: nothing to guess, so a plain digest is enough to keep
TERMS_S = {"hour": 3600.0, "day": 86_400.0, "week": 7 * 86_400.0}
MAX_LINKS = 200
MAX_LINKS_EACH = 10  # of one visit
OPENED_STEP_S = 60.0  # a write for each picture would be one too many


class SharedVisit(models.Model):
    """A link to one visit, of which only a digest is kept."""

    digest = models.CharField(max_length=64, unique=True)
    source = models.CharField(max_length=64)  # the identity of the service's database, without which ids mean nothing
    visit = models.BigIntegerField()
    title = models.CharField(max_length=300)
    made_by = models.CharField(max_length=150)
    made = models.FloatField()  # seconds since 1970, like the next two
    until = models.FloatField()
    last_opened = models.FloatField(null=True)

    class Meta:
        ordering = ("-made", "-pk")

    def __str__(self) -> str:
        return self.title


class TooManyLinksError(Exception):
    """There are as many links as there can be."""


def share(visit: int, source: str, title: str, user: str, term: str) -> tuple[SharedVisit, str]:
    """Make a link; return it with its token, the only time that it can be read.

    Raises: TooManyLinksError in words.
    """
    now_utc = time.time()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():  # IMMEDIATE: two at once are counted one after the other
        forget_ended(now_utc)
        if SharedVisit.objects.filter(visit=visit, source=source).count() >= MAX_LINKS_EACH:
            raise TooManyLinksError(f"{MAX_LINKS_EACH}")
        if SharedVisit.objects.count() >= MAX_LINKS:
            raise TooManyLinksError(f"{MAX_LINKS}")
        made = SharedVisit.objects.create(
            digest=digest_of(token), source=source, visit=visit, title=title[:300], made_by=user[:150], made=now_utc,
            until=now_utc + TERMS_S[term],
        )  # fmt: skip
    return made, token


def opened(token: str, source: str, now_utc: float) -> tuple[SharedVisit | None, bool]:
    """Return the link of a token, None when there is none or its time is over, and whether that is noted anew."""
    found = SharedVisit.objects.filter(digest=digest_of(token), source=source, until__gt=now_utc).first()
    if found is None:
        return None, False
    is_new = found.last_opened is None or not 0 <= now_utc - found.last_opened < OPENED_STEP_S
    if is_new:
        SharedVisit.objects.filter(pk=found.pk).update(last_opened=now_utc)
    return found, is_new


def forget_ended(now_utc: float) -> None:
    """Remove the links whose time is over."""
    SharedVisit.objects.filter(until__lte=now_utc).delete()
