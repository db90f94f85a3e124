"""``track``: what is listed, shown, drawn and refused without a JVM; what would be built."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from analysis.track_build.rows import circuit_row
from analysis.tracks.circuit import circuit_from_track, name_corners
from conf.track import load_track
from medallion.arrow_rows import arrow_rows

SESSION, CAR = "club-R1", "GR86-001-1"
NOON = datetime(2025, 9, 6, 12, tzinfo=UTC)
LAP = {"session_id": SESSION, "vehicle_id": CAR, "lap_number": 3}
Write = Callable[[str, Sequence[Mapping[str, Any]]], None]


@pytest.fixture
def write(lake_home: Path) -> Write:
    """Write rows to a contracted table of the command line's lake; columns left out are null."""

    def write_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        write_deltalake(str(lake_home / "lake" / name.replace(".", "/")), arrow_rows(name, rows), mode="append")

    return write_rows


@pytest.fixture
def club(write: Write) -> None:
    """A built track, and a session that was driven there."""
    circuit = name_corners(
        replace(circuit_from_track(load_track("three-oaks")), track_id="club", source="gps"), {2: "Barn"}
    )
    row = circuit_row(circuit) | {
        "name": "Club Circuit",
        "n_laps": 16,
        "spread_m": 0.8,
        "misclosure_m": 0.0,
        "sector_residual_p95_s": 0.101,
        "n_sector_laps": 15,
        "pit_loss_s": 28.5,
        "version": 2,
        "sessions": [SESSION],
    }
    write("silver.tracks", [row])
    write("silver.sessions", [{"session_id": SESSION, "track_id": "club"}, {"session_id": "sim-1"}])
    write("silver.laps", [lap(n) for n in range(1, 7)])


def lap(number: int, **columns: Any) -> dict[str, Any]:
    start = NOON + timedelta(seconds=100 * number)
    return {
        "session_id": SESSION,
        "vehicle_id": CAR,
        "lap_number": number,
        "lap_start_ts": start,
        "lap_end_ts": start + timedelta(seconds=100),
        "lap_time_ms": 100_000,
        "sample_count": 2000,
        "telemetry_gap_s": 0.2,
        "fit_for": ["pace", "wear"],
        "unfit_for": {},
        "invalid_reasons": [],
    } | columns


def event(at_m: float, category: str, **columns: Any) -> dict[str, Any]:
    return (
        LAP
        | {
            "event_ts": NOON + timedelta(seconds=at_m / 40),
            "event_type": f"{category}_spike",
            "category": category,
            "t_lap_s": at_m / 40,
            "lap_distance_m": at_m,
            "severity": "low",
            "message": f"Something at {at_m:.0f} m",
            "corner": "T2 Barn",
            "lap_phase": "braking",
        }
        | columns
    )


def test_without_a_lake_there_are_the_tracks_of_our_own(slipstream) -> None:
    result = slipstream("track", "list")
    assert result.exit_code == 0, result.output
    for name in ("alder-ridge", "harbour-mile", "three-oaks"):
        assert name in result.stdout
    assert "3 tracks, 0 of them built in this lake" in result.stdout


@pytest.mark.usefixtures("club")
def test_a_built_track_is_listed_with_how_well_it_is_known(slipstream) -> None:
    facts = json.loads(slipstream("track", "list", "--format", "json").stdout)
    (club,) = [one for one in facts if one["track_id"] == "club"]
    assert (club["n_laps"], club["sector_residual_p95_s"], club["driven"]) == (16, 0.101, [SESSION])
    assert club["length_m"] == pytest.approx(load_track("three-oaks").length_m)
    table = slipstream("track", "list").stdout
    assert "Club Circuit" in table
    assert "4 tracks, 1 of them built in this lake" in table


