"""Tables with rows that an earlier release made, and would be made otherwise now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conf.contract import ROWS_PROPERTY, load_contract, table_names
from conf.settings import AppConfig
from infra.doctor import Finding
from serving.lake.store import existing_tables, open_table

SILVER, GOLD = "slipstream stream silver", "slipstream stream gold"


def find_stale_tables(settings: AppConfig) -> list[str]:
    """Names of the tables that may have rows which would be made otherwise now, sorted.

    Raises:
        LakeError: If a table cannot be opened.
    """
    with_contract = set(table_names())
    return [name for name in existing_tables(settings) if name in with_contract and _is_stale(name, settings)]


def _is_stale(name: str, settings: AppConfig) -> bool:
    table = open_table(name, settings)
    rows_of = table.metadata().configuration.get(ROWS_PROPERTY)
    return load_contract(name).has_stale_rows(rows_of) and bool(table.file_uris())


def check_stale_rows(settings: AppConfig) -> Iterator[Finding]:
    """Which tables are stale, with the commands that make them anew; nothing where none is."""
    for remedy, names in group_by_remedy(find_stale_tables(settings)).items():
        detail = f"rows of {', '.join(names)} were made by an earlier release, and would be made otherwise now"
        yield Finding("rows", "warn", detail, remedy)


def group_by_remedy(stale: Iterable[str]) -> dict[str, list[str]]:
    """Stale tables by what makes them anew, those that streams fill first."""
    filled_by = {name: load_contract(name).filled_by or "" for name in stale}
    from_bronze = "`slipstream reset silver --yes && slipstream run` makes them anew from bronze."
    from_silver = "`slipstream backfill gold` makes them anew from silver."
    whole = {SILVER: from_bronze, GOLD: from_bronze if SILVER in filled_by.values() else from_silver}
    found: dict[str, list[str]] = {}
    for name, command in sorted(filled_by.items(), key=lambda item: (item[1] not in whole, item[0])):
        found.setdefault(whole.get(command, f"`{command}` makes them anew, one by one."), []).append(name)
    return found
