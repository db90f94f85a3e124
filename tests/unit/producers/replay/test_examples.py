"""The examples in ``docs/topics.md`` are what the replay sends, and keep their contracts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conf.contract import load_contract
from producers.replay.files import find_files
from producers.replay.plan import make_replay_plan

TOPICS = (Path(__file__).resolve().parents[4] / "docs" / "topics.md").read_text(encoding="utf-8")
FORMS = ("lap_start", "lap_end", "lap_time", "sector_times", "result", "field", "weather")
SHEETS = {
    "lap_end": (
        "R1_lap_end.csv",
        "lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,timestamp,vehicle_id,vehicle_number",
        "3,example,R1,kafka:gr-raw,2025-09-06T18:40:12.500Z,GR86-002-7,0,2025-09-06T18:40:11.250Z,GR86-002-7,7",
    ),
    "lap_time": (
        "lap_time_R2.csv",
        "expire_at,lap,meta_event,meta_session,meta_source,meta_time,outing,timestamp,value,vehicle_id",
        ",4,example,R2,kafka:gr-raw,2025-09-06T18:41:52.500Z,0,2025-09-06T18:41:51.250Z,100000,GR86-002-7",
    ),
    "sector_times": (
        "23_AnalysisEnduranceWithSections_Race 1.CSV",
        (
            "NUMBER; DRIVER_NUMBER; LAP_NUMBER; LAP_TIME; CROSSING_FINISH_LINE_IN_PIT; S1; S2; S3; KPH; ELAPSED; HOUR;"
            "TOP_SPEED;PIT_TIME;CLASS;MANUFACTURER;FLAG_AT_FL;IM1a_time;IM1_time;IM2_time;FL_time"
        ),
        "7;1;3;1:40.000;;28.5;42.25;29.25;133.2;5:05.125;13:45:11.250;182.5;;Am;Toyota Gazoo Racing;GF;18;10.5;;",
    ),
    "result": (
        "03_Provisional Results_Race 1.CSV",
        "POSITION;NUMBER;STATUS;LAPS;TOTAL_TIME;GAP_FIRST;GAP_PREVIOUS;FL_LAPNUM;FL_TIME;FL_KPH;CLASS;VEHICLE",
        "2;7;Classified;27;45:17.500;+2.250;+2.250;8;1:37.500;136.5;Am;Toyota GR86",
    ),
    "weather": (
        "26_Weather_Race 1.CSV",
        "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP;TRACK_TEMP;HUMIDITY;PRESSURE;WIND_SPEED;WIND_DIRECTION;RAIN",
        "1757184012;x;29.5;0;56.75;992.5;5.04;280;0",
    ),
}


def example(name: str) -> dict[str, Any]:
    (text,) = re.findall(rf"<!-- example: {name} -->\n```json\n(.*?)```", TOPICS, re.DOTALL)
    return dict(json.loads(text))


def test_examples_are_what_the_replay_sends(tmp_path: Path):
    for name, *lines in SHEETS.values():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    made = make_replay_plan(find_files([tmp_path])[0])
    sent = {sheet.sheet.event_type: json.loads(sheet.records[0][1]) for sheet in made.sheets}
    for name in SHEETS:
        assert sent[f"slipstream.{name}.v1"] == example(name)


@pytest.mark.parametrize("form", FORMS)
def test_examples_keep_their_contract(form: str):
    contract = load_contract(f"event.{form}.v1")
    assert f"`{contract.properties['topic']}`" in TOPICS
    assert f"{form}/1" in TOPICS
    if form == "lap_start":  # the page says that it has the fields of lap_end
        assert contract.column_names == load_contract("event.lap_end.v1").column_names
        return
    message = example(form)
    assert message.keys() <= set(contract.column_names)
    assert {column.name for column in contract.columns if column.required} <= message.keys()
