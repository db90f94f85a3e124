from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conf.contract import Column, load_contract
from producers.replay.formats import ReplayFileError, SheetFormat, detect_format
from producers.replay.sheets import KINDS, Sheet, event_record, read_sheet

LAPS = (
    "expire_at,lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,timestamp,vehicle_id,"
    "vehicle_number"
)
SECTORS = (
    "NUMBER; DRIVER_NUMBER; LAP_NUMBER; LAP_TIME; LAP_IMPROVEMENT; CROSSING_FINISH_LINE_IN_PIT; S1; S2; S3; KPH; "
    "ELAPSED; HOUR;TOP_SPEED;PIT_TIME;CLASS;MANUFACTURER;FLAG_AT_FL;IM1a_time;IM1a_elapsed;IM1_time;IM1_elapsed;FL_time"
)
OVERALL = "POSITION;NUMBER;STATUS;LAPS;TOTAL_TIME;GAP_FIRST;GAP_PREVIOUS;FL_LAPNUM;FL_TIME;FL_KPH;CLASS;VEHICLE"
BY_CLASS = (
    "CLASS_TYPE;POS;PIC;NUMBER;VEHICLE;LAPS;ELAPSED;GAP_FIRST;GAP_PREVIOUS;BEST_LAP_NUM;BEST_LAP_TIME;BEST_LAP_KPH"
)
WEATHER = "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP;TRACK_TEMP;HUMIDITY;PRESSURE;WIND_SPEED;WIND_DIRECTION;RAIN"
SECOND_US = 1_735_689_600_000_000  # 2025-01-01


def lap(*, number: int = 3, arrival: str = "2025-01-01T00:00:01Z", car: str = "GR86-002-7") -> str:
    return f",{number},E,R1,feed,{arrival},{car},0,2025-01-01T00:00:00.250Z,{car},7"


def sheet(path: Path, *lines: str) -> Sheet:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    form = detect_format(path)
    assert isinstance(form, SheetFormat)
    return read_sheet(path, form)


def payloads(given: Sheet) -> list[dict[str, Any]]:
    return [json.loads(event_record(given, event, "E-R1")[1]) for event in given.events]


def test_lap_events_are_sent_in_order_of_arrival(tmp_path: Path):
    late, early = "2025-01-01T00:00:09Z", "2025-01-01T00:00:02Z"
    lines = [
        lap(number=1, arrival=late),
        lap(number=2, arrival=early),
        lap(number=3, arrival=""),
        lap(number=4, arrival=late),
    ]
    given = sheet(tmp_path / "lap_end.csv", LAPS, *lines)
    assert [event.fields["lap"] for event in given.events] == [2, 3, 1, 4]
    assert [event_record(given, event, "S")[2].rsplit(b":", 1)[1] for event in given.events] == [b"3", b"4", b"2", b"5"]


def test_a_lap_event(tmp_path: Path):
    given = sheet(tmp_path / "lap_start.csv", LAPS, lap())
    key, value, event_id = event_record(given, given.events[0], "E-R1")
    assert key == b"E-R1|GR86-002-7"
    assert json.loads(value) == {
        "session_id": "E-R1",
        "vehicle_id": "GR86-002-7",
        "vehicle_number": 7,
        "car_number": "7",
        "original_vehicle_id": "GR86-002-7",
        "lap": 3,
        "outing": 0,
        "meta_event": "E",
        "meta_session": "R1",
        "meta_source": "feed",
        "meta_time_us": SECOND_US + 1_000_000,
        "time_us": SECOND_US + 250_000,
    }
    assert event_id == f"{given.identity}:2".encode()
    assert (given.topic, given.event_type) == ("timing.raw", "slipstream.lap_start.v1")


def test_lap_times_are_sent_as_they_are_likely_or_not(tmp_path: Path):
    header = "lap,meta_event,meta_session,meta_source,meta_time,outing,timestamp,value,vehicle_id"
    rows = [
        f"32768,E,R2,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,{value},CAR"
        for value in ("0", "43", "", "9e9", "98123.0")
    ]
    given = sheet(tmp_path / "any.csv", header, *rows)
    assert given.form.name == "lap_time"
    assert [event.fields["lap_time_ms"] for event in given.events] == [0, 43, None, None, 98_123]
    assert [event.fields["vehicle_number"] for event in given.events] == [None] * 5
    assert given.notes == ("value: 1 cell is not an integer and sent as null, line 5: '9e9'",)
    assert "lap_time_ms" not in payloads(given)[2]


