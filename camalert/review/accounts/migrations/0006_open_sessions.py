"""Note whose a session is, of which browser, and when it was last used."""

import datetime
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import migrations, models


def note_open(apps: Any, _schema_editor: Any) -> None:
    """Note the sessions that are open, so that all of them can be ended."""
    now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
    users = set(apps.get_model("auth", "User").objects.values_list("pk", flat=True))
    decoder = SessionStore()
    for session, data in apps.get_model("sessions", "Session").objects.values_list("session_key", "session_data"):
        user = str(decoder.decode(data).get("_auth_user_id", ""))
        if user.isdecimal() and int(user) in users:
            apps.get_model("accounts", "OpenSession").objects.create(
                user_id=int(user), session=session, began=now, seen=now, address="", agent=""
            )


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("accounts", "0005_preferences"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="OpenSession",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("session", models.CharField(max_length=40, unique=True)),
                ("began", models.DateTimeField()),
                ("seen", models.DateTimeField()),
                ("address", models.CharField(max_length=64)),
                ("agent", models.CharField(max_length=300)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.RunPython(note_open, migrations.RunPython.noop),
    ]
