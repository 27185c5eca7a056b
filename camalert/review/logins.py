"""Accounts and tokens from the command line, and the code for the first login. Needs `settings.open_site` first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from camalert.config.schema import Config
from camalert.errors import CamalertError
from camalert.review import second_factor, sessions
from camalert.review.accounts.models import issue, scopes_of
from camalert.review.settings import prefix
from camalert.system import firstlogin
from camalert.system.logs import log

ADMIN_LOG = "django_admin_log"  # the table of Django's admin; each row belongs to an account


def offer_first(config: Config) -> None:
    """While there is no account, log the code that creates the first one; withdraw the code when there is one.

    Raises: CamalertError when the data folder cannot be written.
    """
    folder = Path(config.review.data_dir)
    try:
        if get_user_model().objects.exists():
            firstlogin.withdraw(folder)
        else:
            page = f"{prefix(config.review)}/setup/"
            log.warning("review_first_login_pending", code=firstlogin.code(folder), page=page)
    except OSError as error:
        raise CamalertError(f"review.data_dir = {folder} cannot be used: {error.strerror}") from error


def put(name: str, password: str, *, is_owner: bool | None = None, keeps_tokens: bool = False) -> bool:
    """Create an account, or give the one of this name another password; return whether it is new.

    Args:
        is_owner: Whether it may do everything, or only look, review and mark. None: an owner when it is new, else what
            it was.
        keeps_tokens: Let its tokens outlive the old password.

    Raises: CamalertError when the name or the password is not acceptable.
    """
    user = _find(name)
    is_new = user is None
    user = user or get_user_model()(username=name, is_staff=True, is_superuser=True)
    try:
        user.username_validator(name)
        validate_password(password, user)
    except ValidationError as error:
        raise CamalertError(" ".join(error.messages)) from error
    if is_owner is not None:
        user.is_staff = user.is_superuser = is_owner
    user.is_active = True
    user.keeps_tokens = keeps_tokens
    user.set_password(password)
    user.save()
    return is_new


def remove(name: str) -> None:
    """Remove an account with its sessions and tokens.

    Raises: CamalertError when there is none of that name.
    """
    user = _find(name)
    if user is None:
        raise CamalertError(f"there is no account {name}")
    sessions.end(user)
    with transaction.atomic(), connection.cursor() as cursor:
        if ADMIN_LOG in connection.introspection.table_names(cursor):  # Django knows of it only where the admin is on
            cursor.execute(f"DELETE FROM {ADMIN_LOG} WHERE user_id = %s", [user.pk])  # noqa: S608 - a constant
        user.delete()


def no_second_factor(name: str) -> bool:
    """Let an account log in with its password alone; return whether it had a second factor.

    Raises: CamalertError when there is none of that name.
    """
    user = _find(name)
    if user is None:
        raise CamalertError(f"there is no account {name}")
    if not second_factor.switch_off(user):
        return False
    log.warning("review_second_factor_off", user="camalert review-user", account=name)
    return True


def token(name: str, program: str, scope: str, days: int) -> str:
    """Make a token in the name of an account and return it.

    Raises: CamalertError when there is no such account, or its tokens cannot have this scope.
    """
    user = _find(name)
    if user is None:
        raise CamalertError(f"there is no account {name}; make it first: camalert review-user {name}")
    if scope not in scopes_of(user):
        raise CamalertError(f"{name} is a viewer, whose tokens cannot have the scope {scope}")
    return issue(user, program, scope, days)


def _find(name: str) -> Any:
    return get_user_model().objects.filter(username=name).first()
