"""The ``karma`` commands as typed: help that teaches, dry runs that do nothing, logs, settings from ``.env``."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.settings import get_settings

COMMANDS = (
    "produce wear-laps",
    "train karma",
    "score karma",
    "stream karma",
    "karma export",
    "karma push",
    "report karma",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_teaches(slipstream, command: str) -> None:
    done = slipstream(*command.split(), "--help")
    assert done.exit_code == 0
    assert f"slipstream {command}" in done.stdout.replace("\n", " ")


@pytest.mark.parametrize("command", ["train karma", "score karma", "stream karma", "produce wear-laps"])
def test_a_dry_run_says_what_it_would_do_and_does_nothing(slipstream, lake_home: Path, command: str) -> None:
    done = slipstream(*command.split(), "--dry-run")
    assert done.exit_code == 0
    assert "would" in done.stdout
    assert {path.name for path in lake_home.iterdir()} == {"logs"}


def test_every_command_keeps_a_log_of_its_own(slipstream, lake_home: Path) -> None:
    slipstream("score", "karma", "--dry-run")
    slipstream("karma", "export")
    score, export = ((lake_home / "logs" / f"{name}.log").read_text() for name in ("score-karma", "karma-export"))
    assert "would read MLflow model mechanical-karma, gold.lap_features and write gold.karma_scores" in score
    assert "ERROR" in export
    assert "slipstream score karma" in export, "what is missing, and which command makes it"
    assert "gold.karma_scores" not in score.splitlines()[0], "the first line says what was asked"


def test_ingest_takes_files_from_where_env_says(slipstream, lake_home: Path, tmp_path: Path) -> None:
    done = slipstream("karma", "ingest", "--dry-run")
    assert done.exit_code == 2
    assert "DATA_ROOT" in done.output
    data = tmp_path / "data"
    data.mkdir()
    (data / "R1_lap_end.csv").write_text(
        "expire_at,lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,timestamp,vehicle_id,"
        "vehicle_number\n,1,I_R04_2025-07-20,R1,kafka:gr-raw,2025-07-20T19:00:00.000Z,GR86-002-2,0,"
        "2025-07-20T19:00:00.000Z,GR86-002-2,2\n"
    )
    (tmp_path / ".env").write_text(f"DATA_ROOT={data}\n")
    get_settings.cache_clear()
    done = slipstream("karma", "ingest", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "R1_lap_end.csv" in done.stdout
    assert "would run bronze, silver, gold" in done.stdout
