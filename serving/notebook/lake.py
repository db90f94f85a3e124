"""``slipstream.open()``: the lake's tables, sessions and laps from Python, without a JVM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from conf.errors import InputError
from conf.settings import get_settings
from conf.tables import SILVER_LAPS
from serving.lake.reader import LakeReader
from serving.lake.rows import Value
from serving.notebook.answer import Answer, select_rows
from serving.notebook.session import Session
from serving.queries.laps import choose_session, sessions_with_laps

_VERSIONS: Final = pa.schema(
    {
        "version": pa.int64(),
        "written_ts": pa.timestamp("ms", "UTC"),
        "operation": pa.string(),
        "predicate": pa.string(),
        "engine": pa.string(),
    }
)


def open_lake(home: str | Path | None = None) -> Lake:
    """Open a lake to ask it; nothing can be changed.

    Args:
        home: Folder that ``slipstream`` keeps its data in; that of the settings (``SLIPSTREAM_HOME``, ``.env``, else
            ``.slipstream`` in this folder) if left out.

    Raises:
        InputError: If there is no lake.
    """
    settings = get_settings()
    if home is not None:
        settings = settings.model_copy(update={"slipstream_home": Path(home), "azure_storage_account": None})
    lake = Lake(LakeReader(settings))
    if not lake.tables:
        raise InputError(
            f"there are no tables in {settings.lake_root}: give the folder that holds a lake, as in "
            'slipstream.open("/path/.slipstream"), or fill one with `slipstream demo`'
        )
    return lake


class Lake:
    """A lake that is open for questions, each answered from the newest version of its tables.

    Args:
        reader: Reads its tables.
    """

    def __init__(self, reader: LakeReader) -> None:
        self.reader = reader

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that there are, as ``layer.table``."""
        return self.reader.existing_tables()

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions that have laps."""
        return sessions_with_laps(self.reader) if self.reader.exists(SILVER_LAPS) else ()

    def sql(self, query: str, timeout_s: float | None = None) -> Answer:
        """Ask in SQL; tables are named ``layer.table``.

        Args:
            query: One query, see ``slipstream sql --help``.
            timeout_s: Seconds after which it is ended.

        Raises:
            QueryError: If it is no query, or fails; with what may have been meant.
            LakeError: If a table cannot be read.
        """
        return Answer(self.reader.sql(query, timeout_s).read_all())

    def table(self, name: str, columns: Sequence[str] | None = None, **where: Value) -> Answer:
        """Rows of a table: ``lake.table("silver.laps", session_id="barber-R1")``.

        Files that cannot hold such rows are not opened.

        Args:
            name: As ``layer.table``.
            columns: Those to read; all if left out.
            **where: Column and the value that it has.

        Raises:
            LakeError: If there is no such table, or it cannot be read.
            InputError: If it has no such column.
        """
        return select_rows(self.reader, name, columns, where)

    def history(self, name: str) -> Answer:
        """Versions of a table, the newest first.

        Columns: ``version``, ``written_ts``, ``operation`` as Delta names it, ``predicate`` (which rows were replaced;
        null where rows were only added, or all replaced), ``engine`` that wrote it. Which run wrote a version,
        ``ops.job_runs`` says.

        Args:
            name: As ``layer.table``.

        Raises:
            LakeError: If there is no such table, or it cannot be read.
        """
        return Answer(
            pa.Table.from_pylist([_version_row(commit) for commit in self.reader.table(name).history()], _VERSIONS)
        )

    def session(self, session_id: str | None = None) -> Session:
        """A session: its laps, drivers, track, comparisons.

        Args:
            session_id: Name; it may be left out where there is but one.

        Raises:
            LapError: If there is no such session; the message names those there are.
        """
        chosen = choose_session(self.reader, session_id)
        session = Session(self.reader, chosen)
        session.lap_rows()  # says now if there is no such session
        return session

    def __repr__(self) -> str:
        sessions = ", ".join(self.sessions) or "none"
        return (
            f"<lake of {len(self.tables)} tables in {self.reader.settings.lake_root}; sessions with laps: {sessions}>"
        )


def _version_row(commit: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": commit["version"],
        "written_ts": datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
        "operation": commit.get("operation"),
        "predicate": commit.get("operationParameters", {}).get("predicate"),
        "engine": commit.get("engineInfo"),
    }
