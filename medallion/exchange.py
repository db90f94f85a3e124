"""Exchange rows of a table on the driver: no query, one commit, and none where nothing has changed.

The files that can hold the rows are read whole, compared with what the rows should be, and written anew where a row
differs. A MERGE does the same with ten to twenty Spark jobs, which on a few thousand rows are all that it costs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.arrays import BoolArray, IntArray
from conf.contract import Contract, load_contract
from medallion.arrow_rows import arrow_rows, stamp_rows
from medallion.data_files import DataFile, check_required, file_of_partition, files_by_partition
from medallion.dataset import open_dataset
from medallion.io import IGNORED, Lake
from medallion.part import Part
from medallion.transaction import TableTransaction, Txn, write_in_turn

_FEW_KEYS: Final = 5_000
_NEW: Final = ("update_postimage", "insert")
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
    inside: BoolArray


@dataclass(frozen=True)
class Exchange:
    """What to commit.

    Attributes:
        replaced: Files that go.
        kept: Rows of these that stay.
        changes: Rows as a change feed tells them, by ``_change_type``.
    """

    replaced: tuple[StoredFile, ...]
    kept: tuple[pa.Table, ...]
    changes: Mapping[str, pa.Table]

    @property
    def written(self) -> list[pa.Table]:
        """New rows, and rows whose content is another."""
        return [self.changes[kind] for kind in _NEW if kind in self.changes]

    @property
    def n_rows(self) -> int:
        """Rows that are written or deleted."""
        return sum(rows.num_rows for kind, rows in self.changes.items() if kind != "update_preimage")


def read_files(
    lake: Lake, name: str, part: Part, version: int | None = None, keys: pa.Table | None = None
) -> list[StoredFile]:
    """Files of a table that hold rows of a part, with all their rows.

    Args:
        lake: Where the table is.
        name: Table.
        part: Which rows.
        version: Of the table; the latest if left out.
        keys: Of the rows, if that many are known: files without any of them are left out.
    """
    dataset, near = open_dataset(name, lake.settings, version), part.envelope().expression()
    if keys is not None and keys.num_rows <= _FEW_KEYS:
        for column in load_contract(name).key:
            near &= pc.field(column).isin(pc.unique(keys[column]).cast(dataset.schema.field(column).type))
    found = []
    for fragment in dataset.get_fragments(near):
        keys = fragment.to_table(schema=dataset.schema, filter=near, columns=part.columns)
        if not part.mask(keys).any():
            continue  # the whole file is read only where need be
        rows = fragment.to_table(schema=dataset.schema)
        size = fragment.filesystem.get_file_info(fragment.path).size
        found.append(StoredFile(fragment.path, size, rows, part.mask(rows)))
    return found


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
    """Make a part of a table equal to some rows; see :func:`exchange_table`.

    Args:
        lake: Where the table is.
        name: Table.
        rows: All rows of the part, one a key; columns left out are null.
        part: Where the rows are.
        run_id: Job run that the rows will name.
        ignore: Columns that do not count as content.
        delete: Whether other rows of the part go.
    """
    return exchange_table(lake, name, stamp_rows(arrow_rows(name, rows), run_id), part, ignore=ignore, delete=delete)


def exchange_table(
    lake: Lake,
    name: str,
    rows: pa.Table,
    part: Part,
    *,
    ignore: Collection[str] = IGNORED,
    delete: bool = True,
) -> int:
    """Make a part of a table equal to some rows; rows whose content is the same stay untouched.

    Another writer's commit meanwhile is found, and the exchange done again on what is there then.

    Args:
        lake: Where the table is.
        name: Table.
        rows: All rows of the part, one a key, with the contract's columns.
        part: Where the rows are.
        ignore: Columns that do not count as content.
        delete: Whether other rows of the part go.

    Returns:
        How many rows were written or deleted.

    Raises:
        CONFLICTS: One of these, if other writers were quicker every time.
        ValueError: If a column that must have a value has none.
    """
    check_required(load_contract(name), rows)
    contract = load_contract(name)
    return _exchange(lake, name, part, lambda files: plan_exchange(files, rows, contract, ignore, delete=delete))


def set_columns(lake: Lake, name: str, values: pa.Table, part: Part, txn: Txn | None = None) -> int:
    """Set columns of rows that are there; see :func:`exchange_table`.

    Args:
        lake: Where the table is.
        name: Table.
        values: Keys of the rows, and the columns to set.
        part: Where the rows are.
        txn: Identity of the write: it is made at most once.

    Returns:
        How many rows were changed.
    """
    contract = load_contract(name)

    def plan(files: Sequence[StoredFile]) -> Exchange | None:
        there = _stack([file.rows.filter(pa.array(file.inside)) for file in files], contract)
        number = match_rows(there, values, contract.key)
        rows, place = there.filter(pa.array(number >= 0)), pa.array(number[number >= 0])
        for column in values.column_names:
            index = rows.schema.get_field_index(column)
            field = rows.schema.field(index)
            rows = rows.set_column(index, field, values[column].take(place).cast(field.type))
        return plan_exchange(files, rows, contract, (), delete=False)

    return _exchange(lake, name, part, plan, txn, values) if values.num_rows else 0


def put_rows(lake: Lake, name: str, rows: Iterable[Row], run_id: str) -> int:
    """Write rows in the place of those with the same keys, which may be none; see :func:`exchange_rows`."""
    new = list(rows)
    keys = {column: sorted({row[column] for row in new}) for column in load_contract(name).key}
    return exchange_rows(lake, name, new, Part((keys,)), run_id, delete=False)


def add_rows(lake: Lake, name: str, rows: Iterable[Row], part: Part, run_id: str) -> int:
    """Write rows whose keys are not there yet; those that are stay as they are, also where another writer was quicker.

    Args:
        lake: Where the table is.
        name: Table.
        rows: Rows, one a key.
        part: Where the rows are.
        run_id: Job run that the rows will name.

    Returns:
        How many rows were written.
    """
    contract, new = load_contract(name), stamp_rows(arrow_rows(name, rows), run_id)

    def plan(files: Sequence[StoredFile]) -> Exchange | None:
        there = _stack([file.rows for file in files], contract)
        missing = new.filter(pa.array(match_rows(new, there, contract.key) < 0))
        return plan_exchange(files, missing, contract, delete=False)

    return _exchange(lake, name, part, plan)


def _exchange(
    lake: Lake,
    name: str,
    part: Part,
    plan_for: Callable[[Sequence[StoredFile]], Exchange | None],
    txn: Txn | None = None,
    keys: pa.Table | None = None,
) -> int:
    """Commit what a plan for the part's files says, anew on what is there where another writer was quicker."""
    contract = load_contract(name)
    lake.ensure(name)

    def commit() -> int:
        transaction = TableTransaction(lake.spark, lake.uri(name))
        plan = plan_for(read_files(lake, name, part, transaction.version, keys))
        if plan is None:
            return 0
        made = transaction.replace(*_files_to_commit(plan, contract), part.sql(), txn)
        return plan.n_rows if made else 0

    return write_in_turn(lake.uri(name), commit)


