"""Open the lake's Delta tables without a JVM: the only code that reads them without Spark.

A table is opened by its name. What can go wrong is said in the user's words: the table does not exist yet (and which
job makes it), or it was written under a newer contract than this code knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from conf.contract import load_contract, table_names
from conf.errors import InputError, NewerContractError
from conf.lake import table_uri
from conf.settings import AppConfig
from conf.tables import (
    GOLD_CORNER_REPORTS,
    GOLD_GHOST_LAPS,
    GOLD_GHOST_SUMMARY,
    GOLD_INSIGHTS,
    GOLD_KARMA_LATEST,
    GOLD_KARMA_SCORES,
    GOLD_LAP_COMPARISON,
    GOLD_LAP_REGISTRY,
    GOLD_MICROSECTOR_TRACES,
    GOLD_MICROSECTORS,
    GOLD_MODEL_METRICS,
    GOLD_STYLE_DATASET,
    GOLD_STYLE_PREDICTIONS,
    OPS_DQ_RESULTS,
    OPS_JOB_RUNS,
    OPS_RECONCILIATION,
    SILVER_TRACKS,
)

LAYERS = tuple(dict.fromkeys(name.partition(".")[0] for name in table_names()))

CONTRACT_VERSION = "slipstream.contract.version"

_JOB_OF_LAYER = {"bronze": "slipstream stream bronze", "silver": "slipstream stream silver"}
_JOB_OF_TABLE = {
    GOLD_STYLE_DATASET: "slipstream train style",
    GOLD_MODEL_METRICS: "slipstream train style",
    GOLD_STYLE_PREDICTIONS: "slipstream score style",
    **dict.fromkeys((GOLD_KARMA_SCORES, GOLD_KARMA_LATEST), "slipstream score karma"),
    GOLD_LAP_COMPARISON: "slipstream laps compare … --save",
    GOLD_CORNER_REPORTS: "slipstream laps compare … --save",
    GOLD_INSIGHTS: "slipstream coach … --save",
    **dict.fromkeys((GOLD_MICROSECTORS, GOLD_MICROSECTOR_TRACES, GOLD_LAP_REGISTRY), "slipstream track segment"),
    **dict.fromkeys((GOLD_GHOST_LAPS, GOLD_GHOST_SUMMARY), "slipstream ghost synthesize …"),
    SILVER_TRACKS: "slipstream track build",
    OPS_RECONCILIATION: "slipstream stream silver",
    OPS_DQ_RESULTS: "slipstream stream silver",
    OPS_JOB_RUNS: "slipstream run",
}


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


def made_by(name: str) -> str:
    """The command that makes a table, e.g. ``slipstream stream silver``."""
    return _JOB_OF_TABLE.get(name) or _JOB_OF_LAYER.get(name.partition(".")[0], "slipstream stream gold")


def storage_options(settings: AppConfig) -> dict[str, str] | None:
    """Options of the object store that holds the lake; ``None`` for a local folder.

    Without an account key the store's own credentials are used (managed identity, environment).
    """
    if not settings.azure_storage_account:
        return None
    options = {"azure_storage_account_name": settings.azure_storage_account}
    if settings.azure_storage_key:
        options["azure_storage_account_key"] = settings.azure_storage_key.get_secret_value()
    return options


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
        raise missing_table(name, settings) from None
    except DeltaError as error:
        raise LakeError(f"table {name} at {uri} cannot be opened: {error}") from error
    _check_contract(name, contract_version(table))
    return table


def missing_table(name: str, settings: AppConfig) -> MissingTableError:
    """The error that says what to do about a table that is not there."""
    if name in table_names():
        return MissingTableError(
            f"table {name} does not exist yet in {settings.lake_root}: run `{made_by(name)}` first"
        )
    return MissingTableError(f"there is no table {name} in {settings.lake_root}: see `slipstream tables`")


def contract_version(table: DeltaTable) -> str | None:
    """Version of the contract that a table was written under, ``None`` if it does not say."""
    version: str | None = table.metadata().configuration.get(CONTRACT_VERSION)
    return version


def _check_contract(name: str, written: str | None) -> None:
    if written is None or name not in table_names():
        return
    known = load_contract(name).version
    if _major_minor(name, written) > _major_minor(name, known):
        raise NewerContractError(
            f"table {name} was written under contract {written}, and this Slipstream knows {known}: "
            "upgrade it to the release that wrote the table (pip install --upgrade slipstream-lake)"
        )


def _major_minor(name: str, version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    if not match:
        raise LakeError(f"table {name}: property {CONTRACT_VERSION} is '{version}', not a version such as 1.0.0")
    return int(match[1]), int(match[2])


def table_stats(table: DeltaTable) -> TableStats:
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
