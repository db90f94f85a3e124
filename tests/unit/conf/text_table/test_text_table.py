"""Tables of text: the same rows however they are written, in memory that does not grow with the file."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.text_table import ArchiveMember, MalformedLine, TextRow, TextTable, TextTableError, open_text_table
from conf.text_table.blocks import BLOCK_BYTES, MAX_LINE_BYTES, read_line_blocks

KNOWN = {"lap", "time"}


def table(path: Path, data: bytes) -> TextTable:
    path.write_bytes(data)
    return open_text_table(path, KNOWN)


def rows(given: TextTable) -> list[list[str]]:
    return [each.cells for each in given.rows() if isinstance(each, TextRow)]


def faults(given: TextTable) -> dict[int, str]:
    return {each.line: each.reason for each in given.rows() if isinstance(each, MalformedLine)}


@pytest.mark.parametrize(
    ("data", "columns", "delimiter"),
    [
        (b"lap,time\n1,2\n", ("lap", "time"), ","),
        (b'"lap";"time; s";"car"\n1;2;3\n', ("lap", "time; s", "car"), ";"),
        (b"lap\ttime\n1\t2,5\n", ("lap", "time"), "\t"),
        (b"lap|time\n1|2\n", ("lap", "time"), "|"),
        (b"# by a logger, v1\n# lap,time,car\nlap,time\n1,2\n", ("lap", "time"), ","),
        (b"# lap,time\n1,2\n", ("lap", "time"), ","),
        (b"Event,Barber\nDate,today\n\nlap,time,car\n1,2,3\n", ("lap", "time", "car"), ","),
        (b"sep=;\nlap;time\n1;2\n", ("lap", "time"), ";"),
        (b"# x_m,y_m\n1.0,2.0\n", ("x_m", "y_m"), ","),
        (b"1.0;2,0\n", (), ";"),
        (b"alpha;beta;gamma, delta\n1;2;3\n", ("alpha", "beta", "gamma, delta"), ";"),
    ],
)
def test_headers(tmp_path: Path, data: bytes, columns: tuple[str, ...], delimiter: str):
    given = table(tmp_path / "a.csv", data)
    assert (given.columns, given.delimiter) == (columns, delimiter)
    assert len(rows(given)) == len(given.head) == 1


def test_lines_keep_their_numbers(tmp_path: Path):
    given = table(tmp_path / "a.csv", b'#\n\nlap,time\n1,"a\nb"\n2\n\n3,"x\n# a remark\n4,"say ""no"""\n')
    assert [(each.line, each.cells) for each in given.rows() if isinstance(each, TextRow)] == [
        (4, ["1", "a\nb"]),
        (10, ["4", 'say "no"']),
    ]
    assert faults(given) == {6: "1 fields in place of 2", 7: "empty line", 8: "quote without its pair"}


def test_a_delimiter_at_the_end_of_header_or_rows_alone(tmp_path: Path):
    assert rows(table(tmp_path / "a.csv", b"lap,time,\n1,2\n3,4,\n")) == [["1", "2", ""], ["3", "4", ""]]
    given = table(tmp_path / "b.csv", b"lap,time\n1,2,\n3,4\n5,6,7\n")
    assert rows(given) == [["1", "2"], ["3", "4"]]
    assert faults(given) == {4: "3 fields in place of 2"}


def test_a_column_that_stands_twice_is_noted(tmp_path: Path):
    given = table(tmp_path / "a.csv", b"lap,time,lap\n1,2,3\n")
    assert given.places() == {"lap": 0, "time": 1}
    assert given.notes == ["columns that stand twice, of which the first is read: lap"]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\x1a", exclude_categories=["Cs"]), max_size=8)


@given(
    st.lists(st.tuples(CELLS, CELLS), max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8-sig", "utf-16", "utf-32"]),
)
def test_whatever_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[tuple[str, str]],
    delimiter: str,
    end: str,
    encoding: str,
):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("lap", "time"), *written])
    given = table(tmp_path_factory.mktemp("written") / "a.csv", out.getvalue().encode(encoding))
    assert rows(given) == [list(each) for each in written]
    assert faults(given) == {}


