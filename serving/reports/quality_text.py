"""What became of all that came in, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.drivers.formatting import format_count, join_names
from conf.frozen import FrozenModel
from conf.reconciliation import OUTCOMES
from serving.queries.quality import ContradictedUnits, QualityReport, RefusedReason, RuleCount
from serving.reports.driver_text import KeyFigure

if TYPE_CHECKING:
    from rich.table import Table

MOST_ROWS: Final = 15
_EXCERPT: Final = 90


@dataclass(frozen=True)
class ReasonLine:
    """A reason for quarantine as the page shows it."""

    rule: str
    words: str
    column: str
    units: str
    vehicles: str
    example: str
    place: str


@dataclass(frozen=True)
class RuleLine:
    """A rule as the page shows it."""

    rule: str
    words: str
    column: str
    consequence: str
    evaluated: str
    broken: str
    share: str


def headline(found: QualityReport) -> str:
    """One sentence: whether everything is accounted for, and what share was refused."""
    if found.balance.empty:
        return "Nothing has come in yet."
    if found.balance.broken:
        return f"Units are missing or counted twice: {found.balance.summary}."
    total = found.total
    accounted = "Every unit is accounted for" if found.balance.closes else "Nothing is lost, and a batch is under way"
    if not total.quarantined:
        return f"{accounted}, and none of {total.units:,} was refused."
    why = "".join(f", most for {first.rule} ({first.units:,})" for first in found.refused[:1])
    share = _percent(total.quarantined, total.units)
    return f"{accounted}: {total.quarantined:,} of {total.units:,} units ({share}) were refused{why}."


def quality_facts(found: QualityReport) -> list[str]:
    """Messages, units, batches."""
    total = found.total
    return [
        format_count(total.messages, "message"),
        format_count(total.units, "unit"),
        format_count(total.batches, "batch", "batches"),
    ]


def quality_tiles(found: QualityReport) -> list[KeyFigure]:
    """The figures at the top: what became of the units."""
    total = found.total
    what = {
        "written": ("Written", "reached silver"),
        "repeats": ("Repeats", "equal to one that was there"),
        "conflicts": ("Conflicts", "contradict one that was there"),
        "quarantined": ("Refused", "in quarantine, each with its reasons"),
    }
    tiles = [
        KeyFigure(
            what[name][0], f"{getattr(total, name):,}", (_percent(getattr(total, name), total.units), what[name][1])
        )
        for name in OUTCOMES
    ]
    lost = total.difference
    return [*tiles, KeyFigure("Unaccounted for", f"{lost:,}", ("units less all that", "became of them"))]


def quality_glance(found: QualityReport) -> list[str]:
    """What to look at first."""
    lines = [headline(found)]
    warned = [rule for rule in found.broken_rules if rule.severity == "warn"]
    if warned:
        worst = warned[0]
        lines.append(
            f"{format_count(len(warned), 'warning')} fired; such units are written and say so. Most often "
            f"{worst.rule}, {worst.broken:,} of {worst.evaluated:,} values."
        )
    if found.contradicted:
        cars = format_count(len({(one.session_id, one.vehicle_id) for one in found.contradicted}), "vehicle")
        units = format_count(found.total.conflicts, "unit")
        lines.append(f"{units} of {cars} contradict what was there first, which stays.")
    if found.failures:
        steps = join_names(sorted({failure.step for failure in found.failures}))
        lines.append(f"{format_count(len(found.failures), 'step')} could not be done, for {steps}: see below.")
    return lines


def reason_lines(found: QualityReport) -> list[ReasonLine]:
    """Reasons for quarantine."""
    return [_reason_line(reason) for reason in found.refused]


def _reason_line(reason: RefusedReason) -> ReasonLine:
    example = reason.observed or _shortened(reason.excerpt) or "nothing"
    return ReasonLine(
        reason.rule,
        reason.words,
        reason.column or "",
        f"{reason.units:,}",
        f"{reason.vehicles:,}",
        _shortened(example) or "",
        reason.place,
    )


def rule_lines(rules: Sequence[RuleCount]) -> list[RuleLine]:
    """Rules with their counts."""
    consequences = {"quarantine": "refused", "warn": "written with a warning"}
    return [
        RuleLine(
            rule.rule,
            rule.words,
            rule.column,
            consequences.get(rule.severity, rule.severity),
            f"{rule.evaluated:,}",
            f"{rule.broken:,}",
            _percent(rule.broken, rule.evaluated),
        )
        for rule in rules
    ]


def conflict_lines(contradicted: Sequence[ContradictedUnits]) -> list[tuple[str, str, str, str]]:
    """Session, vehicle, channel and how many units, of those with most."""
    return [
        (one.session_id, one.vehicle_id, one.channel or "several", f"{one.units:,}") for one in contradicted[:MOST_ROWS]
    ]


def account_lines(found: QualityReport) -> list[tuple[str, ...]]:
    """Family, messages, units, and what became of them."""
    return [
        (name, f"{account.messages:,}", f"{account.units:,}", *(f"{getattr(account, each):,}" for each in OUTCOMES))
        for name, account in found.families.items()
    ]


class QualityAnswer(FrozenModel):
    """What became of all that came in, as programs read it.

    Attributes:
        headline: In one sentence.
        closes: Whether every unit is accounted for, and nothing is under way.
        units: Units that came in.
        outcomes: What became of how many.
        refused: Units by reason for quarantine.
        broken: Values that broke a rule, by rule.
        failures: Steps that could not be done.
    """

    headline: str
    closes: bool
    units: int
    outcomes: dict[str, int]
    refused: dict[str, int]
    broken: dict[str, int]
    failures: int


def answer_quality(found: QualityReport) -> QualityAnswer:
    """The report without what is drawn."""
    refused: Counter[str] = Counter()
    for reason in found.refused:
        refused[reason.rule] += reason.units
    return QualityAnswer(
        headline=headline(found),
        closes=found.balance.closes,
        units=found.total.units,
        outcomes={name: getattr(found.total, name) for name in OUTCOMES},
        refused=dict(refused),
        broken={rule.rule: rule.broken for rule in found.broken_rules},
        failures=len(found.failures),
    )


def quality_table(found: QualityReport) -> Table:
    """Reasons for quarantine on a terminal."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("units", justify="right")
    for name in ("reason", "column", "what it says", "the first"):
        table.add_column(name)
    for line in reason_lines(found)[:MOST_ROWS]:
        table.add_row(line.units, line.rule, line.column, line.words, line.example)
    return table


def _percent(part: int, whole: int) -> str:
    """A share in words that does not round what is there away."""
    if not part or not whole:
        return "0 %"
    if part == whole:
        return "100 %"
    share = 100.0 * part / whole
    return "< 0.1 %" if share < 0.1 else "> 99.9 %" if share > 99.9 else f"{share:.1f} %"


def _shortened(text: str | None) -> str | None:
    if text is None or len(text) <= _EXCERPT:
        return text
    return f"{text[: _EXCERPT - 1]}…"
