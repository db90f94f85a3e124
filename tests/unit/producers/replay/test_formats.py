from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from conf.text_table import TextTableError
from producers.replay.files import find_files
from producers.replay.formats import (
    NotTelemetryError,
    ReplayFileError,
    SheetFormat,
    TelemetryFormat,
    UnknownFormatError,
    UnsupportedFileError,
    detect_format,
    lap_kind_from_name,
)
from producers.replay.reader import read_telemetry

LONG = (
    "expire_at,lap,meta_event,meta_session,meta_source,meta_time,original_vehicle_id,outing,"
    "telemetry_name,telemetry_value,timestamp,vehicle_id,vehicle_number"
)
ROW = ",3,E,R1,feed,2025-01-01T00:00:01.000Z,CAR-1,0,{name},1.5,2025-01-01T00:00:00.000Z,CAR-1,1"
TIMING = LONG.replace("telemetry_name,telemetry_value,", "")


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("relative", "name", "container", "dialect"),
    [
        ("vir/R1_vir_telemetry_data.csv.gz", "long13", "csv.gz", "grcup"),
        ("barber/R1_barber_telemetry_data_1lap.csv", "long13", "csv", "grcup"),
        ("barber/barber_r1_fastest_lap_17cars.parquet", "long8", "parquet", "grcup"),
        ("indianapolis/indianapolis_r1_2cars_fullrace.parquet", "long13-renamed", "parquet", "grcup-renamed"),
    ],
)
def test_published_files(data_dir: Path, relative: str, name: str, container: str, dialect: str):
    form = detect_format(data_dir / "grcup" / relative)
    assert isinstance(form, TelemetryFormat)
    assert (form.name, form.container, form.dialect) == (name, container, dialect)
    assert form.has_session == (name != "long8")


def test_content_decides_and_not_the_name(tmp_path: Path):
    packed = tmp_path / "renamed.txt"
    packed.write_bytes(gzip.compress(f"{LONG}\n{ROW.format(name='acc_x')}\n".encode()))
    assert detect_format(packed).name == "long13-renamed"
    table = tmp_path / "data.csv"
    text = write(tmp_path / "x", LONG, ROW.format(name="aps"))
    pl.read_csv(text).write_parquet(table)
    assert detect_format(table).container == "parquet"


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path: Path):
    assert detect_format(write(tmp_path / "bom.csv", "\ufeff" + LONG, ROW.format(name="aps"))).name == "long13"


def test_channels_common_to_both_dialects_count_as_the_feeds_own(tmp_path: Path):
    assert detect_format(write(tmp_path / "a.csv", LONG, ROW.format(name="speed"))).dialect == "grcup"


def test_missing_column_is_named(tmp_path: Path):
    path = write(tmp_path / "a.csv", LONG.replace("timestamp,", ""), ROW.format(name="aps"))
    with pytest.raises(ReplayFileError, match=r"a\.csv: missing column timestamp; found .*telemetry_name"):
        detect_format(path)


def test_unknown_form_says_what_was_found_and_what_is_expected(tmp_path: Path):
    with pytest.raises(UnknownFormatError, match=r"columns alpha, beta; a telemetry file has .*telemetry_value"):
        detect_format(write(tmp_path / "a.csv", "alpha,beta", "1,2"))


def test_binary_is_not_shown(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UnknownFormatError, match="neither text nor parquet"):
        detect_format(path)


SECTORS = "NUMBER; DRIVER_NUMBER; LAP_NUMBER; LAP_TIME; S1;"
OVERALL = "POSITION;NUMBER;STATUS;LAPS"
BY_CLASS = "CLASS_TYPE;POS;PIC;NUMBER"
QUALIFYING = "POS;NUMBER;LAP;TIME;GAP_FIRST;GAP_PREVIOUS;KPH; LAPS;TEAM;CLASS;GROUP;DIVISION;VEHICLE"
WEATHER = "TIME_UTC_SECONDS;TIME_UTC_STR;AIR_TEMP"


