from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.dptad import CATEGORIES, RULES, Thresholds, analyse_lap, calibrate_thresholds, threshold_unit
from analysis.laps.features import channel_delta_rates
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit

Make = Callable[..., LapTrace]


def test_they_come_back_from_their_rows_in_any_order(thresholds: Thresholds) -> None:
    rows = thresholds.rows()
    assert len({name for name, _ in rows}) == len(rows)
    again = Thresholds.from_rows("alder-ridge", 1, reversed(rows), n_laps=thresholds.n_laps, sessions=["sim"])
    assert again == thresholds
    assert Thresholds.from_rows("x", 3, Thresholds().rows()).limits == Thresholds().limits


def test_every_row_has_a_unit(thresholds: Thresholds) -> None:
    units = {name: threshold_unit(name) for name, _ in thresholds.rows()}
    assert units["limit.brake_stab"] == units["delta.brake_spike_bar_per_s"] == units["scale.brake.usual"] == "bar/s"
    assert {units[name] for name in units if name.startswith("exit.")} == {"km/h"}
    for name in ("limit.nothing", "exit.1.middle_kmh", "scale.brake", "x"):
        with pytest.raises(ValueError, match="is no quantity"):
            threshold_unit(name)


def test_rows_that_lack_or_add_something_are_refused(thresholds: Thresholds) -> None:
    rows = dict(thresholds.rows())
    with pytest.raises(ValueError, match=r"unknown \['limit\.nothing'\]"):
        Thresholds.from_rows("t", 1, [*rows.items(), ("limit.nothing", 1.0)])
    rows.pop("scale.speed.rough")
    with pytest.raises(ValueError, match=r"'scale\.speed\.rough' is missing"):
        Thresholds.from_rows("t", 1, rows.items())


def test_the_defaults_say_that_they_are_not_calibrated(hand_made: Make) -> None:
    assert (Thresholds().version, Thresholds().is_calibrated, Thresholds().label) == (0, False, "uncalibrated")
    columns = analyse_lap(hand_made()).columns()
    assert (columns["thresholds_version"], columns["is_calibrated"]) == ("uncalibrated", False)


def test_what_is_calibrated_comes_from_the_laps(simulated: list[LapTrace], thresholds: Thresholds) -> None:
    assert (thresholds.label, thresholds.n_laps, thresholds.sessions) == ("alder-ridge-1", len(simulated), ("sim",))
    rates = np.concatenate([channel_delta_rates(lap.t_s, lap.channels["brake_front_bar"]) for lap in simulated])
    assert thresholds.deltas.brake_spike_bar_per_s == pytest.approx(np.quantile(rates, 0.99))
    assert thresholds.deltas.version == 1
    for rule in RULES:
        assert rule.low <= thresholds.limits[rule.name] <= rule.high
    for category in CATEGORIES:
        assert thresholds.scales[category].rough > thresholds.scales[category].usual > 0
        assert thresholds.events_per_km[category] > 0


def test_the_laps_they_come_from_are_mostly_usual(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    analyses = [analyse_lap(lap, circuit, thresholds) for lap in simulated]
    for category in CATEGORIES:
        smooth = [a.scores[category].smoothness for a in analyses]
        assert np.median(np.array(smooth, float)) == pytest.approx(0.5, abs=0.05)
    assert np.mean([len(a.events) for a in analyses]) < 5


def test_the_order_of_the_laps_does_not_matter(
    simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds
) -> None:
    again = calibrate_thresholds(simulated[::-1], "alder-ridge", 1, circuit, ("sim",))
    assert dict(again.rows()) == pytest.approx(dict(thresholds.rows()))


def test_a_channel_that_no_lap_has_keeps_its_defaults(simulated: list[LapTrace]) -> None:
    without = [
        LapTrace(lap.t_s, lap.distance_m, {"speed_kmh": lap.channels["speed_kmh"]}, lap.lap_time_s) for lap in simulated
    ]
    used, default = calibrate_thresholds(without, "t", 1), Thresholds()
    assert used.limits == default.limits
    assert used.scales == default.scales
    assert used.deltas.steering_deg_per_s == default.deltas.steering_deg_per_s
    assert used.exits == {}


def test_too_few_laps_and_a_version_of_zero_are_refused(simulated: list[LapTrace]) -> None:
    with pytest.raises(ValueError, match="at least 5; gather more laps"):
        calibrate_thresholds(simulated[:4], "t", 1)
    with pytest.raises(ValueError, match="a version from 1"):
        calibrate_thresholds(simulated, "t", 0)


def test_a_lap_without_distance_is_refused(simulated: list[LapTrace]) -> None:
    lap = simulated[2]
    still = LapTrace(lap.t_s, np.zeros(lap.t_s.size), lap.channels, lap.lap_time_s)
    with pytest.raises(ValueError, match=r"laps\[2\] covers no distance"):
        calibrate_thresholds([*simulated[:2], still, *simulated[3:]], "t", 1)
    assert analyse_lap(still).reasons["brake"].text == "the lap covers no distance"
