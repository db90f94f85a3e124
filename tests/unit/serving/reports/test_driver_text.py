"""What a driver's report says, on rows made for it: incidents that come again, laps that were not judged, tiles."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.dptad.rules import CATEGORIES
from analysis.drivers.formatting import format_lap_time
from serving.charts.driving import smoothness_figure, style_figure
from serving.charts.style import figure_to_svg
from serving.queries.driver_session import TableRows, read_driver_session
from serving.queries.driver_style import SessionStyle, StyleLap
from serving.queries.laps import rank_by_time, read_laps
from serving.queries.smoothness import compare_smoothness
from serving.reports import driver_driving as driving
from serving.reports import driver_pace as pace
from serving.reports import driver_text as view
from tests.unit.serving.race_lake import SESSION, race_lake


@pytest.fixture(scope="module")
def found():
    second = list(dict.fromkeys(lap.vehicle_id for lap in rank_by_time(read_laps(race_lake(), SESSION))))[1]
    return read_driver_session(race_lake(), SESSION, second)


def event(corner, rule, lap, magnitude, **more):
    return {
        "corner": corner,
        "rule": rule,
        "event_type": "some_thing",
        "lap_number": lap,
        "magnitude": magnitude,
        "threshold": 10.0,
        "unit": "bar",
        "lap_distance_m": 1234.0,
        "category": "brake",
        "severity": "low",
    } | more


def score(lap, value, **more):
    row = {f"{name}_score": value for name in (*CATEGORIES, "overall")}
    return (
        row
        | {
            "lap_number": lap,
            "event_count": 0,
            "thresholds_version": "ring-2",
            "is_calibrated": True,
            "reasons": {},
            "insights": [],
        }
        | more
    )


def refused(lap, why):
    reasons = dict.fromkeys(CATEGORIES, why)
    return score(lap, None, event_count=None, thresholds_version=None, is_calibrated=None, reasons=reasons)


def test_incidents_of_one_kind_and_place_are_one_line():
    events = [
        event("T5", "brake_stab", 2, 12.0), event("T5", "brake_stab", 2, 15.0), event("T5", "brake_stab", 4, 11.0),
        event("T1", "brake_stab", 3, 40.0), event(None, "unheard_of", 3, 11.0, lap_distance_m=1260.0),
    ]  # fmt: skip
    rows = driving.incident_rows(events)
    assert [(r["where"], r["what"], r["n_laps"], r["strongest"], r["limit"]) for r in rows] == [
        ("T5", "second stab at the brake", 2, "15 bar", "10 bar"),
        ("T1", "second stab at the brake", 1, "40 bar", "10 bar"),
        ("around 1,300 m", "some thing", 1, "11 bar", "10 bar"),
    ]
    assert driving.incident_rows([]) == []


def test_a_small_limit_keeps_its_decimals():
    (row,) = driving.incident_rows([event("T1", "traction_loss", 1, 0.25, threshold=0.2, unit="g")])
    assert (row["strongest"], row["limit"]) == ("0.25 g", "0.20 g")


def test_laps_that_were_not_judged_are_left_out_and_explained(found):
    rows = (score(1, 10.0), refused(2, "no telemetry"), score(3, 30.0), refused(4, "no telemetry"))
    one = replace(found, scores=TableRows(rows))
    assert [row["lap_number"] for row in driving.scored_rows(one)] == [1, 3]
    said = driving.describe_scores(one)
    assert said["words"] == (
        "2 laps judged by thresholds ring-2. Mean scores: brake 20, throttle 20, steering 20, speed 20."
    )
    assert said["reasons"] == "Not judged on laps 2 and 4, because no telemetry."
    part = [score(k, 10.0, reasons={"poor_corner_exit": "no circuit"}) for k in (1, 2)]
    assert driving.describe_scores(replace(found, scores=TableRows(tuple(part))))["reasons"] == (
        "Not judged: poor corner exit, because no circuit."
    )


def test_where_no_lap_could_be_judged(found):
    none = replace(found, scores=TableRows((refused(2, "no telemetry"),)))
    assert driving.describe_scores(none) == {"missing": "No lap could be judged. Not judged, because no telemetry."}
    assert driving.insight_texts(none) == []
    empty = replace(found, scores=TableRows((), "gold.dptad_scores has no row"))
    assert driving.describe_scores(empty) == {"missing": "gold.dptad_scores has no row"}


def test_laps_without_incident_are_told_from_a_table_that_is_not_there(found):
    calm = replace(found, scores=TableRows((score(1, 5.0),)), events=TableRows((), "no table"))
    assert driving.describe_no_incidents(calm) == "No incident was found on these laps."
    odd = replace(found, scores=TableRows((score(1, 5.0, event_count=2),)), events=TableRows((), "no table"))
    assert driving.describe_no_incidents(odd) == "no table"


def test_insights_are_of_the_best_and_the_most_anomalous_lap(found):
    best = found.best.lap_number
    rows = (score(best, 5.0, insights=["a"]), score(90, 50.0, insights=["b", "c"]), score(91, 20.0, insights=["d"]))
    said = driving.insight_texts(replace(found, scores=TableRows(rows)))
    assert said == [
        {"name": f"Lap {best}, the best lap", "texts": ["a"]},
        {"name": "Lap 90, the most anomalous lap", "texts": ["b", "c"]},
    ]


@pytest.mark.parametrize(
    ("result", "value", "lines"),
    [
        ({"position": 1, "gap_first_s": None, "is_official": True}, "P1", ("of 3 cars with laps",)),
        (
            {"position": 2, "gap_first_s": 3.25, "is_official": False},
            "P2",
            ("of 3 cars with laps", "3.250 s behind the first", "provisional"),
        ),
        ({"position": None, "gap_first_s": None, "is_official": True, "status": "DNF"}, "DNF", ()),
        ({"position": None, "gap_first_s": None, "is_official": True, "status": None}, "not classified", ()),
    ],
)
def test_the_result(found, result, value, lines):
    tile = view.key_figures(replace(found, result=TableRows((result,))))[0]
    assert (tile.name, tile.value, tile.lines) == ("Result", value, lines)


def test_tiles_that_are_unknown_are_left_out(found):
    assert [tile.name for tile in view.key_figures(found)] == [
        "Result",
        "Best lap",
        "Mean lap",
        "Target lap",
        "Consistency",
        "Top speed",
    ]
    bare = replace(found, result=TableRows((), "-"), summary=TableRows((), "-"))
    assert [tile.name for tile in view.key_figures(bare)] == ["Best lap"]
    nothing = replace(bare, laps=tuple(replace(lap, fit_for=()) for lap in found.laps))
    assert view.key_figures(nothing) == []


def test_losses_and_bars_share_one_scale(found):
    pairs = view.describe_loss(found)["pairs"]
    assert len(pairs) == len(found.loss.pairs)
    rows = pairs[0]["rows"]
    for row in rows:
        left, width = float(row["left"]), float(row["width"])
        assert -0.11 <= left <= left + width <= 100.11
        assert (float(row["lost"]) > 0) == (row["way"] == "lost")
    assert sum(float(row["lost"]) for row in rows) == pytest.approx(found.loss.compared.delta_s, abs=0.02)
    assert max(float(row["width"]) for row in rows) > 30


def test_target_words(found):
    row = dict(found.target.first)
    said = pace.target_facts(found)
    assert said["rows"][row["focus_sector"] - 1]["focus"]
    assert sum(float(s["best"]) for s in said["rows"]) == pytest.approx(row["sum_best_sectors_s"], abs=2e-3)
    gone = row | {"siwtl_lap": None}
    assert pace.target_facts(replace(found, target=TableRows((gone,))))["words"].startswith(
        "A sector has no time at all"
    )
    few = row | {"insufficient_laps": True}
    assert "fewer than two laps" in pace.target_facts(replace(found, target=TableRows((few,))))["words"]


def test_too_few_laps_are_said_to_be_so(found):
    """Two laps that are alike would score 99.7: a score without an interval is not shown, in lakes of before too."""
    few_laps = {"valid_laps": 2, "n_consistency_laps": 2, "consistency_score": 99.7, "potential_gain_s": 0.0}
    no_interval = dict.fromkeys(("consistency_score_low", "avg_lap_ms_low", "siwtl_lap_s_low"))
    row = dict(found.summary.first) | few_laps | no_interval
    few = replace(found, summary=TableRows((row,)))
    tiles = {tile.name: tile for tile in view.key_figures(few)}
    assert (tiles["Consistency"].value, tiles["Consistency"].lines) == (
        "too few laps",
        ("of 2 laps", "a score needs 5"),
    )
    assert not any("99.7" in line for line in view.driver_console_lines(few))
    assert any("too few laps for an interval" in line for line in tiles["Mean lap"].lines)
    assert "the best lap driven" in tiles["Target lap"].lines
    assert any(line.startswith("2 valid laps: too few") for line in view.summary(few))
    whole = replace(
        found,
        summary=TableRows(
            (row | {"n_consistency_laps": 9, "consistency_score_low": 99.0} | {"consistency_score_high": 99.9},)
        ),
    )
    lines = {tile.name: tile for tile in view.key_figures(whole)}["Consistency"].lines
    assert lines == ("of 100", "of 9 laps", "95 %: 99.0 to 99.9")


def test_the_headline_says_level_where_clocks_show_no_difference(found):
    best, session = found.best, found.session_best
    off = (best.lap_time_ms - session.lap_time_ms) / 1000
    assert view.headline(found).startswith(f"P2 of 3; best lap {format_lap_time(best.lap_time_s)}, {off:.3f} s off the")
    dear = max(found.loss.compared.report.pieces, key=lambda piece: piece.time_lost_s)
    assert f"most to find: {dear.label} ({dear.time_lost_s:.2f} s)" in view.headline(found)
    laps = tuple(replace(lap, lap_time_ms=session.lap_time_ms) if lap.uid == best.uid else lap for lap in found.laps)
    equal = replace(found, laps=laps, loss=replace(found.loss, compared=None))
    assert "level with the session's best." in view.headline(equal)
    assert "level with the session's best" in view.key_figures(equal)[1].lines
    assert view.headline(replace(found, laps=tuple(replace(lap, fit_for=()) for lap in found.laps))) == (
        "No valid lap of 6 laps, so nothing can be said of pace."
    )


def rate(vehicle, lap, brake):
    return {
        "vehicle_id": vehicle,
        "lap_number": lap,
        "brake_rate_rms_bar_per_s": brake,
        "throttle_rate_rms_pct_per_s": None,
    }


def test_smoothness_is_beside_the_field():
    others = {"steering_rate_rms_deg_per_s": 20.0, "accel_rate_rms_g_per_s": 0.2}
    field = [rate(car, 1, brake) | others for car, brake in (("a", 60.0), ("b", 50.0), ("c", 40.0))]
    found = compare_smoothness("a", [field[0], rate("a", 2, 62.0) | others], field)
    assert [one.name for one in found] == ["brake", "steering", "speed in corners"]
    brake = found[0]
    assert (brake.median, brake.base, brake.rank) == (61.0, 50.0, 3)
    assert driving.describe_smoothness(found) == [
        "Rougher than the field: brake, 61 bar/s against 50 bar/s (22 % more; 3rd smoothest of 3)."
    ]
    assert driving.describe_smoothness(found[1:]) == ["As smooth as the field in all that is measured."]
    alone = compare_smoothness("a", [field[0]], field[:1])
    assert driving.describe_smoothness(alone[:1]) == [
        "Too few drivers to compare with; the driver's own: brake 60 bar/s."
    ]
    assert "Brake" in figure_to_svg(smoothness_figure(found))
    assert driving.describe_smoothness([]) == []


def test_style_in_words_and_drawn():
    laps = (StyleLap(lap_number=1, windows=10, aggressive=2), StyleLap(lap_number=2, windows=8, aggressive=8))
    style = SessionStyle(laps, 0.5, {"a": 0.5, "b": 0.9, "c": 0.1}, ("driving-style version 1",))
    assert driving.describe_style(style, "a") == [
        "Driving style: 50 % of the ten-second windows are called aggressive, the 2nd most of 3 drivers.",
        "Most of all lap 2: 8 of 8 windows.",
    ]
    assert driving.describe_style(replace(style, share=None, laps=()), "a") == []
    assert ">100<" in figure_to_svg(style_figure(style, "a", {2}))
