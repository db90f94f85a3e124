"""What a replay says of itself, while it runs and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from producers.replay.forms import FileForm
from producers.replay.reader import Malformed


@dataclass(frozen=True)
class ReplayProgress:
    """Where a replay stands: ``done`` of ``total`` readings of ``path`` have been handed to the producer."""

    path: Path
    done: int
    total: int


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        path: The file.
        form: What it was recognised as.
        sessions: The sessions its readings belong to.
        readings: Readings it holds.
        malformed_count: Lines that could not be read.
        malformed: The first of them.
        resumed_from: Readings left out since an earlier replay had delivered them; 0 from the beginning.
        sent: Readings sent.
        acknowledged: Readings that the broker has confirmed.
        read_s: Time to read the file.
        send_s: Time from the first message to the last confirmation.
    """

    path: Path
    form: FileForm
    sessions: tuple[str, ...]
    readings: int
    malformed_count: int
    malformed: tuple[Malformed, ...]
    resumed_from: int
    sent: int
    acknowledged: int
    read_s: float
    send_s: float


@dataclass(frozen=True)
class ReplayReport:
    """What became of all files; ``skipped`` are files that hold no telemetry, with the reason."""

    files: tuple[FileReport, ...]
    skipped: tuple[tuple[Path, str], ...]

    @property
    def sent(self) -> int:
        """Readings sent."""
        return sum(file.sent for file in self.files)

    @property
    def acknowledged(self) -> int:
        """Readings that the broker has confirmed."""
        return sum(file.acknowledged for file in self.files)

    @property
    def malformed_count(self) -> int:
        """Lines that could not be read."""
        return sum(file.malformed_count for file in self.files)
