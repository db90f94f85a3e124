"""Find and open the lake's Delta tables without a JVM; :mod:`serving.lake.reader` holds what is opened here.

A table is opened by its name. What can go wrong is said in the user's words: the table does not exist yet (and which
job makes it), or it was written under a newer contract than this code knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from conf.contract import VERSION_PROPERTY, check_contract_version, load_contract, table_names
from conf.errors import InputError
from conf.lake import storage_options, table_uri
from conf.plain_text import one_line
from conf.settings import AppConfig

LAYERS = tuple(dict.fromkeys(name.partition(".")[0] for name in table_names()))


class LakeError(InputError):
    """A table cannot be read; the message says why and what to do."""


class MissingTableError(LakeError):
    """The table does not exist (yet)."""


@dataclass(frozen=True)
class TableStats:
    """What the transaction log knows of a table's size.

    Attributes:
        rows: Live rows.
        size_bytes: Bytes of the live data files.
        files: Live data files.
    """

    rows: int
    size_bytes: int
    files: int


def command_that_fills(name: str) -> str | None:
    """The command that fills a table, e.g. ``slipstream stream silver``; ``None`` for a table without a contract."""
    return load_contract(name).filled_by if name in table_names() else None


def is_table(name: str, settings: AppConfig) -> bool:
    """True if a Delta table of that name exists in the lake."""
    uri = table_uri(name, settings)
    if settings.azure_storage_account:
        return bool(DeltaTable.is_deltatable(uri, storage_options(settings)))
    return (Path(uri) / "_delta_log").is_dir()


def existing_tables(settings: AppConfig) -> tuple[str, ...]:
    """Names of the tables that exist, sorted.

    In a local lake these are all Delta folders under the layers, contracted or not; on an object store the contracted
    tables are asked for one by one.
    """
    if settings.azure_storage_account:
        return tuple(name for name in table_names() if is_table(name, settings))
    root = Path(settings.lake_root)
    logs = (log for layer in LAYERS for log in (root / layer).glob("*/_delta_log"))
    return tuple(sorted(f"{log.parent.parent.name}.{log.parent.name}" for log in logs))


def open_table(name: str, settings: AppConfig) -> DeltaTable:
    """Open the newest version of a table.

    Raises:
        MissingTableError: If it does not exist.
        NewerContractError: If a newer release of Slipstream wrote it.
        LakeError: If its transaction log cannot be read.
    """
    uri = table_uri(name, settings)
    try:
        table = DeltaTable(uri, storage_options=storage_options(settings))
    except TableNotFoundError:
        raise missing_table_error(name, settings) from None
    except (DeltaError, OSError) as error:
        raise LakeError(
            f"table {name} at {uri} cannot be opened: {one_line(error)}; `slipstream doctor` names damaged files"
        ) from error
    check_contract(name, table)
    return table


def missing_table_error(name: str, settings: AppConfig) -> MissingTableError:
    """The error that says what to do about a table that is not there."""
    if name in table_names():
        return MissingTableError(
            f"table {name} does not exist yet in {settings.lake_root}: run `{command_that_fills(name)}` first"
        )
    return MissingTableError(f"there is no table {name} in {settings.lake_root}: see `slipstream tables`")


def table_contract_version(table: DeltaTable) -> str | None:
    """Version of the contract that a table was written under, ``None`` if it does not say."""
    version: str | None = table.metadata().configuration.get(VERSION_PROPERTY)
    return version


def check_contract(name: str, table: DeltaTable) -> None:
    """Refuse a table of a newer contract; one without a contract is taken as it is.

    Raises:
        NewerContractError: If a newer release of Slipstream wrote it.
        ContractError: If it does not say in a way that can be read under which contract it was written.
    """
    if name in table_names():
        check_contract_version(load_contract(name), table_contract_version(table), table.table_uri)


def read_table_stats(table: DeltaTable) -> TableStats:
    """Rows, bytes and files of a table, from its log alone where every file has statistics."""
    adds = table.get_add_actions()
    records = adds.column("num_records").to_pylist()
    sizes = adds.column("size_bytes").to_pylist()
    # Statistics count the rows that a deletion vector has since removed.
    exact = None not in records and "deletionVectors" not in (table.protocol().reader_features or [])
    return TableStats(sum(records) if exact else _scan_count(table), sum(sizes), len(sizes))


def _scan_count(table: DeltaTable) -> int:
    batches = QueryBuilder().register("t", table).execute("select count(*) from t").read_all()
    return int(batches.column(0).to_pylist()[0])
