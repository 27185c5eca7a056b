"""The site's own tables: tokens, with which a program acts in the name of a person, and where people log in from."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy

TOKEN_BYTES = 32  # 256 random bits: nothing to guess, so a plain digest is enough to keep
READ, REVIEW, ADMIN = "read", "review", "admin"
SCOPES = {
    READ: gettext_lazy("view"),
    REVIEW: gettext_lazy("view, review and mark"),
    ADMIN: gettext_lazy("everything, including deletion"),
}  # each includes those before
DEFAULT_DAYS = 365
MAX_DAYS = 36_500


class Token(models.Model):
    """A token, of which only a digest is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=10, default=READ)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True)
    last_used = models.DateTimeField(null=True)
    last_address = models.CharField(max_length=64, default="")

    class Meta:
        ordering = ("created",)

    def __str__(self) -> str:
        return self.name

    @property
    def may(self) -> str:
        """Return what it allows, as a phrase."""
        return str(SCOPES.get(self.scope, gettext_lazy("nothing")))

    def is_expired(self, now: datetime.datetime) -> bool:
        """Tell whether it has expired."""
        return self.expires is not None and self.expires <= now

    def opens(self, scope: str) -> bool:
        """Tell whether it allows what needs a scope."""
        ranks = list(SCOPES)
        return self.scope in ranks and ranks.index(self.scope) >= ranks.index(scope)


class GoodLogin(models.Model):
    """An address, or for IPv6 its network, from which somebody logged in, and when last."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    network = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        unique_together = (("user", "network"),)

    def __str__(self) -> str:
        return f"{self.network} {self.at}"


class Preference(models.Model):
    """What a person has chosen for the pages."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+")
    language = models.CharField(max_length=10, default="")  # "": what the browser asks for

    def __str__(self) -> str:
        return f"{self.user} {self.language}"


class OpenSession(models.Model):
    """A session, beside Django's row of it: whose, of which browser, and when it was last used."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    session = models.CharField(max_length=40, unique=True)
    began = models.DateTimeField()
    seen = models.DateTimeField()
    address = models.CharField(max_length=64)
    agent = models.CharField(max_length=300)

    def __str__(self) -> str:
        return f"{self.address} {self.seen}"


class SecondFactor(models.Model):
    """The key of somebody's authenticator app, and the last of its codes that was used (`totp`)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    secret = models.CharField(max_length=64)
    since = models.DateTimeField()
    last_step = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.user} since {self.since}"


class RecoveryCode(models.Model):
    """A code that replaces the app once, of which only a digest is kept; used ones are gone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.user)


class Reviewed(models.Model):
    """Somebody has looked at a picture; the name stays when the account goes."""

    alert = models.BigIntegerField()
    name = models.CharField(max_length=150)
    at = models.FloatField()  # seconds since 1970

    class Meta:
        unique_together = (("alert", "name"),)

    def __str__(self) -> str:
        return f"{self.alert} {self.name}"


class UsedLink(models.Model):
    """A link of a message that was used: what was switched before and after, to undo it."""

    link = models.CharField(max_length=64, primary_key=True)  # a digest of its action and its message
    at = models.FloatField()  # seconds since 1970, like the next
    until = models.FloatField()  # when it ends by itself
    did = models.CharField(max_length=300)
    kind = models.CharField(max_length=20)
    before = models.JSONField()
    after = models.JSONField()
    undone = models.FloatField(null=True)

    def __str__(self) -> str:
        return self.did


def issue(user: Any, name: str, scope: str, days: int) -> str:
    """Make a token and return it, the only time that it can be read; 0 `days` for one that never expires."""
    text = secrets.token_urlsafe(TOKEN_BYTES)
    now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
    expires = now + datetime.timedelta(days=days) if days else None
    Token.objects.create(user=user, name=name[:100], digest=digest_of(text), scope=scope, expires=expires)
    return text


def scopes_of(user: Any) -> dict[str, Any]:
    """Return the scopes that an account may give to its tokens; a viewer's tokens delete nothing."""
    return {scope: phrase for scope, phrase in SCOPES.items() if scope != ADMIN or user.is_superuser}


def digest_of(text: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class EndTokens:
    """End an account's sessions and tokens when its password changes, by whatever way: Django calls its validators.

    `keeps_tokens = True` on the user keeps the tokens this once.
    """

    def validate(self, password: str, user: Any = None) -> None:
        """Accept every password."""

    def get_help_text(self) -> str:
        """Return no help."""
        return ""

    def password_changed(self, password: str, user: Any = None) -> None:
        """End them."""
        if user is None:
            return
        from camalert.review import sessions  # noqa: PLC0415 - needs these models

        sessions.end(user)
        if not getattr(user, "keeps_tokens", False):
            Token.objects.filter(user=user).delete()


class SettingsChange(models.Model):
    """A change of settings.toml: who, when, what, and what became of it."""

    ASKED, IN_FORCE, REFUSED, WRITTEN = "asked", "in force", "refused", "written"

    at = models.DateTimeField(auto_now_add=True)
    user = models.CharField(max_length=150)
    summary = models.CharField(max_length=200)
    edits = models.TextField()  # JSON list of kind, name, the entry before, the entry after
    digest = models.CharField(max_length=64)  # of the text that was written
    text_before = models.TextField()
    state = models.CharField(max_length=10, default=ASKED)
    why = models.CharField(max_length=1000, default="")

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return self.summary
