"""``gold.lap_comparison`` and ``gold.corner_reports``: a comparison as it was asked for, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analysis.comparison.rows import ComparedPair, Row
from medallion.io import Lake, frame_of, replace_part
from medallion.keys import of_laps_compared

COMPARISONS: Final = "gold.lap_comparison"
REPORTS: Final = "gold.corner_reports"
TABLES: Final = (COMPARISONS, REPORTS)


def write_comparison(lake: Lake, pair: ComparedPair, points: Sequence[Row], pieces: Sequence[Row], run_id: str) -> int:
    """Put a comparison in the place of what the tables have of the same two laps; equal rows stay as they are.

    Args:
        lake: Where the tables are.
        pair: Which lap against which.
        points: Rows of ``gold.lap_comparison``.
        pieces: Rows of ``gold.corner_reports``; none where the circuit is not known.
        run_id: Job run.

    Returns:
        Rows of both tables together.
    """

    def same_laps(prefix: str) -> str:
        return of_laps_compared(pair.session_id, pair.lap_uid, pair.reference_uid, prefix)

    for table, rows in ((COMPARISONS, points), (REPORTS, pieces)):
        replace_part(lake, frame_of(lake, table, rows, run_id), table, same_laps)
    return len(points) + len(pieces)
