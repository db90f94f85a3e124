"""A Delta table as an Arrow dataset, whose files Arrow itself reads wherever it can."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from conf.lake import storage_options, table_uri
from conf.settings import AppConfig

if TYPE_CHECKING:
    from deltalake import DeltaTable

_MOST_OPEN: Final = 200
_open: OrderedDict[str, _OpenTable] = OrderedDict()
_opening: Final = Lock()


def open_dataset(name: str, settings: AppConfig, version: int | None = None) -> Any:
    """A table, the latest version unless another is named, as a ``pyarrow.dataset.Dataset``.

    Left to itself, deltalake gives Arrow a file system that is Python's: its reading threads then wait for the
    interpreter, and one of them that still holds a file when the process ends aborts it, with its work done.

    A local table stays open, so that the next to read it reads of its log what is new.

    Args:
        name: ``layer.table``.
        settings: Say where the lake is.
        version: Of the table.
    """
    from deltalake import DeltaTable  # the workers of Spark import what imports this, and open no table

    uri, options = table_uri(name, settings), storage_options(settings)
    if options:
        return to_dataset(DeltaTable(uri, version=version, storage_options=options))
    with _opening:
        _open.setdefault(uri, _OpenTable(uri))
        _open.move_to_end(uri)
        if len(_open) > _MOST_OPEN:
            _open.popitem(last=False)
        opened = _open[uri]
    return opened.dataset(version)


def to_dataset(table: DeltaTable, folder: str | None = None) -> Any:
    """An open table as a ``pyarrow.dataset.Dataset``; see :func:`open_dataset`.

    Args:
        table: The table.
        folder: Where it is on this machine; ``None`` where it is elsewhere.
    """
    from pyarrow import fs
    from pyarrow.dataset import ParquetReadOptions

    # Files of earlier releases have instants in a form that Arrow else takes for nanoseconds.
    options = ParquetReadOptions(coerce_int96_timestamp_unit="us")
    files = fs.SubTreeFileSystem(folder, fs.LocalFileSystem()) if folder else None
    return table.to_pyarrow_dataset(filesystem=files, parquet_read_options=options)


class _OpenTable:
    """A table of a local lake that stays open.

    Args:
        uri: Its folder.
    """

    def __init__(self, uri: str) -> None:
        self._uri, self._lock = uri, Lock()
        self._table: DeltaTable | None = None
        self._seen: tuple[int, int] | None = None
        self._dataset: tuple[int, Any] | None = None

    def dataset(self, version: int | None) -> Any:
        """The latest version, unless another is named."""
        with self._lock:
            table = self._latest()
            if version is not None and version != table.version():
                return to_dataset(_load(self._uri, version), self._uri)
            if self._dataset is None or self._dataset[0] != table.version():
                self._dataset = table.version(), to_dataset(table, self._uri)
            return self._dataset[1]

    def _latest(self) -> DeltaTable:
        """The table with all its commits, opened anew if it is no longer the one that was opened."""
        if self._table is None or self._seen is None or self._seen != self._commit(self._table.version()):
            self._table, self._dataset = _load(self._uri), None
        elif self._commit(self._table.version() + 1) is not None:
            self._table.update_incremental()
        self._seen = self._commit(self._table.version())
        return self._table

    def _commit(self, version: int) -> tuple[int, int] | None:
        """What tells the file of a version's commit from one that took its place; ``None`` where there is none."""
        try:
            found = Path(self._uri, "_delta_log", f"{version:020}.json").stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns


def _load(uri: str, version: int | None = None) -> DeltaTable:
    from deltalake import DeltaTable

    return DeltaTable(uri, version=version)
