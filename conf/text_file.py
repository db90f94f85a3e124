"""Text files of a user, in the encodings that editors and spreadsheets write."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from conf.errors import InputError

MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text_file(path: Path) -> str:
    """A text file's content: UTF-8 or UTF-16 by its byte order mark, else UTF-8, else Windows-1252.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is a pipe, a device or a folder, or no text.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file")
    data = path.read_bytes()
    marked = next((encoding for mark, encoding in MARKS if data.startswith(mark)), None)
    try:
        text = _decode(data, marked)
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text") from None
    if "\0" in text:
        raise InputError(f"{path} is no text")
    return text


def _decode(data: bytes, marked: str | None) -> str:
    if marked is not None:
        return data.decode(marked)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")
