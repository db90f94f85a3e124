"""An answer of the lake, in the form that its reader likes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from conf.errors import InputError
from serving.lake.reader import LakeReader
from serving.lake.rows import Where

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_LONGEST_TEXT: Final = 10_000


def select_rows(
    reader: LakeReader, table: str, columns: Sequence[str] | None, where: Where, order_by: Sequence[str] = ()
) -> Answer:
    """Rows of a table; files that cannot hold such rows are not opened.

    Args:
        reader: Reads the lake.
        table: As ``layer.table``.
        columns: Those to read; all if left out.
        where: Column and the value that it has.
        order_by: Columns to sort by, upwards.

    Raises:
        LakeError: If there is no such table, or it cannot be read.
        InputError: If it has no such column.
    """
    import pyarrow.dataset as pads

    dataset = reader.dataset(table)
    unknown = [column for column in (*(columns or ()), *where) if column not in dataset.schema.names]
    if unknown:
        raise InputError(f"{table} has no column {', '.join(unknown)}; it has {', '.join(dataset.schema.names)}")
    clauses: list[Any] = [pads.field(column) == value for column, value in where.items()]
    found = dataset.to_table(columns=columns and list(columns), filter=reduce(and_, clauses) if clauses else None)
    return Answer(found.sort_by([(column, "ascending") for column in order_by]) if order_by else found)


class Answer:
    """Rows with named columns.

    ``answer.polars()``, ``answer.pandas()`` and ``answer.arrow()`` are the same rows in another form.

    Args:
        table: The rows.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def arrow(self) -> pa.Table:
        """As an Arrow table."""
        return self._table

    def polars(self) -> pl.DataFrame:
        """As a Polars data frame."""
        import polars as pl

        return pl.DataFrame(pl.from_arrow(self._table))

    def pandas(self) -> pd.DataFrame:
        """As a pandas data frame."""
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def rows(self) -> list[dict[str, Any]]:
        """As dictionaries, one a row."""
        return self.polars().to_dicts()

    def value(self) -> Any:
        """The one value of an answer of one row and one column.

        Raises:
            ValueError: If there are more, or none.
        """
        if self._table.shape != (1, 1):
            rows, columns = self._table.shape
            raise ValueError(f"an answer of {rows} rows and {columns} columns is not one value")
        return self.polars().item()

    def save(self, path: str | Path) -> Path:
        """Write it into a file that ends in ``.csv``, ``.json``, ``.parquet`` or ``.xlsx``; returns its path.

        Raises:
            InputError: If the file cannot be written so, see :func:`serving.lake.answer_files.write_answer`.
        """
        from serving.lake.answer_files import write_answer

        write_answer(self._table.to_reader(), Path(path))
        return Path(path)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self._table.schema.names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        return str(self.polars())

    def _repr_html_(self) -> str:
        """As a notebook shows it, no text cut short."""
        import polars as pl

        with pl.Config(fmt_str_lengths=_LONGEST_TEXT):
            return str(self.polars()._repr_html_())
