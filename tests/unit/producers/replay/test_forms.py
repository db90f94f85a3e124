from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from producers.replay.files import find_files
from producers.replay.forms import NotTelemetryError, ReplayFileError, UnknownFormError, recognise

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
    form = recognise(data_dir / "grcup" / relative)
    assert (form.name, form.container, form.dialect) == (name, container, dialect)
    assert form.has_session == (name != "long8")


def test_content_decides_and_not_the_name(tmp_path: Path):
    packed = tmp_path / "renamed.txt"
    packed.write_bytes(gzip.compress(f"{LONG}\n{ROW.format(name='acc_x')}\n".encode()))
    assert recognise(packed).name == "long13-renamed"
    table = tmp_path / "data.csv"
    text = write(tmp_path / "x", LONG, ROW.format(name="aps"))
    pl.read_csv(text).write_parquet(table)
    assert recognise(table).container == "parquet"


def test_a_byte_order_mark_is_no_part_of_a_column(tmp_path: Path):
    assert recognise(write(tmp_path / "bom.csv", "\ufeff" + LONG, ROW.format(name="aps"))).name == "long13"


def test_channels_common_to_both_dialects_count_as_the_feeds_own(tmp_path: Path):
    assert recognise(write(tmp_path / "a.csv", LONG, ROW.format(name="speed"))).dialect == "grcup"


def test_missing_column_is_named(tmp_path: Path):
    path = write(tmp_path / "a.csv", LONG.replace("meta_time,", ""), ROW.format(name="aps"))
    with pytest.raises(ReplayFileError, match=r"a\.csv: missing column meta_time; found .*telemetry_name"):
        recognise(path)


def test_unknown_form_says_what_was_found_and_what_is_expected(tmp_path: Path):
    with pytest.raises(UnknownFormError, match=r"columns alpha, beta; a telemetry file has .*telemetry_value"):
        recognise(write(tmp_path / "a.csv", "alpha,beta", "1,2"))


def test_binary_is_not_shown(tmp_path: Path):
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(UnknownFormError, match="neither text nor parquet"):
        recognise(path)


def test_timing_is_not_telemetry(tmp_path: Path):
    with pytest.raises(NotTelemetryError, match="not telemetry but timing"):
        recognise(write(tmp_path / "lap_end.csv", TIMING))


def test_no_known_channel(tmp_path: Path):
    with pytest.raises(ReplayFileError, match="none of its channel names is known: warp_factor"):
        recognise(write(tmp_path / "a.csv", LONG, ROW.format(name="warp_factor")))


def test_mixed_dialects(tmp_path: Path):
    with pytest.raises(ReplayFileError, match=r"mixes .*nmot.*acc_x"):
        recognise(write(tmp_path / "a.csv", LONG, ROW.format(name="nmot"), ROW.format(name="acc_x")))


def test_empty_file_and_header_alone(tmp_path: Path):
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(UnknownFormError, match=r"empty\.csv: the file is empty"):
        recognise(empty)
    with pytest.raises(ReplayFileError, match="no readings"):
        recognise(write(tmp_path / "head.csv", LONG))


def test_parquet_cut_short(tmp_path: Path):
    whole = tmp_path / "whole.parquet"
    pl.read_csv(write(tmp_path / "x", LONG, ROW.format(name="aps"))).write_parquet(whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(ReplayFileError, match=r"cut\.parquet: not a readable parquet file"):
        recognise(cut)


def test_folder_lists_what_it_leaves_out(tmp_path: Path):
    telemetry = write(tmp_path / "deep.csv", LONG, ROW.format(name="aps"))
    (tmp_path / "sub").mkdir()
    timing = write(tmp_path / "sub" / "lap_end.csv", TIMING)
    notes = write(tmp_path / "notes.txt", "hello")
    write(tmp_path / ".hidden", "hello")
    found, skipped = find_files([tmp_path, telemetry])
    assert [path for path, _ in found] == [telemetry]
    assert dict(skipped).keys() == {timing, notes}
    assert dict(skipped)[timing] == "timing"


def test_named_directly_an_unknown_file_is_an_error_and_a_known_other_one_is_left_out(tmp_path: Path):
    telemetry = write(tmp_path / "a.csv", LONG, ROW.format(name="aps"))
    with pytest.raises(UnknownFormError):
        find_files([telemetry, write(tmp_path / "notes.txt", "hello")])
    _, skipped = find_files([telemetry, write(tmp_path / "lap_end.csv", TIMING)])
    assert len(skipped) == 1


def test_nothing_to_replay(tmp_path: Path):
    with pytest.raises(ReplayFileError, match="no telemetry file found"):
        find_files([tmp_path])
    with pytest.raises(ReplayFileError, match="no such file or folder"):
        find_files([tmp_path / "absent"])


def test_the_barber_folder(data_dir: Path):
    found, skipped = find_files([data_dir / "grcup" / "barber"])
    assert [form.name for _, form in found] == ["long13", "long8"]
    assert len(skipped) == 18
    assert {kind for _, kind in skipped} == {
        "timing",
        "weather",
        "results",
        "results by class",
        "sector times",
        "best laps",
    }
