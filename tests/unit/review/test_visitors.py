"""Names of the site, and what a web server in front of it may say."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Any

import pytest

from camalert.config.schema import Review
from camalert.review.visitors import IS_INGRESS, IS_NAMELESS, SENT_HOST, Front, Visitors, host_name, is_local_host

PROXIED = Review(proxies=("127.0.0.1/32",))
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
    list(Front(application, review, Visitors(review))(base | environ, None))
    return seen


def test_front_believes_a_trusted_web_server() -> None:
    """Address, scheme, host and prefix come from its headers."""
    seen = _through(
        PROXIED,
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
    assert seen[SENT_HOST] == "nas"
    assert not seen[IS_NAMELESS]


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


@pytest.mark.parametrize(
    ("review", "is_believed"),
    [(Review(), False), (PROXIED, True), (Review(hosts=("cams.example.org",)), True), (Review(path="cams"), True)],
)
def test_front_believes_this_machine_only_where_a_web_server_is_to_be_expected(
    review: Review, is_believed: bool
) -> None:
    """By default nobody's headers count; a name or path of one's own means a web server on the same machine."""
    seen = _through(review, HTTP_X_FORWARDED_FOR="192.168.1.66")

    assert (seen["REMOTE_ADDR"] == "192.168.1.66") is is_believed


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "javascript:alert(1)", "/a\\b", "/\u00e4", "/..;/"])
def test_front_refuses_a_prefix_that_could_become_a_link_elsewhere(prefix: str) -> None:
    """Only a plain path may stand in front of every link."""
    prefixed = _through(PROXIED, HTTP_X_FORWARDED_PREFIX=prefix).get("SCRIPT_NAME", "")

    assert prefixed in ("", "/evil.example")  # slashes are folded: a path, no host


@pytest.mark.parametrize(("path", "inner"), [("/cams/alarms/", "/alarms/"), ("/alarms/", "/alarms/"), ("/cams", "/")])
def test_front_serves_below_the_configured_path(path: str, inner: str) -> None:
    """Web servers that cut the path off and those that leave it both work."""
    seen = _through(Review(path="cams"), PATH_INFO=path)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/cams", inner)


INGRESS = Review(ingress=("172.30.32.2",), path="cams")
SHOWN = {"HTTP_X_INGRESS_PATH": "/api/hassio_ingress/aB-_9", "HTTP_X_FORWARDED_FOR": "192.168.1.30, 172.30.32.1"}


def test_front_believes_home_assistants_gateway() -> None:
    """The path that it shows the site below, and who looked: not the hop of Home Assistant itself."""
    seen = _through(INGRESS, REMOTE_ADDR="172.30.32.2", PATH_INFO="/alarms/", **SHOWN)

    assert seen[IS_INGRESS]
    assert not seen[IS_NAMELESS]
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/api/hassio_ingress/aB-_9", "/alarms/")
    assert seen["REMOTE_ADDR"] == "192.168.1.30"


@pytest.mark.parametrize(
    ("review", "peer"),
    [(INGRESS, "172.30.32.1"), (INGRESS, "172.30.33.5"), (INGRESS, "192.168.1.66"), (PROXIED, "127.0.0.1"),
     (Review(), "172.30.32.2")],
)  # fmt: skip
def test_front_takes_home_assistants_path_from_its_gateway_alone(review: Review, peer: str) -> None:
    """Neither a visitor nor another add-on nor an ordinary web server moves the site or its access rules so."""
    seen = _through(review, REMOTE_ADDR=peer, **SHOWN)

    assert not seen.get(IS_INGRESS)
    assert seen.get("SCRIPT_NAME", "") in ("", "/cams")
    assert "HTTP_X_INGRESS_PATH" not in seen


@pytest.mark.parametrize(
    "said", [{"HTTP_X_FORWARDED_FOR": "192.168.1.30"}, {"HTTP_X_INGRESS_PATH": "/api/hassio_ingress/x"},
             {**SHOWN, "HTTP_X_INGRESS_PATH": "/a b"}, {**SHOWN, "HTTP_X_FORWARDED_FOR": "unknown"}],
)  # fmt: skip
def test_gateway_that_does_not_say_all_is_refused(said: dict[str, str]) -> None:
    """Another program on its address is no way around the access rules."""
    seen = _through(INGRESS, REMOTE_ADDR="172.30.32.2", **said)

    assert not seen[IS_INGRESS]
    assert seen[IS_NAMELESS]


def test_front_writes_an_ipv4_address_as_one() -> None:
    """A dual-stack socket's addresses look as people know them."""
    assert _through(Review(), REMOTE_ADDR="::ffff:192.168.1.7")["REMOTE_ADDR"] == "192.168.1.7"
