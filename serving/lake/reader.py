"""The lake as its readers see it, without a JVM: tables by their contracts' names, held open and brought forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from conf.lake import storage_options, table_uri
from conf.settings import AppConfig
from serving.lake import store

if TYPE_CHECKING:  # a list of tables needs neither, a query no polars: each takes a tenth of a second
    import polars as pl
    import pyarrow as pa

    from serving.lake.rows import Row, Where


class LakeReader:
    """Delta tables of one lake, by contract name: the reading counterpart of :class:`medallion.io.Lake`.

    Each question is answered from the newest version of its table. A page, whose figures shall all be of one version,
    asks a :meth:`snapshot`, which is a reader too. A table's log is replayed when the table is first opened; from then
    on only what was committed since is read. Threads share a reader by each asking a snapshot of its own.

    Args:
        settings: Say where the lake is.
    """

    def __init__(self, settings: AppConfig) -> None:
        self.settings = settings
        self._held: dict[str, DeltaTable] = {}
        self._datasets: dict[str, tuple[object, Any]] = {}
        self._lock = Lock()

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        return store.is_table(name, self.settings)

    def existing_tables(self) -> tuple[str, ...]:
        """Names of the tables that exist, sorted."""
        return store.existing_tables(self.settings)

    def table(self, name: str) -> DeltaTable:
        """The table at its newest version.

        Raises:
            MissingTableError: If it does not exist.
            NewerContractError: If a newer release of Slipstream wrote it.
            LakeError: If its transaction log cannot be read.
        """
        with self._lock:
            held = self._held.pop(name, None)
            self._held[name] = table = self._forward(name, held)
        return table

    def version(self, name: str) -> int:
        """Delta version of the table; raises as :meth:`table` does."""
        return int(self.table(name).version())

    def dataset(self, name: str) -> Any:
        """The table as a ``pyarrow.dataset.Dataset``; raises as :meth:`table` does."""
        return self.make_dataset(name, self.table(name))

    def make_dataset(self, name: str, table: DeltaTable) -> Any:
        """A table of this lake as a dataset, which is kept as long as the table stays as it is."""
        from medallion.dataset import to_dataset

        state = (table.metadata().id, table.version())
        with self._lock:
            kept = self._datasets.get(name)
        if kept is not None and kept[0] == state:
            return kept[1]
        folder = None if storage_options(self.settings) else table_uri(name, self.settings)
        try:
            made = to_dataset(table, folder)
        except DeltaError as error:
            raise store.LakeError(f"table {name} cannot be read: {error}") from error
        with self._lock:
            self._datasets[name] = state, made
        return made

    def frame(
        self,
        name: str,
        where: Where | None = None,
        *,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] = (),
        distinct: bool = False,
    ) -> pl.DataFrame:
        """Rows of a table as columns; see :func:`serving.lake.rows.read_frame`.

        Raises:
            LakeError: If the table does not exist, has no such column, or cannot be read.
        """
        import polars as pl

        from serving.lake.rows import read_frame

        table = self.table(name)
        try:
            return read_frame(table, where, columns=columns, order_by=order_by, distinct=distinct)
        except (pl.exceptions.PolarsError, DeltaError, OSError) as error:
            raise store.LakeError(f"table {name} cannot be read: {error}") from error

    def rows(
        self,
        name: str,
        where: Where | None = None,
        *,
        columns: Sequence[str] | None = None,
        order_by: Sequence[str] = (),
        distinct: bool = False,
        missing_ok: bool = False,
    ) -> list[Row]:
        """The same as dictionaries; with ``missing_ok`` a table that does not exist yet has no rows."""
        if missing_ok and not self.exists(name):
            return []
        return self.frame(name, where, columns=columns, order_by=order_by, distinct=distinct).to_dicts()

    def sql(self, statement: str, timeout_s: float | None = None) -> pa.RecordBatchReader:
        """Run a user's query over all tables and stream its answer; see :func:`serving.lake.sql.execute_sql`."""
        from serving.lake.sql import execute_sql

        return execute_sql(statement, self, timeout_s)

    def query(self, statement: str) -> pa.Table:
        """Run a query and read its whole answer."""
        return self.sql(statement).read_all()

    def snapshot(self) -> LakeSnapshot:
        """The lake as it is now, for one page or answer: each table stays at the version at which it is first used."""
        return LakeSnapshot(self)

    def lend(self, name: str) -> DeltaTable:
        """The table at its newest version, for one who keeps it there; it is not brought forward until given back."""
        table = self.table(name)
        with self._lock:
            if self._held.get(name) is table:
                del self._held[name]
        return table

    def take_back(self, tables: Mapping[str, DeltaTable]) -> None:
        """Hold tables again that were lent."""
        with self._lock:
            for name, table in tables.items():
                self._held.setdefault(name, table)

    def _forward(self, name: str, held: DeltaTable | None) -> DeltaTable:
        if held is None:
            return store.open_table(name, self.settings)
        try:
            held.update_incremental()
        except DeltaError:
            return store.open_table(name, self.settings)  # its log was cleaned away below what is held, or it is gone
        store.check_contract(name, held)
        return held


class LakeSnapshot(LakeReader):
    """The lake at one version a table, taken when the table is first used; a table that is not there stays so.

    As a context manager it gives its tables back to the reader that it is of, which then need not replay their logs.

    Args:
        reader: Whose tables to show.
    """

    def __init__(self, reader: LakeReader) -> None:
        super().__init__(reader.settings)
        self._reader = reader
        self._missing: set[str] = set()

    @property
    def versions(self) -> dict[str, int]:
        """Delta version of every table that was shown, in the order of first use."""
        return {name: int(table.version()) for name, table in self._held.items()}

    def exists(self, name: str) -> bool:
        """Whether the table existed when it was first asked for."""
        if name in self._held:
            return True
        if name not in self._missing and not self._reader.exists(name):
            self._missing.add(name)
        return name not in self._missing

    def table(self, name: str) -> DeltaTable:
        """The table at the version of this snapshot; raises as :meth:`LakeReader.table` does."""
        with self._lock:
            if name not in self._held:
                if name in self._missing:
                    raise store.missing_table_error(name, self.settings)
                self._held[name] = self._reader.lend(name)
            return self._held[name]

    def make_dataset(self, name: str, table: DeltaTable) -> Any:
        """A table of the lake as a dataset, which its reader keeps."""
        return self._reader.make_dataset(name, table)

    def snapshot(self) -> LakeSnapshot:
        """This snapshot: it stands still already."""
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # After an error what is held may be of a lake that is not there any more, so the next question opens it anew.
        if kind is None:
            self._reader.take_back(self._held)
            self._held = {}
