"""The site's own database: bring it up to date, make and change logins. For the site and for `camalert review-user`."""

from __future__ import annotations

import os
from pathlib import Path

from camalert.config import Config
from camalert.errors import CamalertError
from camalert.review import settings


def open_site(config: Config) -> None:
    """Set Django up and bring the site's own database up to date.

    Raises: CamalertError when the data folder or what is in it cannot be used.
    """
    folder = Path(config.review.data_dir)
    try:
        settings.set_up(config)
        from django.core.management import call_command  # noqa: PLC0415 - only once the settings are there
        from django.db import DatabaseError  # noqa: PLC0415

        try:
            call_command("migrate", database="default", verbosity=0, interactive=False)
        except DatabaseError as error:
            raise CamalertError(f"{folder}/site.sqlite3 cannot be used: {error}") from error
        _keep_private(folder)
    except OSError as error:
        raise CamalertError(f"review.data_dir = {folder} cannot be used: {error.strerror}") from error


def put(name: str, password: str) -> bool:
    """Make a login, or give the one of this name another password; return whether it is new.

    All of them may do everything: whoever may see the pictures may also delete them.

    Raises: CamalertError when name or password will not do.
    """
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - Django is set up by now
    from django.contrib.auth.password_validation import validate_password  # noqa: PLC0415
    from django.core.exceptions import ValidationError  # noqa: PLC0415

    users = get_user_model().objects
    user = users.filter(username=name).first()
    is_new = user is None
    user = user or get_user_model()(username=name, is_staff=True, is_superuser=True)
    try:
        user.username_validator(name)
        validate_password(password, user)
    except ValidationError as error:
        raise CamalertError(" ".join(error.messages)) from error
    user.is_active = True
    user.set_password(password)
    user.save()
    return is_new


def remove(name: str) -> None:
    """Remove a login with its sessions and tokens.

    Raises: CamalertError when there is none of that name.
    """
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - Django is set up by now

    count, _ = get_user_model().objects.filter(username=name).delete()
    if not count:
        raise CamalertError(f"there is no login {name}")


def token(name: str, program: str) -> str:
    """Make a token in the name of a login and return it.

    Raises: CamalertError when there is no such login.
    """
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - Django is set up by now

    from camalert.review.accounts.models import issue  # noqa: PLC0415

    user = get_user_model().objects.filter(username=name).first()
    if user is None:
        raise CamalertError(f"there is no login {name}; make it first: camalert review-user {name}")
    return issue(user, program)


def _keep_private(folder: Path) -> None:
    """Let nobody else read sessions and pictures; what root makes is given to whom the folder's place belongs."""
    owner = folder.parent.stat()
    for path in (folder, *folder.iterdir()):
        if path.is_file() and path.stat().st_uid == os.geteuid():
            path.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)
