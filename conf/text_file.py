"""Text files of a user that are read whole, in the encodings that editors and spreadsheets write."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from conf.errors import InputError
from conf.text_table import find_packing, open_unpacked, read_head
from conf.text_table.blocks import find_encoding
from conf.yaml_text import parse_yaml

MAX_BYTES: Final = 1 << 24


def read_text_file(path: Path) -> str:
    """A text file's content, unpacked: UTF-8, UTF-16 or UTF-32 as its first bytes say, else Windows-1252.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is a pipe, a device or a folder, no text, or longer than 16 MiB.
    """
    path.stat()
    if not path.is_file():
        raise InputError(f"{path} is no file")
    with open_unpacked(path, find_packing(read_head(path))) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is longer than {MAX_BYTES:,} bytes; give a file of text that is meant here")
    try:
        text = _decode(data, find_encoding(data[:4096]))
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text") from None
    if "\0" in text:
        raise InputError(f"{path} is no text")
    return text


def read_yaml_mapping(path: Path, kind: str, form: str) -> dict[Any, Any]:
    """Content of a user's YAML file that is a mapping.

    Args:
        path: The file.
        kind: What to name in its place where it is not there, such as ``a scenario file``.
        form: What to say of one that is no mapping.

    Raises:
        InputError: If it cannot be read, is not YAML, or no mapping; the message names the file.
    """
    try:
        content = parse_yaml(read_text_file(path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; name {kind}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: {form}")
    return content


def _decode(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
        return data.decode("cp1252")
