"""Names of the site, and what a web server in front of it may say."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import pytest

from camalert.config import Review
from camalert.review.origins import host_name, is_local_host
from camalert.review.proxy import IS_FORWARDED, Front

OWN = (ip_network("2001:db8:1::/64"),)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:8025", "192.168.1.5", "[::1]:8025", "[fd00::5]", "10.0.0.7:80", "nas", "nas:8025",
     "camalert.local", "camalert.home.arpa", "cameras.example.org", "Cameras.Example.Org:443", "[2001:db8:1::5]:8025"],
)  # fmt: skip
def test_host_that_no_stranger_can_own_is_accepted(host: str) -> None:
    """Private addresses, names without a dot, local endings and listed names are the site's."""
    assert is_local_host(host, ("cameras.example.org",), ("private",), OWN)


@pytest.mark.parametrize(
    "host", ["", "evil.example.com", "203.0.113.5", "local.evil.com", "127.0.0.1.evil.com", "[2001:db8:2::5]", "a b.c"]
)
def test_host_of_a_stranger_is_refused(host: str) -> None:
    """A name that anybody can register may point here without being ours."""
    assert not is_local_host(host, ("cameras.example.org",), ("private",), OWN)


@pytest.mark.parametrize(
    ("host", "name"), [("a:1", "a"), ("[::1]:1", "::1"), ("[::1]", "::1"), ("a", "a"), ("::1", "::1")]
)
def test_host_name_leaves_port_and_brackets(host: str, name: str) -> None:
    """The port says nothing about whose name it is."""
    assert host_name(host) == name


def _through(review: Review, **environ: str) -> dict[str, Any]:
    """Return the environment that the application sees."""
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        seen.update(environ)
        return []

    base = {"REMOTE_ADDR": "127.0.0.1", "PATH_INFO": "/", "wsgi.url_scheme": "http", "HTTP_HOST": "nas"}
    list(Front(application, review)(base | environ, None))
    return seen


def test_front_believes_a_trusted_web_server() -> None:
    """Address, scheme, host and prefix come from its headers."""
    seen = _through(
        Review(),
        HTTP_X_FORWARDED_FOR="203.0.113.9, 192.168.1.30",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="cams.example.org",
        HTTP_X_FORWARDED_PREFIX="/cams/",
        PATH_INFO="/alarms/",
    )

    assert seen["REMOTE_ADDR"] == "192.168.1.30"
    assert seen["wsgi.url_scheme"] == "https"
    assert seen["HTTP_HOST"] == "cams.example.org"
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/cams", "/alarms/")
    assert seen[IS_FORWARDED]


def test_front_believes_nobody_else() -> None:
    """A client's own words about where it comes from are dropped."""
    seen = _through(
        Review(), REMOTE_ADDR="192.168.1.66", HTTP_X_FORWARDED_FOR="127.0.0.1", HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="evil.example", HTTP_X_FORWARDED_PREFIX="/evil",
    )  # fmt: skip

    assert seen["REMOTE_ADDR"] == "192.168.1.66"
    assert seen["wsgi.url_scheme"] == "http"
    assert seen["HTTP_HOST"] == "nas"
    assert "SCRIPT_NAME" not in seen
    assert not any(name.startswith("HTTP_X_FORWARDED") for name in seen)


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "javascript:alert(1)", "/a\\b", "/\u00e4", "/..;/"])
def test_front_refuses_a_prefix_that_could_become_a_link_elsewhere(prefix: str) -> None:
    """Only a plain path may stand in front of every link."""
    prefixed = _through(Review(), HTTP_X_FORWARDED_PREFIX=prefix).get("SCRIPT_NAME", "")

    assert prefixed in ("", "/evil.example")  # slashes are folded: a path, no host


@pytest.mark.parametrize(("path", "inner"), [("/cams/alarms/", "/alarms/"), ("/alarms/", "/alarms/"), ("/cams", "/")])
def test_front_serves_below_the_configured_path(path: str, inner: str) -> None:
    """Web servers that cut the path off and those that leave it both work."""
    seen = _through(Review(path="cams"), PATH_INFO=path)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/cams", inner)


def test_front_writes_an_ipv4_address_as_one() -> None:
    """A dual-stack socket's addresses look as people know them."""
    assert _through(Review(), REMOTE_ADDR="::ffff:192.168.1.7")["REMOTE_ADDR"] == "192.168.1.7"
