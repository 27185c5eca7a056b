"""The form of every reply."""

from __future__ import annotations

import re

import pytest

from camalert.intake.smtp import replies

# RFC 5321, section 4.2: code, blank, text; RFC 3463: the enhanced code's class is the code's first digit.
PLAIN = re.compile(r"[2-5]\d\d [ -~]+")
ENHANCED = re.compile(r"([245])\d\d \1\.\d\.\d [ -~]+")
MAX_LINE_BYTES = 510  # RFC 5321, section 4.5.3.1.5, without the line's end
WORDS = {name: words for name, words in vars(replies).items() if name.isupper()}


@pytest.mark.parametrize("name", WORDS)
def test_reply_has_a_code_an_enhanced_code_of_its_class_and_words(name: str) -> None:
    """354 alone has no enhanced code, because 3 is no class of theirs."""
    form = PLAIN if name == "SEND_MAIL" else ENHANCED

    assert form.fullmatch(WORDS[name])
    assert len(WORDS[name]) <= MAX_LINE_BYTES


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (replies.greeting("nvr"), "220 nvr ESMTP camalert"),
        (replies.hello("nvr"), "250 nvr"),
        (replies.challenge("Username:"), "334 VXNlcm5hbWU6"),
        (replies.challenge("Password:"), "334 UGFzc3dvcmQ6"),
        (replies.unknown_command(""), "500 5.5.2 empty line"),
        (replies.unknown_command("XYZ"), "500 5.5.1 'XYZ' is no command here"),
        (replies.too_many_recipients(100), "452 4.5.3 100 recipients are enough"),
        (replies.too_large(1000), "552 5.3.4 mails of up to 1000 bytes are taken"),
    ],
)
def test_reply_with_a_value_holds_it(reply: str, expected: str) -> None:
    """The challenges are compared by firmware, byte for byte."""
    assert reply == expected


def test_unknown_command_is_quoted_shortly_and_harmlessly() -> None:
    """Nothing that a client says breaks the form of the reply."""
    reply = replies.unknown_command("\r\n250 ä" + "X" * 5000)

    assert ENHANCED.fullmatch(reply)
    assert len(reply) < 80


def test_extended_hello_has_one_line_for_each_offer() -> None:
    """All but the last line have a hyphen."""
    everything = replies.extended_hello("nvr", 1000, offers_tls=True, offers_login=True)
    least = replies.extended_hello("nvr", 1000, offers_tls=False, offers_login=False)

    assert everything == (
        "250-nvr\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
        "250-STARTTLS\r\n"
        "250-AUTH LOGIN PLAIN\r\n250-AUTH=LOGIN PLAIN\r\n250 HELP"
    )
    assert least == (
        "250-nvr\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-PIPELINING\r\n"
        "250-ENHANCEDSTATUSCODES\r\n250 HELP"
    )
