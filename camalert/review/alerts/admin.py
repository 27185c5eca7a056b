"""Django's admin for the two tables, as the original site has it: look through, filter by date, edit, delete.

Alarms are added by mails alone. No picture is read for a list: thumbnails come from the site's own.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html

from camalert.review.alerts.models import Alert, AlertFacts, Detect, DetectFacts, Snapshot

admin.site.has_permission = lambda request: request.user.is_active and request.user.is_superuser  # owners alone
admin.site.site_header = "camalert"
admin.site.site_title = "camalert"
admin.site.index_title = "Database tables"


class FactsPaginator(Paginator):
    """Count a whole table by its facts: counting its own rows would read the pages of the pictures."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows."""
        if self.object_list.query.where:
            return super().count
        facts = AlertFacts if self.object_list.model is Alert else DetectFacts
        return facts.objects.count()


class SnapshotAdmin(admin.ModelAdmin):
    """The admin of one of the two tables."""

    album = ""
    list_display = ("thumbnail", "subject", "timestamp")
    list_display_links = ("thumbnail", "subject")
    list_filter = ("timestamp",)
    list_per_page = 50
    paginator = FactsPaginator
    show_full_result_count = False
    readonly_fields = ("picture",)
    fields = ("subject", "timestamp", "picture")
    ordering = ("-id",)

    @admin.display(description="picture")
    def thumbnail(self, row: Snapshot) -> str:
        """Return the thumbnail."""
        return format_html('<img src="{}" alt="" width="120">', reverse("thumbnail", args=(self.album, row.pk)))

    @admin.display(description="picture")
    def picture(self, row: Snapshot) -> str:
        """Return the whole picture."""
        address = reverse("picture", args=(self.album, row.pk))
        return format_html('<a href="{}"><img src="{}" alt="" width="640"></a>', address, address)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the pictures where they are."""
        return super().get_queryset(request).defer("snapshot")

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: a row without a mail would be an alarm that nobody raised."""
        return False


@admin.register(Alert)
class AlertAdmin(SnapshotAdmin):
    """All alarms."""

    album = "alarms"


@admin.register(Detect)
class DetectAdmin(SnapshotAdmin):
    """Pictures with people."""

    album = "people"
