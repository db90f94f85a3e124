"""Sessions that the files of a folder state."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conf.text_table import SourceFile, TextTableError
from producers.replay.files import Found, list_siblings
from producers.replay.formats import FileFormat, SheetFormat, TelemetryFormat, detect_format
from producers.replay.reader import read_stated_sessions
from producers.replay.sessions import Stated, find_race_names
from producers.replay.sheets import Sheet, read_sheet
from producers.replay.survey import TelemetrySurvey


class FolderSessions:
    """What the files of a folder state of their sessions; each folder is looked at once.

    All files of the folder are asked, not only those that are replayed, so that a file named alone gets the session
    that it gets with its whole folder. Lap events are asked first: telemetry files are large, and are read only where
    lap events leave a question open.

    Args:
        known: Files that were read already; they are not read again.
    """

    def __init__(self, known: Iterable[Sheet | TelemetrySurvey]) -> None:
        self._known = {file.path: file for file in known}
        self._found: dict[SourceFile, list[Found]] = {}
        self._laps: dict[SourceFile, set[Stated]] = {}
        self._telemetry: dict[SourceFile, set[Stated]] = {}

    def stated(self, path: SourceFile) -> set[Stated]:
        """The events and sessions that the files beside ``path`` state."""
        folder = path.parent
        if folder not in self._laps:
            self._laps[folder] = self._stated_beside(path, _is_of_laps)
        if self._laps[folder] and find_race_names(path.name):
            return self._laps[folder]
        if folder not in self._telemetry:
            self._telemetry[folder] = self._stated_beside(path, _is_telemetry)
        return self._laps[folder] | self._telemetry[folder]

    def _stated_beside(self, path: SourceFile, is_asked: Callable[[FileFormat], bool]) -> set[Stated]:
        asked = (file for file in self._files(path) if is_asked(file[1]))
        return {stated for file in asked for stated in self._stated_by(*file)}

    def _files(self, path: SourceFile) -> list[Found]:
        folder = path.parent
        if folder not in self._found:
            self._found[folder] = [
                (file, form) for file in list_siblings(path) if (form := self._form_of(file)) is not None
            ]
        return self._found[folder]

    def _form_of(self, path: SourceFile) -> FileFormat | None:
        if path in self._known:
            return self._known[path].form
        try:
            return detect_format(path)
        except TextTableError:
            return None

    def _stated_by(self, path: SourceFile, form: FileFormat) -> set[Stated]:
        if path in self._known:
            return set(self._known[path].stated)
        try:
            if isinstance(form, TelemetryFormat):
                return read_stated_sessions(path, form)
            return set(read_sheet(path, form).stated)
        except TextTableError:
            return set()


def _is_of_laps(form: FileFormat) -> bool:
    return isinstance(form, SheetFormat) and form.name.startswith("lap_")


def _is_telemetry(form: FileFormat) -> bool:
    return isinstance(form, TelemetryFormat)
