"""The peer's Delta tables: read with Polars, written by ``deltalake``, one commit a write."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction
from pyspark.sql import Row

from benchmarks.peers import polars_type
from conf.contract import load_contract
from medallion.arrow_rows import arrow_rows, nan_to_null, stamp_rows

RUN_ID = "peer"
_INDEXED = "delta.dataSkippingNumIndexedCols"


class DeltaStore:
    """Tables below a folder, ``<layer>/<table>`` each.

    Args:
        folder: Where they are, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Folder of a table."""
        return self.folder.joinpath(*name.split("."))

    def exists(self, name: str) -> bool:
        """Whether anything was ever written to a table."""
        return (self.path(name) / "_delta_log").is_dir()

    def read(self, name: str, where: pl.Expr, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of a table; none where there is no table yet."""
        rows = pl.scan_delta(str(self.path(name))) if self.exists(name) else no_rows(name).lazy()
        found = rows.filter(where)
        return (found if columns is None else found.select(columns)).collect()

    def rows(self, name: str, where: pl.Expr, columns: Sequence[str] | None = None) -> list[Row]:
        """The same, row by row."""
        return [Row(**row) for row in self.read(name, where, columns).to_dicts()]

    def append(self, name: str, rows: pa.Table | pl.DataFrame) -> None:
        """Append rows; a table that is not there is made."""
        partitions = list(load_contract(name).partition_columns) or None
        configuration = None if self.exists(name) else table_configuration(name)
        write_deltalake(self.path(name), rows, mode="append", partition_by=partitions, configuration=configuration)

    def replace(self, name: str, rows: pa.Table | pl.DataFrame, where: str) -> None:
        """Put rows in place of those that meet an SQL condition, as all the new ones do."""
        if self.exists(name):
            write_deltalake(self.path(name), rows, mode="overwrite", predicate=where)
        elif len(rows):
            self.append(name, rows)

    def replace_rows(self, name: str, rows: Iterable[Mapping[str, Any]], where: str) -> None:
        """The same with rows as mappings; columns left out are null."""
        self.replace(name, stamp_rows(nan_to_null(arrow_rows(name, rows)), RUN_ID), where)


def no_rows(name: str) -> pl.DataFrame:
    """The columns of a table, less its maps, which Polars has none of."""
    columns = (c for c in load_contract(name).columns if not c.physical_type.startswith("MAP<"))
    return pl.DataFrame(schema={c.name: polars_type(c.physical_type) for c in columns})


def clone_lake(lake: Path, folder: Path, names: Iterable[str]) -> DeltaStore:
    """New tables with the rows and files that ours have now, without their history, change feed and rules.

    Data files are hard links: no writer changes a file.
    """
    shutil.rmtree(folder, ignore_errors=True)
    store = DeltaStore(folder)
    for name in names:
        if (lake.joinpath(*name.split(".")) / "_delta_log").is_dir():
            _clone_table(lake.joinpath(*name.split(".")), store, name)
    return store


def _clone_table(here: Path, store: DeltaStore, name: str) -> None:
    contract, there = load_contract(name), store.path(name)
    partitions = list(contract.partition_columns) or None
    there.mkdir(parents=True)
    table = DeltaTable.create(
        there, DeltaTable(here).schema(), partition_by=partitions, configuration=table_configuration(name)
    )
    actions = []
    for file in _live_files(here / "_delta_log"):
        path = unquote(file["path"])
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(here / path, there / path)
        actions.append(
            AddAction(
                file["path"], file["size"], file["partitionValues"], file["modificationTime"], True, file.get("stats")
            )
        )
    if actions:
        table.create_write_transaction(actions, "append", table.schema(), partition_by=partitions)


def _live_files(log: Path) -> list[dict[str, Any]]:
    """What a table's log says of the files that are part of it now."""
    found = {}
    for commit in sorted(log.glob("*.json")):
        for action in map(json.loads, commit.read_text(encoding="utf-8").splitlines()):
            if "add" in action:
                found[action["add"]["path"]] = action["add"]
            elif "remove" in action:
                found.pop(action["remove"]["path"], None)
    return list(found.values())


def table_configuration(name: str) -> dict[str, str] | None:
    """For how many columns the peer's files have statistics: as many as ours."""
    indexed = load_contract(name).table_properties.get(_INDEXED)
    return {_INDEXED: indexed} if indexed else None


def quoted(values: Collection[str | int]) -> str:
    """Values as an SQL list."""
    return ", ".join(str(v) if isinstance(v, int) else "'" + v.replace("'", "''") + "'" for v in sorted(values))


def instant(us: int) -> str:
    """An instant as SQL compares it."""
    return f"'{datetime.fromtimestamp(us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%S}.{us % 1_000_000:06d}Z'"