def test_values_of_lap_starts_and_ends_only_repeat_the_time(tmp_path: Path):
    header = "lap,meta_time,timestamp,value,vehicle_id"
    given = sheet(
        tmp_path / "lap_end.csv", header, "1,2025-01-01T00:00:01Z,2025-01-01T00:00:00Z,2025-01-01T00:00:00Z,CAR"
    )
    assert payloads(given) == [
        {
            "session_id": "E-R1",
            "vehicle_id": "CAR",
            "lap": 1,
            "meta_time_us": SECOND_US + 1_000_000,
            "time_us": SECOND_US,
        }
    ]


def test_a_name_that_says_another_kind_than_the_values_is_noted(tmp_path: Path):
    header = "lap,meta_time,timestamp,value,vehicle_id"
    given = sheet(tmp_path / "lap_end.csv", header, "1,2025-01-01T00:00:01Z,2025-01-01T00:00:00Z,98123,CAR")
    assert (given.form.name, given.notes) == ("lap_time", ("named lap_end, but its values are lap times",))


def test_sector_times(tmp_path: Path):
    given = sheet(
        tmp_path / "any.csv",
        SECTORS,
        "7;1;3;1:40.000;0;;28.5;42.250;29.25;133.2;5:05.125;13:45:11.250;182.5;;Am;Maker;GF;18;18;10.5;28.5;1:11.500",
        "7;1;4;2:40.5;0;B;;;;83.0;7:45.625;13:47:51.750;;0:00:35.158;Am;Maker;FCY;18;18;;;",
    )
    first, second = payloads(given)
    assert first == {
        "session_id": "E-R1",
        "vehicle_number": 7,
        "car_number": "7",
        "driver_number": 1,
        "lap_number": 3,
        "lap_time_ms": 100_000,
        "sector_1_ms": 28_500,
        "sector_2_ms": 42_250,
        "sector_3_ms": 29_250,
        "elapsed_ms": 305_125,
        "time_of_day_ms": 49_511_250,
        "top_speed_kmh": 182.5,
        "avg_speed_kmh": 133.2,
        "in_pit": False,
        "flag": "GF",
        "vehicle_class": "Am",
        "manufacturer": "Maker",
        "intermediate_names": ["IM1a", "IM1", "FL"],
        "intermediate_ms": [18_000, 10_500, 71_500],
    }
    assert (second["in_pit"], second["pit_time_ms"], second["flag"]) == (True, 35_158, "FCY")
    assert second["intermediate_ms"] == [18_000, None, None]
    assert not {"sector_1_ms", "sector_2_ms", "sector_3_ms", "top_speed_kmh"} & second.keys()
    assert event_record(given, given.events[0], "E-R1")[0] == b"E-R1|number-7"


def test_a_sector_sheet_without_intermediate_points_and_pits(tmp_path: Path):
    header = "NUMBER;DRIVER_NUMBER;LAP_NUMBER;LAP_TIME;S1;S2;S3;ELAPSED;HOUR"
    (event,) = payloads(sheet(tmp_path / "any.csv", header, "007;1;1;1:40;30;30;40;1:40;9:00:00"))
    assert (event["vehicle_number"], event["lap_time_ms"]) == (7, 100_000)
    assert not {"in_pit", "intermediate_names", "intermediate_ms"} & event.keys()


