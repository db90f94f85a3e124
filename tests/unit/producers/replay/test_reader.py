from __future__ import annotations

import bz2
import csv
import gzip
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conf.text_table import TextTableError
from producers.replay.formats import ReplayFileError, TelemetryFormat, detect_format
from producers.replay.reader import read_stated_sessions, read_telemetry
from producers.replay.sessions import Placement, SessionError

HEADER = (
    "expire_at,lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,"
    "telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number"
)


def row(
    *,
    lap: str = "3",
    event: str = "E",
    session: str = "R1",
    meta_time: str = "2025-01-01T00:00:01.000Z",
    name: str = "aps",
    value: str = "1.5",
    timestamp: str = "2025-01-01T00:00:00.000Z",
    vehicle: str = "CAR-1",
    number: str = "1",
) -> str:
    return f",{lap},{event},{session},feed,{meta_time},CAR-1,0,{name},{value},{timestamp},{vehicle},{number}"


def write(path: Path, *lines: str) -> Path:
    path.write_bytes("\n".join([HEADER, *lines, ""]).encode())
    return path


@pytest.mark.parametrize(
    ("relative", "session", "rows", "sessions"),
    [
        ("indianapolis/indianapolis_r1_2cars_fullrace.parquet", None, 1_322_142, ["I_R07_2025-10-19-R1"]),
        ("vir/R1_vir_telemetry_data.csv.gz", None, 368_628, ["I_R04_2025-07-20-R1", "I_R04_2025-07-20-R2"]),
        ("barber/barber_r1_fastest_lap_17cars.parquet", "barber-1", 375_293, ["barber-1"]),
        ("barber/R1_barber_telemetry_data_1lap.csv", None, 22_425, ["I_R06_2025-09-07-R1"]),
    ],
)
def test_published_files(data_dir: Path, relative: str, session: str | None, rows: int, sessions: list[str]):
    readings = read_telemetry(data_dir / "grcup" / relative, Placement(session))
    frame = readings.frame
    assert frame.height == rows
    assert readings.malformed_count == 0
    assert list(readings.sessions) == sessions
    assert frame["meta_time_us"].is_sorted()
    wanted = ["timestamp_us", "meta_time_us", "telemetry_value", "telemetry_name", "vehicle_id", "lap", "ecu_seq"]
    assert frame.select(pl.sum_horizontal(pl.col(wanted).null_count())).item() == 0


def test_times_in_all_published_writings(tmp_path: Path):
    times = {
        "2025-09-06 18:40:42.032000+00:00": 32_000,
        "2025-09-06T18:40:42.032Z": 32_000,
        "2025-09-06T18:40:42.032001Z": 32_001,
        "2025-09-06T18:40:42Z": 0,
        "2025-09-06 18:40:42.5": 500_000,
        "2025-09-06T20:40:42.032+02:00": 32_000,
    }
    second = int(datetime(2025, 9, 6, 18, 40, 42, tzinfo=UTC).timestamp()) * 1_000_000
    path = write(tmp_path / "a.csv", *(row(timestamp=time, value=str(k)) for k, time in enumerate(times)))
    frame = read_telemetry(path).frame.sort("telemetry_value")
    assert frame["timestamp_us"].to_list() == [second + micros for micros in times.values()]


def test_arrival_order_is_by_meta_time_and_then_as_in_the_file(tmp_path: Path):
    late, early = "2025-01-01T00:00:02.000Z", "2025-01-01 00:00:01.000000+00:00"
    lines = [
        row(meta_time=late, value="1"),
        row(meta_time=early, value="2", name="gear"),
        row(meta_time=late, value="3", name="ath"),
        row(meta_time=early, value="4", name="speed"),
    ]
    assert read_telemetry(write(tmp_path / "a.csv", *lines)).frame["telemetry_value"].to_list() == [2, 4, 1, 3]