@pytest.mark.parametrize(
    ("name", "header", "form"),
    [
        ("any_lap_end.csv", TIMING, "lap_end"),
        ("COTA_lap_start_time_R1.csv", TIMING, "lap_start"),
        ("R1 Lap Time.csv", TIMING, "lap_time"),
        ("R1_lap_end.csv", f",{TIMING},track,source_file", "lap_end"),
        ("any_lap_end.csv", TIMING.replace(",", ";"), "lap_end"),
        ("any.csv", SECTORS, "sector_times"),
        ("any.csv", SECTORS.replace(";", ","), "sector_times"),
        ("any.csv", SECTORS.replace(" DRIVER_NUMBER;", ""), "sector_times"),
        ("any.csv", "\ufeff" + OVERALL, "results"),
        ("any.csv", OVERALL.replace("STATUS", "TOTAL_TIME").replace(";", "\t"), "results"),
        ("any.csv", BY_CLASS, "results_by_class"),
        ("any.csv", QUALIFYING, "qualifying"),
        ("any.csv", WEATHER, "weather"),
    ],
)
def test_sheets(tmp_path: Path, name: str, header: str, form: str):
    assert detect_format(write(tmp_path / name, header, "a row")) == SheetFormat(form, "csv")
    packed = tmp_path / f"packed_{name}"
    packed.write_bytes(gzip.compress(f"{header}\na row\n".encode()))
    assert detect_format(packed) == SheetFormat(form, "csv.gz")


@pytest.mark.parametrize(
    ("name", "header", "form"),
    [
        ("lap_end.csv", TIMING, "lap_end"),
        ("any.csv", SECTORS.removesuffix(";"), "sector_times"),
        ("any.csv", OVERALL, "results"),
        ("any.csv", WEATHER, "weather"),
    ],
)
def test_a_header_with_every_name_quoted(tmp_path: Path, name: str, header: str, form: str):
    delimiter = ";" if ";" in header else ","
    quoted = delimiter.join(f'"{column}"' for column in header.split(delimiter))
    assert detect_format(write(tmp_path / name, quoted, "a row")).name == form


def test_lap_times_are_known_by_their_values_where_they_have_some(tmp_path: Path):
    header = "expire_at,lap,meta_event,meta_session,meta_source,meta_time,outing,timestamp,value,vehicle_id"
    rows = [f",3,E,R1,feed,2025-01-01T00:00:01Z,0,2025-01-01T00:00:00Z,{value},CAR-1" for value in ("", "98123")]
    assert detect_format(write(tmp_path / "any.csv", header, *rows)).name == "lap_time"
    assert detect_format(write(tmp_path / "lap_end.csv", header, *rows)).name == "lap_time"
    rows = [row.replace("98123", "2025-01-01T00:00:00Z") for row in rows]
    assert detect_format(write(tmp_path / "lap_end.csv", header, *rows)).name == "lap_end"


def test_lap_events_of_which_nothing_says_the_kind(tmp_path: Path):
    with pytest.raises(
        ReplayFileError, match=r"any\.csv: lap events .* have lap_start, lap_end, lap_time in the file's"
    ):
        detect_format(write(tmp_path / "any.csv", TIMING))


def test_a_table_with_more_than_lap_events_is_not_one_of_them(tmp_path: Path):
    with pytest.raises(UnknownFormatError, match="unknown file form"):
        detect_format(write(tmp_path / "fastest_lap_time.csv", TIMING + ",speed,gear"))
    with pytest.raises(UnknownFormatError, match="neither content nor name says the kind"):
        detect_format(write(tmp_path / "notes.csv", "lap,timestamp,vehicle_id,value,remark", "1,x,y,98123,z"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("R1_barber_lap_end.csv", "lap_end"),
        ("vir_lap_start_R2.csv", "lap_start"),
        ("sonoma_lap_end_time_R1.csv", "lap_end"),
        ("lapTime.csv", "lap_time"),
        ("26_Weather_Race 1.CSV", None),
    ],
)
def test_lap_kind_in_a_name(name: str, kind: str | None):
    assert lap_kind_from_name(name) == kind


def test_best_laps_are_known_and_left_out(tmp_path: Path):
    with pytest.raises(UnsupportedFileError, match="best laps, which repeat what the sector file says"):
        detect_format(write(tmp_path / "any.csv", "NUMBER;VEHICLE;BESTLAP_1;BESTLAP_1_LAPNUM"))


def test_a_sheet_as_parquet_says_what_to_do(tmp_path: Path):
    path = tmp_path / "weather.parquet"
    pl.DataFrame({"TIME_UTC_SECONDS": [1], "AIR_TEMP": [1.0]}).write_parquet(path)
    with pytest.raises(UnknownFormatError, match="weather as parquet; replay reads such files as text"):
        detect_format(path)