def test_results(tmp_path: Path):
    given = sheet(
        tmp_path / "03_Provisional Results_Race 1.CSV",
        OVERALL,
        "1.0;13;Classified;27;45:15.035;-;-;8;1:37.428;136.8;Am;Car",
        "2.0;22;Classified;27;45:17.775;+2.740;+2.740;7;1:37.746;136.3;Am;Car",
        "3.0;18;Classified;26;45:28.789;1 Lap;1 Lap;19;1:41.379;131.4;Am;Car",
        ";78;Not started;0;;;;0;;;Am;Car",
    )
    leader, second, third, absent = payloads(given)
    assert leader == {
        "session_id": "E-R1",
        "sheet": "results",
        "is_official": False,
        "vehicle_number": 13,
        "car_number": "13",
        "position": 1,
        "status": "Classified",
        "laps": 27,
        "total_time_ms": 2_715_035,
        "fl_lap": 8,
        "fl_time_ms": 97_428,
        "fl_kmh": 136.8,
        "vehicle_class": "Am",
        "vehicle_model": "Car",
    }
    assert (second["gap_first_ms"], second["gap_previous_ms"]) == (2740, 2740)
    assert (third["gap_first_laps"], third["gap_previous_laps"]) == (1, 1)
    assert "gap_first_ms" not in third
    assert absent["laps"] == 0
    assert not {"position", "total_time_ms", "fl_lap", "fl_time_ms"} & absent.keys()
    assert {event_record(given, event, "E-R1")[0] for event in given.events} == {b"E-R1"}


def test_results_with_drivers_and_teams(tmp_path: Path):
    header = f"{OVERALL};TEAM;DRIVER_FIRSTNAME;DRIVER_SECONDNAME"
    row = "1;13;Classified;27;45:15.035;-;-;8;1:37.428;136.8;Am;Car;Some Team"
    first, second = payloads(sheet(tmp_path / "results.csv", header, f"{row};Ada;Example", f"{row};;Example"))
    assert (first["team"], first["driver_name"], second["driver_name"]) == ("Some Team", "Ada Example", "Example")
    assert not {"FIRSTNAME", "SECONDNAME"} & first.keys()


@pytest.mark.parametrize(
    ("columns", "cells", "name", "names"),
    [
        ("DRIVER_FIRSTNAME;DRIVER_SECONDNAME", "Ada;Example", "Ada Example", None),
        ("DRIVER1_FIRSTNAME;DRIVER1_SECONDNAME;DRIVER1_LICENSE", "Ada;EXAMPLE;Gold", "Ada EXAMPLE", None),
        (
            "DRIVER1_FIRSTNAME;DRIVER1_SECONDNAME;DRIVER1_SHORTNAME;DRIVER2_FIRSTNAME;DRIVER2_SECONDNAME",
            "Ada;Example;EXA;Zoë;Ñuñez",
            "Ada Example / Zoë Ñuñez",
            ["Ada Example", "Zoë Ñuñez"],
        ),
        ("DRIVER_1;DRIVER_2;DRIVER_3", "A. One;;C. Three", "A. One / C. Three", ["A. One", None, "C. Three"]),
        ("DRIVER_1;DRIVER_2;DRIVER_3", "A. One;;", "A. One", None),
        ("DRIVERS;DRIVER_NUMBER", "A. One / B. Two;1", "A. One / B. Two", ["A. One", "B. Two"]),
        ("DRIVER_NAME", "A. One", "A. One", None),
        ("DRIVER_1;DRIVER_2", ";", None, None),
    ],
)
def test_the_drivers_of_a_car(tmp_path: Path, columns: str, cells: str, name: str | None, names: list[str] | None):
    row = "1;13;Classified;27;45:15.035;-;-;8;1:37.428;136.8;Am;Car"
    (line,) = payloads(sheet(tmp_path / "results.csv", f"{OVERALL};{columns}", f"{row};{cells}"))
    assert (line.get("driver_name"), line.get("driver_names")) == (name, names)
    assert line.keys() <= set(load_contract("event.result.v1").column_names)


def test_a_qualifying_is_classified_by_the_best_lap(tmp_path: Path):
    given = sheet(
        tmp_path / "00_Results Qualifying Official.CSV",
        "POS;NUMBER;LAP;TIME;GAP_FIRST;GAP_PREVIOUS;KPH; LAPS;TEAM;CLASS;GROUP;DIVISION;VEHICLE",
        "1;13;6;1:37.428;-;-;136.8;9;Some Team;Am;;;Car",
        "2;7;5;1:37.528;+0.100;+0.100;136.7;8;Other;Am;;;Car",
        "3;8;0;;;;;1;Third;Am;;;Car",
    )
    first, second, third = payloads(given)
    assert first == {
        "session_id": "E-R1",
        "sheet": "qualifying",
        "is_official": True,
        "vehicle_number": 13,
        "car_number": "13",
        "position": 1,
        "laps": 9,
        "fl_lap": 6,
        "fl_time_ms": 97_428,
        "fl_kmh": 136.8,
        "vehicle_class": "Am",
        "vehicle_model": "Car",
        "team": "Some Team",
    }
    assert (second["gap_first_ms"], second["gap_previous_ms"]) == (100, 100)
    assert not {"fl_lap", "fl_time_ms", "gap_first_ms"} & third.keys()
    assert (given.topic, given.event_type) == ("race.raw", "slipstream.result.v1")


