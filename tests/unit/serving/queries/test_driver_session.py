"""What is gathered of one driver's session, and what is said where there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.tracks.circuit import Circuit
from serving.lake.reader import LakeReader
from serving.lake.store import MissingTableError
from serving.queries.driver_session import TABLES, TableRows, compare_with_best, read_driver_session, read_table
from serving.queries.laps import LapError, find_best_lap, laps_of_vehicle, rank_by_time, read_laps
from tests.unit.serving.karma_lake import karma_rows
from tests.unit.serving.race_lake import SESSION, copy_race, race, race_lake, write_rows


@pytest.fixture(scope="module")
def lake():
    return race_lake()


@pytest.fixture(scope="module")
def cars(lake):
    """Vehicles, the quickest first."""
    return list(dict.fromkeys(lap.vehicle_id for lap in rank_by_time(read_laps(lake, SESSION))))


def test_everything_there_is_of_one_driver(lake, cars):
    found = read_driver_session(lake, SESSION, cars[1])
    car = next(c for c in race().cars if c.vehicle_id == cars[1])
    assert found.laps == read_driver_session(lake, SESSION, str(car.entered_number)).laps
    for part in (found.session, found.result, found.summary, found.target, found.fleet):
        assert (len(part.rows), part.missing) == (1, None)
    assert found.result.first["vehicle_number"] == car.entered_number
    assert {row["vehicle_id"] for row in (*found.scores.rows, *found.stints.rows)} == {cars[1]}
    numbers = [row["lap_number"] for row in found.scores.rows]
    assert numbers == sorted(numbers) == [lap.lap_number for lap in found.laps if "pace" in lap.fit_for]
    assert found.track == race().track.title
    assert isinstance(found.circuit, Circuit)
    not_there = {"silver.tracks", "silver.drivers", "gold.style_predictions", "gold.karma_scores"}
    assert set(found.versions) == set(TABLES) - not_there
    assert found.best == find_best_lap(found.laps)
    assert found.session_best == find_best_lap(found.field)
    assert found.target.first["current_best_s"] == pytest.approx(found.best.lap_time_s)


def test_the_best_lap_is_held_against_the_best_of_the_session(lake, cars):
    loss = read_driver_session(lake, SESSION, cars[1]).loss
    assert loss.compared.lap.row.vehicle_id == cars[1]
    assert loss.compared.reference.row == rank_by_time(read_laps(lake, SESSION))[0]
    assert loss.words.startswith("The driver's best lap (lap ")
    assert "no telemetry" not in loss.words


def test_each_valid_lap_is_held_against_the_reference_and_the_drivers_own_best(lake, cars):
    found = read_driver_session(lake, SESSION, cars[1])
    valid = [lap.uid for lap in found.laps if "pace" in lap.fit_for]
    reference, own = found.loss.compared.reference.row.uid, found.best.uid
    pairs = {(one.reference.row.uid, one.lap.row.uid): one for one in found.loss.pairs}
    assert list(pairs) == [(reference, uid) for uid in valid] + [(own, uid) for uid in valid if uid != own]
    for uid in set(valid) - {own}:
        # What a lap loses to the reference, less what the best lap loses to it, is what it loses to the best lap.
        apart = pairs[reference, uid].comparison.delta_s - pairs[reference, own].comparison.delta_s
        np.testing.assert_allclose(apart, pairs[own, uid].comparison.delta_s, atol=1e-9)
    assert {one.lap.row.uid for one in read_driver_session(lake, SESSION, cars[0]).loss.pairs} == {
        lap.uid for lap in rank_by_time(laps_of_vehicle(read_laps(lake, SESSION), cars[0]))[1:]
    }


def test_style_by_lap_and_beside_the_field(tmp_path, cars):
    settings = copy_race(tmp_path)
    lake = LakeReader(settings)
    laps = laps_of_vehicle(read_laps(lake, SESSION), cars[0])
    second, third = laps[1], laps[2]
    ends = [second.start_us, second.start_us + 10**6, second.end_us, third.end_us + 10**9]
    labels = ["AGGRESSIVE", "NORMAL", "AGGRESSIVE", "AGGRESSIVE"]
    row = {"session_id": SESSION, "model_name": "driving-style", "model_version": "3"}
    mine = [row | {"vehicle_id": cars[0], "window_end_ts": t, "label": x} for t, x in zip(ends, labels, strict=True)]
    calm = [row | {"vehicle_id": cars[1], "window_end_ts": ends[0], "label": "NORMAL"}]
    write_rows(settings, "gold.style_predictions", [*mine, *calm])
    style = read_driver_session(lake, SESSION, cars[0]).style
    assert [(lap.lap_number, lap.windows, lap.aggressive) for lap in style.laps] == [(2, 2, 1), (3, 1, 1)]
    assert (style.share, style.field) == (0.75, {cars[0]: 0.75, cars[1]: 0.0})
    assert (style.models, style.missing) == (("driving-style version 3",), None)
    other = read_driver_session(lake, SESSION, cars[2])
    assert other.style.missing.startswith(f"gold.style_predictions has no row of {SESSION}/{cars[2]}: `slipstream")
    assert other.answer.missing["style"] == other.style.missing


def test_karma_is_the_cars_own(tmp_path, cars):
    settings = copy_race(tmp_path)
    write_rows(settings, "gold.karma_scores", karma_rows(SESSION, cars[0], n_laps=4))
    found = read_driver_session(LakeReader(settings), SESSION, cars[0])
    assert [lap.number for lap in found.karma_report.laps] == [1, 2, 3, 4]
    assert {row["vehicle_id"] for row in found.answer.karma} == {cars[0]}
    other = read_driver_session(LakeReader(settings), SESSION, cars[1])
    assert other.karma_report is None
    assert other.karma.missing.endswith("`slipstream score karma` fills it.")


def test_whoever_has_the_best_lap_is_held_against_it_with_a_median_lap(lake, cars):
    loss = read_driver_session(lake, SESSION, cars[0]).loss
    own = rank_by_time(laps_of_vehicle(read_laps(lake, SESSION), cars[0]))
    assert loss.compared.reference.row == own[0]
    assert loss.compared.lap.row == own[len(own) // 2]
    assert "the driver's own" in loss.words


def test_laps_without_telemetry_are_passed_over_and_that_is_said(lake, cars):
    field = read_laps(lake, SESSION)
    best = find_best_lap(field)
    blind = tuple(replace(lap, sample_count=0) if lap.uid == best.uid else lap for lap in field)
    loss = compare_with_best(
        lake, laps_of_vehicle(blind, cars[1]), blind, read_driver_session(lake, SESSION, cars[1]).circuit
    )
    assert loss.compared.reference.row == rank_by_time(field)[1]
    assert f"by {best.car}, has no telemetry." in loss.words


def test_nothing_to_compare(lake, cars):
    field = tuple(replace(lap, sample_count=0) for lap in read_laps(lake, SESSION))
    loss = compare_with_best(lake, laps_of_vehicle(field, cars[0]), field, None, "no circuit")
    assert (loss.compared, loss.words.partition(" has ")[0]) == (None, "no car")
    only = tuple(lap for lap in read_laps(lake, SESSION) if lap == find_best_lap(read_laps(lake, SESSION)))
    alone = compare_with_best(lake, only, only, None, "no circuit")
    assert alone.compared is None
    assert "no second one" in alone.words


def test_a_table_that_is_not_there_or_empty_says_what_fills_it(home):
    assert read_table(LakeReader(home), "gold.siwtl", {"session_id": "s"}) == TableRows(
        (), "gold.siwtl does not exist yet: `slipstream stream gold` fills it."
    )
    write_rows(home, "gold.siwtl", [{"session_id": "t", "vehicle_id": "a"}])
    nothing = read_table(LakeReader(home), "gold.siwtl", {"session_id": "s", "vehicle_id": "a"})
    assert nothing.missing == "gold.siwtl has no row of s/a: `slipstream stream gold` fills it."
    assert nothing.first == {}
    assert read_table(LakeReader(home), "gold.siwtl", {"session_id": "t"}).missing is None


def test_laps_alone_are_enough(home):
    rows = [
        {
            "session_id": "s",
            "vehicle_id": "a",
            "vehicle_number": 7,
            "lap_number": k,
            "lap_time_ms": 90_000 + k,
            "fit_for": ["pace"],
            "invalid_reasons": [],
            "sample_count": 0,
        }
        for k in (1, 2, 3)
    ]
    write_rows(home, "silver.laps", rows)
    found = read_driver_session(LakeReader(home), "s", "7")
    parts = ("session", "result", "driver", "summary", "target", "stints", "scores", "events", "fleet")
    assert all("does not exist yet: `slipstream " in getattr(found, part).missing for part in parts)
    assert (found.track, found.loss.compared) == (None, None)
    assert found.circuit is None
    assert found.no_circuit is not None
    assert found.versions == {"silver.laps": 0}


def test_errors(home, lake):
    with pytest.raises(MissingTableError, match=r"silver\.laps"):
        read_driver_session(LakeReader(home), "s", "a")
    with pytest.raises(LapError, match="no vehicle 'nobody'"):
        read_driver_session(lake, SESSION, "nobody")
