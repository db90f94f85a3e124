"""Ids of sessions, vehicles and tracks: which the contracts admit, and what to offer for one that they do not."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final

from conf.errors import InputError

LONGEST: Final = 100
ID: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:-]{{0,{LONGEST - 1}}}")
RULE: Final = (
    f"1 to {LONGEST} plain letters, digits, dots, underscores, colons and hyphens, the first a letter or digit"
)
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L"}
)
_DIGEST_DIGITS: Final = 8


class IdentifierError(InputError):
    """An id that no contract admits."""


def is_identifier(text: str) -> bool:
    """Whether the contracts admit an id."""
    return ID.fullmatch(text) is not None


def offer_identifier(text: str) -> str:
    """An id that the contracts admit, as near to a text as can be: ``Race 1`` becomes ``Race-1``.

    Accents go, anything else that is not admitted becomes a hyphen. A text of which nothing is left, or too much,
    ends in its digest, so that two of them stay two.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    offer = re.sub(r"[^A-Za-z0-9._:-]+", "-", plain).strip("-._:")
    if offer and len(offer) <= LONGEST:
        return offer
    digest = sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGEST_DIGITS]
    return f"{offer[: LONGEST - 1 - len(digest)] or 'id'}-{digest}"


def check_identifier(text: str, what: str) -> str:
    """The id, if the contracts admit it.

    Args:
        text: The id.
        what: What it is the id of, such as ``session`` or ``track``.

    Raises:
        IdentifierError: If they do not; offers another.
    """
    if is_identifier(text):
        return text
    offer = f", such as {offer_identifier(text)}" if text else ""
    raise IdentifierError(f"{what} {text!r}: an id is {RULE}{offer}")
