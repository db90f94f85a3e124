"""Print tables, columns and the balance for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from serving.lake.describe import TableDescription, TableInfo
    from serving.lake.reconciliation import LakeBalance, QueryAccount

_COLOURS = {"ok": "green", "waiting": "yellow", "failed": "red"}


def tables_table(infos: Sequence[TableInfo]) -> Table:
    """Existing tables with their figures, then those that wait for their job."""
    table = _plain("table", rows="right", version="right", size="right", files="right")
    for column in ("key", "last write (UTC)"):
        table.add_column(column)
    for info in (i for i in infos if i.exists):
        table.add_row(*_figures(info), ", ".join(info.key), _last_write(info))
    for info in (i for i in infos if not i.exists):
        table.add_row(Text(info.name, style="dim"), *[""] * 4, Text(f"not yet: {info.made_by}", style="dim"), "")
    return table


def describe_group(described: TableDescription) -> Group:
    """One table: facts above, columns below."""
    info = described.table
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(info):
        facts.add_row(Text(name, style="dim"), value)
    table = _plain("column", "type", "unit", "", "description", "rules")
    for column in described.columns:
        marks = "key" if column.name in info.key else "required" if column.required else ""
        if info.exists and not column.in_table:
            marks = f"{marks} (not in the table yet)".strip()
        rules = "\n".join(f"{rule.name} ({rule.severity})" for rule in column.rules)
        table.add_row(column.name, column.type, column.unit or "", marks, column.comment, rules)
    return Group(Text(f"{info.name}: {info.description}", style="bold"), facts, table)


def balance_group(balance: LakeBalance) -> Group:
    """The account of each query and the whole, then every check."""
    colour = "red" if balance.broken else "green" if balance.closes else "yellow"
    summary = Text(balance.summary, style=colour)
    if balance.empty:
        return Group(summary)
    parts = ("messages", "units", "written", "repeats", "conflicts", "quarantined", "difference")
    account = _plain("query", **dict.fromkeys(parts, "right"))
    lines: list[QueryAccount] = [*balance.queries, *([balance.total] if len(balance.queries) > 1 else [])]
    for line in lines:
        account.add_row(line.query, *(f"{getattr(line, part):,}" for part in parts))
    checks = _plain("check", state="left", expected="right", actual="right", difference="right")
    for check in balance.checks:
        state = Text(check.state, style=_COLOURS[check.state])
        checks.add_row(check.name, state, f"{check.expected:,}", f"{check.actual:,}", f"{check.difference:+,}")
    bronze = Text(f"bronze rows: {balance.bronze_rows or 0:,}", style="bold")
    return Group(bronze, account, checks, summary)


def human_size(size: int) -> str:
    """Bytes in the largest fitting unit, e.g. ``1.5 MiB``."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def _plain(*left: str, **justified: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in left:
        table.add_column(name)
    for name, justify in justified.items():
        table.add_column(name, justify="right" if justify == "right" else "left")
    return table


def _figures(info: TableInfo) -> tuple[str, ...]:
    return info.name, f"{info.rows:,}", str(info.version), human_size(info.size_bytes or 0), f"{info.files:,}"


def _last_write(info: TableInfo) -> str:
    return f"{info.last_write:%Y-%m-%d %H:%M:%S} {info.last_operation}" if info.last_write else ""


def _facts(info: TableInfo) -> list[tuple[str, str]]:
    contract = info.contract_version or "none stated"
    if info.known_contract_version and info.known_contract_version != info.contract_version:
        contract += f" (this version knows {info.known_contract_version})"
    keys = [("key", ", ".join(info.key) or "none"), ("partitioned by", ", ".join(info.partition_columns) or "nothing")]
    if not info.exists:
        return [("exists", f"not yet: run `{info.made_by}`"), *keys, ("contract", str(info.known_contract_version))]
    return [
        ("rows", f"{info.rows:,}"),
        ("version", str(info.version)),
        ("size", f"{human_size(info.size_bytes or 0)} in {info.files:,} files"),
        *keys,
        ("contract", contract),
        ("last write", _last_write(info)),
    ]
