"""Exchange a few rows of a table on the driver: no query, one commit, and none where nothing has changed.

The files that can hold the rows are read whole, compared with what the rows should be, and written anew where a row
differs. A MERGE does the same with ten to twenty Spark jobs, which on a few hundred rows are all that it costs.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import Row as SparkRow

from conf.contract import Contract, load_contract
from conf.lake import storage_options
from medallion.arrow_rows import arrow_rows
from medallion.data_files import DataFile, check_required, file_of_partition, files_by_partition
from medallion.io import IGNORED, Lake
from medallion.part import Part
from medallion.transaction import CONFLICTS, TableTransaction

_ATTEMPTS: Final = 8
Key = tuple[Any, ...]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class StoredFile:
    """A data file of a table.

    Attributes:
        path: Path below the table's folder.
        size: Bytes.
        rows: What it holds, partition columns among them.
        inside: Of each row, whether it is in the part that is exchanged.
    """

    path: str
    size: int
    rows: pa.Table
    inside: tuple[bool, ...]


@dataclass(frozen=True)
class Exchange:
    """What to commit.

    Attributes:
        replaced: Files that go.
        kept: Rows of these that stay.
        written: New rows, and rows whose content is another.
        changes: Rows as a change feed tells them, by ``_change_type``.
    """

    replaced: tuple[StoredFile, ...]
    kept: tuple[pa.Table, ...]
    written: tuple[Row, ...]
    changes: Mapping[str, Sequence[Row]]


def read_files(lake: Lake, name: str, part: Part, version: int | None = None) -> list[StoredFile]:
    """Files of a table that can hold rows of a part, by partition and statistics, with their rows."""
    dataset, inside = _open_dataset(lake, name, version), part.expression()
    found = []
    for fragment in dataset.get_fragments(inside):
        rows = fragment.to_table(schema=dataset.schema)
        numbers = pa.array(range(rows.num_rows), pa.int64())
        chosen = set(rows.append_column("_row", numbers).filter(inside)["_row"].to_pylist())
        size = fragment.filesystem.get_file_info(fragment.path).size
        found.append(StoredFile(fragment.path, size, rows, tuple(n in chosen for n in range(rows.num_rows))))
    return found


def read_rows(lake: Lake, name: str, part: Part, columns: Sequence[str] | None = None) -> list[SparkRow]:
    """Rows of a part of a table; none where there is no table yet. Instants are in UTC."""
    lake.ensure(name)
    rows = _open_dataset(lake, name).to_table(filter=part.expression(), columns=None if columns is None else [*columns])
    return [SparkRow(**row) for row in rows.to_pylist()]


def exchange_rows(
    lake: Lake,
    name: str,
    rows: Iterable[Row],
    part: Part,
    run_id: str,
    *,
    ignore: Collection[str] = IGNORED,
    delete: bool = True,
) -> int:
    """Make a part of a table equal to some rows; rows whose content is the same stay untouched.

    Another writer's commit meanwhile is found, and the exchange done again on what is there then.

    Args:
        lake: Where the table is.
        name: Table.
        rows: All rows of the part, one a key; columns left out are null.
        part: Where the rows are.
        run_id: Job run that the rows will name.
        ignore: Columns that do not count as content.
        delete: Whether other rows of the part go.

    Returns:
        How many rows were written or deleted.

    Raises:
        CONFLICTS: One of these, if other writers were quicker every time.
        ValueError: If a column that must have a value has none.
    """
    contract = load_contract(name)
    lake.ensure(name)
    stamps = {"run_id": run_id, "updated_ts": datetime.now(UTC)}
    new = arrow_rows(name, (dict(row) | stamps for row in rows))
    check_required(contract, new)
    attempt = 1
    while True:
        transaction = TableTransaction(lake.spark, lake.uri(name))
        files = read_files(lake, name, part, transaction.version)
        plan = plan_exchange(files, new.to_pylist(), contract, ignore, delete=delete)
        if plan is None:
            return 0
        try:
            transaction.replace(*_files_to_commit(plan, contract, new.schema), part.sql())
        except CONFLICTS:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)
            attempt += 1
        else:
            return sum(len(rows) for kind, rows in plan.changes.items() if kind != "update_preimage")


def put_rows(lake: Lake, name: str, rows: Iterable[Row], run_id: str) -> int:
    """Write rows in the place of those with the same keys, which may be none; see :func:`exchange_rows`."""
    new = list(rows)
    keys = {column: sorted({row[column] for row in new}) for column in load_contract(name).key}
    return exchange_rows(lake, name, new, Part((keys,)), run_id, delete=False)


def plan_exchange(
    files: Sequence[StoredFile],
    rows: Sequence[Row],
    contract: Contract,
    ignore: Collection[str] = IGNORED,
    *,
    delete: bool = True,
) -> Exchange | None:
    """What to commit so that the part holds ``rows``, and no others with ``delete``; ``None`` where it does."""

    def key_of(row: Row) -> Key:
        return tuple(row[name] for name in contract.key)

    content = [c for c in contract.column_names if c not in contract.key and c not in ignore]
    new = {key_of(row): row for row in rows}
    if len(new) < len(rows):
        raise ValueError(f"{contract.name}: two rows have one key")
    changes: defaultdict[str, list[Row]] = defaultdict(list)
    replaced, kept = [], []
    for file in files:
        stays = []
        for old, inside in zip(file.rows.to_pylist(), file.inside, strict=True):
            row = new.pop(key_of(old), None) if inside else None
            stay = not (inside and delete) if row is None else all(same_value(old.get(c), row[c]) for c in content)
            if stay:
                stays.append(True)
                continue
            stays.append(False)
            if row is None:
                changes["delete"].append(old)
            else:
                changes["update_preimage"].append(old)
                changes["update_postimage"].append(row)
        if not all(stays):
            replaced.append(file)
            kept.append(file.rows.filter(pa.array(stays)))
    if new:
        changes["insert"] = list(new.values())
    if not changes:
        return None
    written = (*changes["update_postimage"], *changes["insert"])
    return Exchange(tuple(replaced), tuple(kept), written, changes)


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are the same, NaN and NaN among them."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[k], other[k]) for k in one)
    return bool(one == other)


def _open_dataset(lake: Lake, name: str, version: int | None = None) -> Any:
    from deltalake import DeltaTable  # the workers of Spark import this module and open no table

    table = DeltaTable(lake.uri(name), version=version, storage_options=storage_options(lake.settings))
    return table.to_pyarrow_dataset()


def _files_to_commit(
    plan: Exchange, contract: Contract, schema: pa.Schema
) -> tuple[list[DataFile], list[DataFile], list[DataFile]]:
    """Files to remove, to add, and of the change feed."""
    removed = [file_of_partition(contract, file.rows.slice(0, 1), file.path, file.size) for file in plan.replaced]
    written = pa.Table.from_pylist(list(plan.written), schema)
    rows = pa.concat_tables([written, *plan.kept], promote_options="permissive")
    added = files_by_partition(contract, rows)
    if contract.table_properties.get("delta.enableChangeDataFeed") != "true":
        return removed, added, []
    told = [dict(row) | {"_change_type": kind} for kind, found in plan.changes.items() for row in found]
    feed = pa.Table.from_pylist(told, schema.append(pa.field("_change_type", pa.string())))
    return removed, added, files_by_partition(contract, feed)
