"""``produce``: options, dry runs, and what is said when there is no broker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from producers.simulator.scenario import with_session
from slipstream.commands.simulate import parse_car_fault, parse_driver_error, parse_profiles

SHORT = ("produce", "simulate", "--cars", "2", "--duration", "20", "--track", "harbour-mile")


def test_a_dry_run_counts_frames_and_sends_none(slipstream, lake_home):
    result = slipstream(*SHORT, "--no-data-faults", "--rate", "20", "--dry-run")
    assert result.exit_code == 0, result.output
    # 2 cars, 20 s at 20 Hz, 30 samples a frame
    assert re.search(r"would send 28 frames with 800 samples \(\d\.\d MiB\), nothing sent", result.stdout)
    assert not lake_home.exists()


def test_the_rate_comes_from_the_settings(slipstream, monkeypatch):
    monkeypatch.setenv("SIM_RATE_HZ", "10")
    assert "with 400 samples" in slipstream(*SHORT, "--no-data-faults", "--dry-run").stdout


def session_of(result) -> str:
    return result.stdout.split()[1]


def test_the_session_is_made_from_the_options(slipstream):
    first, again = (session_of(slipstream(*SHORT, "--dry-run")) for _ in range(2))
    other = session_of(slipstream(*SHORT, "--seed", "1", "--dry-run"))
    assert first == again != other
    assert session_of(slipstream(*SHORT, "--session", "mine", "--dry-run")) == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cars", "99"), "n_cars: Input should be less than or equal to 98"),
        (("--laps", "2"), "give n_laps or duration_s, one of them"),
        (("--track", "nowhere"), "three-oaks"),
        (("--profiles", "fast=1"), "aggressive"),
    ],
)
def test_a_wrong_option_is_one_line(slipstream, options, words):
    result = slipstream(*SHORT, *options, "--dry-run")
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("source", [SHORT, ("produce", "replay", ".")])
def test_a_speed_must_be_above_zero(slipstream, source):
    result = slipstream(*source, "--speed", "0")
    assert result.exit_code == 2
    assert "must be above zero" in result.stderr


def test_replay_lists_files_in_a_dry_run(slipstream, tmp_path):
    header = "lap,meta_time,telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number"
    time = "2025-09-06T18:40:41.775Z"
    (tmp_path / "laps.csv").write_text(f"{header}\n1,{time},ath,99.5,{time},GR86-001-1,1\n")
    result = slipstream("produce", "replay", "laps.csv", "--dry-run", "--session", "mine")
    assert result.exit_code == 0, result.output
    assert "long8, csv, session mine, 1 readings for telemetry.raw" in result.stdout
    assert "would replay 1 files, 1 readings and 0 events, 0 malformed lines left out, nothing sent" in result.stdout


LAP_END = (
    "lap,meta_event,meta_session,meta_source,meta_time,outing,timestamp,vehicle_id\n"
    "3,E,R1,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,GR86-001-1\n"
    "cut,off\n"
)
WEATHER = (
    "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP;TRACK_TEMP;HUMIDITY;PRESSURE;WIND_SPEED;WIND_DIRECTION;RAIN\n"
    "1735689600;x;29.5;0;56.75;992.5;5.04;280;0\n"
)


def test_a_dry_run_says_where_sheets_go_and_what_is_left_out(slipstream, tmp_path):
    folder = tmp_path / "race"
    folder.mkdir()
    (folder / "lap_end_R1.csv").write_text(LAP_END)
    (folder / "lap_end_R2.csv").write_text(LAP_END)
    (folder / "26_Weather_Race 1.CSV").write_text(WEATHER)
    (folder / "99_Best.CSV").write_text("NUMBER;BESTLAP_1\n7;1:37.428\n")
    result = slipstream("produce", "replay", "race", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "race/26_Weather_Race 1.CSV: weather, csv, session E-R1, 1 events for environment.raw",
        "  TRACK_TEMP is 0 throughout: no such sensor, sent as null",
        "race/lap_end_R1.csv: lap_end, csv, session E-R1, 1 events for timing.raw",
        "  line 3 left out: 2 fields in place of 8",
        "skipped race/99_Best.CSV: best laps, which repeat what the sector file says",
        "skipped race/lap_end_R2.csv: is a copy of lap_end_R1.csv; named R2, but its lines say E-R1",
        "would replay 2 files, 0 readings and 2 events, 1 malformed lines left out, nothing sent",
    ]


def test_a_dry_run_without_a_session_is_the_same_error_as_a_replay(slipstream, tmp_path):
    (tmp_path / "26_Weather_Race 1.CSV").write_text(WEATHER)
    for options in (["--dry-run"], []):
        result = slipstream("produce", "replay", "26_Weather_Race 1.CSV", *options)
        assert result.exit_code == 1
        assert "26_Weather_Race 1.CSV: the file does not say which session it is from" in result.stderr
        assert "name it with --session ID" in result.stderr
    result = slipstream("produce", "replay", "26_Weather_Race 1.CSV", "--dry-run", "--session", "mine")
    assert "session mine, 1 events for environment.raw" in result.stdout


def test_ids_that_the_contracts_refuse_are_refused_before_anything_is_sent(slipstream, tmp_path):
    (tmp_path / "lap_end.csv").write_text(LAP_END.replace("R1", "Race 1").replace("GR86-001-1", "GR86 001/1"))
    for options in (["--dry-run"], []):
        result = slipstream("produce", "replay", "lap_end.csv", *options)
        assert result.exit_code == 1
        assert "session 'E-Race 1' -> E-Race-1 (1 messages)" in result.stderr
        assert "vehicle 'GR86 001/1' -> GR86-001-1 (1 messages)" in result.stderr
        assert "--rename-ids" in result.stderr
    result = slipstream("produce", "replay", "lap_end.csv", "--dry-run", "--rename-ids")
    assert result.exit_code == 0, result.output
    assert "session E-Race-1, 1 events" in result.stdout
    assert "vehicle 'GR86 001/1' is sent as GR86-001-1" in result.stdout
    result = slipstream("produce", "replay", "lap_end.csv", "--dry-run", "--session", "a b")
    assert result.exit_code == 1
    assert "such as a-b" in result.stderr


def test_a_simulated_session_has_an_id_that_the_contracts_admit(slipstream, tmp_path):
    (tmp_path / "scenario.yaml").write_text("session: Race 1\n")
    for options in (["--session", "Race 1"], ["--scenario", "scenario.yaml"]):
        result = slipstream("produce", "simulate", "--cars", "1", "--laps", "1", "--dry-run", *options)
        assert result.exit_code == 1
        assert "session 'Race 1'" in result.stderr
        assert "such as Race-1" in result.stderr


def test_replay_of_nothing_is_an_error(slipstream):
    result = slipstream("produce", "replay", "missing.csv")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "missing.csv: no such file or folder"


def test_a_dry_run_finds_all_that_the_replay_will_refuse(slipstream, tmp_path):
    (tmp_path / "lap_end.csv").write_text(LAP_END)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Weather_R1.csv").write_text(WEATHER)
    (tmp_path / "other" / "lap_time.csv").write_text(LAP_END.splitlines()[0] + "\ncut\n")
    arguments = ("produce", "replay", "lap_end.csv", "other", "missing.csv")
    dry, real = slipstream(*arguments, "--dry-run"), slipstream(*arguments)
    assert dry.exit_code == real.exit_code == 1
    assert dry.stderr == real.stderr.lstrip()
    assert dry.stderr.splitlines()[0] == "3 problems:"
    for words in ("Weather_R1.csv: the file does not say", "lap_time.csv: no events", "missing.csv: no such file"):
        assert words in dry.stderr
    assert "lap_end.csv: lap_end, csv, session E-R1, 1 events for timing.raw" in dry.stdout


@given(st.dictionaries(st.sampled_from(["aggressive", "eco", "safe"]), st.floats(0, 100), min_size=1))
def test_profiles_round_trip(weights):
    assert parse_profiles(", ".join(f"{name}={weight!r}" for name, weight in weights.items())) == weights


def test_profiles_without_a_weight_weigh_one():
    assert parse_profiles("eco,safe=2") == {"eco": 1.0, "safe": 2.0}
    with pytest.raises(typer.BadParameter, match="profile=weight"):
        parse_profiles("eco=much")


def test_a_driver_error_on_purpose():
    assert parse_driver_error("lift:1700:60") == {"kind": "lift", "at_m": 1700.0, "by_m": 60.0}
    whole = parse_driver_error("brake_early:890:30:2:3")
    assert (whole["car"], whole["lap"]) == (2, 3)
    for wrong in ("lift", "lift:1", "lift:a:2", "lift:1:2:3:4:5", "lift:1:2:x"):
        with pytest.raises(typer.BadParameter, match="KIND:AT:BY"):
            parse_driver_error(wrong)


def test_driver_errors_make_another_session_and_none_the_same_as_ever():
    plain = with_session({"n_laps": 1}, None)
    assert (
        with_session({"n_laps": 1, "driver_errors": []}, None).session_id
        == plain.session_id
        == "sim-three-oaks-5f0deaab"
    )
    planted = with_session({"n_laps": 1, "driver_errors": [parse_driver_error("lift:1700:60")]}, None)
    assert planted.session_id != plain.session_id
    assert planted.driver_errors[0].by_m == 60.0


def test_a_car_fault_on_purpose():
    assert parse_car_fault("over_rev:0:1200:2:3") == {
        "kind": "over_rev",
        "at_m": 0.0,
        "size": 1200.0,
        "car": 2,
        "lap": 3,
    }
    for wrong in ("over_rev", "over_rev:1", "over_rev:1:2:3:4:5"):
        with pytest.raises(typer.BadParameter, match="KIND:AT:SIZE"):
            parse_car_fault(wrong)


def test_car_faults_and_set_ups_make_another_session():
    plain = with_session({"n_laps": 1}, None)
    fault = with_session({"n_laps": 1, "car_faults": [parse_car_fault("kerb_strike:900:40")]}, None)
    varied = with_session({"n_laps": 1, "setups": "varied"}, None)
    assert len({plain.session_id, fault.session_id, varied.session_id}) == 3


def test_the_truth_is_told_apart_and_leaves_the_session_its_name(slipstream):
    options = ("produce", "simulate", "--cars", "1", "--laps", "1", "--track", "harbour-mile", "--dry-run")
    plain, told = slipstream(*options), slipstream(*options, "--truth")
    assert session_of(plain) == session_of(told)
    assert told.stdout == plain.stdout.replace(", nothing sent", " and 5 labels of wear, nothing sent")


def test_a_car_fault_that_cannot_strike_is_one_line(slipstream):
    result = slipstream(*SHORT, "--car-fault", "kerb_strike:9000:40", "--dry-run")
    assert result.exit_code == 1
    assert re.search(r"car fault at 9000 m: a lap of this track is \d,\d{3} m", result.stderr)
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_driver_error_is_an_error(slipstream):
    result = slipstream("produce", "simulate", "--cars", "1", "--laps", "1", "--dry-run", "--driver-error", "spin:1:2")
    assert result.exit_code == 1
    assert "brake_early" in result.stderr


def test_the_settings_keep_a_given_session():
    assert with_session({"n_laps": 1}, "mine").session_id == "mine"
    assert with_session({"n_laps": 1}, None).session_id.startswith("sim-three-oaks-")


OLD_AND_NEW = [
    ("--no-faults", "--no-data-faults"),
    ("--mistake lift:100:60", "--driver-error lift:100:60"),
    ("--mishap kerb_strike:100:40", "--car-fault kerb_strike:100:40"),
]


@pytest.mark.parametrize(("old", "new"), OLD_AND_NEW)
def test_an_option_s_old_spelling_still_works_and_is_not_shown(slipstream, old, new):
    before, after = (slipstream(*SHORT, *option.split(), "--dry-run") for option in (old, new))
    assert before.exit_code == 0, before.output
    assert before.stdout == after.stdout
    shown = slipstream("produce", "simulate", "--help").stdout
    assert new.split()[0] in shown
    assert f"{old.split()[0]} " not in shown


PAGE = Path(__file__).parents[4] / "docs" / "getting-started.md"
SCENARIO = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
"""The page's example."""
AS_OPTIONS = (
    "--cars 2 --laps 1 --track harbour-mile --seed 7 --profiles aggressive=2,eco=1 --setups varied --truth "
    "--car-fault kerb_strike:100:40:2 --driver-error lift:300:60"
)