@given(st.binary(max_size=300), st.integers(1, 20))
def test_blocks_hold_all_lines_whatever_their_size(data: bytes, size: int):
    class Slow(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(min(size, BLOCK_BYTES if count is None else count))

    blocks = list(read_line_blocks(Slow(data), "utf-8"))
    whole = b"".join(block.data for block in read_line_blocks(io.BytesIO(data), "utf-8"))
    assert b"".join(block.data for block in blocks) == whole
    lines = [block.first + at for block in blocks for at in range(block.data.count(b"\n"))]
    assert lines == list(range(1, len(lines) + 1))


def test_latin_1_is_read_and_noted(tmp_path: Path):
    given = table(tmp_path / "a.csv", "lap,time\n1,a\n2,Räikkönen\n3,Pérez\n".encode("latin-1"))
    assert rows(given) == [["1", "a"], ["2", "Räikkönen"], ["3", "Pérez"]]
    assert given.notes == ["lines that are not UTF-8, read as Windows-1252: 2, the first of them line 3"]


def test_a_text_that_unpacks_to_much_stays_small_in_memory(tmp_path: Path):
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"lap,time\n1,2\n")
        for _ in range(64):
            file.write(bytes(1 << 20))
        file.write(b"\n3,4\n")
    tracemalloc.start()
    given = open_text_table(path, KNOWN)
    assert (rows(given), faults(given)) == ([["1", "2"], ["3", "4"]], {3: f"longer than {MAX_LINE_BYTES:,} bytes"})
    assert tracemalloc.get_traced_memory()[1] < 6 * BLOCK_BYTES
    tracemalloc.stop()


def test_a_text_made_to_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("conf.text_table.table.FREE_BYTES", 100_000)
    given = table(tmp_path / "a.csv.gz", gzip.compress(b"lap,time\n" + b"1,2\n" * 200_000))
    with pytest.raises(TextTableError, match=r"a\.csv\.gz: unpacks to more than 100 times its size; .* unpack it"):
        list(given.rows())
    plain = table(tmp_path / "a.csv", b"lap,time\n" + b"1,2\n" * 50_000)
    assert len(rows(plain)) == 50_000


def test_members_of_an_archive(tmp_path: Path):
    archive = tmp_path / "a.zip"
    with ZipFile(archive, "w", ZIP_DEFLATED) as opened:
        opened.writestr("deep/a.csv", "lap,time\n1,2\n")
    member = ArchiveMember(archive, "deep/a.csv")
    assert (member.name, str(member), member.parent.parent) == (
        "a.csv",
        f"{archive}/deep/a.csv",
        ArchiveMember(archive, ""),
    )
    assert rows(open_text_table(member, KNOWN)) == [["1", "2"]]
    archive.write_bytes(archive.read_bytes().replace(b"1,2", b"1,3")[:-8])
    with pytest.raises(TextTableError, match=r"a\.zip.*: the zip data are cut short or damaged"):
        open_text_table(member, KNOWN)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04", "a zip file, where text is expected"),
        (b"7z\xbc\xaf\x27\x1c\0\0", "a 7z archive: unpack it first"),
        (bytes(257) + b"ustar", "a tar archive: unpack it first"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook: save it as CSV"),
        (gzip.compress(b"lap,time\n" * 99, mtime=0)[:-4], "the gzip data are cut short or damaged"),
    ],
)
def test_what_is_no_table_says_what_to_do(tmp_path: Path, data: bytes, words: str):
    with pytest.raises(TextTableError, match=f"a.csv: {words}"):
        table(tmp_path / "a.csv", data)


def test_a_folder_and_a_missing_file_are_one_line(tmp_path: Path):
    with pytest.raises(TextTableError, match="not a regular file"):
        open_text_table(tmp_path)
    with pytest.raises(TextTableError, match="cannot be read: No such file"):
        open_text_table(tmp_path / "absent")
