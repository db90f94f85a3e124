"""Under which ids a replay sends sessions and vehicles: those of the files, as the user renames them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from conf.identifiers import RULE, check_identifier, is_identifier, offer_identifier
from producers.replay.sessions import SessionError, Stated, find_race_names, is_same_event, stated_id


@dataclass(frozen=True)
class Naming:
    """What the user says of names.

    Attributes:
        plain: Session of the files that do not say theirs, or new id of the one that they say; several are new ids.
        sessions: New ids of sessions by those that the files say.
        accept_offers: Whether ids that the contracts refuse are sent under those offered for them.
    """

    plain: tuple[str, ...] = ()
    sessions: Mapping[str, str] = field(default_factory=dict)
    accept_offers: bool = False

    @classmethod
    def parse(cls, given: Sequence[str], *, accept_offers: bool = False) -> Self:
        """Read ``ID`` and ``OLD=NEW``, as ``--session`` takes them.

        Raises:
            SessionError: If one session is given two new ids.
            IdentifierError: If the contracts refuse a new id.
        """
        plain = [text for text in given if "=" not in text]
        pairs = [text.rpartition("=")[::2] for text in given if "=" in text]
        if len({old for old, _ in pairs}) < len(pairs):
            raise SessionError("--session renames one session twice")
        for new in (*plain, *(new for _, new in pairs)):
            check_identifier(new, "session")
        return cls(tuple(dict.fromkeys(plain)), dict(pairs), accept_offers)

    @property
    def session(self) -> str | None:
        """The session of files that do not say theirs; None where the user names none or several."""
        return self.plain[0] if len(self.plain) == 1 else None


def find_renamed_session(session: str, stated: Collection[Stated]) -> str | None:
    """The session of the files that the user's plain id renames.

    That is the only one they state, else the one whose race the id speaks of. An id that they state themselves, or of
    another race of their event, renames none.

    Args:
        session: The id.
        stated: What the files state.

    Raises:
        SessionError: If they state several and the id does not say which, or it speaks of another race than theirs.
    """
    ids = sorted(map(stated_id, stated))
    if not ids or session in ids or any(is_same_event(session, event) for event, _ in stated):
        return None
    races = find_race_names(session)
    alike = [stated_id(each) for each in sorted(stated) if not races or find_race_names(each[1]) in ((), races)]
    if len(alike) == 1:
        return alike[0]
    raise SessionError(
        f"--session {session}: the files say {', '.join(ids)}; say which of them it renames with "
        f"--session '{ids[0]}={session}'"
    )


class SentIds:
    """The ids that are sent in place of those that files say, and what is wrong with them.

    Args:
        what: ``session`` or ``vehicle``.
        renames: New ids by old ones.
        accept_offers: Whether ids that the contracts refuse are sent under those offered for them.
    """

    def __init__(self, what: str, renames: Mapping[str, str], *, accept_offers: bool) -> None:
        self._what = what
        self._renames = renames
        self._accept_offers = accept_offers
        self._sent: dict[str, str] = {}
        self._messages: Counter[str] = Counter()

    def __getitem__(self, said: str) -> str:
        """The id to send; one that the contracts refuse stays as it is and is reported by :meth:`refused`."""
        if said not in self._sent:
            admitted = is_identifier(said) or not self._accept_offers
            self._sent[said] = self._renames.get(said) or (said if admitted else offer_identifier(said))
        return self._sent[said]

    def count(self, said: str, messages: int) -> None:
        """Count messages that have an id."""
        self._messages[said] += messages

    def mapping(self, said: Iterable[str]) -> dict[str, str]:
        """The ids to send by those said."""
        return {each: self[each] for each in said}

    @property
    def notes(self) -> tuple[str, ...]:
        """Which ids are renamed."""
        renamed = sorted((said, sent) for said, sent in self._sent.items() if said != sent)
        return tuple(f"{self._what} {said!r} is sent as {sent}" for said, sent in renamed)

    def refused(self) -> list[str]:
        """Ids that the contracts refuse, with those offered and how many messages have them."""
        return [
            f"{self._what} {said!r} -> {offer_identifier(said)} ({self._messages[said]:,} messages)"
            for said, sent in sorted(self._sent.items())
            if not is_identifier(sent)
        ]

    def merged(self) -> list[str]:
        """Ids that several would be sent under."""
        said_by: dict[str, list[str]] = {}
        for said, sent in sorted(self._sent.items()):
            said_by.setdefault(sent, []).append(said)
        return [
            f"{self._what}s {', '.join(map(repr, said))} would all be sent as {sent}; they are different: rename them "
            "in the files" + (" or with --session OLD=NEW" if self._what == "session" else "")
            for sent, said in said_by.items()
            if len(said) > 1
        ]


def find_unsendable_ids(sessions: SentIds, vehicles: SentIds) -> list[str]:
    """What keeps a replay from being sent under its ids, an entry for all that is refused and one for each clash."""
    refused = [*sessions.refused(), *vehicles.refused()]
    offer = (
        f"ids that the contracts refuse (an id is {RULE}): {'; '.join(refused)}. Send them as offered with "
        "--rename-ids, or rename a session with --session 'OLD=NEW'"
    )
    return [*([offer] if refused else []), *sessions.merged(), *vehicles.merged()]