def test_a_scenario_is_the_same_as_its_options(slipstream, tmp_path):
    (tmp_path / "race.yaml").write_text(SCENARIO)
    by_file = slipstream("produce", "simulate", "--scenario", "race.yaml", "--dry-run")
    by_options = slipstream("produce", "simulate", *AS_OPTIONS.split(), "--dry-run")
    assert by_file.exit_code == 0, by_file.output
    assert by_file.stdout == by_options.stdout  # the session's name is made from all options
    assert "labels of wear" in by_file.stdout


def test_options_win_over_the_scenario(slipstream, tmp_path):
    (tmp_path / "race.yaml").write_text("cars: 2\nlaps: 1\ntrack: harbour-mile\ndata_faults: false\nrate: 20\n")
    result = slipstream("produce", "simulate", "--scenario", "race.yaml", "--duration", "20", "--dry-run")
    assert "would send 28 frames with 800 samples" in result.stdout, result.output


def test_options_are_written_as_a_scenario_and_read_again(slipstream, tmp_path):
    told = slipstream("produce", "simulate", *AS_OPTIONS.split(), "--write-scenario", "race.yaml")
    assert told.stdout.strip() == "wrote race.yaml, nothing sent"
    by_file = slipstream("produce", "simulate", "--scenario", "race.yaml", "--dry-run")
    assert by_file.stdout == slipstream("produce", "simulate", *AS_OPTIONS.split(), "--dry-run").stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nlaps: 3", "race.yaml: unknown key 'nlaps'; a scenario has cars, laps"),
        ("car_faults: [{kind: puncture, at_m: 1, size: 1}]", "race.yaml: car_faults.0.kind: Input should be"),
        ("race_incidents: {crashes: 1}", "race.yaml: unknown key 'race_incidents.crashes'"),
        ("cars: many", "race.yaml: cars: Input should be a valid integer"),
        ("- cars", "race.yaml: a scenario is a mapping of options"),
        ("cars: [", "race.yaml: not YAML"),
        (None, "race.yaml: No such file"),
    ],
)
def test_a_wrong_scenario_names_file_and_key(slipstream, tmp_path, content, words):
    if content is not None:
        (tmp_path / "race.yaml").write_text(content)
    result = slipstream("produce", "simulate", "--scenario", "race.yaml", "--dry-run")
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
