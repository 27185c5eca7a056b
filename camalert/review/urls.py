"""The addresses of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path, re_path, register_converter
from django.views.generic import RedirectView

from camalert.review import assets
from camalert.review.selection import MAX_ID, Album
from camalert.review.views import account, alarm, api, cameras, faults, grid, pictures, selected, status, tokens, trial


class AlbumConverter:
    """Let an address name an album."""

    regex = "|".join(album.value for album in Album)

    def to_python(self, value: str) -> Album:
        """Return the album of a name."""
        return Album(value)

    def to_url(self, value: Album | str) -> str:
        """Return the name of an album."""
        return Album(value).value


class RowConverter:
    """Let an address carry the id of a row, as large as SQLite's are."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Return the id."""
        if int(value) > MAX_ID:
            raise ValueError(value)
        return int(value)

    def to_url(self, value: int) -> str:
        """Return the id as text."""
        return str(value)


register_converter(AlbumConverter, "album")
register_converter(RowConverter, "row")

urlpatterns = [
    path("", grid.show, {"album": Album.PEOPLE}, name="people"),
    path("alarms/", grid.show, {"album": Album.ALARMS}, name="alarms"),
    path("people/", RedirectView.as_view(pattern_name="people", query_string=True)),
    path("<album:album>/more/", grid.more, name="more"),
    path("<album:album>/live/", grid.live, name="live"),
    path("<album:album>/selected/", selected.act, name="selected"),
    path("<album:album>/reviewed/", selected.review_all, name="review-all"),
    path("<album:album>/marks.zip", selected.export_marks, name="export-marks"),
    path("<album:album>/<row:row_id>/", alarm.show, name="alarm"),
    path("<album:album>/<row:row_id>/picture", pictures.picture, name="picture"),
    path("<album:album>/<row:row_id>/thumbnail", pictures.thumbnail, name="thumbnail"),
    path("clips/<row:clip_id>", pictures.clip, name="clip"),
    path("cameras/", cameras.show, name="cameras"),
    path("test/", trial.show, name="test"),
    path("test/heard/", trial.heard, name="heard"),
    path("status/", status.show, name="status"),
    path("status/live/", status.live, name="status-live"),
    path("login/", account.login, name="login"),
    path("logout/", account.logout, name="logout"),
    path("setup/", account.setup, name="setup"),
    path("account/", account.show, name="account"),
    path("account/password/", account.change_password, name="password"),
    path("account/tokens/", tokens.add, name="add-token"),
    path("account/tokens/<row:token_id>/remove/", tokens.remove, name="remove-token"),
    path("api/v1/<album:album>/", api.rows, name="api-rows"),
    path("api/v1/<album:album>/<row:row_id>/", api.row, name="api-row"),
    path("api/v1/<album:album>/change/", api.change, name="api-change"),
    path("api/v1/<album:album>/delete/", api.delete, name="api-delete"),
    path("api/v1/cameras/", api.cameras, name="api-cameras"),
    path("api/v1/status/", api.status, name="api-status"),
    # One login for all: the admin's own would not be rate-limited.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/", admin.site.urls),
    path("favicon.ico", assets.serve, {"name": "review/icon.svg"}),
    re_path(r"^static/(?P<name>[A-Za-z0-9_./-]{1,200})$", assets.serve, name="asset"),
]

handler400 = faults.bad_request
handler403 = faults.forbidden
handler404 = faults.not_found
handler500 = faults.broken
