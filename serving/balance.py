"""The lake's balance: no unit lost, none counted twice.

A unit is one reading, one sample of a frame, or one message that could not be decoded. For every streaming query
``units = written + repeats + conflicts + quarantined`` (``ops.reconciliation``, one row per batch), and the tables
themselves must hold what those rows say. Kafka offsets in bronze must be an unbroken run per topic and partition.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from conf.settings import AppConfig
from serving.sql import query
from serving.store import existing_tables, open_table, table_stats

State = Literal["ok", "waiting", "failed"]

BRONZE = "bronze.telemetry_events"
RECONCILIATION = "ops.reconciliation"

_ACCOUNTS = """
    select query, count(*) as batches, coalesce(sum(messages), 0) as messages, coalesce(sum(units), 0) as units,
           coalesce(sum(written), 0) as written, coalesce(sum(repeats), 0) as repeats,
           coalesce(sum(conflicts), 0) as conflicts, coalesce(sum(quarantined), 0) as quarantined,
           count(*) filter (where units is distinct from written + repeats + conflicts + quarantined) as open_batches
    from ops.reconciliation group by query order by max(written_ts), query
"""

_OFFSETS = """
    select topic, kafka_partition, count(*) as n, count(distinct kafka_offset) as offsets,
           max(kafka_offset) - min(kafka_offset) + 1 as span
    from bronze.telemetry_events group by topic, kafka_partition order by topic, kafka_partition
