"""Read rows of tables on the driver, without a Spark job: only from files that can hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import Row

from medallion.dataset import open_dataset
from medallion.io import Lake
from medallion.part import Part

_AT_ONCE: Final = 100_000


def read_table(lake: Lake, name: str, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a part of a table; none where there is no table yet."""
    lake.ensure(name)
    dataset = open_dataset(name, lake.settings)
    asked = dataset.schema.names if columns is None else [*columns]
    if len(part.clauses) <= 1:
        return dataset.to_table(filter=part.expression(), columns=asked)
    needed = [*dict.fromkeys([*asked, *part.columns])]
    found = [near.filter(pa.array(part.mask(near))) for near in _scan_envelope(dataset, part, needed)]
    rows = pa.schema([dataset.schema.field(column) for column in needed])
    return pa.concat_tables([rows.empty_table(), *found]).select(asked)


def _scan_envelope(dataset: Any, part: Part, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Rows of a part and others near them, many at a time."""
    rows = pa.schema([dataset.schema.field(column) for column in columns])
    for some in _by_size(dataset.to_batches(filter=part.envelope().expression(), columns=rows.names)):
        yield pa.Table.from_batches(some, rows)


def _by_size(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Batches by so many that what they are asked is not asked row by row, and that they fit."""
    some: list[pa.RecordBatch] = []
    for batch in batches:
        some.append(batch)
        if sum(one.num_rows for one in some) >= _AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def read_rows(lake: Lake, name: str, part: Part, columns: Sequence[str] | None = None) -> list[Row]:
    """Rows of a part of a table, as :func:`read_table`. Instants are in UTC."""
    return [Row(**row) for row in read_table(lake, name, part, columns).to_pylist()]


def scan_table(lake: Lake, name: str, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read rows of a part of a table, however many, a batch at a time."""
    lake.ensure(name)
    yield from open_dataset(name, lake.settings).to_batches(filter=part.expression(), columns=[*columns])


def count_rows(lake: Lake, name: str, part: Part) -> int:
    """How many rows of a table are in a part."""
    lake.ensure(name)
    dataset = open_dataset(name, lake.settings)
    if len(part.clauses) <= 1:
        return int(dataset.count_rows(filter=part.expression()))
    return sum(int(part.mask(near).sum()) for near in _scan_envelope(dataset, part, part.columns))


def are_at_most(lake: Lake, name: str, part: Part, most: int) -> bool:
    """Whether a part of a table has no more rows than so many."""
    return count_rows(lake, name, part.envelope()) <= most or count_rows(lake, name, part) <= most
