"""Figures: what they compute, that several fit on one page, that odd laps do not break them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.drivers.formatting import format_tenths
from serving.charts.circuit import point_on_line
from serving.charts.driver import anomaly_scores_figure, lap_times_figure, sectors_figure
from serving.charts.laps import comparison_figure, lap_traces_figure, loss_map_figure
from serving.charts.style import figure_to_svg, new_figure, save_figure
from serving.charts.time_delta import local_loss_rate
from serving.queries.comparison import compare_lap_rows, compare_loaded_laps
from serving.queries.laps import find_best_lap, rank_by_time, read_laps
from tests.unit.serving.race_lake import SESSION, race_lake


@pytest.fixture(scope="module")
def laps():
    return read_laps(race_lake(), SESSION)


@pytest.fixture(scope="module")
def found(laps):
    quick, *_, slow = rank_by_time(laps)
    return compare_lap_rows(race_lake(), slow, quick)


def test_local_loss_adds_up_to_the_delta(found):
    loss, where = local_loss_rate(found.comparison.distance_m, found.comparison.delta_s), found.comparison.distance_m
    assert loss.shape == where.shape
    assert np.trapezoid(loss / 100.0, where) == pytest.approx(found.delta_s, rel=0.02)


def test_places_are_on_the_line(found):
    line = found.circuit.line
    np.testing.assert_allclose(point_on_line(found.circuit, line.s_m), np.column_stack([line.x_m, line.y_m]))
    np.testing.assert_allclose(point_on_line(found.circuit, line.length_m), point_on_line(found.circuit, 0.0))


def test_figures_stand_beside_each_other_on_one_page(found):
    drawn = [figure_to_svg(lap_traces_figure(found)), figure_to_svg(loss_map_figure(found.comparison, found.circuit))]
    for text in drawn:
        assert text.startswith("<svg")
        ET.fromstring(text)
        assert not re.search(r'id="(figure|axes|patch)_', text)
        ids = set(re.findall(r'id="([^"]+)"', text))
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= ids
        assert set(re.findall(r'xlink:href="#([^"]+)"', text)) <= ids
    assert ">Speed, km/h<" in drawn[0]
    assert figure_to_svg(lap_traces_figure(found)) == drawn[0]


def test_without_a_circuit_the_sheet_says_so(found):
    plain = compare_loaded_laps((found.lap, found.reference), None, no_circuit="nobody knows the track")
    assert "nobody knows" in figure_to_svg(comparison_figure(plain))


def test_a_channel_that_is_not_there_is_said(found):
    channels = dict(found.lap.trace.channels)
    bare = [
        replace(side, trace=replace(side.trace, channels={k: v for k, v in channels.items() if k != "brake_front_bar"}))
        for side in (found.lap, found.lap)
    ]
    assert "not measured" in figure_to_svg(lap_traces_figure(compare_loaded_laps((bare[0], bare[1]), found.circuit)))


def test_a_form_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'\.txt' is no form of picture"):
        save_figure(new_figure(1, 1), tmp_path / "x.txt")
    assert save_figure(new_figure(1, 1), tmp_path / "deep" / "x.png").is_file()


def test_lap_times_with_stops_cautions_and_slow_laps(laps):
    own = [lap for lap in laps if lap.vehicle_id == laps[0].vehicle_id]
    text = figure_to_svg(lap_times_figure(own, laps, own[-1].lap_time_s))
    assert "neutralised" in text
    assert "target lap" in text
    stopped = [replace(own[0], pit_in=True, lap_time_ms=400_000), *own[1:]]
    assert "pit stop" in figure_to_svg(lap_times_figure(stopped, laps, None))
    assert ">6:40.0<" in figure_to_svg(lap_times_figure(stopped, laps, None))


def test_the_median_of_the_field_is_drawn_where_it_is_in_sight_and_nowhere_else(laps):
    own = [lap for lap in laps if lap.vehicle_id == laps[0].vehicle_id]
    quick = find_best_lap(own)
    field = [
        replace(quick, vehicle_id=f"car-{car}", lap_number=lap, lap_time_ms=quick.lap_time_ms + 60_000 * (lap == 4))
        for car in range(3)
        for lap in range(1, 7)
    ]
    axes = lap_times_figure(own, field, None).axes[0]
    (line,) = (line for line in axes.lines if line.get_label() == "median of the field")
    np.testing.assert_array_equal(np.isnan(line.get_ydata()), [False, False, False, True, False, False])
    assert np.nanmax(line.get_ydata()) <= axes.get_ylim()[1]


@pytest.mark.parametrize("change", [{"fit_for": ()}, {"lap_time_ms": None}, {"sectors_s": (None, None, None)}])
def test_laps_that_count_for_nothing_can_be_drawn(laps, change):
    odd = [replace(lap, **change) for lap in laps[:4]]
    assert "Lap time" in figure_to_svg(lap_times_figure(odd, odd, None))
    assert "Sector 1" in figure_to_svg(sectors_figure(odd, odd))


def test_one_lap_alone(laps):
    (one,) = rank_by_time(laps)[:1]
    assert "Sector 3" in figure_to_svg(sectors_figure([one], [one]))
    assert "Lap" in figure_to_svg(lap_times_figure([one], [one], None))


def test_a_score_that_is_missing_is_blank(laps):
    names = ("brake", "throttle", "steering", "speed", "overall")
    rows = [{f"{name}_score": None if name == "brake" else 42.0 for name in names} | {"lap_number": 7}]
    assert figure_to_svg(anomaly_scores_figure(rows)).count(">42<") == 4


def test_tenths():
    assert [format_tenths(value) for value in (59.96, 79.302, 600.0)] == ["1:00.0", "1:19.3", "10:00.0"]