def test_laps_of_two_drivers_and_marks_of_the_pits(tmp_path: Path):
    given = sheet(
        tmp_path / "23_laps.csv",
        "NUMBER;DRIVER_NUMBER;LAP_NUMBER;LAP_TIME;CROSSING_FINISH_LINE_IN_PIT;DRIVER_NAME;TEAM",
        "7;1;1;1:40.000;P;A. One;Some Team",
        "7;2;2;1:41.000;1;B. Two;Some Team",
        "7;2;3;1:41.000;;B. Two;Some Team",
        "7;2;4;1:41.000;?;B. Two;Some Team",
    )
    laps = payloads(given)
    assert [lap.get("in_pit") for lap in laps] == [True, True, False, None]
    assert [(lap["driver_number"], lap["driver_name"], lap["team"]) for lap in laps[:2]] == [
        (1, "A. One", "Some Team"),
        (2, "B. Two", "Some Team"),
    ]
    assert any("not a mark of the pits" in note for note in given.notes)


def test_results_by_class(tmp_path: Path):
    given = sheet(
        tmp_path / "05_Results by Class GR Cup Race 1 Official.CSV",
        BY_CLASS,
        "Am;20;20;51;Car;27;46:39.703;+1'24.668;+4.914;12;1:39.410;134.0",
        "Am;22;22;21;Car;0;;21 Laps;21 Laps;0;;",
    )
    first, second = payloads(given)
    assert first == {
        "session_id": "E-R1",
        "sheet": "results_by_class",
        "is_official": True,
        "vehicle_number": 51,
        "car_number": "51",
        "position": 20,
        "position_in_class": 20,
        "laps": 27,
        "total_time_ms": 2_799_703,
        "gap_first_ms": 84_668,
        "gap_previous_ms": 4914,
        "fl_lap": 12,
        "fl_time_ms": 99_410,
        "fl_kmh": 134.0,
        "vehicle_class": "Am",
        "vehicle_model": "Car",
    }
    assert (second["gap_first_laps"], second["laps"]) == (21, 0)


@pytest.mark.parametrize(
    ("name", "official", "noted"),
    [
        ("03_Provisional Results_Race 2.CSV", False, False),
        ("03_Results GR Cup Race 2 Official_Anonymized.CSV", True, False),
        ("results_OFFICIAL.csv", True, False),
        ("Unofficial results.csv", False, False),
        ("Provisional results, official soon.csv", False, False),
        ("results.csv", False, True),
    ],
)
def test_whether_results_are_official(tmp_path: Path, name: str, official: bool, noted: bool):
    given = sheet(tmp_path / name, OVERALL, "1;13;Classified;27;45:15.035;-;-;8;1:37.428;136.8;Am;Car")
    assert payloads(given)[0]["is_official"] == official
    assert bool(given.notes) == noted


def test_provisional_and_official_results_that_agree_are_two_things(tmp_path: Path):
    row = "1;13;Classified;27;45:15.035;-;-;8;1:37.428;136.8;Am;Car"
    one, two = sheet(tmp_path / "Provisional.csv", OVERALL, row), sheet(tmp_path / "Official.csv", OVERALL, row)
    assert one.identity != two.identity
    assert one.identity.split(":")[0] == two.identity.split(":")[0]


