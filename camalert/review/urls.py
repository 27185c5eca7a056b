"""The addresses of the site, and its menu."""

from __future__ import annotations

import contextlib
from typing import Any

from django.conf import settings as site
from django.db import DatabaseError
from django.http import HttpRequest
from django.urls import path, re_path, register_converter
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView

from camalert import __version__
from camalert.review import assets, languages, openapi
from camalert.review.selection import MAX_ID, Album
from camalert.review.views import (
    account,
    alarm,
    api,
    app,
    backup,
    binned,
    camera,
    cameras,
    day,
    error_pages,
    figures,
    files,
    grid,
    kept,
    known,
    links,
    notifications,
    people,
    people_api,
    push,
    second_factor,
    set_up,
    settings,
    sharing,
    status,
    switches,
    visits,
)

PAGES = (
    ("visits", _("People")), ("alarms", _("All alarms")), ("cameras", _("Cameras")), ("set-up", _("Set up")),
    ("notifications", _("Notifications")),
    ("figures", _("Figures")), ("status", _("Status")),
)  # fmt: skip


class AlbumConverter:
    """The name of an album in an address."""

    regex = "|".join(album.value for album in Album)
    to_python = Album

    def to_url(self, value: Album | str) -> str:
        """Return the name of an album."""
        return Album(value).value


class RowConverter:
    """The id of a row in an address, as large as SQLite's are."""

    regex = "[0-9]{1,19}"
    to_url = str

    def to_python(self, value: str) -> int:
        """Return the id."""
        if int(value) > MAX_ID:
            raise ValueError(value)
        return int(value)


register_converter(AlbumConverter, "album")
register_converter(RowConverter, "row")

