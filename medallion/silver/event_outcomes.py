"""What becomes of events: the first of a key is written, an equal one is a repeat, another one a conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from conf.contract import Contract
from medallion.exchange import same_value

Outcome = Literal["written", "repeat", "conflict"]
Event = Mapping[str, Any]
LINEAGE: Final = ("bronze_topic", "bronze_partition", "bronze_offset", "source", "batch_id", "run_id")
_NUMBERS: Final = ("INT", "BIGINT", "DOUBLE", "BOOLEAN")


@dataclass(frozen=True)
class JudgedEvent:
    """An event and what became of it.

    Attributes:
        event: Columns of its table.
        outcome: What became of it.
        winner: The event that its key keeps.
    """

    event: Event
    outcome: Outcome
    winner: Event


def content_columns(table: Contract) -> list[str]:
    """Columns of a table that an event gives."""
    return [c for c in table.column_names if c not in LINEAGE]


def judge_events(events: Sequence[Event], existing: Sequence[Event], table: Contract) -> list[JudgedEvent]:
    """Judge events of a batch, in the order in which they were sent.

    Args:
        events: Good events of one table.
        existing: Rows of the table whose keys may be among theirs.
        table: The table.
    """
    counted = [c for c in content_columns(table) if c not in table.key]

    def key_of(event: Event) -> tuple[Any, ...]:
        return tuple(event[c] for c in table.key)

    kept = {key_of(row): row for row in existing}
    judged = []
    for event in events:
        key = key_of(event)
        winner = kept.setdefault(key, event)
        if winner is event:
            outcome: Outcome = "written"
        else:
            outcome = "repeat" if all(same_value(event[c], winner[c]) for c in counted) else "conflict"
        judged.append(JudgedEvent(event, outcome, winner))
    return judged


def conflict_row(judged: JudgedEvent, table: Contract) -> dict[str, Any]:
    """Row of ``silver.conflicts`` of an event that contradicts: the first column that does, and its number."""
    event, winner = judged.event, judged.winner
    counted = (c for c in content_columns(table) if c not in table.key)
    column = next(c for c in counted if not same_value(event[c], winner[c]))
    value = event[column] if table.column(column).physical_type in _NUMBERS else None
    return {
        **{name: event[name] for name in ("bronze_topic", "bronze_partition", "bronze_offset", "session_id")},
        "unit_index": 0,
        "vehicle_id": event.get("vehicle_id"),
        "ecu_ts": event.get("event_ts"),
        "channel": f"{table.name}.{column}",
        "refused_value": None if value is None else float(value),
    }