def plan_exchange(
    files: Sequence[StoredFile],
    rows: pa.Table,
    contract: Contract,
    ignore: Collection[str] = IGNORED,
    *,
    delete: bool = True,
) -> Exchange | None:
    """What to commit so that the part holds ``rows``, and no others with ``delete``; ``None`` where it does."""
    content = [c for c in contract.column_names if c not in contract.key and c not in ignore]
    if rows.group_by(list(contract.key)).aggregate([]).num_rows < rows.num_rows:
        raise ValueError(f"{contract.name}: two rows have one key")
    is_new = np.ones(rows.num_rows, np.bool_)
    changes: defaultdict[str, list[pa.Table]] = defaultdict(list)
    replaced, kept = [], []
    for file in files:
        places = np.flatnonzero(file.inside)
        old = file.rows.take(pa.array(places))
        number = match_rows(old, rows, contract.key)
        known = np.flatnonzero(number >= 0)
        number[known[~is_new[number[known]]]] = -1  # a row that another file has, too
        known = np.flatnonzero(number >= 0)
        is_new[number[known]] = False
        differs = np.zeros(len(old), np.bool_)
        differs[known] = ~same_rows(old.take(pa.array(known)), rows.take(pa.array(number[known])), content)
        gone = (number < 0) & delete
        if not (goes := differs | gone).any():
            continue
        stays = np.ones(file.rows.num_rows, np.bool_)
        stays[places[goes]] = False
        replaced.append(file)
        kept.append(file.rows.filter(pa.array(stays)))
        changes["update_preimage"].append(old.filter(pa.array(differs)))
        changes["update_postimage"].append(rows.take(pa.array(number[differs])))
        changes["delete"].append(old.filter(pa.array(gone)))
    changes["insert"].append(rows.filter(pa.array(is_new)))
    told = {kind: _stack(found, contract) for kind, found in changes.items()}
    told = {kind: found for kind, found in told.items() if found.num_rows}
    return Exchange(tuple(replaced), tuple(kept), told) if told else None