urlpatterns = [
    path("", visits.show, name="visits"),
    path("people/", grid.show, {"album": Album.PEOPLE}, name="people"),
    path("alarms/", grid.show, {"album": Album.ALARMS}, name="alarms"),
    path("<album:album>/more/", grid.more, name="more"),
    path("<album:album>/live/", grid.live, name="live"),
    path("<album:album>/selected/", grid.act, name="selected"),
    path("<album:album>/reviewed/", grid.review_all, name="review-all"),
    path("<album:album>/marks.zip", grid.export_marks, name="export-marks"),
    path("<album:album>/<row:row_id>/", alarm.show, name="alarm"),
    path("<album:album>/<row:row_id>/picture", files.picture, name="picture"),
    path("<album:album>/<row:row_id>/thumbnail", files.thumbnail, name="thumbnail"),
    path("clips/<row:clip_id>", files.clip, name="clip"),
    path("day/", day.show, name="day"),
    path("search/", day.find, name="search"),
    path("clips/<row:clip_id>/preview", files.clip_preview, name="clip-preview"),
    path("visits/", RedirectView.as_view(pattern_name="visits", query_string=True)),
    path("visits/more/", visits.more, name="visits-more"),
    path("visits/live/", visits.live, name="visits-live"),
    path("visits/selected/", visits.act, name="visits-selected"),
    path("visits/reviewed/", visits.review_all, name="visits-review-all"),
    path("visits/<row:visit_id>/", visits.visit, name="visit"),
    path("visits/<row:visit_id>/share/", sharing.make, name="share"),
    path("bin/", binned.show, name="bin"),
    path("bin/act/", binned.act, name="bin-act"),
    path("bin/<row:bin_id>/picture", binned.picture, name="bin-picture"),
    path("bin/<row:bin_id>/thumbnail", files.bin_thumbnail, name="bin-thumbnail"),
    path("visits/switch/", switches.change, name="switch"),
    path("kept/", kept.show, name="kept"),
    path("kept/<row:mail_id>/mail", files.kept_mail, name="kept-mail"),
    path("cameras/", cameras.show, name="cameras"),
    path("cameras/known/", known.show, name="known"),
    path("cameras/known/<row:object_id>/forget/", known.forget, name="known-forget"),
    path("cameras/set-up/", set_up.show, name="set-up"),
    path("cameras/set-up/live/", set_up.live, name="set-up-live"),
    path("api/v1/settings/encryption/", set_up.encrypt, name="api-settings-encryption"),
    path("cameras/<path:name>/rename/", camera.rename, name="camera-rename"),
    path("cameras/<path:name>/merge/", camera.merge, name="camera-merge"),
    path("cameras/<path:name>/forget/", camera.forget, name="camera-forget"),
    path("cameras/<path:name>/", camera.show, name="camera"),
    path("backup/", backup.show, name="backup"),
    path("backup/make/", backup.make, name="make-copy"),
    path("backup/restore/state/", backup.restore_state, name="restore-state"),
    path("backup/restore/copy/", backup.restore_copy, name="restore-copy"),
    path("backup/restore/kept/remove/", backup.remove_kept, name="remove-kept"),
    path("backup/upload/", backup.upload, name="upload"),
    path("backup/upload/end/", backup.upload_end, name="upload-end"),
    path("backup/<str:name>/", backup.download, name="copy"),
    path("figures/", figures.show, name="figures"),
    path("status/", status.show, name="status"),
    path("status/live/", status.live, name="status-live"),
    path("alive/", status.alive, name="alive"),
    re_path(r"^do/(?P<token>[A-Za-z0-9_-]{1,120})/?$", links.do, name="link"),
    path("shared/", sharing.index, name="shares"),
    path("shared/<row:share_id>/end/", sharing.end, name="share-end"),
    path("shared/<slug:token>/", sharing.show, name="shared"),
    path("shared/<slug:token>/<row:row_id>/picture", sharing.picture, name="shared-picture"),
    path("shared/<slug:token>/<row:row_id>/thumbnail", sharing.thumbnail, name="shared-thumbnail"),
    path("shared/<slug:token>/clips/<row:clip_id>", sharing.clip, name="shared-clip"),
    path("shared/<slug:token>/clips/<row:clip_id>/preview", sharing.clip_preview, name="shared-clip-preview"),
    path("login/", account.login, name="login"),
    path("login/code/", second_factor.answer, name="login-code"),
    path("logout/", account.logout, name="logout"),
    path("setup/", account.first_login, name="first-login"),
    path("account/", account.show, name="account"),
    path("account/people/", people.show, name="people-accounts"),
    path("account/people/put/", people.put, name="people-put"),
    path("account/people/<row:user_id>/", people.change, name="people-change"),
    path("account/people/<row:user_id>/sessions/", people.end_sessions, name="people-sessions"),
    path("account/sessions/", account.end_sessions, name="end-sessions"),
    path("account/second-factor/", second_factor.show, name="second-factor"),
    path("account/second-factor/on/", second_factor.switch_on, name="second-factor-on"),
    path("account/second-factor/off/", second_factor.switch_off, name="second-factor-off"),
    path("account/second-factor/codes/", second_factor.renew_codes, name="second-factor-codes"),
    path("account/confirm/", account.confirm, name="confirm"),
    path("account/language/", account.change_language, name="language"),
    path("account/password/", account.change_password, name="password"),
    path("account/tokens/", account.add_token, name="add-token"),
    path("account/tokens/<row:token_id>/remove/", account.remove_token, name="remove-token"),
    path("api/v1/accounts/", people_api.accounts, name="api-accounts"),
    path("api/v1/accounts/put/", people_api.put, name="api-accounts-put"),
    path("api/v1/accounts/<row:user_id>/change/", people_api.change, name="api-accounts-change"),
    path("api/v1/sessions/", people_api.open_sessions, name="api-sessions"),
    path("api/v1/sessions/end/", people_api.end_sessions, name="api-sessions-end"),
    path("api/v1/openapi.json", openapi.serve, name="api-openapi"),
    path("api/v1/<album:album>/", api.rows, name="api-rows"),
    path("api/v1/<album:album>/<row:row_id>/", api.row, name="api-row"),
    path("api/v1/<album:album>/change/", api.change, name="api-change"),
    path("api/v1/<album:album>/delete/", api.delete, name="api-delete"),
    path("api/v1/cameras/<path:name>/preview/", camera.api_preview, name="api-camera-preview"),
    path("api/v1/cameras/", api.cameras, name="api-cameras"),
    path("api/v1/cameras/threshold/", known.api_threshold, name="api-threshold"),
    path("api/v1/known/", known.api, name="api-known"),
    path("api/v1/known/<row:object_id>/forget/", known.api_forget, name="api-known-forget"),
    path("api/v1/visits/", visits.rows, name="api-visits"),
    path("api/v1/visits/change/", visits.change, name="api-visits-change"),
    path("api/v1/visits/delete/", visits.delete, name="api-visits-delete"),
    path("api/v1/bin/", binned.rows, name="api-bin"),
    path("api/v1/bin/restore/", binned.restore, name="api-bin-restore"),
    path("api/v1/bin/remove/", binned.remove, name="api-bin-remove"),
    path("api/v1/visits/<row:visit_id>/", visits.row, name="api-visit"),
    path("api/v1/visits/<row:visit_id>/share/", sharing.api_make, name="api-share"),
    path("api/v1/links/", sharing.rows, name="api-links"),
    path("api/v1/links/<row:share_id>/end/", sharing.api_end, name="api-link-end"),
    path("api/v1/switches/", switches.api, name="api-switches"),
    path("api/v1/switches/change/", switches.api_change, name="api-switch"),
    path("notifications/", notifications.show, name="notifications"),
    path("api/v1/notifications/", notifications.api, name="api-notifications"),
    path("api/v1/notifications/test/", notifications.api_test, name="api-notifications-test"),
    path("api/v1/notifications/test/<row:row_id>/", notifications.api_tested, name="api-notifications-tested"),
    path("settings/", settings.show, name="settings"),
    path("settings/<row:change_id>/undo/", settings.undo, name="settings-undo"),
    path("api/v1/settings/", settings.api, name="api-settings"),
    path("api/v1/settings/change/", settings.api_change, name="api-setting"),
    path("api/v1/settings/changes/", settings.api_changes, name="api-settings-changes"),
    path("api/v1/settings/changes/<row:change_id>/", settings.api_one, name="api-settings-one"),
    path("api/v1/settings/changes/<row:change_id>/undo/", settings.api_undo, name="api-settings-undo"),
    path("api/v1/copies/", backup.api, name="api-copies"),
    path("api/v1/copies/make/", backup.api_make, name="api-copies-make"),
    path("api/v1/day/", day.api_day, name="api-day"),
    path("api/v1/days/", day.api_days, name="api-days"),
    path("api/v1/figures/", figures.api, name="api-figures"),
    path("api/v1/search/", day.api_find, name="api-search"),
    path("api/v1/kept/", kept.rows, name="api-kept"),
    path("api/v1/status/", api.status, name="api-status"),
    path("app/", app.show, name="app"),
    path("manifest.webmanifest", app.manifest, name="manifest"),
    path("service-worker.js", app.worker, name="worker"),
    path("offline/", app.offline, name="offline"),
    path("app/push/subscribe/", push.subscribe, name="push-subscribe"),
    path("app/push/end/", push.end, name="push-end"),
    path("words/<str:language>.js", languages.words, name="words"),
    path("favicon.ico", assets.serve, {"name": "review/icon.svg"}),
    re_path(r"^static/(?P<name>[A-Za-z0-9_./-]{1,200})$", assets.serve, name="asset"),
]

if site.CAMALERT.review.admin:
    from django.contrib import admin

    urlpatterns += [
        path("admin/login/", account.admin_login),
        path("admin/password_change/", RedirectView.as_view(pattern_name="account")),
        path("admin/", admin.site.urls),
    ]

handler400 = error_pages.bad_request
handler403 = error_pages.forbidden
handler404 = error_pages.not_found
handler500 = error_pages.broken


def menu(request: HttpRequest) -> dict[str, Any]:
    """Return what every template shows around its content: the pages, which one is open, what is to review."""
    match = request.resolver_match
    count = 0
    user = getattr(request, "user", None)  # there is none on the page about a name that the site does not have
    if user is not None and user.is_authenticated:
        with contextlib.suppress(DatabaseError):  # the page says elsewhere that the database is away
            count = visits.to_review()
    return {
        "pages": PAGES,
        "open_page": match.url_name if match else "",
        "version": __version__,
        "words": languages.address_of_words(),
        "has_admin": site.CAMALERT.review.admin,
        "to_review": visits.counted(count),
    }
