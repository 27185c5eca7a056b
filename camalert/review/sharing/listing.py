"""What owners see of the links to visits."""

from __future__ import annotations

import time
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from camalert.review.alerts.models import Meta
from camalert.review.formats import local_time
from camalert.review.sharing.models import TERMS_S, SharedVisit, forget_ended

NEW = "new_share"  # of the session: the link that was just made, shown once


def on_page(request: HttpRequest, visit_id: int) -> dict[str, Any]:
    """Return what a visit's page shows about its links: nothing unless an owner looks."""
    if not request.user.is_superuser:
        return {}
    is_new = request.session.get(NEW, {}).get("visit") == visit_id
    return {
        "shares": [told(each) for each in working(time.time()).filter(visit=visit_id)],
        "new_share": request.session.pop(NEW) if is_new else None,
        "terms": list(TERMS_S),
    }


def working(now_utc: float) -> QuerySet[SharedVisit]:
    """Return the links that work now, the newest first."""
    forget_ended(now_utc)
    return SharedVisit.objects.filter(source=source())


def source() -> str:
    """Return the identity of the service's database, without which a visit's id means nothing."""
    return Meta.objects.filter(name="identity").values_list("value", flat=True).first() or ""


def told(found: SharedVisit) -> dict[str, Any]:
    """Return a link as a page shows it."""
    return {
        "id": found.pk,
        "title": found.title,
        "visit": found.visit,
        "made_by": found.made_by,
        "made": local_time(found.made)[:16],
        "until": local_time(found.until)[:16],
        "last_opened": found.last_opened,
    }
