"""Sessions that the files of a folder state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conf.text_table import SourceFile, TextTableError
from producers.replay.files import Found, list_siblings
from producers.replay.formats import SheetFormat, TelemetryFormat, detect_format
from producers.replay.reader import read_stated_sessions
from producers.replay.sessions import Stated, find_race_names
from producers.replay.sheets import read_sheet
from producers.replay.tables import SheetEvent


class FolderSessions:
    """What the files of a folder state of their sessions; each folder is looked at once.

    All files of the folder are asked, not only those that are replayed, so that a file named alone gets the session
    that it gets with its whole folder. Lap events are asked first: telemetry files are large, and are read only where
    lap events leave a question open.

    Args:
        surveyed: What telemetry files state that were looked at already.
    """

    def __init__(self, surveyed: Mapping[SourceFile, set[Stated]] | None = None) -> None:
        self._surveyed = surveyed or {}
        self._found: dict[SourceFile, list[Found]] = {}
        self._laps: dict[SourceFile, set[Stated]] = {}
        self._telemetry: dict[SourceFile, set[Stated]] = {}

    def stated(self, path: SourceFile) -> set[Stated]:
        """The events and sessions that the files beside ``path`` state."""
        folder = path.parent
        if folder not in self._laps:
            self._laps[folder] = _union(_stated_by_sheet(*file) for file in self._files(path))
        if self._laps[folder] and find_race_names(path.name):
            return self._laps[folder]
        if folder not in self._telemetry:
            self._telemetry[folder] = _union(self._stated_by_telemetry(*file) for file in self._files(path))
        return self._laps[folder] | self._telemetry[folder]

    def _files(self, path: SourceFile) -> list[Found]:
        folder = path.parent
        if folder not in self._found:
            self._found[folder] = [
                (file, form) for file in list_siblings(path) if (form := _detect_format_or_none(file)) is not None
            ]
        return self._found[folder]

    def _stated_by_telemetry(self, path: SourceFile, form: TelemetryFormat | SheetFormat) -> set[Stated]:
        if isinstance(form, SheetFormat):
            return set()
        if path in self._surveyed:
            return self._surveyed[path]
        try:
            return read_stated_sessions(path, form)
        except TextTableError:
            return set()


def _union(parts: Iterable[set[Stated]]) -> set[Stated]:
    return {stated for part in parts for stated in part}


def _detect_format_or_none(path: SourceFile) -> TelemetryFormat | SheetFormat | None:
    try:
        return detect_format(path)
    except TextTableError:
        return None


def _stated_by_sheet(path: SourceFile, form: TelemetryFormat | SheetFormat) -> set[Stated]:
    if isinstance(form, TelemetryFormat) or not form.name.startswith("lap_"):
        return set()
    try:
        return {
            stated for event in read_sheet(path, form).events if (stated := parse_stated_session(event)) is not None
        }
    except TextTableError:
        return set()


def parse_stated_session(event: SheetEvent) -> Stated | None:
    """The event and session that a line names, None where it does not name both."""
    meta_event, meta_session = event.fields.get("meta_event"), event.fields.get("meta_session")
    if isinstance(meta_event, str) and isinstance(meta_session, str):
        return meta_event, meta_session
    return None
