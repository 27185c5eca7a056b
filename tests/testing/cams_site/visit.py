"""Use the admin as a person does, for a while, and print what happened as one JSON object.

    python visit.py SECONDS

Runs with CAMS_HOME, CAMS_ALERTS and CAMS_OPTIONS in the environment, in the folder of the site. Deletes only what it
added itself, besides the single alert that it opens and deletes first.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from alerts.models import Alert, Detect
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.test.utils import setup_test_environment


def main(seconds: float) -> None:
    setup_test_environment()  # answers carry their context
    User.objects.filter(username="owner").delete()
    owner = User.objects.create_superuser("owner", "owner@home", "password")
    client = Client()
    client.force_login(owner)
    done = {"django": django.get_version(), "lists": 0, "adds": 0, "deletes": 0, "locked": 0}
    newest = Alert.objects.order_by("-id").values_list("id", "timestamp").first()
    if newest:
        day = newest[1].date()
        picked = client.get(
            f"/admin/alerts/alert/?timestamp__year={day.year}&timestamp__month={day.month}&timestamp__day={day.day}"
        )
        done["filtered"] = picked.context["cl"].result_count
        done["opened"] = client.get(f"/admin/alerts/alert/{newest[0]}/change/").status_code
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page = client.get("/admin/alerts/alert/")
        done["lists"] += page.status_code == 200 and b"data:image/jpeg;base64," in page.content
        try:
            subject = f"added by hand {done['adds']}"
            form = {"subject": subject, "timestamp_0": "2026-07-01", "timestamp_1": "12:00:00"}
            upload = io.BytesIO(b"\xff\xd8 by hand")
            upload.name = "picture.jpg"
            added = client.post("/admin/alerts/detect/add/", {**form, "upload": upload})
            done["adds"] += added.status_code == 302
            deleted = client.post(f"/admin/alerts/detect/{_last_added()}/delete/", {"post": "yes"})
            done["deletes"] += deleted.status_code == 302
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            done["locked"] += 1
    if newest:
        done["deleted_alert"] = client.post(
            "/admin/alerts/alert/", {"action": "delete_selected", "_selected_action": [newest[0]], "post": "yes"}
        ).status_code
        done["alert"] = newest[0]
    sys.stdout.write(json.dumps(done))


def _last_added() -> int:
    return Detect.objects.filter(subject__startswith="added by hand").latest("id").id


main(float(sys.argv[1]))
