"""``gold.insights``: possible improvements of a lap against one target, written as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.comparison.rows import ComparedPair, Row
from conf.tables import GOLD_INSIGHTS
from medallion.exchange import exchange_rows
from medallion.io import Lake
from medallion.part import comparison_part


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
    exchange_rows(lake, GOLD_INSIGHTS, rows, comparison_part(pair), run_id)
    return len(rows)
