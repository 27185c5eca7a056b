"""Where commands and mails end, whatever the pieces are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camalert.intake.smtp.framing import Framer, LineTooLong

# Bytes that are rich in what the framing is about.
WIRE = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a", b"\r\n.\r\n", b"..", b"\x00"]), max_size=40
).map(b"".join)
END = b"\r\n.\r\n"


def _stuffed(body: bytes) -> bytes:
    body = b"." + body if body.startswith(b".") else body
    return body.replace(b"\r\n.", b"\r\n..")


def _feed_in_pieces(framer: Framer, data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        framer.feed(memoryview(data)[start:end])


@given(body=WIRE, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_mail_in_any_pieces_is_the_mail_that_was_sent(body: bytes, cuts: list[int]) -> None:
    """Dots are undone and the end is found wherever the packets are torn; what follows is commands."""
    framer = Framer(4096)
    framer.begin_mail(1_000_000)

    _feed_in_pieces(framer, _stuffed(body) + END + b"NOOP\r\n", cuts)

    assert framer.is_mail_complete
    # The line end before the final dot belongs to the mail's last line.
    assert framer.take_mail() == body + b"\r\n"
    assert framer.line() == b"NOOP"


@given(wire=WIRE, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_only_crlf_dot_crlf_ends_a_mail(wire: bytes, cuts: list[int]) -> None:
    """The mail is complete exactly when these five bytes have come, the first two of them perhaps from DATA."""
    framer = Framer(4096)
    framer.begin_mail(1_000_000)

    _feed_in_pieces(framer, wire, cuts)

    assert framer.is_mail_complete == (END in b"\r\n" + wire)


def test_undone_dots_never_look_like_an_end() -> None:
    """A dot that transparency doubled, torn in the worst place, ends no mail."""
    framer = Framer(4096)
    framer.begin_mail(1000)

    for piece in (b"a\r\n..", b"\r", b"\nMAIL FROM:<evil@example>\r\n.\r\n"):
        framer.feed(piece)

    assert framer.take_mail() == b"a\r\n.\r\nMAIL FROM:<evil@example>\r\n"


@given(wire=WIRE, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_pieces_make_no_difference(wire: bytes, cuts: list[int]) -> None:
    """One packet or many: the same mail, the same rest."""
    whole, torn = Framer(4096), Framer(4096)
    for framer in (whole, torn):
        framer.begin_mail(1_000_000)

    whole.feed(wire)
    _feed_in_pieces(torn, wire, cuts)

    assert whole.is_mail_complete == torn.is_mail_complete
    if whole.is_mail_complete:
        assert whole.take_mail() == torn.take_mail()
        assert whole.waiting_bytes == torn.waiting_bytes


@example(size=98, cuts=[309])
@given(size=st.integers(0, 300), cuts=st.lists(st.integers(0, 400), max_size=20))
def test_mail_beyond_the_limit_is_dropped_and_its_end_still_found(size: int, cuts: list[int]) -> None:
    """Memory stays at the limit, and the session can go on behind the mail."""
    framer = Framer(4096)
    framer.begin_mail(100)

    _feed_in_pieces(framer, b"x" * size + END, cuts)

    assert framer.is_mail_complete
    assert (framer.dropped_bytes > 0) == (size + 2 > 100)
    assert len(framer.take_mail()) == (size + 2 if size + 2 <= 100 else 0)


def test_endless_mail_holds_no_more_than_the_limit() -> None:
    """Ten megabytes without an end take a few bytes beyond the limit at most."""
    framer = Framer(4096)
    framer.begin_mail(10_000)

    for _ in range(1000):
        framer.feed(b"y" * 10_000)

    assert framer.mail_bytes <= 20_010
    assert framer.dropped_bytes > 9_000_000


def test_data_sent_before_it_was_asked_for_begins_the_mail() -> None:
    """A client that does not wait for 354 loses nothing."""
    framer = Framer(4096)
    framer.feed(b"DATA\r\nSubject: x\r\n.\r\nQUIT\r\n")
    assert framer.line() == b"DATA"

    framer.begin_mail(1000)

    assert framer.take_mail() == b"Subject: x\r\n"
    assert framer.line() == b"QUIT"


def test_line_beyond_the_limit_is_reported_once_and_left_out() -> None:
    """The next line is whole again."""
    framer = Framer(10)
    framer.feed(b"A" * 50)
    assert framer.line() is None
    framer.feed(b"A\r\nNOOP\r\n")

    with pytest.raises(LineTooLong):
        framer.line()

    assert framer.line() == b"NOOP"


def test_nothing_before_encryption_survives_it() -> None:
    """What came in the clear is forgotten, a half line too."""
    framer = Framer(100)
    framer.feed(b"MAIL FROM:<evil@example>\r\nRCP")

    framer.drop()
    framer.feed(b"EHLO cam\r\n")

    assert framer.line() == b"EHLO cam"


@pytest.mark.parametrize("end", [b".\n", b".\r\n"])
@given(
    lines=st.lists(st.sampled_from([b"", b"a", b".", b"..", b".a", b"a.b", b"\x00"]), min_size=1),
    cuts=st.lists(st.integers(0, 99)),
)
def test_mail_in_bare_line_feeds_has_a_bare_end_and_is_whole(end: bytes, lines: list[bytes], cuts: list[int]) -> None:
    """Whoever sees that nothing follows may take it, dots undone; until then it is no end."""
    framer = Framer(4096)
    framer.begin_mail(1_000_000)
    wire = b"".join((b"." + line if line.startswith(b".") else line) + b"\n" for line in lines)

    _feed_in_pieces(framer, wire + end, cuts)

    assert not framer.is_mail_complete
    assert framer.has_bare_end
    framer.take_bare_end()
    assert framer.is_mail_complete
    assert framer.take_mail() == b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("wire", [b"a\r\nb\n.\n", b"a\n.\nb\n", b"a\n.", b".\n", b"a\n.\r", b"a\r\n.\n", b"a\n..\n"])
def test_what_else_ends_in_a_dot_has_no_bare_end(wire: bytes) -> None:
    """One line that ends as the standard says, or anything behind the dot: then only CRLF.CRLF counts."""
    framer = Framer(4096)
    framer.begin_mail(1000)

    framer.feed(wire)

    assert not framer.has_bare_end
    framer.take_bare_end()
    assert not framer.is_mail_complete


@given(size=st.integers(0, 300), cuts=st.lists(st.integers(0, 400), max_size=20), ends_bare=st.booleans())
def test_bare_end_of_a_mail_beyond_the_limit_is_found_too(size: int, cuts: list[int], ends_bare: bool) -> None:
    """A client that sends too much hears so, whatever its lines end in."""
    framer = Framer(4096)
    framer.begin_mail(100)

    _feed_in_pieces(framer, b"x" * size + b"\n" + (b".\n" if ends_bare else b".\r\n"), cuts)

    assert framer.has_bare_end
    framer.take_bare_end()
    assert framer.is_mail_complete
    assert (framer.dropped_bytes > 0) == (size + 1 > 100)
    assert len(framer.take_mail()) == (size + 1 if size + 1 <= 100 else 0)


def test_dropped_mail_with_one_proper_line_has_no_bare_end() -> None:
    """What was dropped counts as well."""
    framer = Framer(4096)
    framer.begin_mail(10)
    for piece in (b"a\r", b"\n", b"b" * 50, b"b\n" * 50, b"b\n.\n"):
        framer.feed(piece)

    assert not framer.has_bare_end
