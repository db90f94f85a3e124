"""``gold.insights``: what a lap can do better against one target, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analysis.comparison.rows import ComparedPair, Row
from medallion.io import Lake, frame_of, replace_part
from medallion.keys import of_laps_compared

TABLE: Final = "gold.insights"


def write_insights(lake: Lake, pair: ComparedPair, rows: Sequence[Row], run_id: str) -> int:
    """Put insights in the place of what the table has of the same lap and target; equal rows stay as they are.

    Args:
        lake: Where the table is.
        pair: Which lap against which target.
        rows: All of them; none takes away what was there.
        run_id: Job run.

    Returns:
        How many rows.
    """

    def same_laps(prefix: str) -> str:
        return of_laps_compared(pair.session_id, pair.lap_uid, pair.reference_uid, prefix)

    replace_part(lake, frame_of(lake, TABLE, rows, run_id), TABLE, same_laps)
    return len(rows)