def test_weather(tmp_path: Path):
    given = sheet(
        tmp_path / "any.csv", WEATHER, "1735689600;x;29.5;0;56.75;992.5;5.04;280;0", "1735689662;x;29.6;49.9;;;;;1"
    )
    first, second = payloads(given)
    assert first == {
        "session_id": "E-R1",
        "time_us": SECOND_US,
        "air_temp_c": 29.5,
        "track_temp_c": 0.0,
        "humidity_pct": 56.75,
        "pressure_mbar": 992.5,
        "wind_speed_kmh": 5.04,
        "wind_dir_deg": 280.0,
        "rain": False,
    }
    assert (second["rain"], second["track_temp_c"], "humidity_pct" in second) == (True, 49.9, False)


def test_a_track_temperature_of_0_throughout_is_no_temperature(tmp_path: Path):
    rows = [f"17356896{k}0;x;29.5;0;56.75;992.5;5.04;280;0" for k in range(3)]
    given = sheet(tmp_path / "any.csv", WEATHER, *rows)
    assert not any("track_temp_c" in event for event in payloads(given))
    assert given.notes == ("TRACK_TEMP is 0 throughout: no such sensor, sent as null",)
    given = sheet(tmp_path / "blank.csv", WEATHER, rows[0].replace(";0;56", ";;56"))
    assert given.notes == ()


def test_columns_that_an_event_may_lack(tmp_path: Path):
    weather = WEATHER.replace("TRACK_TEMP;", "").replace("WIND_SPEED;", "")
    (event,) = payloads(sheet(tmp_path / "any.csv", weather, "1735689600;x;29.5;56.75;992.5;280;0"))
    assert event.keys().isdisjoint({"track_temp_c", "wind_speed_kmh"})
    (event,) = payloads(sheet(tmp_path / "lap_end.csv", "lap,timestamp,vehicle_id", "1,2025-01-01T00:00:00Z,CAR"))
    assert event == {"session_id": "E-R1", "vehicle_id": "CAR", "lap": 1, "time_us": SECOND_US}
    (event,) = payloads(sheet(tmp_path / "any.csv", "NUMBER;LAP_NUMBER;LAP_TIME", "7;3;1:40,5"))
    assert event == {
        "session_id": "E-R1",
        "vehicle_number": 7,
        "car_number": "7",
        "lap_number": 3,
        "lap_time_ms": 100_500,
    }


def test_a_cell_that_an_event_may_lack_costs_no_event(tmp_path: Path):
    entries = [
        "DNF;8;Classified;20;45:00.0;-;-;3;1:40.0;130;Am;Car",
        "2;9;Classified;18;45:01.0;25L;1 Lap;n/a;x;y;Am;Car",
    ]
    given = sheet(tmp_path / "any.csv", OVERALL, *entries)
    assert [event.fields["position"] for event in given.events] == [None, 2]
    assert [event.fields["fl_time_ms"] for event in given.events] == [100_000, None]
    assert given.malformed == ()
    assert given.notes[:2] == (
        "POSITION: 1 cell is not an integer and sent as null, line 2: 'DNF'",
        "GAP_FIRST: 1 cell is not a gap and sent as null, line 3: '25L'",
    )
    given = sheet(tmp_path / "any.csv", "NUMBER;LAP_NUMBER;LAP_TIME;S1", "7;3;1:40.0;x", "7;four;1:40.0;x")
    assert [bad.reason for bad in given.malformed] == ["LAP_NUMBER 'four' is not an integer"]
    assert given.notes == ("S1: 1 cell is not a duration and sent as null, line 2: 'x'",)


def test_nothing_but_malformed_lines(tmp_path: Path):
    with pytest.raises(ReplayFileError, match="no events: all 2 lines are malformed, line 2: 1 fields in place of 9"):
        sheet(tmp_path / "any.csv", WEATHER, "short", "soon;x;1;1;1;1;1;1;0")


