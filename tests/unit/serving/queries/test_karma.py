"""Karma of one car's session: which rows are meant, what is made of them, what is said where there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conf.tables import GOLD_KARMA_SCORES
from serving.lake.reader import LakeReader
from serving.lake.store import MissingTableError
from serving.queries.karma import (
    COMPONENTS,
    OVERALL,
    KarmaError,
    KarmaFactor,
    ScoringModel,
    choose_comparison,
    read_karma_session,
    relative_damage,
    resolve_vehicle_session,
)
from tests.unit.serving.karma_lake import GAP, HEAT, OUT_LAP, karma_rows, write_karma
from tests.unit.serving.race_lake import write_rows


@pytest.fixture
def lake(home):
    write_karma(home)
    return LakeReader(home)


def test_laps_and_scores_are_as_the_table_has_them(lake):
    found = read_karma_session(lake, "GR86-002-2", "made-R1")
    assert (found.session_id, found.car, found.track, found.is_synthetic) == (
        "made-R1",
        "GR86-002-2 (2)",
        None,
        True,
    )
    assert [lap.number for lap in found.laps] == list(range(1, 9))
    assert [lap.number for lap in found.scored] == [2, 3, 4, 6, 7, 8]
    assert found.components == COMPONENTS
    assert found.models == (ScoringModel("random_forest", "3", "7c1f0d2a9b"),)
    rows = {
        (row["lap_number"], row["component"]): row
        for row in karma_rows("made-R1", kerb_lap=6, unscored={1: "", 5: ""}, outside={6: ("impact_max_g",)})
    }
    for lap in found.scored:
        assert set(lap.scores) == {*COMPONENTS, OVERALL}
        for name, score in lap.scores.items():
            row = rows[lap.number, name]
            assert (score.karma, score.low, score.high, score.trend) == (
                row["karma_score"],
                row["karma_low"],
                row["karma_high"],
                row["trend"],
            )
            assert score.remaining_laps == row.get("remaining_laps")
            assert score.missing_inputs == HEAT
        assert lap.time_ms == rows[lap.number, OVERALL]["lap_time_ms"]
    kerb = found.laps[5]
    assert kerb.hardest.component == "suspension"
    assert kerb.hardest.factors[0] == KarmaFactor("knocks", pytest.approx(510, abs=100))
    assert kerb.scores["tyres"].outside_inputs == ("impact_max_g",)


def test_a_lap_without_a_score_says_why(lake):
    found = read_karma_session(lake, "GR86-002-2", "made-R1")
    assert [lap.reason for lap in found.laps if lap.karma is None] == [OUT_LAP, GAP]
    assert found.laps[0].hardest is None
    assert found.laps[1].reason is None
    silent = replace(found.laps[0], scores={})
    assert silent.reason == "no overall score"


def test_a_number_is_as_good_as_an_id_and_one_session_need_not_be_named(lake):
    assert read_karma_session(lake, "46") == read_karma_session(lake, "GR86-010-46", "made-R1")
    assert read_karma_session(lake, "2", "made-R2") == read_karma_session(lake, "GR86-002-2", "made-R2")


def test_wear_is_karma_the_other_way_round(lake):
    assert [relative_damage(karma) for karma in (100.0, 50.0, 25.0)] == [0.0, 1.0, 2.0]
    assert relative_damage(0.0) == relative_damage(0.1) < 10.0
    tyres = read_karma_session(lake, "46").laps[3].scores["tyres"]
    assert tyres.wear == pytest.approx(tyres.damage_per_km / 3.2e-3)


def test_the_gentlest_and_the_hardest_are_compared_unless_others_are_named(lake):
    found = read_karma_session(lake, "2", "made-R1")
    gentle, hard = choose_comparison(found)
    karma = [lap.karma for lap in found.scored]
    assert (gentle.karma, hard.karma, hard.number) == (max(karma), min(karma), 6)
    assert [lap.number for lap in choose_comparison(found, (7, 3))] == [7, 3]
    assert choose_comparison(replace(found, laps=found.laps[:2])) is None


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (
            (3, 5),
            r"lap 5 of GR86-002-2 \(2\) is not scored \(telemetry covers 71% .*\): laps with a score are 2, 3",
        ),
        ((30, 3), r"GR86-002-2 \(2\) has no lap 30 in made-R1: laps with a score are 2, 3, 4, 6, 7, 8"),
    ],
)
def test_laps_that_cannot_be_compared(lake, numbers, message):
    with pytest.raises(KarmaError, match=message):
        choose_comparison(read_karma_session(lake, "2", "made-R1"), numbers)


@pytest.mark.parametrize(
    ("vehicle", "session", "message"),
    [
        ("2", None, r"GR86-002-2 \(2\) drove in several; name one with --session: sessions are made-R1, made-R2"),
        ("46", "made-R2", r"vehicle '46' is scored in session 'made-R2': vehicles with scores are GR86-002-2 \(2\); "),
        ("7", None, r"no lap of vehicle '7' is scored: vehicles with scores are .*; `slipstream score karma` scores"),
        ("2", "R9", r"no lap of session 'R9' is scored: sessions are made-R1, made-R2; `slipstream score karma`"),
    ],
)
def test_what_is_not_there_or_not_one(lake, vehicle, session, message):
    with pytest.raises(KarmaError, match=message):
        read_karma_session(lake, vehicle, session)


def test_no_table_and_an_empty_one_name_the_command(home):
    with pytest.raises(MissingTableError, match="run `slipstream score karma` first"):
        read_karma_session(LakeReader(home), "2")
    write_rows(home, GOLD_KARMA_SCORES, [])
    with pytest.raises(KarmaError, match="has no rows yet: `slipstream score karma`"):
        read_karma_session(LakeReader(home), "2")


def test_without_laps_of_silver_only_ids_are_known(home):
    write_rows(home, GOLD_KARMA_SCORES, karma_rows(n_laps=2))
    assert read_karma_session(LakeReader(home), "GR86-002-2").car == "GR86-002-2"
    with pytest.raises(KarmaError, match="vehicles with scores are GR86-002-2;"):
        read_karma_session(LakeReader(home), "2")


def test_a_number_that_several_vehicles_raced_under():
    drives = [("a", "x"), ("b", "y")]
    numbers = dict.fromkeys(drives, "5")
    with pytest.raises(
        KarmaError, match=r"number 5 is not of one vehicle, name an id: vehicles are x \(5\) in a, y \(5\) in b"
    ):
        resolve_vehicle_session(drives, numbers, "5", None)
    assert resolve_vehicle_session(drives, numbers, "5", "b") == ("b", "y")
