"""Figures: what they compute, that several fit on one page, that odd laps do not break them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.drivers.formatting import tenths
from serving.charts.circuit import place
from serving.charts.driver import lap_times_figure, scores_figure, sectors_figure
from serving.charts.laps import comparison_figure, loss_map_figure, traces_figure
from serving.charts.style import new_figure, save, svg
from serving.charts.time_delta import local_loss
from serving.queries.comparison import compare_loaded, compare_rows
from serving.queries.laps import by_time, read_laps
from tests.unit.serving.race_lake import SESSION, race_lake


@pytest.fixture(scope="module")
def laps():
    return read_laps(race_lake(), SESSION)


@pytest.fixture(scope="module")
def found(laps):
    quick, *_, slow = by_time(laps)
    return compare_rows(race_lake(), slow, quick)


def test_local_loss_adds_up_to_the_delta(found):
    loss, where = local_loss(found.comparison.distance_m, found.comparison.delta_s), found.comparison.distance_m
    assert loss.shape == where.shape
    assert np.trapezoid(loss / 100.0, where) == pytest.approx(found.delta_s, rel=0.02)


def test_places_are_on_the_line(found):
    line = found.circuit.line
    np.testing.assert_allclose(place(found.circuit, line.s_m), np.column_stack([line.x_m, line.y_m]))
    np.testing.assert_allclose(place(found.circuit, line.length_m), place(found.circuit, 0.0))


def test_figures_stand_beside_each_other_on_one_page(found):
    drawn = [svg(traces_figure(found)), svg(loss_map_figure(found.comparison, found.circuit))]
    for text in drawn:
        assert text.startswith("<svg")
        ET.fromstring(text)
        assert not re.search(r'id="(figure|axes|patch)_', text)
        ids = set(re.findall(r'id="([^"]+)"', text))
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= ids
        assert set(re.findall(r'xlink:href="#([^"]+)"', text)) <= ids
    assert ">Speed, km/h<" in drawn[0]
    assert svg(traces_figure(found)) == drawn[0]


def test_without_a_circuit_the_sheet_says_so(found):
    plain = compare_loaded((found.lap, found.reference), "nobody knows the track")
    assert "nobody knows" in svg(comparison_figure(plain))


def test_a_channel_that_is_not_there_is_said(found):
    channels = dict(found.lap.trace.channels)
    bare = [
        replace(side, trace=replace(side.trace, channels={k: v for k, v in channels.items() if k != "brake_front_bar"}))
        for side in (found.lap, found.lap)
    ]
    assert "not measured" in svg(traces_figure(compare_loaded((bare[0], bare[1]), found.circuit)))


def test_a_form_that_cannot_be_written(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'\.txt' is no form of picture"):
        save(new_figure(1, 1), tmp_path / "x.txt")
    assert save(new_figure(1, 1), tmp_path / "deep" / "x.png").is_file()


def test_lap_times_with_stops_cautions_and_slow_laps(laps):
    own = [lap for lap in laps if lap.vehicle_id == laps[0].vehicle_id]
    text = svg(lap_times_figure(own, laps, own[-1].lap_time_s))
    assert "neutralised" in text
    assert "target lap" in text
    stopped = [replace(own[0], pit_in=True, lap_time_ms=400_000), *own[1:]]
    assert "pit stop" in svg(lap_times_figure(stopped, laps, None))
    assert ">6:40.0<" in svg(lap_times_figure(stopped, laps, None))


@pytest.mark.parametrize("change", [{"fit_for": ()}, {"lap_time_ms": None}, {"sectors_s": (None, None, None)}])
def test_laps_that_count_for_nothing_can_be_drawn(laps, change):
    odd = [replace(lap, **change) for lap in laps[:4]]
    assert "Lap time" in svg(lap_times_figure(odd, odd, None))
    assert "Sector 1" in svg(sectors_figure(odd, odd))


def test_one_lap_alone(laps):
    (one,) = by_time(laps)[:1]
    assert "Sector 3" in svg(sectors_figure([one], [one]))
    assert "Lap" in svg(lap_times_figure([one], [one], None))


def test_a_score_that_is_missing_is_blank(laps):
    names = ("brake", "throttle", "steering", "speed", "overall")
    rows = [{f"{name}_score": None if name == "brake" else 42.0 for name in names} | {"lap_number": 7}]
    assert svg(scores_figure(rows)).count(">42<") == 4


def test_tenths():
    assert [tenths(value) for value in (59.96, 79.302, 600.0)] == ["1:00.0", "1:19.3", "10:00.0"]
