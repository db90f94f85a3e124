"""The ``/karma`` tree of ``gold.karma_scores``: ``/karma/{vehicle}/{lap}/{component}``, as JSON that Firebase keeps.

What a client of a Realtime Database sees of it:

- Laps are keys of plain numbers, so ``/karma/GR86-022-13/7/brakes`` is what lap 7 did to the brakes. Where more than
  half of the numbers from 0 to the last lap are there, Firebase renders all laps of a vehicle, read at once, as an
  array whose index is the lap number and whose gaps are null; one lap or component reads the same in either case.
- Keys may hold no ``. $ # [ ] /`` nor control characters. These, and ``%``, are percent-encoded: vehicle ``A/1`` is
  the key ``A%2F1``, which a REST client writes in its URL as ``A%252F1``.
- A field without a value, and an empty list, is not there at all, for Firebase keeps neither.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.drivers.formatting import describe_choices
from conf.tables import GOLD_KARMA_SCORES
from infra.local.files import write_json
from serving.lake.reader import LakeReader
from serving.lake.rows import Row, Value
from serving.queries.karma import KarmaError

KEY: Final = ("session_id", "vehicle_id", "lap_number", "component")
FIELDS: Final = (
    "karma_score",
    "karma_low",
    "karma_high",
    "lap_damage",
    "cumulative_damage",
    "trend",
    "remaining_laps",
    "remaining_laps_low",
    "remaining_laps_high",
    "top_factors",
    "factors_text",
    "missing_inputs",
    "applicability",
    "outside_inputs",
    "not_scored_reason",
    "session_id",
    "lap_end_ts",
    "is_synthetic",
    "model_version",
    "algorithm",
)
MAX_KEY_BYTES: Final = 768

Leaf = dict[str, Any]
Tree = dict[str, dict[str, dict[str, Leaf]]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSAFE = re.compile(r"[%.$#\[\]/\x00-\x1f\x7f]")


def build_karma_tree(rows: Iterable[Row]) -> Tree:
    """The tree of scores, by vehicle, lap and component; of each vehicle the session that ended last.

    Args:
        rows: Rows of ``gold.karma_scores``, instants as microseconds since the epoch.

    Raises:
        KarmaError: If the name of a vehicle or component is too long for a key.
    """
    scores = list(rows)
    latest = latest_sessions(scores)
    tree: Tree = {}
    for row in sorted(scores, key=lambda row: (row["vehicle_id"], row["lap_number"], row["component"])):
        if row["session_id"] == latest[row["vehicle_id"]]:
            laps = tree.setdefault(to_safe_key(row["vehicle_id"]), {})
            laps.setdefault(str(row["lap_number"]), {})[to_safe_key(row["component"])] = row_to_leaf(row)
    return tree


def latest_sessions(rows: Iterable[Row]) -> dict[str, str]:
    """Of each vehicle the session whose last lap ended last; of equal ones the last by name."""
    ends: dict[str, tuple[int, str]] = {}
    for row in rows:
        end = (row["lap_end_ts"] or 0, row["session_id"])
        ends[row["vehicle_id"]] = max(end, ends.get(row["vehicle_id"], end))
    return {vehicle: session for vehicle, (_, session) in ends.items()}


def row_to_leaf(row: Row) -> Leaf:
    """What the tree says of a row; ``lap_end_ts`` as ISO 8601 in UTC, fields without a value left out."""
    end_us = row["lap_end_ts"]
    leaf: Leaf = _firebase_value(
        {name: row[name] for name in FIELDS} | {"lap_end_ts": None if end_us is None else _iso(end_us)}
    )
    return leaf


def to_safe_key(name: str) -> str:
    """A name as a key of a Realtime Database; different names have different keys.

    Raises:
        KarmaError: If the key is longer than 768 bytes.
    """
    key = _UNSAFE.sub(lambda match: f"%{ord(match[0]):02X}", name) or "%"  # of no other name, for hex digits follow it
    if len(key.encode()) > MAX_KEY_BYTES:
        raise KarmaError(f"'{name[:40]}…' is too long for a key of the tree: {MAX_KEY_BYTES} bytes are allowed")
    return key


def count_leaves(tree: Tree) -> int:
    """Leaves of a tree: scores of one component in one lap."""
    return sum(len(components) for laps in tree.values() for components in laps.values())


def read_karma_rows(lake: LakeReader, session: str | None = None, vehicle: str | None = None) -> list[Row]:
    """Scores to make a tree of.

    Args:
        lake: The lake.
        session: Session; all if left out.
        vehicle: Vehicle id; all if left out.

    Raises:
        LakeError: If ``gold.karma_scores`` cannot be read.
        KarmaError: If there are none; the message names those there are.
    """
    columns = tuple(dict.fromkeys((*KEY, *FIELDS)))
    rows = lake.rows(GOLD_KARMA_SCORES, _where(session, vehicle), columns=columns, order_by=KEY)
    if not rows:
        raise KarmaError(_describe_missing_scores(lake, session, vehicle))
    return rows


def write_tree(tree: Tree, path: Path) -> None:
    """Write a tree as one JSON file, which is whole or not there."""
    write_json(path, tree)


def write_scores(lake: LakeReader, path: Path, session: str | None = None, vehicle: str | None = None) -> int:
    """Write the rows of ``gold.karma_scores`` as one Parquet file, which is whole or not there.

    Args:
        lake: The lake.
        path: File to write.
        session: Session; all if left out.
        vehicle: Vehicle id; all if left out.

    Returns:
        Rows written.

    Raises:
        LakeError: If the table cannot be read.
        KarmaError: If there are no such rows; the message names those there are.
    """
    scores = lake.frame(GOLD_KARMA_SCORES, _where(session, vehicle), order_by=KEY)
    if scores.is_empty():
        raise KarmaError(_describe_missing_scores(lake, session, vehicle))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(_as_written(lake, scores), temporary, compression="zstd")
    temporary.replace(path)
    return scores.height


def _as_written(lake: LakeReader, scores: pl.DataFrame) -> pa.Table:
    """The rows with the types of their table, instants among them."""
    return scores.to_arrow().cast(pa.schema(lake.table(GOLD_KARMA_SCORES).schema()))


def _where(session: str | None, vehicle: str | None) -> dict[str, Value]:
    asked = {"session_id": session, "vehicle_id": vehicle}
    return {name: value for name, value in asked.items() if value is not None}


def _describe_missing_scores(lake: LakeReader, session: str | None, vehicle: str | None) -> str:
    known = lake.rows(GOLD_KARMA_SCORES, columns=("session_id", "vehicle_id"), distinct=True)
    sessions = sorted({row["session_id"] for row in known})
    if not known:
        return f"{GOLD_KARMA_SCORES} is empty: `slipstream score karma` scores laps"
    if session is not None and session not in sessions:
        there = describe_choices("sessions", sessions)
        return f"no scores of session '{session}': {there}; `slipstream score karma` scores more"
    vehicles = sorted({row["vehicle_id"] for row in known if session in {None, row["session_id"]}})
    where = "" if session is None else f" in session '{session}'"
    there = describe_choices("vehicles", vehicles)
    return f"no scores of vehicle '{vehicle}'{where}: {there}; `slipstream score karma` scores more"


def _firebase_value(value: Any) -> Any:
    """What Firebase keeps of a value; ``None`` where it keeps nothing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: kept for name, item in value.items() if (kept := _firebase_value(item)) is not None} or None
    if isinstance(value, list):
        return [kept for item in value if (kept := _firebase_value(item)) is not None] or None
    return value


def _iso(instant_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=instant_us)).isoformat().replace("+00:00", "Z")
