"""A file that is missing, torn or has a flipped bit is named with what to do, and all others are looked at, too."""

from __future__ import annotations

import zlib
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from conf.lake import checkpoint_uri, table_uri
from conf.settings import AppConfig
from infra.doctor import Finding
from serving.lake.checksums import DamagedFileError, read_whole
from serving.lake.integrity import check_lake_files
from serving.lake.store import LakeError, open_table

TABLE = "silver.telemetry"


def check(home: AppConfig, *, deep: bool = False) -> dict[str, Finding]:
    """The last finding by name."""
    return {found.name: found for found in check_lake_files(home, deep=deep)}


def add_sidecar(path: Path) -> None:
    """The checksum file that Hadoop writes: magic, bytes a checksum, a CRC-32 of each."""
    data = path.read_bytes()
    sums = b"".join(zlib.crc32(data[at : at + 512]).to_bytes(4) for at in range(0, len(data), 512))
    path.with_name(f".{path.name}.crc").write_bytes(b"crc\0" + (512).to_bytes(4) + sums)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


@pytest.fixture
def files(home: AppConfig) -> list[Path]:
    """Data files of a table of two commits and two sessions."""
    for first in (0, 1000):
        rows = pl.DataFrame({"session_id": ["a b", "c"] * 500, "n": range(first, first + 1000)})
        write_deltalake(table_uri(TABLE, home), rows, mode="append", partition_by=["session_id"])
    paths = [Path(uri.removeprefix("file://")) for uri in DeltaTable(table_uri(TABLE, home)).file_uris()]
    found = sorted(Path(table_uri(TABLE, home)).rglob("*.parquet"))
    assert len(paths) == len(found) == 4
    return found


def test_a_whole_lake(home: AppConfig, files: list[Path]) -> None:
    assert check(home) == {
        "files": Finding("files", "ok", "4 data files of 1 tables are all there, with the size they had")
    }
    bare = check(home, deep=True)["files read"]
    assert "4 data files" in bare.detail
    assert "4 of them have none" in bare.detail
    for path in files:
        add_sidecar(path)
    assert "have none" not in check(home, deep=True)["files read"].detail


def test_torn_missing_and_overwritten_files_are_named(home: AppConfig, files: list[Path]) -> None:
    size = files[0].stat().st_size
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].unlink()
    files[2].write_bytes(bytes(files[2].stat().st_size))
    found = list(check_lake_files(home))
    assert [(each.name, each.outcome) for each in found] == [(TABLE, "fail")] * 3
    said = {each.detail for each in found}
    assert f"{files[0]} is torn: it has 100 bytes of {size:,}" in said
    assert f"{files[1]} is missing" in said
    assert any(str(files[2]) in line and "overwritten" in line for line in said)
    assert "slipstream reset silver" in found[-1].remedy


@pytest.mark.parametrize("place", [40, -200, -6])
def test_a_flipped_bit_is_found_by_the_checksum_beside_the_file(home: AppConfig, files: list[Path], place: int) -> None:
    for path in files:
        add_sidecar(path)
    flip(files[3], place)
    found = check(home, deep=True)
    assert found[TABLE].outcome == "fail"
    assert f"{files[3]} is damaged: bytes" in found[TABLE].detail
    assert "3 data files" in found["files read"].detail


def test_a_flipped_bit_is_found_by_the_checksums_in_the_pages(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = pa.table({"n": pa.array(range(5000), pa.int64())})
    pq.write_table(rows, path, write_page_checksum=True, use_dictionary=False)
    whole = path.read_bytes()
    assert read_whole(path, 5000).is_checked
    for at in range(200, len(whole) - 1000, len(whole) // 20):
        flip(path, at)
        with pytest.raises(DamagedFileError):
            read_whole(path)
        path.write_bytes(whole)
    with pytest.raises(DamagedFileError, match="holds 5000 rows, and the table's log says 4999"):
        read_whole(path, 4999)
    pq.write_table(rows, path)
    assert not read_whole(path).is_checked


def test_a_log_that_is_torn_or_has_a_gap_is_named(home: AppConfig, files: list[Path]) -> None:
    log = Path(table_uri(TABLE, home)) / "_delta_log"
    last = log / f"{1:020}.json"
    text = last.read_bytes()
    last.write_bytes(text[: len(text) // 2])
    assert f"{last} is torn" in check(home)[TABLE].detail
    last.write_bytes(b"")
    assert f"{last} is empty" in check(home)[TABLE].detail
    last.write_bytes(text)
    (log / f"{0:020}.json").rename(log / "elsewhere")
    assert f"{log / f'{0:020}.json'} is missing" in check(home)[TABLE].detail


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("00000000000000000001.json", '{"add":{"path":5}}'),
        ("00000000000000000001.json", "[1, 2]"),
        ("00000000000000000001.json", "5"),
        ("00000000000000000001.json", "[" * 100_000),
        ("_last_checkpoint", '{"version":99,"size":1}'),
    ],
)
def test_a_log_that_is_json_and_no_log_is_named(home: AppConfig, files: list[Path], name: str, text: str) -> None:
    broken = Path(table_uri(TABLE, home)) / "_delta_log" / name
    broken.write_text(text)
    found = check(home)[TABLE]
    assert found.outcome == "fail"
    assert found.detail.startswith(f"{broken} ")
    assert "\x1b" not in found.detail
    with pytest.raises(LakeError, match=r"cannot be opened: [^\n]*; `slipstream doctor` names damaged files$"):
        open_table(TABLE, home)


def test_a_flipped_bit_in_a_log_is_found(home: AppConfig, files: list[Path]) -> None:
    commit = Path(table_uri(TABLE, home)) / "_delta_log" / f"{1:020}.json"
    add_sidecar(commit)
    text = commit.read_text()
    commit.write_text(text.replace('"timestamp":1', '"timestamp":2', 1))
    assert commit.read_text() != text
    assert f"{commit} is damaged: bytes 0 to 512" in check(home, deep=True)[TABLE].detail


def test_a_checkpoint_of_a_table_is_named(home: AppConfig, files: list[Path]) -> None:
    table = DeltaTable(table_uri(TABLE, home))
    table.create_checkpoint()
    checkpoint = next(Path(table_uri(TABLE, home)).rglob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    found = check(home)[TABLE]
    assert found.outcome == "fail"
    assert str(checkpoint) in found.detail


def test_a_stream_s_notes_are_looked_at(home: AppConfig) -> None:
    folder = Path(checkpoint_uri("silver", home))
    for name, text in {
        "metadata": '{"id":"8009e651"}',
        "offsets/0": 'v1\n{"batchWatermarkMs":0}\n{"index":3}',
        "commits/0": 'v1\n{"nextBatchWatermarkMs":0}',
        "sources/0/0": '\0v1\n{"telemetry.raw":{"0":0}}',
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert check(home, deep=True) == {}
    (folder / "offsets/0").write_text('v1\n{"batchWater')
    (folder / "metadata").write_text("")
    found = list(check_lake_files(home))
    assert {each.detail.partition(":")[0] for each in found} == {
        f"{folder / 'offsets/0'} is torn",
        f"{folder / 'metadata'} is empty",
    }
    assert f"Remove {folder}" in found[-1].remedy
