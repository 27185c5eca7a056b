"""Which addresses are in an allowed network, and where the site is."""

from __future__ import annotations

import ipaddress

import pytest

from camalert.config.schema import Review
from camalert.system import networks
from camalert.system.networks import is_allowed

OWN = (ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8:1::/64"))


@pytest.mark.parametrize(
    ("peer", "is_right"),
    [
        ("192.168.1.20", True), ("10.1.2.3", True), ("172.31.0.1", True), ("172.32.0.1", False), ("127.0.0.1", True),
        ("169.254.3.4", True), ("::1", True), ("fe80::1%eth0", True), ("fd00::5", True), ("::ffff:192.168.1.20", True),
        ("::ffff:8.8.8.8", False), ("8.8.8.8", False), ("100.64.0.1", False), ("203.0.113.7", True),
        ("2001:db8:1::7", True), ("2001:db8:2::7", False), ("", False), ("not an address", False),
    ],
)  # fmt: skip
def test_private_means_the_local_network_and_the_machines_own(peer: str, is_right: bool) -> None:
    """Private, link-local, loopback, mapped addresses, and the networks this machine is part of; nothing else."""
    assert is_allowed(peer, ("private",), OWN) is is_right


def test_network_in_allow_is_allowed_beside_or_instead_of_private() -> None:
    """Only what is listed may send."""
    assert is_allowed("8.8.8.8", ("private", "8.8.8.0/24"), ())
    assert not is_allowed("192.168.1.20", ("8.8.8.0/24",), ())


@pytest.mark.parametrize(
    ("review", "url"),
    [
        (Review(), "http://192.168.1.5:8025/"),
        (Review(host="cams.lan", port=80, path="/camalert"), "http://cams.lan:80/camalert/"),
        (Review(host="::1"), "http://[::1]:8025/"),
        (Review(enabled=False), ""),
    ],
)
def test_site_url_is_what_a_browser_opens(review: Review, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first screen and the commands name the site as the local network finds it."""
    monkeypatch.setattr(networks, "own_address", lambda: "192.168.1.5")
    monkeypatch.setattr(networks, "find_spec", lambda name: name)  # the site's packages are an extra

    assert networks.site_url(review) == url