def match_rows(there: pa.Table, rows: pa.Table, key: Sequence[str]) -> IntArray:
    """Number of the row with the same key, -1 where there is none; of rows with one key, the first has it.

    Args:
        there: Rows, shape (n,).
        rows: Rows, one a key, to find each of them among.
        key: Columns; all have a value.

    Returns:
        Shape (n,).
    """
    number = np.full(there.num_rows, -1, np.int64)
    if not (there.num_rows and rows.num_rows):
        return number
    left = pa.table({name: there[name] for name in key} | {"_there": np.arange(there.num_rows)})
    right = pa.table({name: rows[name].cast(there[name].type) for name in key} | {"_row": np.arange(rows.num_rows)})
    found = left.join(right, list(key), join_type="inner")
    place, row = found["_there"].to_numpy(), found["_row"].to_numpy()
    in_order = np.argsort(place)
    _, first = np.unique(row[in_order], return_index=True)
    number[place[in_order][first]] = row[in_order][first]
    return number


def _stack(tables: Sequence[pa.Table], contract: Contract) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive") if tables else arrow_rows(contract.name, ())


def same_rows(some: pa.Table, others: pa.Table, columns: Iterable[str]) -> BoolArray:
    """Whether rows have the same values, row by row; null and null are the same, NaN and NaN, too."""
    same = np.ones(some.num_rows, np.bool_)
    for name in columns:
        one, other = some[name], others[name]
        if pa.types.is_nested(one.type):
            pairs = zip(_values(one), _values(other), strict=True)
            same &= np.array([same_value(a, b) for a, b in pairs], np.bool_)
            continue
        equal = pc.fill_null(pc.equal(one, other), False)
        equal = pc.or_(equal, pc.and_(one.is_null(), other.is_null()))
        if pa.types.is_floating(one.type):
            equal = pc.or_(equal, pc.and_(*(pc.fill_null(pc.is_nan(side), False) for side in (one, other))))
        same &= equal.to_numpy()
    return same


def _values(column: pa.ChunkedArray) -> list[Any]:
    values = column.to_pylist()
    return [None if v is None else dict(v) for v in values] if pa.types.is_map(column.type) else values


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are the same, NaN and NaN among them."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[k], other[k]) for k in one)
    return bool(one == other)


def _files_to_commit(plan: Exchange, contract: Contract) -> tuple[list[DataFile], list[DataFile], list[DataFile]]:
    """Files to remove, to add, and of the change feed."""
    removed = [file_of_partition(contract, file.rows.slice(0, 1), file.path, file.size) for file in plan.replaced]
    added = files_by_partition(contract, _stack([*plan.written, *plan.kept], contract))
    if contract.table_properties.get("delta.enableChangeDataFeed") != "true":
        return removed, added, []
    feed = [rows.append_column("_change_type", pa.array([kind] * rows.num_rows)) for kind, rows in plan.changes.items()]
    return removed, added, files_by_partition(contract, _stack(feed, contract))
