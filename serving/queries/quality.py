"""What became of all that came in: the balance, the rules that were broken, what was refused and what contradicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conf.contract import rules_by_name
from conf.tables import (
    OPS_DQ_RESULTS,
    OPS_RECONCILIATION,
    OPS_STEP_FAILURES,
    SILVER_CONFLICTS,
    SILVER_QUARANTINE,
)
from serving.lake.balance import family_of_query, reconcile_lake
from serving.lake.reader import LakeReader
from serving.lake.reconciliation import LakeBalance, QueryAccount, sum_totals
from serving.lake.rows import Row

SOURCES: Final = (OPS_RECONCILIATION, OPS_DQ_RESULTS, SILVER_QUARANTINE, SILVER_CONFLICTS, OPS_STEP_FAILURES)
MESSAGE_FAULTS: Final[Mapping[str, str]] = {
    "missing_event_type": "The message does not say what it is: it has no ce_type",
    "unknown_event_type": "A ce_type that is none of Slipstream's",
    "empty_payload": "The message holds nothing",
    "invalid_utf8": "The payload is no text",
    "not_this_event": "The payload is not one JSON object of this form",
    "missing_field": "A frame without its clock or its samples",
    "empty_frame": "A frame without samples",
    "arrays_of_unequal_length": "A channel of the frame has another number of values than its clock",
    "unknown_channel": "A reading of a channel that its dialect does not have",
}
"""What is wrong with a message as a whole, by the reason in quarantine; the others are rules of contracts."""

_RULES = f"""
    select table_name as "table", column_name as "column", expectation as rule, severity,
           sum(evaluated) as evaluated, sum(unexpected) as broken
    from {OPS_DQ_RESULTS} group by all order by broken desc, "table", rule
"""  # noqa: S608 - tables of our own
_REASONS = f"""
    with refused as (select *, unnest(reasons) as reason from {SILVER_QUARANTINE})
    select reason.rule as rule, reason.column_name as "column", count(*) as units,
           count(distinct vehicle_id) as vehicles, arg_min(reason.observed, bronze_offset) as observed,
           arg_min(bronze_topic || ' ' || bronze_partition || ':' || bronze_offset, bronze_offset) as place,
           arg_min(payload_excerpt, bronze_offset) as excerpt
    from refused group by all order by units desc, rule, "column"
"""  # noqa: S608
_CONFLICTS = f"""
    select session_id, vehicle_id, channel, count(*) as units from {SILVER_CONFLICTS}
    group by all order by units desc, session_id, vehicle_id, channel
"""  # noqa: S608
_BATCHES = f"""
    select written_ts, units, quarantined, conflicts, repeats from {OPS_RECONCILIATION}
    order by written_ts, query, batch_id
"""  # noqa: S608
_FAILURES = f"select step, session_id, vehicle_id, reason, remedy from {OPS_STEP_FAILURES} order by all"  # noqa: S608


@dataclass(frozen=True)
class RuleCount:
    """One rule of a contract, and how often it was broken.

    Attributes:
        table: Table that the units were for.
        column: Column it is about.
        rule: Name.
        words: The rule in words.
        severity: ``quarantine`` or ``warn``.
        evaluated: Values that it was held against.
        broken: Of them, those that broke it.
    """

    table: str
    column: str
    rule: str
    words: str
    severity: str
    evaluated: int
    broken: int


@dataclass(frozen=True)
class RefusedReason:
    """A reason for which units are in quarantine.

    Attributes:
        rule: A rule's name, or one of :data:`MESSAGE_FAULTS`.
        words: What it says.
        column: Column or field it is about.
        units: How many.
        vehicles: Of how many vehicles.
        observed: What the first of them held.
        place: Where that is: topic, partition and offset.
        excerpt: Begin of its payload, where it could not be taken apart.
    """

    rule: str
    words: str
    column: str | None
    units: int
    vehicles: int
    observed: str | None
    place: str
    excerpt: str | None


@dataclass(frozen=True)
class ContradictedUnits:
    """Units of a vehicle and channel that say something else than what was there first."""

    session_id: str
    vehicle_id: str
    channel: str | None
    units: int


@dataclass(frozen=True)
class StepFailure:
    """A vehicle or session that a step could not be done for; see ``ops.step_failures``."""

    step: str
    session_id: str
    vehicle_id: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class QualityReport:
    """What became of all that came in.

    Attributes:
        balance: The lake's.
        families: Account of each family of messages, by its name.
        rules: All rules that units were held against, those broken most first.
        refused: Reasons for quarantine, the most frequent first.
        contradicted: Conflicts by vehicle and channel, the most frequent first.
        failures: What could not be computed.
        batches: Units, and of them those refused, contradicted and repeated, by batch in order of time.
        versions: Delta versions of the tables that were read.
    """

    balance: LakeBalance
    families: Mapping[str, QueryAccount]
    rules: Sequence[RuleCount]
    refused: Sequence[RefusedReason]
    contradicted: Sequence[ContradictedUnits]
    failures: Sequence[StepFailure]
    batches: Sequence[Row]
    versions: Mapping[str, int]

    @property
    def total(self) -> QueryAccount:
        """Account of everything."""
        return self.balance.total

    @property
    def broken_rules(self) -> tuple[RuleCount, ...]:
        """Rules that some value broke."""
        return tuple(rule for rule in self.rules if rule.broken)


def read_quality(lake: LakeReader) -> QualityReport:
    """Read what became of all that came in.

    Raises:
        LakeError: If a table exists and cannot be read.
    """
    balance = reconcile_lake(lake)
    now, words = lake.snapshot(), rule_words()

    def rows(table: str, sql: str) -> list[Row]:
        return now.query(sql).to_pylist() if now.exists(table) else []

    rules = [RuleCount(words=words.get(row["rule"], ""), **row) for row in rows(OPS_DQ_RESULTS, _RULES)]
    refused = [RefusedReason(words=words.get(row["rule"], ""), **row) for row in rows(SILVER_QUARANTINE, _REASONS)]
    return QualityReport(
        balance=balance,
        families=_by_family(balance.queries),
        rules=rules,
        refused=refused,
        contradicted=[ContradictedUnits(**row) for row in rows(SILVER_CONFLICTS, _CONFLICTS)],
        failures=[StepFailure(**row) for row in rows(OPS_STEP_FAILURES, _FAILURES)],
        batches=rows(OPS_RECONCILIATION, _BATCHES),
        versions=now.versions,
    )


def rule_words() -> dict[str, str]:
    """Rules of all contracts, and what is wrong with whole messages, in words, by name."""
    rules = rules_by_name().values()
    return {rule.name: _without_name(rule.name, rule.description) for rule in rules} | dict(MESSAGE_FAULTS)


def _without_name(name: str, description: str) -> str:
    """A description that begins with the rule's own name, less the name."""
    words = description.removeprefix(name).lstrip(": ")
    return words[:1].upper() + words[1:]


def _by_family(accounts: Sequence[QueryAccount]) -> dict[str, QueryAccount]:
    families: defaultdict[str, list[QueryAccount]] = defaultdict(list)
    for account in accounts:
        families[family_of_query(account.query).name].append(account)
    return {family: sum_totals(own) for family, own in families.items()}
