"""Lists with thumbnails, as cams has them."""

from __future__ import annotations

import base64

from django import forms
from django.contrib import admin
from django.utils.html import format_html

from .models import Alert, Detect


class PictureForm(forms.ModelForm):
    """BinaryField is not editable; an upload fills it."""

    upload = forms.FileField(required=False)

    def save(self, commit: bool = True) -> object:
        if self.cleaned_data.get("upload"):
            self.instance.snapshot = self.cleaned_data["upload"].read()
        return super().save(commit)


@admin.register(Alert, Detect)
class PictureAdmin(admin.ModelAdmin):
    """One list for each table."""

    form = PictureForm
    list_display = ("id", "subject", "timestamp", "thumbnail")
    list_filter = ("timestamp",)
    date_hierarchy = "timestamp"

    def thumbnail(self, row: Alert | Detect) -> str:
        return format_html('<img src="data:image/jpeg;base64,{}">', base64.b64encode(row.snapshot).decode())
