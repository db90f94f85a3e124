from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from producers.replay.cell_parsers import gap_laps, gap_ms, integer, text
from producers.replay.formats import ReplayFileError, SheetForm
from producers.replay.tables import Event, Field, load_table, parse_rows

SHEET = SheetForm("results", "csv", ";")
FIELDS = (
    Field("number", "NUMBER", integer),
    Field("who", "DRIVER", text, required=False),
    Field("mark", "MARK", text, required=False, empty="none"),
)


def write(path: Path, *lines: str) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def test_spaces_mark_and_windows_line_ends_are_no_part_of_a_cell(tmp_path: Path):
    path = write(tmp_path / "a.csv", "\ufeffNUMBER; DRIVER ;MARK\r", " 7 ; A. B. ;x\r", "8;;\r")
    assert parse_rows(load_table(path, SHEET), FIELDS).events == (
        Event(2, {"number": 7, "who": "A. B.", "mark": "x"}),
        Event(3, {"number": 8, "who": None, "mark": "none"}),
    )


def test_quotes_hold_a_delimiter(tmp_path: Path):
    path = write(tmp_path / "a.csv", "NUMBER;DRIVER", '7;"A; B"')
    assert parse_rows(load_table(path, SHEET), FIELDS).events[0].fields["who"] == "A; B"


def test_a_column_that_is_absent_has_no_value(tmp_path: Path):
    path = write(tmp_path / "a.csv", "NUMBER;", "7;")
    assert parse_rows(load_table(path, SHEET), FIELDS).events[0].fields == {"number": 7, "who": None, "mark": None}


def test_lines_that_cannot_be_read_are_named_and_the_others_go_on(tmp_path: Path):
    path = write(tmp_path / "a.csv", "NUMBER;GAP", "7;1 Lap", "8", "", "x;far", '9;"', "10;-")
    path.write_bytes(path.read_bytes() + b'\xff;1 Lap\n"11";\rA\n')
    table = load_table(path, SHEET)
    parsed = parse_rows(table, (*FIELDS[:1], Field("ms", "GAP", gap_ms), Field("laps", "GAP", gap_laps)))
    assert [event.fields for event in parsed.events] == [
        {"number": 7, "ms": None, "laps": 1},
        {"number": 10, "ms": None, "laps": None},
    ]
    assert {bad.line: bad.reason for bad in (*table.malformed, *parsed.malformed)} == {
        3: "1 fields in place of 2",
        4: "empty line",
        5: "NUMBER 'x' is not an integer; GAP 'far' is not a gap",
        6: "quote without its pair",
        8: "not UTF-8",
        9: "quotes or line breaks out of place",
    }


def test_missing_columns_are_named(tmp_path: Path):
    table = load_table(write(tmp_path / "a.csv", "DRIVER;OTHER;", "A;B;"), SHEET)
    with pytest.raises(ReplayFileError, match=r"a\.csv: missing column NUMBER; found DRIVER, OTHER"):
        parse_rows(table, FIELDS)
    with pytest.raises(ReplayFileError, match="missing columns NUMBER, PIC"):
        parse_rows(table, (*FIELDS, Field("pic", "PIC", integer)))


def test_a_header_alone(tmp_path: Path):
    for lines in (["NUMBER;DRIVER"], []):
        with pytest.raises(ReplayFileError, match="no events: nothing follows the header"):
            load_table(write(tmp_path / "a.csv", *lines), SHEET)


def test_gzip_whole_and_cut_short(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(b"NUMBER;DRIVER\n" + b"".join(b"%d;A\n" % k for k in range(1000)))
    form = SheetForm("results", "csv.gz", ";")
    path.write_bytes(packed)
    assert len(load_table(path, form).rows) == 1000
    path.write_bytes(packed[:-20])
    with pytest.raises(ReplayFileError, match=r"a\.csv\.gz: the gzip data are cut short or damaged"):
        load_table(path, form)
