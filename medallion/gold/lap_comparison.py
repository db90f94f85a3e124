"""``gold.lap_comparison`` and ``gold.corner_reports``: a comparison as it was asked for, written whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analysis.comparison.rows import ComparedPair, Row
from conf.tables import GOLD_CORNER_REPORTS, GOLD_LAP_COMPARISON
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.part import comparison_part

TABLES: Final = (GOLD_LAP_COMPARISON, GOLD_CORNER_REPORTS)


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
    for table, rows in ((GOLD_LAP_COMPARISON, points), (GOLD_CORNER_REPORTS, pieces)):
        exchange_rows(lake, table, rows, comparison_part(pair), run_id)
    return len(points) + len(pieces)
