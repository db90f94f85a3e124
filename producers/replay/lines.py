"""The lines and cells of a file that cannot be read, and what identifies a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from conf.text_table import MalformedLine, SourceFile, open_source

EXAMPLES = 10


class MalformedLines:
    """Lines that could not be read: how many, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[MalformedLine] = []

    @property
    def first(self) -> tuple[MalformedLine, ...]:
        """The first ``EXAMPLES``, by number."""
        return tuple(self._first)

    def add(self, line: MalformedLine) -> None:
        """Count a line."""
        self.count += 1
        if len(self._first) < EXAMPLES or line.line < self._first[-1].line:
            self._first = sorted([*self._first, line], key=attrgetter("line"))[:EXAMPLES]

    def extend(self, lines: Iterable[MalformedLine]) -> None:
        """Count more lines."""
        for line in lines:
            self.add(line)

    def summary(self) -> str:
        """Why nothing could be read."""
        if not self._first:
            return "nothing follows the header"
        first = self._first[0]
        return f"all {self.count:,} lines are malformed, line {first.line}: {first.reason}"


@dataclass
class NullCells:
    """Cells that could not be parsed and became null: for each column how many, and the first of them."""

    _found: dict[str, tuple[int, str, int, str]] = field(default_factory=dict)

    def add(self, column: str, kind: str, line: int, cell: str, count: int = 1) -> None:
        """Count cells of a column that are not of its kind; ``line`` and ``cell`` are those of the first."""
        before, kind, line, cell = self._found.get(column, (0, kind, line, cell))
        self._found[column] = (before + count, kind, line, cell)

    def notes(self) -> list[str]:
        """A note for each column."""
        return [
            f"{column}: {f'{count:,} cells are' if count > 1 else '1 cell is'} not {kind} and sent as null, "
            f"line {line}: '{cell[:40]}'"
            for column, (count, kind, line, cell) in self._found.items()
        ]


def file_digest(path: SourceFile) -> str:
    """First twelve hexadecimal digits of the SHA-256 of a file's bytes, unpacked for a file of an archive."""
    with open_source(path) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:12]