def test_malformed_lines_are_named_and_the_good_ones_go_on(tmp_path: Path):
    lines = [
        row(value="1"),
        row(value="abc"),  # line 3
        row() + ",more",  # line 4
        "cut,off",  # line 5
        "",  # line 6
        row(timestamp="yesterday", value="x"),  # line 7
        row(value='1"'),  # line 8
        row(value="2", name="gear"),
    ]
    readings = read_telemetry(write(tmp_path / "a.csv", *lines))
    assert readings.frame["telemetry_value"].to_list() == [1, 2]
    assert readings.malformed_count == 6
    assert {bad.line: bad.reason for bad in readings.malformed} == {
        3: "telemetry_value 'abc' is not a number",
        4: "14 fields in place of 13",
        5: "2 fields in place of 13",
        6: "empty line",
        7: "telemetry_value 'x' is not a number; timestamp 'yesterday' is not a time",
        8: "telemetry_value '1\"' is not a number",
    }


def test_a_cell_that_a_reading_may_lack_costs_no_reading(tmp_path: Path):
    lines = [row(number="1.5"), row(lap="99999999999"), row(meta_time="soon"), row(lap="x"), row(lap="3.0")]
    readings = read_telemetry(write(tmp_path / "a.csv", *lines, row(lap="no note", value="of what is left out")))
    assert readings.malformed_count == 1
    frame = readings.frame.sort("line")
    assert frame["lap"].to_list() == [3, None, 3, None, 3]
    assert frame["vehicle_number"].null_count() == frame["meta_time_us"].null_count() == 1
    assert readings.notes == (
        "lap: 2 cells are not an integer and sent as null, line 3: '99999999999'",
        "meta_time: 1 cell is not a time and sent as null, line 4: 'soon'",
        "vehicle_number: 1 cell is not an integer and sent as null, line 2: '1.5'",
    )


@pytest.mark.parametrize("word", ["nan", "NULL", "NA", "n/a", "None", "\\N"])
def test_a_missing_value_has_many_spellings(tmp_path: Path, word: str):
    path = write(tmp_path / "a.csv", row(lap=word, number=word, meta_time=word), row(name="gear"))
    path.write_bytes(path.read_bytes().replace(b"feed", word.encode()))
    readings = read_telemetry(path)
    assert readings.malformed_count == 0
    assert readings.notes[0] == f"lap: 1 cell is not an integer and sent as null, line 2: '{word}'"
    assert [note.partition(":")[0] for note in readings.notes] == ["lap", "meta_time", "vehicle_number"]
    assert readings.frame["meta_source"].null_count() == 2
    assert readings.frame.select("lap", "vehicle_number", "meta_time_us").null_count().row(0) == (1, 1, 1)


