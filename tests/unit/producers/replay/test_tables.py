from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from conf.text_table import TextTableError
from producers.replay.cell_parsers import parse_gap_laps, parse_gap_ms, parse_integer, parse_text
from producers.replay.formats import ReplayFileError, SheetFormat
from producers.replay.tables import SheetEvent, SheetField, load_sheet, parse_sheet_rows

SHEET = SheetFormat("results", "csv")
FIELDS = (
    SheetField("number", "NUMBER", parse_integer, required=True),
    SheetField("who", "DRIVER", parse_text),
    SheetField("mark", "MARK", parse_text, empty="none"),
)


def write(path: Path, *lines: str) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


def test_spaces_mark_and_windows_line_ends_are_no_part_of_a_cell(tmp_path: Path):
    path = write(tmp_path / "a.csv", "\ufeffNUMBER; DRIVER ;MARK\r", " 7 ; A. B. ;x\r", "8;;\r")
    assert parse_sheet_rows(load_sheet(path, SHEET), FIELDS).events == (
        SheetEvent(2, {"number": 7, "who": "A. B.", "mark": "x"}),
        SheetEvent(3, {"number": 8, "who": None, "mark": "none"}),
    )


def test_quotes_hold_a_delimiter(tmp_path: Path):
    path = write(tmp_path / "a.csv", "NUMBER;DRIVER", '7;"A; B"')
    assert parse_sheet_rows(load_sheet(path, SHEET), FIELDS).events[0].fields["who"] == "A; B"


def test_a_column_that_is_absent_has_no_value(tmp_path: Path):
    path = write(tmp_path / "a.csv", "NUMBER;", "7;")
    assert parse_sheet_rows(load_sheet(path, SHEET), FIELDS).events[0].fields == {
        "number": 7,
        "who": None,
        "mark": None,
    }


def test_lines_that_cannot_be_read_are_named_and_the_others_go_on(tmp_path: Path):
    path = write(tmp_path / "a.csv", "NUMBER;GAP", "7;1 Lap", "8", "", "x;far", '9;"', "10;-")
    path.write_bytes(path.read_bytes() + b'\xff;1 Lap\n"11";\n"1"2;A\n')
    table = load_sheet(path, SHEET)
    parsed = parse_sheet_rows(
        table, (*FIELDS[:1], SheetField("ms", "GAP", parse_gap_ms), SheetField("laps", "GAP", parse_gap_laps))
    )
    assert [event.fields for event in parsed.events] == [
        {"number": 7, "ms": None, "laps": 1},
        {"number": 10, "ms": None, "laps": None},
        {"number": 11, "ms": None, "laps": None},
    ]
    assert parsed.notes == ("lines that are not UTF-8, read as Windows-1252: 1, the first of them line 8",)
    assert {bad.line: bad.reason for bad in (*table.malformed, *parsed.malformed)} == {
        3: "1 fields in place of 2",
        4: "empty line",
        5: "NUMBER 'x' is not an integer",
        6: "quote without its pair",
        8: "NUMBER 'ÿ' is not an integer",
        10: "quotes or line breaks out of place",
    }


def test_missing_columns_are_named(tmp_path: Path):
    table = load_sheet(write(tmp_path / "a.csv", "DRIVER;OTHER;", "A;B;"), SHEET)
    with pytest.raises(ReplayFileError, match=r"a\.csv: missing column NUMBER; found DRIVER, OTHER"):
        parse_sheet_rows(table, FIELDS)
    with pytest.raises(ReplayFileError, match="missing columns NUMBER, PIC"):
        parse_sheet_rows(table, (*FIELDS, SheetField("pic", "PIC", parse_integer, required=True)))


def test_a_header_alone(tmp_path: Path):
    with pytest.raises(ReplayFileError, match="no events: nothing follows the header"):
        load_sheet(write(tmp_path / "a.csv", "NUMBER;DRIVER"), SHEET)


def test_gzip_whole_and_cut_short(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(b"NUMBER;DRIVER\n" + b"".join(b"%d;A\n" % k for k in range(1000)))
    form = SheetFormat("results", "csv.gz")
    path.write_bytes(packed)
    assert len(load_sheet(path, form).rows) == 1000
    path.write_bytes(packed[:-20])
    with pytest.raises(TextTableError, match=r"a\.csv\.gz: the gzip data are cut short or damaged"):
        load_sheet(path, form)