def holds(value: Any, column: Column) -> bool:
    """Whether a decoded JSON value is of a contract's column type."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "STRING": str,
        "BOOLEAN": bool,
        "INT": int,
        "BIGINT": int,
        "DOUBLE": (int, float),
    }
    if column.items is not None:
        return isinstance(value, list) and all(
            each is None or isinstance(each, kinds[column.items.physical_type]) for each in value
        )
    return isinstance(value, kinds[column.physical_type]) and (column.physical_type == "BOOLEAN") == isinstance(
        value, bool
    )


PUBLISHED = [
    ("barber/R1_barber_lap_end.csv", 571), ("barber/R1_barber_lap_start.csv", 571),
    ("barber/R1_barber_lap_time.csv", 571),
    ("barber/R2_barber_lap_end.csv", 595), ("barber/R2_barber_lap_start.csv", 595),
    ("barber/R2_barber_lap_time.csv", 595),
    ("barber/23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV", 579),
    ("barber/23_AnalysisEnduranceWithSections_Race 2_Anonymized.CSV", 602),
    ("barber/03_Provisional Results_Race 1_Anonymized.CSV", 22),
    ("barber/03_Provisional Results_Race 2_Anonymized.CSV", 22),
    ("barber/03_Results GR Cup Race 2 Official_Anonymized.CSV", 22),
    ("barber/05_Provisional Results by Class_Race 1_Anonymized.CSV", 22),
    ("barber/05_Provisional Results by Class_Race 2_Anonymized.CSV", 22),
    ("barber/05_Results by Class GR Cup Race 1 Official_Anonymized.CSV", 22),
    ("barber/26_Weather_Race 1_Anonymized.CSV", 43), ("barber/26_Weather_Race 2_Anonymized.CSV", 44),
    ("vir/vir_lap_end_R1.csv", 483), ("vir/vir_lap_start_R1.csv", 483), ("vir/vir_lap_time_R1.csv", 483),
    ("vir/vir_lap_end_R2.csv", 475), ("vir/vir_lap_start_R2.csv", 475), ("vir/vir_lap_time_R2.csv", 483),
    ("vir/23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV", 415),
    ("vir/23_AnalysisEnduranceWithSections_Race 2_Anonymized.CSV", 441),
    ("vir/03_Provisional Results_Race 1_Anonymized.CSV", 24), ("vir/03_Provisional Results_Race 2_Anonymized.CSV", 24),
    ("vir/03_Results GR Cup Race 2 Official_Anonymized.CSV", 24),
    ("vir/05_Provisional Results by Class_Race 1_Anonymized.CSV", 24),
    ("vir/05_Provisional Results by Class_Race 2_Anonymized.CSV", 24),
    ("vir/05_Results by Class GR Cup Race 1 Official_Anonymized.CSV", 24),
    ("vir/26_Weather_Race 1_Anonymized.CSV", 44), ("vir/26_Weather_Race 2_Anonymized.CSV", 43),
    ("indianapolis/R1_indianapolis_motor_speedway_lap_end.csv", 739),
    ("indianapolis/R1_indianapolis_motor_speedway_lap_start.csv", 734),
    ("indianapolis/R1_indianapolis_motor_speedway_lap_time.csv", 739),
    ("indianapolis/R2_indianapolis_motor_speedway_lap_end.csv", 665),
    ("indianapolis/R2_indianapolis_motor_speedway_lap_start.csv", 664),
    ("indianapolis/R2_indianapolis_motor_speedway_lap_time.csv", 662),
]  # fmt: skip


def published(data_dir: Path, relative: str) -> Sheet:
    path = data_dir / "grcup" / relative
    form = detect_format(path)
    assert isinstance(form, SheetFormat)
    return read_sheet(path, form)


@pytest.mark.parametrize(("relative", "lines"), PUBLISHED)
def test_every_published_line_keeps_its_contract(data_dir: Path, relative: str, lines: int):
    given = published(data_dir, relative)
    assert (len(given.events), given.malformed) == (lines, ())
    assert len({event_record(given, event, "S")[2] for event in given.events}) == lines
    columns = {column.name: column for column in load_contract(f"event.{KINDS[given.form.name].event}").columns}
    required = {name for name, column in columns.items() if column.required}
    for event in payloads(given):
        assert required <= event.keys() <= columns.keys()
        assert all(holds(value, columns[name]) for name, value in event.items()), event


@pytest.mark.parametrize(
    ("relative", "whole_sectors", "whole_points"),
    [
        ("barber/23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV", 579, 579),
        ("barber/23_AnalysisEnduranceWithSections_Race 2_Anonymized.CSV", 602, 602),
        ("vir/23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV", 415, 413),
        ("vir/23_AnalysisEnduranceWithSections_Race 2_Anonymized.CSV", 410, 408),
    ],
)
def test_published_sectors_add_up_to_the_millisecond(
    data_dir: Path, relative: str, whole_sectors: int, whole_points: int
):
    sectors = points = 0
    elapsed: dict[tuple[int, int], int] = {}
    for event in payloads(published(data_dir, relative)):
        times = [event.get(f"sector_{n}_ms") for n in (1, 2, 3)]
        if None not in times:
            sectors += 1
            assert sum(times) == event["lap_time_ms"]
        if None not in event["intermediate_ms"]:
            points += 1
            assert sum(event["intermediate_ms"]) == event["lap_time_ms"]
        elapsed[event["vehicle_number"], event["lap_number"]] = event["elapsed_ms"]
        before = elapsed.get((event["vehicle_number"], event["lap_number"] - 1), 0)
        assert event["elapsed_ms"] - before == event["lap_time_ms"]
    assert (sectors, points) == (whole_sectors, whole_points)


def test_published_lap_times(data_dir: Path):
    times = [event.fields["lap_time_ms"] for event in published(data_dir, "vir/vir_lap_time_R1.csv").events]
    assert sum(time == 0 for time in times) == 30
    assert sum(isinstance(time, int) and time < 30_000 for time in times) == 57
    assert sum(isinstance(time, int) and time > 300_000 for time in times) == 23
    assert {e.fields["lap_time_ms"] for e in published(data_dir, "barber/R1_barber_lap_time.csv").events} == {None}


def test_published_pit_stops_and_flags(data_dir: Path):
    events = payloads(published(data_dir, "barber/23_AnalysisEnduranceWithSections_Race 1_Anonymized.CSV"))
    assert Counter(event["flag"] for event in events) == {"GF": 514, "FCY": 44, "FF": 21}
    assert sum(event["in_pit"] for event in events) == 3
    assert sorted(event["pit_time_ms"] for event in events if "pit_time_ms" in event)[0] == 35_158
    assert events[0]["intermediate_names"] == ["IM1a", "IM1", "IM2a", "IM2", "IM3a", "FL"]


def test_published_results(data_dir: Path):
    events = payloads(published(data_dir, "barber/03_Provisional Results_Race 1_Anonymized.CSV"))
    assert [event["position"] for event in events] == list(range(1, 23))
    assert (events[0]["total_time_ms"], events[0]["fl_time_ms"], events[1]["gap_first_ms"]) == (2_715_035, 97_428, 2740)
    for before, event in pairwise(events):
        if "gap_first_ms" in event:
            assert event["total_time_ms"] - events[0]["total_time_ms"] == event["gap_first_ms"]
            assert event["total_time_ms"] - before["total_time_ms"] == event["gap_previous_ms"]
        else:
            assert events[0]["laps"] - event["laps"] == event["gap_first_laps"]
    absent = payloads(published(data_dir, "vir/03_Results GR Cup Race 2 Official_Anonymized.CSV"))[-1]
    assert (absent["status"], "position" in absent, absent["is_official"]) == ("Not started", False, True)


def test_published_weather(data_dir: Path):
    barber = payloads(published(data_dir, "barber/26_Weather_Race 1_Anonymized.CSV"))
    vir = payloads(published(data_dir, "vir/26_Weather_Race 1_Anonymized.CSV"))
    assert not any("track_temp_c" in event for event in barber)
    assert vir[0]["track_temp_c"] == 49.9
    for event in (*barber, *vir):
        tenths_m_s = event["wind_speed_kmh"] / 0.36
        assert tenths_m_s == pytest.approx(round(tenths_m_s))


def test_car_numbers_are_text(tmp_path: Path):
    header = BY_CLASS
    lines = [
        f"Am;20;20;{number};Car;27;46:39.703;+1'24.668;+4.914;12;1:39.410;134.0" for number in ("03", "3", "12A", "X")
    ]
    found = payloads(sheet(tmp_path / "05_Results by Class GR Cup Race 1 Official.CSV", header, *lines))
    assert [(one["car_number"], one["vehicle_number"]) for one in found] == [("03", 3), ("3", 3), ("12A", 12), ("X", 0)]
