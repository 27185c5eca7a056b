"""What an owner does with accounts, from the page and for programs; each change is one line of the log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext

from camalert.errors import CamalertError
from camalert.review import logins, second_factor, sessions
from camalert.system.logs import log

MAX_PEOPLE = 200
OWNER, VIEWER = "owner", "viewer"
DISABLE, ENABLE = "disable", "enable"
NO_SECOND_FACTOR = "no-second-factor"  # for who has neither app nor recovery codes any more
REMOVE = "remove"
CHANGES = (OWNER, VIEWER, DISABLE, ENABLE, NO_SECOND_FACTOR, REMOVE)


def put(by: Any, name: str, password: str, role: str) -> bool:
    """Make an account, or give one another password, and leave its role; return whether it is new.

    Raises: CamalertError when name or password are not acceptable, the account is one's own, or there are too many.
    """
    if name == by.get_username():  # a new password ends its sessions, this one too
        raise CamalertError(gettext("Change your own password on the account page."))
    users = get_user_model().objects
    is_new = not users.filter(username=name).exists()
    if is_new and users.count() >= MAX_PEOPLE:
        raise CamalertError(
            gettext("There are %(count)s accounts, the most there can be; remove one first.") % {"count": MAX_PEOPLE}
        )
    logins.put(name, password, is_owner=role == OWNER if is_new else None)
    log.info("review_account_changed", user=by.get_username(), account=name, change="password")
    return is_new


def change(by: Any, account: Any, what: str) -> None:
    """Do one of CHANGES to an account.

    Raises: CamalertError when it is one's own: one owner must stay.
    """
    if account.pk == by.pk:
        raise CamalertError(gettext("Your own account is changed by another owner: one must stay."))
    name = account.get_username()
    if what in (OWNER, VIEWER):
        account.is_staff = account.is_superuser = what == OWNER
        account.save(update_fields=["is_staff", "is_superuser"])
    elif what in (DISABLE, ENABLE):
        account.is_active = what == ENABLE
        account.save(update_fields=["is_active"])
        sessions.end(account)
    elif what == NO_SECOND_FACTOR:
        second_factor.switch_off(account)
    else:
        logins.remove(name)
    log.info("review_account_changed", user=by.get_username(), account=name, change=what)
