"""Text from outside as it may be shown: what a terminal or a page would obey instead of showing stands there as code.

Names of cars, drivers, teams, sessions and files are whatever somebody typed or sent. A control character moves the
cursor, clears the screen or hides a line; a direction mark of Unicode turns a line round.
"""

from __future__ import annotations

import re
from typing import Final

_UNSHOWN: Final = re.compile(
    "["
    "\0-\x08\x0b-\x1f\x7f-\x9f"  # controls but tab and line feed; ESC and CSI begin sequences
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # marks of direction, and what has no width
    "\ud800-\udfff"  # halves of a pair, as in a file's name that is not UTF-8
    "\U000e0000-\U000e007f"  # tags
    "]"
)

_PASSWORD: Final = re.compile(r"(://[^\s/:@]*):[^\s/]*@")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_FRAMES: Final = re.compile(r"\n\s*0: .*", re.DOTALL)


def one_line(said: object) -> str:
    """What a library says of an error in one line, without its colours and its stack."""
    return " ".join(_FRAMES.sub("", _COLOUR.sub("", f"{said}")).split())


def hide_passwords(text: str) -> str:
    """The text without the passwords of addresses in it: ``https://user:***@host``."""
    return _PASSWORD.sub(r"\1:***@", text)


def show_controls(text: str) -> str:
    r"""The text with each character that would be obeyed rather than shown as its code, such as ``\x1b``.

    Lines and tabs stay, and so do all letters.
    """
    return _UNSHOWN.sub(_code, text)


def show_in_json(text: str) -> str:
    """The same in JSON's own way, so that a program reads what was there: such characters stand in strings only."""
    return _UNSHOWN.sub(_json_code, text)


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _json_code(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[k : k + 2]):04x}" for k in range(0, len(units), 2))