"""

# Table: what it holds, how to count it, and the column of the account that must equal it.
_HOLDINGS = {
    "silver.telemetry": (
        "units written", "select coalesce(sum(n_readings), 0) as n from silver.telemetry", "written"
    ),
    "silver.conflicts": ("conflicts", "select count(*) as n from silver.conflicts", "conflicts"),
    "silver.quarantine": ("units quarantined", "select count(*) as n from silver.quarantine", "quarantined"),
}  # fmt: skip


@dataclass(frozen=True)
class Account:
    """Sums of ``ops.reconciliation``: for one streaming query, or all.

    ``difference`` is the units that nothing accounts for; zero when the account closes.
    """

    query: str
    batches: int
    messages: int
    units: int
    written: int
    repeats: int
    conflicts: int
    quarantined: int
    open_batches: int

    @property
    def difference(self) -> int:
        """Units minus all that became of them."""
        return self.units - self.written - self.repeats - self.conflicts - self.quarantined


@dataclass(frozen=True)
class Check:
    """One comparison: ``difference`` is ``actual - expected``, ``waiting`` means a job has yet to catch up."""

    name: str
    state: State
    expected: int
    actual: int
    hint: str = ""

    @property
    def difference(self) -> int:
        """``actual - expected``."""
        return self.actual - self.expected


@dataclass(frozen=True)
class Balance:
    """The balance of a lake.

    Attributes:
        bronze_rows: Rows of ``bronze.telemetry_events``; ``None`` if there is no such table.
        accounts: One per streaming query.
        total: Their sum.
        checks: Every comparison made.
    """

    bronze_rows: int | None
    accounts: tuple[Account, ...]
    total: Account
    checks: tuple[Check, ...]

    @property
    def empty(self) -> bool:
        """True if nothing has been ingested yet."""
        return not self.bronze_rows and not self.accounts

    @property
    def closes(self) -> bool:
        """True if every check is ok, and nothing waits."""
        return all(check.state == "ok" for check in self.checks)

    @property
    def broken(self) -> bool:
        """True if a check failed: units are lost or counted twice."""
        return any(check.state == "failed" for check in self.checks)

    def summary(self) -> str:
        """One line."""
        if self.empty:
            return "nothing ingested yet: start with `slipstream stream bronze`"
        failed = [check.name for check in self.checks if check.state == "failed"]
        if failed:
            return f"the balance does NOT close: {'; '.join(failed)}"
        waiting = [check.hint for check in self.checks if check.state == "waiting"]
        if waiting:
            return f"the balance is open, not broken: {'; '.join(waiting)}"
        t = self.total
        return (
            f"the balance closes: {t.units:,} units = {t.written:,} written + {t.repeats:,} repeats"
            f" + {t.conflicts:,} conflicts + {t.quarantined:,} quarantined"
        )

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "empty": self.empty,
            "closes": self.closes,
            "broken": self.broken,
            "summary": self.summary(),
            "bronze_rows": self.bronze_rows,
            "total": _as_dict(self.total),
            "queries": [_as_dict(account) for account in self.accounts],
            "checks": [_as_dict(check) for check in self.checks],
        }


def lake_balance(settings: AppConfig) -> Balance:
    """Balance a lake, from its tables alone.

    Raises:
        LakeError: If a table exists and cannot be read.
    """
    existing = set(existing_tables(settings))
    bronze_rows = table_stats(open_table(BRONZE, settings)).rows if BRONZE in existing else None
    accounts = _accounts(settings) if RECONCILIATION in existing else ()
    total = _total(accounts)
    checks: list[Check] = []
    if BRONZE in existing:
        checks += _offset_checks(settings)
        checks += _promoted(bronze_rows or 0, accounts)
    checks += [_account_check(account) for account in accounts]
    checks += _table_checks(settings, existing, total)
    return Balance(bronze_rows, accounts, total, tuple(checks))


def _accounts(settings: AppConfig) -> tuple[Account, ...]:
    """One account per query, the one that wrote last at the end."""
    rows = query(_ACCOUNTS, settings).to_pylist()
    return tuple(Account(**row) for row in rows)


def _total(accounts: tuple[Account, ...]) -> Account:
    counts = [f.name for f in fields(Account) if f.name != "query"]
    return Account("all", **{name: sum(getattr(account, name) for account in accounts) for name in counts})


def _account_check(account: Account) -> Check:
    accounted = account.units - account.difference
    good = account.difference == 0 and account.open_batches == 0
    hint = "" if good else f"{account.open_batches} of {account.batches} batches do not add up"
    return Check(f"{account.query}: every unit accounted for", _state(good), account.units, accounted, hint)


def _promoted(bronze_rows: int, accounts: tuple[Account, ...]) -> list[Check]:
    """Bronze rows against the messages that each query read; only the newest query is expected to have read all."""
    checks = []
    for account in accounts[:-1]:
        good = account.messages <= bronze_rows
        checks.append(
            Check(f"{account.query}: read no more than bronze has", _state(good), bronze_rows, account.messages)
        )
    newest = accounts[-1] if accounts else None
    read = newest.messages if newest else 0
    state: State = "ok" if read == bronze_rows else "waiting" if read < bronze_rows else "failed"
    hint = f"{bronze_rows - read:,} bronze messages wait for `slipstream stream silver`" if state == "waiting" else ""
    name = newest.query if newest else "silver"
    return [*checks, Check(f"{name}: every bronze message read once", state, bronze_rows, read, hint)]


def _offset_checks(settings: AppConfig) -> list[Check]:
    """Per topic and partition: as many distinct offsets as rows, and as many as lie between the first and the last."""
    rows = query(_OFFSETS, settings).to_pylist()
    return [
        check
        for row in rows
        for part in [f"{row['topic']}-{row['kafka_partition']}"]
        for check in (
            Check(f"{part}: no offset missing", _state(row["offsets"] == row["span"]), row["span"], row["offsets"]),
            Check(f"{part}: no offset twice", _state(row["n"] == row["offsets"]), row["offsets"], row["n"]),
        )
    ]


def _table_checks(settings: AppConfig, existing: set[str], total: Account) -> list[Check]:
    """The tables against the account's sums. A table that does not exist holds nothing."""
    checks = []
    for table, (what, sql, column) in _HOLDINGS.items():
        expected = getattr(total, column)
        actual = query(sql, settings)["n"][0].as_py() if table in existing else 0
        if table in existing or expected:
            checks.append(Check(f"{table}: {what}", _state(actual == expected), expected, actual))
    return checks


def _state(good: bool) -> State:
    return "ok" if good else "failed"


def _as_dict(item: Account | Check) -> dict[str, Any]:
    return {f.name: getattr(item, f.name) for f in fields(item)} | {"difference": item.difference}
