"""URLs of targets: taken apart, and shown without what is secret."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import checks, schema, targets
from camalert.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ntfy://tk_secret@ntfy.example/garden-secret", "ntfy://***"),
        ("tgram://123456:secret/42", "tgram://***"),
        ("mqtt://anna:secret@broker", "mqtt://***@broker:1883/camalert"),
        ("mqtts://anna:secret@broker:8884/home/cams?ca=/x.pem", "mqtts://***@broker:8884/home/cams"),
        ("mqtt://[2001:db8::1]", "mqtt://[2001:db8::1]:1883/camalert"),
        ("webhook+https://example.org/hook/secret?token=secret", "webhook+https://example.org:443/***"),
        ("webhook+http://192.0.2.1:8123", "webhook+http://192.0.2.1:8123"),
        ("smtp://anna:secret@mail.example.org/?to=a@example.org&from=b@example.org", "smtp://***@mail.example.org:587"),
    ],
)
def test_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """Neither in its text nor in its `repr`."""
    address = targets.parse(url)

    assert str(address) == shown
    assert "secret" not in str(address) + repr(address)
    assert "secret" not in targets.without_secrets(f"cannot reach {url}", address)


def test_parts_of_our_own_urls_are_decoded() -> None:
    """A password may have any letter when it is written with %."""
    address = targets.parse("mqtts://a%40b:p%2Fw%3A@broker/home")

    assert (address.user, address.password, address.path, address.is_encrypted) == ("a@b", "p/w:", "home", True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("phone", "is no URL"),
        ("https://example.org/secret", r'begins with "webhook\+https://"'),
        ("ntfy://", "ends where"),
        ("mqtt:///x", "needs a host"),
        ("mqtt://secret@broker:99999/x", "host or port"),
        ("mqtt://secret@broker/a/#", r'has a "#"'),
        ("mqtt://secret@broker/x?version=4", "version"),
        ("mqtt://secret@broker/x?tls=1", "'tls' that mqtt:// does not know"),
        ("smtp://secret@mail.example.org/?to=me", "needs"),
        ("smtp://secret@mail.example.org/?from=a@example.org", r"\?to="),
        ("smtp://anna:secret@mail.example.org/?to=a@example.org&from=a@example.org&tls=none", "unencrypted"),
        ("webhook+http://example.org/a b-secret", "written with %"),
        ("ntfy://" + "x" * 3000, "characters"),
    ],
)
def test_url_that_is_wrong_is_refused_without_being_repeated(url: str, words: str) -> None:
    """The message goes into a log."""
    with pytest.raises(ConfigError, match=words) as raised:
        targets.parse(url)

    assert "secret" not in str(raised.value)


@given(st.text(max_size=60), st.sampled_from(["", "mqtt://", "smtp://", "webhook+http://", "ntfy://"]))
def test_url_of_any_text_is_read_or_refused(text: str, scheme: str) -> None:
    """Never another error, and what is read can be shown."""
    try:
        address = targets.parse(scheme + text)
    except ConfigError:
        return
    assert str(address)


def test_secret_of_a_webhook_is_read_as_the_standard_says() -> None:
    """Two while one takes the other's place; anything else is refused without being repeated."""
    one, two = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))

    assert targets.signing_keys("") == ()
    assert targets.signing_keys(f"whsec_{one} whsec_{two}") == (b"\1" * 32, b"\2" * 32)
    for wrong in (one, "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%", f"whsec_{one}x"):
        with pytest.raises(ConfigError, match="base64") as raised:
            targets.signing_keys(wrong)
        assert one not in str(raised.value)


def test_digest_without_a_time_is_a_mistake() -> None:
    """It would never come."""
    target = schema.Notify("x", url="ntfy://ntfy.example/garden", events=("digest",), digest_at=" ")

    found = list(checks.contradictions(schema.Config(notify=(target,))))

    assert [key for key, _ in found] == ["notify[0].digest_at"]
