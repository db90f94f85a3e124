"""A Delta table as an Arrow dataset, whose files Arrow itself reads wherever it can."""

from __future__ import annotations

from typing import Any

from conf.lake import storage_options, table_uri
from conf.settings import AppConfig


def open_dataset(name: str, settings: AppConfig, version: int | None = None) -> Any:
    """A table, the latest version unless another is named, as a ``pyarrow.dataset.Dataset``.

    Left to itself, deltalake gives Arrow a file system that is Python's: its reading threads then wait for the
    interpreter, and one of them that still holds a file when the process ends aborts it, with its work done.

    Args:
        name: ``layer.table``.
        settings: Say where the lake is.
        version: Of the table.
    """
    from deltalake import DeltaTable  # the workers of Spark import what imports this, and open no table
    from pyarrow import fs

    uri, options = table_uri(name, settings), storage_options(settings)
    table = DeltaTable(uri, version=version, storage_options=options)
    own_files = None if options else fs.SubTreeFileSystem(uri, fs.LocalFileSystem())
    return table.to_pyarrow_dataset(filesystem=own_files)
