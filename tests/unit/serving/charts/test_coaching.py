"""The picture of a coached lap, and its table."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from serving.charts.coaching import coaching_figure, marked_insights
from serving.charts.style import figure_to_svg
from serving.charts.time_delta import local_loss_rate
from serving.queries.coaching import CoachedLap, coach_against_target, format_values
from serving.queries.laps import LapName, rank_by_time, read_laps
from slipstream.terminal.coaching import coaching_table
from tests.unit.serving.race_lake import SESSION, race_lake


@pytest.fixture(scope="module")
def found() -> CoachedLap:
    slowest = rank_by_time(read_laps(race_lake(), SESSION))[-1]
    return coach_against_target(race_lake(), LapName.parse(slowest.uid))


def test_local_loss_adds_up_to_the_delta(found: CoachedLap) -> None:
    loss = local_loss_rate(found.distance_m, found.delta_s)
    assert loss.shape == found.distance_m.shape
    assert np.trapezoid(loss / 100.0, found.distance_m) == pytest.approx(found.delta_s[-1], rel=0.02)


def test_the_picture_has_every_panel_and_marks_the_first_insights(found: CoachedLap) -> None:
    text = figure_to_svg(coaching_figure(found))
    ET.fromstring(text)
    for words in ("Speed, km/h", "Throttle, %", "Brake, bar", "Time lost, s", "Time lost per 100 m", "green: gained"):
        assert words in text
    for one in marked_insights(found):
        assert one.text in text
    assert found.target.uid in text


def test_a_lap_with_nothing_to_say_is_drawn_too(found: CoachedLap, tmp_path: Path) -> None:
    text = figure_to_svg(coaching_figure(replace(found, driven=found.aimed, insights=())))
    assert "Nothing is worth a word" in text


def test_table_and_facts(found: CoachedLap) -> None:
    assert coaching_table(found).row_count == len(found.insights) + 2
    facts = found.answer.model_dump()
    assert [i["rank"] for i in facts["insights"]] == list(range(1, len(found.insights) + 1))
    assert facts["insights"][0]["corner"]
    assert "lap_uid" not in facts["insights"][0]
    lengths = {len(values) for values in facts["trace"].values()}
    assert len(lengths) == 1
    human, target = format_values(found.insights[0])
    assert human.split()[1] == target.split()[1] == found.insights[0].unit
    assert {row["lap_uid"] for row in found.insight_rows()} == {found.pair.lap_uid}
