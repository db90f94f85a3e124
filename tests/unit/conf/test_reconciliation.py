"""The identity of reconciliation: one definition for a batch and for the lake."""

from __future__ import annotations

import pytest

from conf.contract import load_contract
from conf.reconciliation import OUTCOMES, unaccounted_units
from conf.tables import OPS_RECONCILIATION
from medallion.silver.reconciliation import BatchReconciliation
from serving.lake.reconciliation import QueryAccount


@pytest.mark.parametrize(("units", "missing"), [(10, 0), (11, 1), (9, -1)])
def test_units_are_those_written_repeated_in_conflict_or_quarantined(units: int, missing: int) -> None:
    outcomes = {"written": 4, "repeats": 3, "conflicts": 2, "quarantined": 1}
    batch = BatchReconciliation(messages=1, units=units, **outcomes)
    whole = QueryAccount(query="silver:a", batches=1, messages=1, units=units, open_batches=0, **outcomes)
    assert (unaccounted_units(batch), whole.difference) == (missing, missing)
    assert batch.closes == (missing == 0)


def test_the_outcomes_are_columns_of_the_table() -> None:
    assert {"units", *OUTCOMES} <= set(load_contract(OPS_RECONCILIATION).column_names)