def test_columns_that_a_reading_may_lack(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("timestamp,vehicle_id,telemetry_name,telemetry_value\n2025-01-01T00:00:00Z,CAR-1,aps,1.5\n")
    readings = read_telemetry(path, Placement("mine"))
    assert (readings.form.name, readings.form.has_session, readings.frame.height) == ("long8", False, 1)
    assert readings.frame["lap"].to_list() == readings.frame["meta_time_us"].to_list() == [None]


@pytest.mark.parametrize(
    "time",
    [
        "1735689600",
        "1735689600.25",
        "1735689600250",
        "1735689600250000",
        "1735689600250000000",
        "1.73568960025e12",
        "2025-01-01 00:00:00,25",
    ],
)
def test_times_as_numbers_since_the_epoch(tmp_path: Path, time: str):
    path = write(tmp_path / "a.csv", row(timestamp=f'"{time}"', meta_time=f'"{time}"'))
    quarter = 0 if time == "1735689600" else 250_000
    frame = read_telemetry(path).frame
    assert frame["timestamp_us"].to_list() == frame["meta_time_us"].to_list() == [1_735_689_600_000_000 + quarter]


def test_parquet_with_times_as_numbers(tmp_path: Path):
    text = write(tmp_path / "a.csv", row(timestamp="1735689600250", meta_time="1735689600"))
    table = tmp_path / "a.parquet"
    pl.read_csv(text).write_parquet(table)
    frame = read_telemetry(table).frame
    assert frame.select("timestamp_us", "meta_time_us").row(0) == (1_735_689_600_250_000, 1_735_689_600_000_000)


def rewritten(path: Path, **dialect: Any) -> Path:
    """The same rows in another dialect of CSV."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="") as file:
        csv.writer(file, **dialect).writerows(rows)
    return path


PLAIN = [row(value=f"{k}.5", name=name) for k in range(4) for name in ("aps", "gear")]


def one_more_column(data: bytes) -> bytes:
    header, *rows = data.splitlines()
    return b"\n".join([b"," + header + b",track", *(b"%d,%s,barber" % row for row in enumerate(rows))])


DIALECTS: dict[str, Callable[[bytes], bytes]] = {
    "decimal comma": lambda data: data.replace(b",", b";").replace(b".5;", b",5;"),
    "one more column": one_more_column,
    "last column empty": lambda data: data.replace(b"\n", b",\n"),
    "delimiter in a cell": lambda data: data.replace(b"feed", b'"feed, mirror"'),
    "line break in a cell": lambda data: data.replace(b"feed", b'"feed\nmirror"'),
    "spaces behind delimiters": lambda data: data.replace(b",", b", ").replace(b"feed", b'"feed"'),
    "comments": lambda data: b"# made by a logger\n#\n\n" + data,
    "title": lambda data: b"Barber, race 1\nsecond line\n" + data,
    "separator line": lambda data: b"sep=;\n" + data.replace(b",", b";"),
    "blank lines at its end": lambda data: data + b"\n\r\n\n",
    "cr": lambda data: data.replace(b"\n", b"\r"),
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "crcrlf": lambda data: data.replace(b"\n", b"\r\r\n"),
    "latin-1": lambda data: data.replace(b"feed", "Nürburgring".encode("latin-1")),
    **{
        encoding: lambda data, encoding=encoding: data.decode().encode(encoding)  # type: ignore[misc]
        for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
    },
}


@pytest.mark.parametrize("how", [*DIALECTS, "quoted", "semicolon", "tab"])
def test_every_dialect_gives_the_same_readings(tmp_path: Path, how: str):
    plain = read_telemetry(write(tmp_path / "plain.csv", *PLAIN)).frame
    path = write(tmp_path / "a.csv", *PLAIN)
    if how in DIALECTS:
        path.write_bytes(DIALECTS[how](path.read_bytes()))
    else:
        quoting = csv.QUOTE_ALL if how == "quoted" else csv.QUOTE_MINIMAL
        rewritten(path, quoting=quoting, delimiter={"semicolon": ";", "tab": "\t"}.get(how, ","))
    readings = read_telemetry(path)
    assert readings.malformed_count == 0
    assert readings.frame.drop("line", "meta_source").equals(plain.drop("line", "meta_source"))
    assert ("read as Windows-1252" in " ".join(readings.notes)) == (how == "latin-1")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_every_packing_gives_the_same_readings(tmp_path: Path, pack: Callable[[bytes], bytes]):
    plain = write(tmp_path / "plain.csv", *PLAIN)
    packed = tmp_path / "packed"
    packed.write_bytes(pack(plain.read_bytes()))
    assert read_telemetry(packed).frame.equals(read_telemetry(plain).frame)
    packed.write_bytes(pack(plain.read_bytes())[:-12])
    with pytest.raises(TextTableError, match=r"packed: the .* data are cut short or damaged"):
        read_telemetry(packed)


def test_line_numbers_without_ragged_lines(tmp_path: Path):
    readings = read_telemetry(write(tmp_path / "a.csv", row(), row(value="x"), row(name="gear")))
    assert [(bad.line, bad.reason) for bad in readings.malformed] == [(3, "telemetry_value 'x' is not a number")]


def test_a_line_that_is_not_utf8_in_a_file_that_is(tmp_path: Path):
    path = write(tmp_path / "a.csv", row(event="Nürburgring"), row(vehicle="CAR-?"))
    path.write_bytes(path.read_bytes().replace(b"CAR-?", b"CAR-\xff"))
    readings = read_telemetry(path)
    assert readings.frame.height == 1
    assert [(bad.line, bad.reason) for bad in readings.malformed] == [(3, "not UTF-8")]


def test_file_cut_in_the_middle_of_its_last_line(tmp_path: Path):
    path = write(tmp_path / "a.csv", row(), row(name="gear"))
    path.write_bytes(path.read_bytes()[:-30])
    readings = read_telemetry(path)
    assert (readings.frame.height, readings.malformed_count) == (1, 1)


def test_windows_line_ends(tmp_path: Path):
    path = write(tmp_path / "a.csv", row(), row(name="gear"), "bad")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    readings = read_telemetry(path)
    assert readings.frame["vehicle_number"].to_list() == [1, 1]
    assert readings.malformed_count == 1


def test_what_is_empty_is_null_and_not_malformed(tmp_path: Path):
    readings = read_telemetry(
        write(tmp_path / "a.csv", row(value="", number="", lap="", timestamp="", meta_time=""), row(name="gear"))
    )
    assert readings.malformed_count == 0
    first = readings.frame.row(0, named=True)
    assert [first[name] for name in ("telemetry_value", "vehicle_number", "lap", "timestamp_us", "meta_time_us")] == [
        None
    ] * 5


def test_nan_and_infinity_are_values(tmp_path: Path):
    values = read_telemetry(write(tmp_path / "a.csv", row(value="NaN"), row(value="-inf", name="gear"))).frame[
        "telemetry_value"
    ]
    assert values.is_nan().to_list() == [True, False]
    assert values[1] == float("-inf")


def test_truncated_gzip(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *(row(value=str(k)) for k in range(100_000))]).encode())[:-2000])
    with pytest.raises(TextTableError, match=r"a\.csv\.gz: the gzip data are cut short or damaged"):
        read_telemetry(path)


def test_nothing_but_malformed_lines(tmp_path: Path):
    with pytest.raises(ReplayFileError, match="no readings: all 2 lines are malformed, line 2: telemetry_value"):
        read_telemetry(write(tmp_path / "a.csv", row(value="x"), "bad"))


def test_session_from_the_data(tmp_path: Path):
    path = write(tmp_path / "a.csv", row(), row(session="R2", meta_time="2025-01-02T00:00:00Z"))
    assert read_telemetry(path).sessions == ("E-R1", "E-R2")
    assert read_telemetry(path, Placement(sessions={"E-R1": "one"})).sessions == ("one", "E-R2")


def test_a_reading_without_session_is_of_the_one_that_the_others_state(tmp_path: Path):
    path = write(tmp_path / "a.csv", row(), row(session="", name="gear"))
    assert read_telemetry(path).frame["session_id"].to_list() == ["E-R1", "E-R1"]
    several = read_telemetry(write(tmp_path / "b.csv", row(), row(session="", name="gear"), row(session="R2")))
    assert several.frame.height == 2
    assert [(bad.line, bad.reason) for bad in several.malformed] == [(3, "no meta_event or meta_session")]


def test_session_that_is_nowhere(tmp_path: Path):
    path = write(tmp_path / "a.csv", row(event=""))
    with pytest.raises(SessionError, match="name it with --session ID"):
        read_telemetry(path)
    assert read_telemetry(path, Placement("mine")).sessions == ("mine",)


def test_a_renamed_vehicle_keeps_its_old_id(tmp_path: Path):
    path = write(tmp_path / "a.csv", row())
    (said,) = read_telemetry(path).frame["vehicle_id"]
    frame = read_telemetry(path, Placement(vehicles={said: "new"})).frame
    assert frame["vehicle_id"].to_list() == ["new"]
    assert frame["original_vehicle_id"].to_list() == [said]


def test_parquet_with_a_value_that_cannot_be_read(tmp_path: Path):
    text = write(tmp_path / "a.csv", row(), row(timestamp="soon", name="gear"))
    table = tmp_path / "a.parquet"
    pl.read_csv(text).write_parquet(table)
    readings = read_telemetry(table)
    assert readings.frame.height == 1
    assert [(bad.line, bad.reason) for bad in readings.malformed] == [(3, "timestamp 'soon' is not a time")]


def test_same_content_same_identity(tmp_path: Path):
    one, two = write(tmp_path / "one.csv", row()), write(tmp_path / "two.csv", row())
    assert read_telemetry(one).digest == read_telemetry(two).digest
    assert read_telemetry(one).digest != read_telemetry(write(tmp_path / "three.csv", row(lap="4"))).digest


def test_the_sessions_that_a_file_states_are_those_that_its_readings_have(tmp_path: Path) -> None:
    named = (("E", "R1"), ("E", " R1 "), ("", ""), ("NULL", "NULL"))
    path = write(tmp_path / "telemetry.csv", *(row(event=event, session=session) for event, session in named))
    form = detect_format(path)
    assert isinstance(form, TelemetryFormat)
    assert read_stated_sessions(path, form) == {("E", "R1")}
