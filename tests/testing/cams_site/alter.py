"""Do to `alerts_alert` what a migration with AlterField does."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from alerts.models import Alert
from django.db import connections, models

field = Alert._meta.get_field("subject")
longer = models.CharField(max_length=250)
longer.set_attributes_from_name("subject")
with connections["alerts"].schema_editor() as editor:
    editor.alter_field(Alert, field, longer)
