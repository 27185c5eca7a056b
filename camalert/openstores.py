"""The open Stores: mails that an intake child handed over and the writer has not answered yet.

Pure: part of the books of `dispatch`. A Store stays open whatever ends meanwhile. The next writer is asked again, and
the successor of the intake child that asked leaves the slot alone until the answer comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from camalert.errors import ProtocolError
from camalert.messages import Held, Store, StoreCode, Stored

_CODES = frozenset(StoreCode)


class OpenStores:
    """Remember who asked for what, until it is answered; iterating gives the Stores in the order of the asking."""

    def __init__(self, slots: Iterable[int]) -> None:
        self._slots = frozenset(slots)  # where a mail may lie
        self._open: dict[bytes, tuple[str, Store]] = {}  # by mail: who asked, and what
        self._askers: set[str] = set()  # the intake children that are there

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Store]:
        return (store for _, store in self._open.values())

    def asker_came(self, name: str) -> list[Held]:
        """Note a new intake child; return the slots that its predecessor's Stores still occupy."""
        self._askers.add(name)
        return [Held(store.slot, store.generation, 0) for asker, store in self._open.values() if asker == name]

    def asker_left(self, name: str) -> None:
        """Note that an intake child is away; its Stores stay open."""
        self._askers.discard(name)

    def open(self, asker: str, store: Store) -> None:
        """Remember a Store.

        Raises: ProtocolError when its mail is not in an intake slot.
        """
        if store.slot not in self._slots:
            raise ProtocolError(f"a mail in slot {store.slot} cannot be")
        self._open[store.mail_id] = (asker, store)

    def close(self, stored: Stored) -> str | None:
        """Forget the Store that this answers.

        Returns: Who asked, "" when that child is away; None when no such Store is open.
        Raises: ProtocolError when it is no answer to what was asked.
        """
        found = self._open.get(stored.mail_id)
        if found is None:
            return None
        asker, store = found
        if stored.slot != store.slot or stored.generation != store.generation or stored.code not in _CODES:
            raise ProtocolError(f"an answer about slot {stored.slot} with code {stored.code} cannot be")
        del self._open[stored.mail_id]
        return asker if asker in self._askers else ""
