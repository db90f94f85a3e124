from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.replay.sessions import SessionError, choose_session, find_race_names, infer_session

WEEKEND = {("E_2025", "R1"), ("E_2025", "R2")}
FIRST = {("E_2025", "R1")}


@pytest.mark.parametrize(
    ("name", "races"),
    [
        ("26_Weather_Race 1_Anonymized.CSV", ("R1",)),
        ("23_AnalysisEnduranceWithSections_ Race 2.CSV", ("R2",)),
        ("03_Results GR Cup Race 2 Official_Anonymized.CSV", ("R2",)),
        ("vir_lap_time_R2.csv", ("R2",)),
        ("R1_barber_lap_end.csv", ("R1",)),
        ("race_02.csv", ("R2",)),
        ("RACE1-R1.csv", ("R1",)),
        ("R1 and R2.csv", ("R1", "R2")),
        ("R10.csv", ("R10",)),
        ("weather.csv", ()),
        ("Hour 24 GR86 driver 5.csv", ()),
        ("R2D2.csv", ()),
        ("00_Results Qualifying_Anonymized.CSV", ("Q",)),
        ("03_Provisional Results_Qualifying 1.CSV", ("Q1",)),
        ("practice_02_weather.csv", ("P2",)),
        ("FP1.csv", ("P1",)),
        ("team Q.csv", ()),
        ("Qualifying Race 2.csv", ("R2",)),
    ],
)
def test_races_in_a_name(name: str, races: tuple[str, ...]):
    assert find_race_names(name) == races


@given(st.integers(1, 99), st.sampled_from(["Race {}", "race_{}", "R{}", "r0{}"]), st.sampled_from(["_x.csv", ".CSV"]))
def test_every_way_of_writing_a_race(number: int, form: str, end: str):
    assert find_race_names(f"26_Weather_{form.format(number)}{end}") == (f"R{number}",)


def test_race_by_name_and_event_by_the_folder():
    assert infer_session(Path("Weather_Race 2.csv"), FIRST) == "E_2025-R2"
    assert infer_session(Path("Weather.csv"), FIRST) == "E_2025-R1"
    assert infer_session(Path("Weather_R1.csv"), {("E_2025", "Race 1")}) == "E_2025-Race 1"
    assert infer_session(Path("Results Qualifying 1.csv"), {*WEEKEND, ("E_2025", "Q1")}) == "E_2025-Q1"
    assert infer_session(Path("Results Qualifying.csv"), WEEKEND) == "E_2025-Q"
    assert infer_session(Path("Results Qualifying.csv"), {*WEEKEND, ("E_2025", "Q1")}) == "E_2025-Q1"
    assert infer_session(Path("Results Q1.csv"), {*WEEKEND, ("E_2025", "Qualifying")}) == "E_2025-Qualifying"
    with pytest.raises(SessionError, match="does not say which of Q1, Q2 it is"):
        infer_session(Path("Results Qualifying.csv"), {("E_2025", "Q1"), ("E_2025", "Q2")})


@pytest.mark.parametrize(
    ("name", "stated", "reason"),
    [
        ("Race 1.csv", set(), "no file beside it says of which event it is"),
        ("Race 1.csv", {*FIRST, ("F", "R1")}, r"the files beside it are of several events \(E_2025, F\)"),
        ("R1 R2.csv", WEEKEND, r"its name speaks of several races \(R1, R2\)"),
        ("any.csv", WEEKEND, "its name does not say which race of E_2025-R1, E_2025-R2 it is"),
    ],
)
def test_what_cannot_be_placed_says_why(name: str, stated: set[tuple[str, str]], reason: str):
    with pytest.raises(SessionError, match=f"{name}: .*{reason}; name it with --session ID"):
        infer_session(Path(name), stated)
    assert choose_session(Path(name), lambda _: stated, "mine") == "mine"


def test_the_users_session_goes_before_the_inferred_one():
    assert choose_session(Path("Race 1.csv"), lambda _: WEEKEND, "mine") == "mine"
    assert choose_session(Path("any.csv"), lambda _: WEEKEND, "E_2025-R2") == "E_2025-R2"


def test_except_for_another_race_of_the_same_event():
    assert choose_session(Path("Race 1.csv"), lambda _: WEEKEND, "E_2025-R2") == "E_2025-R1"
    assert choose_session(Path("Race 2.csv"), lambda _: WEEKEND, "E_2025-R2") == "E_2025-R2"
