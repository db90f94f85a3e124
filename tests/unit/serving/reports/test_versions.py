"""A report shows one version of each table, and says which."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from serving.lake.reader import LakeReader
from serving.queries import driver_session
from serving.queries import karma as karma_query
from serving.queries.driver_session import read_driver_session
from serving.queries.karma import choose_comparison, read_karma_session
from serving.queries.laps import rank_by_time, read_laps
from serving.reports.driver_page import render_page
from serving.reports.driver_text import driver_console_lines
from serving.reports.karma_page import render_page as render_karma
from serving.reports.karma_text import karma_console_lines as karma_lines
from tests.unit.serving.karma_lake import karma_rows
from tests.unit.serving.race_lake import SESSION, copy_race, race_lake, write_rows

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def commit_after(monkeypatch, module, name, commit):
    """Let a query's step be followed, the first time, by a commit of somebody else."""
    step, left = getattr(module, name), [commit]

    def followed(*args):
        answer = step(*args)
        if left:
            left.pop()()
        return answer

    monkeypatch.setattr(module, name, followed)


@pytest.mark.parametrize("place", [0, 1])
def test_a_drivers_report_is_of_the_versions_that_it_names(tmp_path, monkeypatch, place):
    """Tables that are read more than once get a new version between two looks; the page is as if they had not."""
    vehicle = list(dict.fromkeys(lap.vehicle_id for lap in rank_by_time(read_laps(race_lake(), SESSION))))[place]
    lake = LakeReader(copy_race(tmp_path))
    quiet = read_driver_session(race_lake(), SESSION, vehicle)

    def new_sessions():
        write_rows(lake.settings, "silver.sessions", [{"session_id": SESSION, "track_id": "harbour-mile"}])

    def new_laps_and_samples():
        laps = [{"session_id": SESSION, "vehicle_id": vehicle, "lap_number": 99}]
        write_rows(lake.settings, "silver.laps", laps)
        samples = [
            {
                "session_id": lap.session_id,
                "vehicle_id": lap.vehicle_id,
                "lap_number": lap.lap_number,
                "event_ts": lap.start_us + 1_000_000 * k,
                "ecu_ts": lap.start_us + 1_000_000 * k,
                "ecu_seq": 9,
                "speed_kmh": 1.0,
                "clock_source": "car",
            }
            for lap in quiet.field
            if lap.start_us is not None
            for k in range(60)
        ]
        write_rows(lake.settings, "silver.telemetry", samples)

    commit_after(monkeypatch, driver_session, "session_track", new_sessions)
    commit_after(monkeypatch, driver_session, "load_first_trace", new_laps_and_samples)
    found = read_driver_session(lake, SESSION, vehicle)
    assert [lake.version(name) for name in ("silver.sessions", "silver.laps", "silver.telemetry")] == [1, 1, 1]
    assert found.versions == quiet.versions
    assert {found.versions[name] for name in ("silver.sessions", "silver.laps", "silver.telemetry")} == {0}
    assert render_page(found, NOON) == render_page(quiet, NOON)
    assert "silver.laps 0, silver.results 0, silver.sessions 0, silver.telemetry 0" in render_page(found, NOON)
    assert "silver.telemetry 0" in driver_console_lines(found)[-1]
    after = read_driver_session(lake, SESSION, vehicle)
    assert (after.versions["silver.laps"], after.laps[-1].lap_number) == (1, 99)


def test_a_karma_report_is_of_the_versions_that_it_names(home, monkeypatch):
    write_rows(home, "gold.karma_scores", karma_rows())
    lake = LakeReader(home)
    quiet = read_karma_session(LakeReader(home), "GR86-002-2")

    def new_scores():
        write_rows(home, "gold.karma_scores", [row | {"lap_number": 99} for row in karma_rows()])

    commit_after(monkeypatch, karma_query, "resolve_vehicle_session", new_scores)
    found = read_karma_session(lake, "GR86-002-2")
    assert (lake.version("gold.karma_scores"), found) == (1, quiet)
    assert found.versions == {"gold.karma_scores": 0}
    assert "gold.karma_scores 0. A number is a table's Delta version" in render_karma(
        found, choose_comparison(found), NOON
    )
    assert karma_lines(found)[-1].endswith("gold.karma_scores 0")
