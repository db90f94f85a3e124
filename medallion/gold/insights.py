"""``gold.insights``: possible improvements of a lap against one target, written as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from analysis.comparison.rows import ComparedPair, Row
from conf.tables import GOLD_INSIGHTS
from medallion.io import Lake, rows_to_dataframe, sync_rows
from medallion.keys import comparison_condition


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
    sync_rows(
        lake, rows_to_dataframe(lake, GOLD_INSIGHTS, rows, run_id), GOLD_INSIGHTS, partial(comparison_condition, pair)
    )
    return len(rows)