@pytest.mark.usefixtures("club")
def test_show_prints_corners_and_draws_them(slipstream, tmp_path: Path) -> None:
    result = slipstream("track", "show", "club", "--plot", "club.png")
    assert result.exit_code == 0, result.output
    assert "T2 Barn" in result.stdout
    assert "from positions of 16 laps; lines of single laps 0.8 m beside it" in result.stdout
    assert "sector times within 0.101 s (p95 of 15 laps)" in result.stdout
    assert (tmp_path / "club.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_a_track_of_our_own_is_drawn_in_other_forms_too(slipstream, tmp_path: Path, suffix: str) -> None:
    result = slipstream("track", "show", "harbour-mile", "--plot", f"map.{suffix}", "--format", "json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["corners"]) == len(circuit_from_track(load_track("harbour-mile")).corners)
    drawn = (tmp_path / f"map.{suffix}").read_bytes()
    assert len(drawn) > 5_000


@pytest.mark.usefixtures("club")
def test_events_of_a_lap_are_listed_and_drawn(slipstream, write: Write, tmp_path: Path) -> None:
    write("gold.dptad_scores", [LAP | {"event_count": 2, "thresholds_version": "club-1"}])
    write("gold.dptad_events", [event(700.0, "brake", severity="high"), event(300.0, "steering")])
    even = [
        LAP | {"sample_idx": n, "lap_distance_m": 2.0 * n, "brake_front_bar": 40.0 if n > 300 else 0.0}
        for n in range(400)
    ]
    write("silver.telemetry_100hz", even)
    plain = slipstream("track", "show", "club", "--plot", "plain.svg")
    result = slipstream("track", "show", "club", "--plot", "lap.svg", "--events", f"{SESSION}/{CAR}/3")
    assert (plain.exit_code, result.exit_code) == (0, 0), result.output
    at = [result.stdout.index(f"Something at {metres} m") for metres in (300, 700)]
    assert at == sorted(at)
    drawn = (tmp_path / "lap.svg").read_text()
    assert ">brake (1)<" in drawn
    assert ">steering (1)<" in drawn
    assert ">on the brake<" in drawn
    assert "brake (1)" not in (tmp_path / "plain.svg").read_text()


@pytest.mark.usefixtures("club")
def test_a_lap_that_was_not_judged_has_no_events_but_a_reason(slipstream, write: Write) -> None:
    write("gold.dptad_scores", [LAP | {"insights": ["Not judged: the car's clock stood still"]}])
    refused = slipstream("track", "show", "club", "--events", f"{SESSION}/{CAR}/3")
    assert refused.exit_code == 1
    assert f"no events of {SESSION}/{CAR}/3: Not judged: the car's clock stood still" in refused.stderr
    absent = slipstream("track", "show", "club", "--events", f"{SESSION}/{CAR}/4")
    assert "gold.dptad_scores has no such lap" in absent.stderr


@pytest.mark.usefixtures("club")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--name", "new", "--session", SESSION), "would build new from 6 laps of 1 cars; nothing written"),
        (("assign", "club", "--session", SESSION), "would note club-R1 as driven on club, 6 laps; nothing written"),
        (("calibrate", "club", "--session", SESSION), "would calibrate club on 6 laps of club-R1; nothing written"),
    ],
)
def test_a_dry_run_says_what_would_be_done(slipstream, arguments: tuple[str, ...], words: str) -> None:
    result = slipstream("track", *arguments, "--dry-run")
    assert result.exit_code == 0, result.output
    assert words in result.stdout


@pytest.mark.usefixtures("club")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--name", "three-oaks", "--session", SESSION), "'three-oaks' is a track of our own"),
        (("build", "--name", "Three Öaks", "--session", SESSION), "such as Three-Oaks"),
        (("build", "--name", "new", "--session", "other"), "no session other: the lake has club-R1, sim-1"),
        (("build", "--name", "new", "--session", "sim-1"), "no lap fits"),
        (("assign", "mars", "--session", SESSION), "no track 'mars'"),
        (("calibrate", "club", "--session", "other"), "no session other"),
        (("show", "mars"), "there are alder-ridge, harbour-mile, three-oaks, club"),
        (("build", "--name", "n", "--session", "s", "--corners", "none.yaml"), "none.yaml: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(slipstream, arguments: tuple[str, ...], words: str) -> None:
    result = slipstream("track", *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "--name", "n", "--session", "s", "--corner-name", "Museum"), "is not NUMBER=NAME"),
        (("show", "alder-ridge", "--events", "sim-1/3"), "is not SESSION/VEHICLE/LAP"),
        (("build", "--session", "s"), "--name"),
        (("build", "--name", "n"), "--session"),
    ],
)
def test_a_wrong_option_is_a_usage_error(slipstream, arguments: tuple[str, ...], words: str) -> None:
    result = slipstream("track", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_empty_lake_says_which_job_comes_first(slipstream) -> None:
    result = slipstream("track", "build", "--name", "new", "--session", SESSION)
    assert result.exit_code == 1
    assert "silver.sessions does not exist yet" in result.stderr
    assert "slipstream stream silver" in result.stderr
