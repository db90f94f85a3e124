"""Data Docs from the gate's counts: what is written is what was counted, run by run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conf.contract import load_contract
from conf.settings import AppConfig
from conf.tables import OPS_DQ_RESULTS, SILVER_TELEMETRY
from serving.lake.reader import LakeReader
from serving.reports.quality_docs import sum_batches, write_quality_docs
from slipstream.cli import app
from tests.unit.serving.race_lake import write_rows

RULES = {rule.name: (column, rule.severity) for column, rule in load_contract(SILVER_TELEMETRY).rules()}


def batch(run: str, number: int, **unexpected: int) -> list[dict[str, object]]:
    """Results of one batch: a thousand values a rule."""
    return [
        {
            "run_id": run,
            "suite": "silver_guard",
            "expectation": rule,
            "query": "silver:a",
            "batch_id": number,
            "table_name": SILVER_TELEMETRY,
            "column_name": column,
            "severity": severity,
            "success": unexpected.get(rule, 0) == 0,
            "evaluated": 1000,
            "unexpected": unexpected.get(rule, 0),
            "run_ts": 1_750_000_000_000_000 + number,
        }
        for rule, (column, severity) in RULES.items()
    ]


@pytest.fixture
def home(tmp_path: Path) -> AppConfig:
    return AppConfig(slipstream_home=tmp_path / "home", _env_file=None)


def test_batches_of_a_run_add_up() -> None:
    found = {row["expectation"]: row for row in sum_batches([*batch("a", 0, speed_possible=2), *batch("a", 1)])}
    assert (found["speed_possible"]["evaluated"], found["speed_possible"]["unexpected"]) == (2000, 2)
    assert len(found) == len(RULES)


def test_pages_show_what_was_counted(home: AppConfig, tmp_path: Path) -> None:
    rows = [*batch("first", 0, speed_possible=7), *batch("second", 1), *batch("second", 2, speed_possible=11)]
    write_rows(home, OPS_DQ_RESULTS, rows)
    docs = write_quality_docs(LakeReader(home), tmp_path / "pages")
    assert docs is not None
    assert (docs.runs, docs.rules, docs.broken) == (2, len(RULES), 1)
    assert "silver_guard" in docs.page.read_text(encoding="utf-8")
    pages = pages_by_run(docs.page.parent)
    assert set(pages) == {"first", "second"}
    assert "Data asset: units for silver.telemetry" in pages["first"]
    assert "7 unexpected values found. 0.7% of 1000 total rows." in pages["first"]
    assert "11 unexpected values found. 0.55% of 2000 total rows." in pages["second"]
    again = write_quality_docs(LakeReader(home), tmp_path / "pages", runs=1)
    assert again is not None
    assert set(pages_by_run(again.page.parent)) == {"second"}


def pages_by_run(site: Path) -> dict[str, str]:
    """Text of the page of each job run."""
    pages = {path.parents[1].name: path.read_text(encoding="utf-8") for path in site.glob("validations/*/*/*/*.html")}
    return {run: " ".join(re.sub(r"<[^>]+>", " ", page).split()) for run, page in pages.items()}


def test_a_lake_without_units_says_what_fills_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["quality", "docs"])
    assert done.exit_code == 1
    assert "`slipstream stream silver` fills it" in done.output


def test_it_loads_where_the_program_has_no_file() -> None:
    """As with ``python -c`` and in the workers of pytest-xdist, where pyspark would exit with status 0."""
    code = "\n".join(
        (
            "from conf.contract import load_contract",
            "from serving.reports.quality_docs import to_expectation",
            "column = load_contract('event.reading.v1').columns[0]",
            "print(type(to_expectation(column.name, column.quality[0])).__name__)",
        )
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Expect")
