"""What the lake's balance says: accounts, checks, and their sum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import computed_field

from conf.frozen import FrozenModel
from conf.reconciliation import unaccounted_units
from infra.doctor import Finding

State = Literal["ok", "waiting", "failed"]


class QueryAccount(FrozenModel):
    """Sums of ``ops.reconciliation``: for one streaming query (one checkpoint generation), or all.

    Attributes:
        query: Name and generation, ``all`` for the sum.
        batches: Micro-batches.
        messages: Bronze rows read.
        units: Readings, frame samples and messages that could not be decoded.
        written: Units that reached ``silver.telemetry``.
        repeats: Units identical to one already there.
        conflicts: Units that contradict one already there.
        quarantined: Units refused.
        open_batches: Batches whose units do not add up.
        pending_batches: Batches accounted for whose rows are not all in ``silver.telemetry`` yet.
        pending_written: ``written`` of these.
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
    pending_batches: int = 0
    pending_written: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def difference(self) -> int:
        """Units minus all that became of them."""
        return unaccounted_units(self)


class BalanceCheck(FrozenModel):
    """One comparison; ``waiting`` means that a job has yet to catch up, and ``hint`` says which."""

    name: str
    state: State
    expected: int
    actual: int
    hint: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def difference(self) -> int:
        """``actual - expected``."""
        return self.actual - self.expected


class LakeBalance(FrozenModel):
    """The balance of a lake.

    Attributes:
        bronze_rows: Rows of ``bronze.telemetry_events``; ``None`` if there is no such table.
        queries: One account per streaming query, the one that wrote last at the end.
        total: Their sum.
        checks: Every comparison made.
    """

    bronze_rows: int | None
    total: QueryAccount
    queries: tuple[QueryAccount, ...]
    checks: tuple[BalanceCheck, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def empty(self) -> bool:
        """True if nothing has been ingested yet."""
        return not self.bronze_rows and not self.queries

    @computed_field  # type: ignore[prop-decorator]
    @property
    def closes(self) -> bool:
        """True if every check is ok, and nothing waits."""
        return all(check.state == "ok" for check in self.checks)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def broken(self) -> bool:
        """True if a check failed: units are lost or counted twice."""
        return any(check.state == "failed" for check in self.checks)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def summary(self) -> str:
        """One line."""
        if self.empty and not self.broken:
            return "nothing ingested yet: start with `slipstream stream bronze`"
        failed = [check.name for check in self.checks if check.state == "failed"]
        if failed:
            return f"the balance does NOT close: {'; '.join(failed)}"
        waiting = [check.hint for check in self.checks if check.state == "waiting"]
        if waiting:
            return f"the balance is open, not broken: {'; '.join(dict.fromkeys(waiting))}"
        t = self.total
        return (
            f"the balance closes: {t.units:,} units = {t.written:,} written + {t.repeats:,} repeats"
            f" + {t.conflicts:,} conflicts + {t.quarantined:,} quarantined"
        )


def sum_totals(accounts: Iterable[QueryAccount]) -> QueryAccount:
    """The sum of accounts."""
    parts = list(accounts)
    counts = [name for name in QueryAccount.model_fields if name != "query"]
    return QueryAccount(query="all", **{name: sum(getattr(account, name) for account in parts) for name in counts})


class DoctorAnswer(FrozenModel):
    """What the doctor found, as programs read it.

    Attributes:
        ok: Whether nothing failed.
        checks: Every finding.
        balance: The lake's balance; ``None`` where it could not be computed.
    """

    ok: bool
    checks: tuple[Finding, ...]
    balance: LakeBalance | None
