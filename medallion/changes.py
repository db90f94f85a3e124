"""Which rows of tables changed between two versions, read on the driver from their change feeds."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from conf.lake import storage_options
from medallion.io import Lake
from medallion.part import EVERYTHING
from medallion.reading import scan_table

CHANGE_TYPE = "_change_type"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableChanges:
    """What happened to tables.

    Attributes:
        lake: Where they are.
        seen: Version by table up to which they are known; of a table that is not in it nothing is known.
        until: Version by table up to which they are looked at.
        rows_read: How many changed rows have been read of each table.
    """

    lake: Lake
    seen: Mapping[str, int]
    until: Mapping[str, int]
    rows_read: Counter[str] = field(default_factory=Counter, compare=False)

    @property
    def changed(self) -> list[str]:
        """Tables with a version that is not known."""
        return [name for name, version in self.until.items() if self.seen.get(name) != version]

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Rows of a table that were added, removed, or were before or after an update, a batch at a time.

        Where nothing is known of the table, or its change feed does not reach back so far, all its rows count as added.

        Args:
            name: Table.
            columns: What to read of it; ``_change_type`` comes beside.
        """
        for rows in self._rows(name, columns):
            self.rows_read[name] += rows.num_rows
            yield rows

    def _rows(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        seen, until = self.seen.get(name), self.until[name]
        if seen is not None and seen >= until:
            return
        feed = None if seen is None else self._feed(name, seen + 1, until, columns)
        if feed is not None:
            yield from feed
            return
        for batch in scan_table(self.lake, name, EVERYTHING, columns):
            yield pa.table(batch).append_column(CHANGE_TYPE, pa.array(["insert"] * batch.num_rows, pa.string()))

    def _feed(self, name: str, first: int, last: int, columns: Sequence[str]) -> Iterator[pa.Table] | None:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        table = DeltaTable(self.lake.uri(name), version=last, storage_options=storage_options(self.lake.settings))
        try:
            feed = table.load_cdf(first, last, columns=[*columns, CHANGE_TYPE])
        except DeltaError as error:
            _log.warning(
                "%s: no change feed of versions %d to %d (%s): all rows are looked at", name, first, last, error
            )
            return None
        return (_plain(pa.table(batch)) for batch in feed)


def _plain(rows: pa.Table) -> pa.Table:
    """Rows with texts as all else here has them."""
    fields = [
        pa.field(field.name, pa.string() if field.type == pa.string_view() else field.type) for field in rows.schema
    ]
    return rows.cast(pa.schema(fields))
