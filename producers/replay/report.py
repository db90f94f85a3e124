"""Progress and result of a replay."""

from __future__ import annotations

from dataclasses import dataclass

from conf.text_table import MalformedLine, SourceFile
from producers.replay.formats import FileFormat, TelemetryFormat


@dataclass(frozen=True)
class ReplayProgress:
    """Where a replay stands: ``done`` of ``total`` messages of ``path`` have been handed to the producer."""

    path: SourceFile
    done: int
    total: int


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        path: The file.
        form: What it was recognised as.
        topic: Where its messages went.
        sessions: The sessions its messages belong to.
        messages: Messages it gives: readings of telemetry, else events.
        malformed_count: Lines that could not be read.
        malformed: The first of them.
        notes: What a user should know of how it was read.
        resumed_from: Messages left out since an earlier replay had delivered them; 0 from the beginning.
        sent: Messages sent.
        acknowledged: Messages that the broker has confirmed.
        send_s: Time from the first message to the last confirmation.
    """

    path: SourceFile
    form: FileFormat
    topic: str
    sessions: tuple[str, ...]
    messages: int
    malformed_count: int
    malformed: tuple[MalformedLine, ...]
    notes: tuple[str, ...]
    resumed_from: int
    sent: int
    acknowledged: int
    send_s: float

    @property
    def unit(self) -> str:
        """What a message of it is called."""
        return "readings" if isinstance(self.form, TelemetryFormat) else "events"


@dataclass(frozen=True)
class ReplayReport:
    """What became of all files.

    Attributes:
        files: Those that were sent.
        skipped: Those that were not, with the reason.
        notes: What a user should know of the whole.
    """

    files: tuple[FileReport, ...]
    skipped: tuple[tuple[SourceFile, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def sent(self) -> int:
        """Messages sent."""
        return sum(file.sent for file in self.files)

    @property
    def acknowledged(self) -> int:
        """Messages that the broker has confirmed."""
        return sum(file.acknowledged for file in self.files)

    @property
    def malformed_count(self) -> int:
        """Lines that could not be read."""
        return sum(file.malformed_count for file in self.files)
