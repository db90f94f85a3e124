from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ml.style.obd import BASELINE, BETTER, NO_ENGINE_SPEED, fit_obd, read_trip, score_trip
from ml.style.obd.model import choose_windows

SMALL = replace(BETTER, n_trees=20, window_rows=((5,), (20,), (60,)))


def test_window_that_made_the_label_is_chosen_from_training_trips(trip):
    assert choose_windows([trip(1), trip(2)], SMALL) == (20,)
    assert choose_windows([trip(1)], SMALL) == (20,)  # one trip: split by its drives


def test_scores_are_probabilities_of_every_row_and_repeatable(trip):
    trips = [trip(1), trip(2)]
    first, again = (score_trip(fit_obd(trips, SMALL), trip(3)) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert list(first.columns) == ["row", "probability"]
    np.testing.assert_array_equal(first["row"], np.arange(len(trip(3).signals)))
    assert first["probability"].between(0, 1).all()
    y = trip(3).labels
    assert first["probability"][y].mean() > 2 * first["probability"][~y].mean()


def test_step_scores_every_nth_row_alike(trip):
    fitted = fit_obd([trip(1)], replace(SMALL, window_rows=((20,),)))
    every, some = score_trip(fitted, trip(2)), score_trip(fitted, trip(2), step_rows=5)
    pd.testing.assert_frame_equal(every.set_index("row").loc[some["row"]].reset_index(), some)


@pytest.mark.parametrize("recipe", [BASELINE, SMALL, replace(NO_ENGINE_SPEED, window_rows=((20,),))])
def test_unlabelled_trip_with_nulls_is_scored(trip, frame, save, recipe):
    table = frame(4).drop(columns="drivingStyle")
    table.loc[:9, ["VehicleSpeedInstantaneous", "EngineRPM", "EngineLoad"]] = np.nan
    new = read_trip(save(table, "new"), require_label=False)
    scores = score_trip(fit_obd([trip(1), trip(2)], replace(recipe, n_trees=5)), new)
    assert len(scores) == len(table)
    assert scores["probability"].notna().all()


def test_fit_needs_trips_and_both_styles(trip):
    with pytest.raises(ValueError, match="no trip"):
        fit_obd([])
    calm = trip(1)
    calm = type(calm)(calm.name, calm.signals, np.zeros_like(calm.labels), calm.annotations)
    with pytest.raises(ValueError, match="one style only"):
        fit_obd([calm], BASELINE)
    with pytest.raises(ValueError, match="cannot be chosen"):
        fit_obd([calm], SMALL)
