from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.report import Row, number, to_table, write_json
from benchmarks.runner import Goal, Unit, compare

TIMES = {"bronze job": (2.0, 4.0, 2.5), "consumer": (1.0, 3.0, 2.0)}


@pytest.fixture
def row() -> Row:
    results = (
        compare(TIMES, "bronze job", "consumer", "framed", 1_000_000, Unit("samples/s"), Goal(ratio=0.9), "a note"),
        compare(TIMES, "bronze job", "consumer", "framed", 1_000_000, Unit("samples/s")),
    )
    return Row(2, "Kafka to bronze", "full", 3, results)


def test_the_file_has_what_was_measured_every_time_and_the_machine(row: Row, tmp_path: Path) -> None:
    path = write_json(row, {"cpu": "a processor", "cores": 2}, tmp_path / "results")
    assert path.name == "row-2.json"
    content = json.loads(path.read_text())
    first, second = content["results"]
    assert (content["row"], content["size"], content["runs"]) == (2, "full", 3)
    assert content["machine"] == {"cpu": "a processor", "cores": 2}
    assert first["ours"]["seconds"] == [2.0, 4.0, 2.5]
    assert first["peer"]["name"] == "consumer"
    assert (first["unit"], first["amount"], first["note"]) == ("samples/s", 1_000_000, "a note")
    assert (first["goal"], first["met"]) == (">= 0.9x", False)
    assert first["ratio"] == pytest.approx(0.75)
    assert (second["goal"], second["met"]) == (None, None)


def test_a_small_run_does_not_replace_the_full_one(row: Row, tmp_path: Path) -> None:
    small = Row(row.number, row.title, "small", row.runs, row.results)
    assert write_json(small, {}, tmp_path).name == "row-2-small.json"


def test_the_table_shows_median_spread_ratio_and_verdict(row: Row) -> None:
    console = Console(width=160, file=io.StringIO())
    console.print(to_table([row]))
    text = console.file.getvalue()
    assert "400 k samples/s (250 k-500 k)" in text
    assert "0.75x (0.50-0.80)" in text
    assert text.count("missed") == 1


def test_what_a_side_took_besides_is_in_the_file_and_its_median_in_the_table(tmp_path: Path) -> None:
    costs = {"bronze job": {"jobs": [9, 7, 8], "cpu_s": [4.0, 3.0, 5.5]}}
    unit, facts = Unit("s", seconds=1.0), {"samples": 1_120_048}
    result = compare(TIMES, "bronze job", "consumer", "one lap", 1, unit, costs=costs, facts=facts)
    row, console = Row(11, "laps", "full", 3, (result,)), Console(width=160, file=io.StringIO())
    console.print(to_table([row]))
    assert "8 jobs, 4 cpu_s" in console.file.getvalue()
    written = json.loads(write_json(row, {}, tmp_path).read_text())["results"][0]
    assert written["ours"]["costs"] == costs["bronze job"]
    assert (written["peer"]["costs"], written["facts"]) == ({}, facts)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.0123"), (9.4, "9.4"), (123.4, "123"), (9_999, "9,999"), (12_345, "12.3 k"), (2_345_678, "2.35 M")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text
