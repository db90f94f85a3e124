"""Answers written into files."""

from __future__ import annotations

import zipfile

import polars as pl
import pytest
from pyarrow import parquet as pq

from conf.errors import InputError
from conf.settings import AppConfig
from serving.lake.answer_files import write_answer
from serving.lake.reader import LakeReader

SQL = """
    select * from (values
        (1, 2.5, 'a "quoted", text', true, timestamptz '2026-05-01 10:00:00.123+00', [1, 2]),
        (2, 'nan'::double, '=1+1', false, null, null)
    ) t(n, x, s, b, t, l)
"""


@pytest.fixture
def reader(tmp_path):
    return LakeReader(AppConfig(slipstream_home=tmp_path, _env_file=None)).sql


def test_each_form_holds_the_same(reader, tmp_path):
    for end in ("csv", "json", "parquet", "xlsx"):
        assert write_answer(reader(SQL), tmp_path / f"answer.{end}") == 2
    whole = pl.read_parquet(tmp_path / "answer.parquet")
    assert whole["t"][0].isoformat() == "2026-05-01T10:00:00.123000+00:00"
    assert whole["l"].to_list() == [[1, 2], None]
    csv = pl.read_csv(tmp_path / "answer.csv")
    assert csv["s"].to_list() == whole["s"].to_list() == ['a "quoted", text', "=1+1"]
    assert pl.read_json(tmp_path / "answer.json")["n"].to_list() == [1, 2]


def test_a_text_that_looks_like_a_formula_stays_a_text(reader, tmp_path):
    import zipfile

    write_answer(reader(SQL), tmp_path / "answer.xlsx")
    with zipfile.ZipFile(tmp_path / "answer.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>1+1" not in sheet
    assert "=1+1" in sheet


def test_a_file_appears_once_it_is_whole(reader, tmp_path):
    path = tmp_path / "answer.parquet"
    path.write_text("as it was")
    with pytest.raises(InputError):
        write_answer(reader("select if(range < 900000, '1', 'x')::int as x from range(1000000)"), path)
    assert path.read_text() == "as it was"
    assert [found.name for found in tmp_path.iterdir()] == ["answer.parquet"]


@pytest.mark.parametrize(
    ("name", "sql", "words"),
    [
        ("answer.doc", "select 1", "answer.doc: an answer is written as .csv, .json, .parquet, .xlsx"),
        ("nowhere/answer.csv", "select 1", "there is no folder"),
        ("answer.csv", "select 1 as x, 2 as x", "several columns are named x"),
        ("answer.xlsx", "select * from range(1100000)", "a sheet holds 1,048,575 rows"),
    ],
)
def test_what_cannot_be_written_is_said(reader, tmp_path, name, sql, words):
    with pytest.raises(InputError, match=words):
        write_answer(reader(sql), tmp_path / name)


def test_an_answer_without_rows_has_its_columns(reader, tmp_path):
    write_answer(reader("select 1 as a, 'x' as b where false"), tmp_path / "answer.parquet")
    assert pq.read_table(tmp_path / "answer.parquet").schema.names == ["a", "b"]


@pytest.mark.parametrize("moment", ["0290-01-01", "9999-12-31 12:00:00", "20000-01-01", "infinity"])
def test_a_time_that_no_sheet_knows_is_text(reader, tmp_path, moment):
    path = tmp_path / "a.xlsx"
    sql = f"select * from (values (timestamptz '{moment}'), (timestamptz '2026-01-01 12:00:00'), (null)) v(t)"
    assert write_answer(reader(sql), path) == 3
    with zipfile.ZipFile(path) as book:
        assert "2026-01-01T12:00:00" in book.read("xl/worksheets/sheet1.xml").decode()


def test_what_parquet_cannot_hold_is_one_line(reader, tmp_path):
    with pytest.raises(InputError, match=r"a\.parquet: .*: cast that column to text, or write \.csv"):
        write_answer(reader("select interval 1 day as i"), tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())
