"""Read rows of tables on the driver, without a Spark job: only from files that can hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Row

from medallion.dataset import open_dataset
from medallion.io import Lake
from medallion.part import Part


def read_table(lake: Lake, name: str, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a part of a table; none where there is no table yet."""
    lake.ensure(name)
    asked = None if columns is None else [*columns]
    return open_dataset(name, lake.settings).to_table(filter=part.expression(), columns=asked)


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
    return int(open_dataset(name, lake.settings).count_rows(filter=part.expression()))
