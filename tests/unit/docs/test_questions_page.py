"""Each answer of the page on questions is given, on a race."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conf.contract import table_names
from conf.settings import get_settings
from conf.tables import GOLD_LAP_FEATURES, SILVER_LAPS
from serving.lake.reader import LakeReader
from serving.lake.sql import mentioned_tables
from serving.lake.views import view_names
from tests.unit.serving.karma_lake import write_karma
from tests.unit.serving.race_lake import SESSION, copy_race, write_rows

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "questions.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PROGRAM = "".join(re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
UNANSWERED = ("style_by_driver", "quarantine_reasons")  # a race without faults, and without a model


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    settings = copy_race(tmp_path_factory.mktemp("home"))
    write_karma(settings)
    lap = {"session_id": SESSION, "vehicle_id": "sim-1", "lap_number": 2, "lap_time_ms": 90_000, "is_valid": True}
    write_rows(settings, GOLD_LAP_FEATURES, [lap | {"full_throttle_share": 0.6}])
    found = LakeReader(settings)
    for name in table_names():
        if not found.exists(name):
            write_rows(settings, name, [])
    return found


def test_there_are_twelve_questions_and_more():
    assert len(QUERIES) >= 14
    asked = {name for sql in QUERIES for name in view_names() if name in sql}
    assert len(asked) >= 12


@pytest.mark.parametrize("sql", QUERIES)
def test_each_question_is_answered(lake, sql):
    answer = lake.query(sql)
    assert answer.num_columns > 1
    assert mentioned_tables(sql, lake)
    assert answer.num_rows or any(view in sql for view in UNANSWERED)


def test_the_program_runs(lake, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    race = copy_race(tmp_path / "race")
    monkeypatch.setenv("SLIPSTREAM_HOME", str(race.home))
    get_settings.cache_clear()
    exec(compile(PROGRAM, "questions.md", "exec"), {})
    assert (tmp_path / "track.png").stat().st_size > 10_000
    assert (tmp_path / "comparison.png").exists()
    assert "speed_kmh" in capsys.readouterr().out
    assert LakeReader(race).exists(SILVER_LAPS)
