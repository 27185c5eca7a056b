"""Tokens: how a program asks in the name of a person."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.db import models

TOKEN_BYTES = 32  # 256 random bits: nothing to guess, so a plain digest is enough to keep


class Token(models.Model):
    """A token, of which only a digest is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True)

    class Meta:
        ordering = ("created",)

    def __str__(self) -> str:
        return self.name


def issue(user: Any, name: str) -> str:
    """Make a token and return it: the only time that it can be read."""
    text = secrets.token_urlsafe(TOKEN_BYTES)
    Token.objects.create(user=user, name=name[:100], digest=digest_of(text))
    return text


def digest_of(text: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
