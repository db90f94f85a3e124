"""Files, folders and archives as users have them."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest

from conf.errors import InputError
from conf.text_table import ArchiveMember, TextTableError
from producers.replay.files import find_files, list_siblings
from producers.replay.formats import ReplayFileError, UnknownFormatError
from producers.replay.plan import make_replay_plan
from producers.replay.reader import read_telemetry

TELEMETRY = (
    "timestamp,vehicle_id,telemetry_name,telemetry_value,meta_event,meta_session,meta_time\n"
    "2025-01-01T00:00:00Z,CAR-1,aps,1.5,E,R1,2025-01-01T00:00:01Z\n"
)
LAPS = "lap,timestamp,vehicle_id,meta_event,meta_session\n1,2025-01-01T00:00:00Z,CAR-1,E,R1\n"
WEATHER = "TIME_UTC_SECONDS;AIR_TEMP\n1735689600;29.5\n"


def archive(path: Path, **members: str | bytes) -> Path:
    with ZipFile(path, "w") as opened:
        for name, data in members.items():
            opened.writestr(name.replace("__", "/"), data)
    return path


def test_an_archive_as_it_was_downloaded(tmp_path: Path):
    path = tmp_path / "barber.zip"
    with ZipFile(path, "w") as opened:
        for name, data in {
            "barber/": b"",
            "barber/R1/telemetry.csv": TELEMETRY.encode(),
            "barber/R1/packed": gzip.compress(TELEMETRY.encode().replace(b"1.5", b"2.5")),
            "barber/R1/lap_end.csv": LAPS.encode(),
            "barber/R1/26_Weather_Race 1.CSV": WEATHER.encode(),
            "barber/README.txt": b"hello",
            "barber/inner.zip": b"PK\x03\x04",
            "barber/.DS_Store": b"x",
            "__MACOSX/barber/R1/._telemetry.csv": b"x",
        }.items():
            opened.writestr(name, data)
    (tmp_path / "again.csv").write_text(TELEMETRY)
    found, skipped = find_files([tmp_path])
    inside = ArchiveMember(path, "barber/R1")
    assert [str(file) for file, _ in found[1:]] == [
        f"{inside}/{name}" for name in ("26_Weather_Race 1.CSV", "lap_end.csv", "packed", "telemetry.csv")
    ]
    assert {file.name: reason[:20] for file, reason in skipped} == {
        "README.txt": "unknown file form, c",
        "inner.zip": "a zip archive within",
    }
    plan = make_replay_plan(found)
    assert [sheet.sessions for sheet in plan.sheets] == [("E-R1",), ("E-R1",)]  # the weather's, from the laps beside it
    assert [str(copy) for copy, _ in plan.copies] == [f"{inside}/telemetry.csv"]
    assert (plan.readings, plan.problems) == (2, ())
    assert {file.name for file in list_siblings(found[1][0])} == {
        "26_Weather_Race 1.CSV",
        "lap_end.csv",
        "packed",
        "telemetry.csv",
    }
    named, _ = find_files([path])
    assert [file for file, _ in named] == [file for file, _ in found[1:]]


def test_parquet_in_an_archive(tmp_path: Path):

    table = tmp_path / "t.parquet"
    pl.DataFrame(
        {
            "telemetry_name": ["aps"],
            "telemetry_value": [1.5],
            "vehicle_id": ["C"],
            "timestamp": [1735689600],
            "meta_event": ["E"],
            "meta_session": ["R1"],
        }
    ).write_parquet(table)
    path = archive(tmp_path / "a.zip", **{"t.parquet": table.read_bytes()})
    assert read_telemetry(ArchiveMember(path, "t.parquet")).frame.height == 1


def test_archives_that_cannot_be_read_are_one_line(tmp_path: Path):
    workbook = archive(tmp_path / "a.xlsx", xl__workbook="", **{"xl/workbook.xml": "<x/>"})
    with pytest.raises(UnknownFormatError, match=r"a\.xlsx: an Excel workbook; save its sheets as CSV"):
        find_files([workbook])
    torn = archive(tmp_path / "torn.zip", **{"a.csv": TELEMETRY})
    torn.write_bytes(torn.read_bytes()[:-10])
    with pytest.raises(TextTableError, match=r"torn\.zip: the zip data are cut short or damaged"):
        find_files([torn])
    locked = archive(tmp_path / "locked.zip", **{"a.csv": TELEMETRY})
    data = bytearray(locked.read_bytes())
    data[6] |= 1  # the flags of the file itself, and of its entry in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    locked.write_bytes(data)
    with pytest.raises(TextTableError, match=r"locked\.zip/a\.csv: cannot be unpacked here .*encrypted.*; unpack it"):
        find_files([locked])


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("circuit_map.pdf", b"%PDF-1.7\n", "a PDF: its figures cannot be read"),
        ("all.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
        ("R2_telemetry.csv", TELEMETRY.splitlines()[0].encode(), "no readings: nothing follows the header"),
        ("R2_lap_end.csv", LAPS.splitlines()[0].encode(), "no events: nothing follows the header"),
    ],
)
def test_what_holds_nothing_to_send_keeps_no_folder_from_being_sent(
    tmp_path: Path, name: str, data: bytes, reason: str
):
    folder = tmp_path / "weekend"
    folder.mkdir()
    (folder / "R1.csv").write_text(TELEMETRY)
    (folder / name).write_bytes(data)
    packed = archive(tmp_path / "weekend.zip", **{"R1.csv": TELEMETRY, name: data})
    for place in (folder, packed):
        found, skipped = find_files([place])
        assert [file.name for file, _ in found] == ["R1.csv"]
        assert [(file.name, why) for file, why in skipped] == [(name, reason)]
    with pytest.raises(TextTableError, match=reason):
        find_files([folder / name])


def test_links_and_folders_that_cannot_be_followed_are_said(tmp_path: Path):
    (tmp_path / "R1.csv").write_text(TELEMETRY)
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    found, skipped = find_files([tmp_path])
    assert [file.name for file, _ in found] == ["R1.csv"]
    assert {file.name: why[:13] for file, why in skipped} == {
        "gone.csv": "a link that l",
        "loop.csv": "a link that l",
        "round": "a link to a f",
    }
    with pytest.raises(ReplayFileError, match=r"loop\.csv: cannot be read: "):
        find_files([tmp_path / "loop.csv"])
    with pytest.raises(ReplayFileError, match="cannot be read: File name too long"):
        find_files([tmp_path / ("x" * 5000)])


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_folder_that_must_not_be_read_is_said(tmp_path: Path):
    (tmp_path / "R1.csv").write_text(TELEMETRY)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    problems: list[InputError] = []
    try:
        _, skipped = find_files([tmp_path, locked, locked / "R2.csv"], problems)
    finally:
        locked.chmod(0o700)
    assert skipped == [(locked, "cannot be read: Permission denied")]
    assert list(map(str, problems)) == [
        f"{place}: cannot be read: Permission denied" for place in (locked, locked / "R2.csv")
    ]


def test_what_is_no_file_is_refused_and_never_read(tmp_path: Path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    good = tmp_path / "good.csv"
    good.write_text(TELEMETRY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        found, skipped = find_files([tmp_path])
    assert [file for file, _ in found] == [good]
    assert [file.name for file, reason in skipped if "neither a file nor a folder" in reason] == ["pipe.csv", "s"]
    for odd in (pipe, Path("/dev/zero")):
        with pytest.raises(ReplayFileError, match="neither a file nor a folder"):
            find_files([odd])


def test_a_name_that_is_not_utf8_is_a_name(tmp_path: Path):
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    try:
        path.write_text(TELEMETRY)
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    ((found, _),), _ = find_files([tmp_path])
    assert found == path
