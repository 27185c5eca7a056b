"""The mails without an answer: nobody forgets one, nobody gets another's."""

from __future__ import annotations

import pytest

from camalert.errors import ProtocolError
from camalert.messages import Held, Store, StoreCode, Stored
from camalert.openstores import OpenStores

FIRST, SECOND = bytes(16), bytes([1] * 16)


def _answer(store: Store, code: int = StoreCode.STORED) -> Stored:
    return Stored(store.slot, store.generation, store.mail_id, code, 1, 1)


def _open(*stores: Store) -> OpenStores:
    """Open Stores of an smtp that is there."""
    book = OpenStores(range(3))
    book.asker_came("smtp")
    for store in stores:
        book.open("smtp", store)
    return book


def test_openstores_without_an_answer_are_kept_in_the_order_of_the_asking() -> None:
    """The next writer gets what its predecessor left, oldest first."""
    first, second = Store(2, 7, FIRST), Store(0, 1, SECOND)
    book = _open(first, second)

    assert list(book) == [first, second]
    assert book.close(_answer(first)) == "smtp"
    assert list(book) == [second]
    assert len(book) == 1


def test_openstores_answer_while_the_asker_is_away_is_for_nobody() -> None:
    """A mail that was committed while smtp was replaced is closed all the same, once."""
    store = Store(2, 7, FIRST)
    book = _open(store)
    book.asker_left("smtp")

    assert book.close(_answer(store)) == ""
    assert book.close(_answer(store)) is None


def test_openstores_successor_hears_of_its_own_kinds_slots_only() -> None:
    """smtp's open Stores are no business of the folder watcher."""
    book = _open(Store(2, 7, FIRST))
    book.asker_left("smtp")

    assert book.asker_came("folder") == []
    assert book.asker_came("smtp") == [Held(2, 7, 0)]


@pytest.mark.parametrize(
    "lie",
    [
        Stored(1, 7, FIRST, StoreCode.STORED, 1, 1),
        Stored(2, 8, FIRST, StoreCode.STORED, 1, 1),
        Stored(2, 7, FIRST, 77, 1, 1),
    ],
)
def test_openstores_answer_to_what_was_not_asked_closes_nothing(lie: Stored) -> None:
    """A writer gone mad frees no slot."""
    store = Store(2, 7, FIRST)
    book = _open(store)

    with pytest.raises(ProtocolError):
        book.close(lie)

    assert list(book) == [store]


def test_openstores_mail_outside_the_intake_slots_is_refused() -> None:
    """The writer is never sent to a frame slot for a mail."""
    book = _open()

    with pytest.raises(ProtocolError):
        book.open("smtp", Store(3, 1, FIRST))

    assert len(book) == 0