def test_a_sheet_is_not_telemetry(tmp_path: Path):
    with pytest.raises(NotTelemetryError, match="not telemetry but lap_end"):
        read_telemetry(write(tmp_path / "lap_end.csv", TIMING, "a row"))


def test_no_known_channel(tmp_path: Path):
    with pytest.raises(ReplayFileError, match="none of its channel names is known: warp_factor"):
        detect_format(write(tmp_path / "a.csv", LONG, ROW.format(name="warp_factor")))


def test_mixed_dialects(tmp_path: Path):
    with pytest.raises(ReplayFileError, match=r"mixes .*nmot.*acc_x"):
        detect_format(write(tmp_path / "a.csv", LONG, ROW.format(name="nmot"), ROW.format(name="acc_x")))


def test_empty_file_and_header_alone(tmp_path: Path):
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(UnknownFormatError, match=r"empty\.csv: the file is empty"):
        detect_format(empty)
    for header in (LONG, TIMING, SECTORS, OVERALL, WEATHER):
        with pytest.raises(UnknownFormatError, match=r"head_lap_end\.csv: no (readings|events): nothing follows the"):
            detect_format(write(tmp_path / "head_lap_end.csv", header, "", ""))
    with pytest.raises(ReplayFileError, match="no readings: nothing that can be read"):
        detect_format(write(tmp_path / "head.csv", LONG, "not a row"))


def test_columns_of_lists_are_none_of_a_form(tmp_path: Path):
    path = tmp_path / "a.parquet"
    rows = pl.read_csv(write(tmp_path / "x", LONG, ROW.format(name="aps")))
    rows.with_columns(lap=pl.Series([[1, 2]])).write_parquet(path)
    assert "lap" not in detect_format(path).columns
    assert read_telemetry(path).frame["lap"].to_list() == [None]
    rows.with_columns(telemetry_value=pl.Series([[1.0]])).write_parquet(path)
    with pytest.raises(ReplayFileError, match=r"a\.parquet: missing column telemetry_value"):
        detect_format(path)


def test_parquet_cut_short(tmp_path: Path):
    whole = tmp_path / "whole.parquet"
    pl.read_csv(write(tmp_path / "x", LONG, ROW.format(name="aps"))).write_parquet(whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(TextTableError, match=r"cut\.parquet: not a readable parquet file"):
        detect_format(cut)


def test_folder_lists_what_it_leaves_out(tmp_path: Path):
    telemetry = write(tmp_path / "deep.csv", LONG, ROW.format(name="aps"))
    (tmp_path / "sub").mkdir()
    timing = write(tmp_path / "sub" / "lap_end.csv", TIMING, "a row")
    best = write(tmp_path / "best.csv", "NUMBER;BESTLAP_1")
    notes = write(tmp_path / "notes.txt", "hello")
    write(tmp_path / ".hidden", "hello")
    found, skipped = find_files([tmp_path, telemetry])
    assert {path: form.name for path, form in found} == {telemetry: "long13", timing: "lap_end"}
    assert dict(skipped).keys() == {best, notes}
    assert dict(skipped)[best].startswith("best laps")


def test_named_directly_an_unknown_file_is_an_error_and_best_laps_are_left_out(tmp_path: Path):
    telemetry = write(tmp_path / "a.csv", LONG, ROW.format(name="aps"))
    with pytest.raises(UnknownFormatError):
        find_files([telemetry, write(tmp_path / "notes.txt", "hello")])
    _, skipped = find_files([telemetry, write(tmp_path / "best.csv", "NUMBER;BESTLAP_1")])
    assert len(skipped) == 1


def test_nothing_to_replay(tmp_path: Path):
    with pytest.raises(ReplayFileError, match=r"no file found that can be replayed \(no files at all\)"):
        find_files([tmp_path])
    with pytest.raises(ReplayFileError, match="no such file or folder"):
        find_files([tmp_path / "absent"])


@pytest.mark.parametrize(
    ("place", "telemetry", "sheets", "left_out"),
    [("barber", 2, 16, 2), ("vir", 1, 16, 4), ("indianapolis", 1, 6, 0)],
)
def test_the_published_folders(data_dir: Path, place: str, telemetry: int, sheets: int, left_out: int):
    found, skipped = find_files([data_dir / "grcup" / place])
    assert sum(isinstance(form, TelemetryFormat) for _, form in found) == telemetry
    assert sum(isinstance(form, SheetFormat) for _, form in found) == sheets
    assert len(skipped) == left_out
