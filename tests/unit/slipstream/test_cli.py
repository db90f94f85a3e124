"""Help, version, errors, and what a command may import."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = [
    ["up"],
    ["down"],
    ["status"],
    ["doctor"],
    ["produce"],
    ["produce", "simulate"],
    ["produce", "replay"],
    ["tables"],
    ["describe"],
    ["sql"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_teaches(slipstream, command):
    result = slipstream(*command, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.stdout
    if command != ["produce"]:
        assert f"slipstream {' '.join(command)}" in " ".join(result.stdout.split())


def test_without_a_command_there_is_help(slipstream):
    result = slipstream()
    assert "produce" in result.output
    assert "tables" in result.output


def test_version(slipstream):
    assert slipstream("--version").stdout.startswith("slipstream ")


def test_a_wrong_setting_is_one_line(slipstream, monkeypatch):
    monkeypatch.setenv("SIM_RATE_HZ", "3")
    result = slipstream("tables")
    assert result.exit_code == 1
    assert result.stderr == "AppConfig: sim_rate_hz: Input should be greater than or equal to 10\n"


def run(*lines: str) -> str:
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def imports_of(*command: str) -> set[str]:
    """Modules that a command has imported when it has ended well."""
    return set(
        run(
            "import sys",
            "from typer.testing import CliRunner",
            "from slipstream.cli import app",
            f"done = CliRunner().invoke(app, {[*command]})",
            "assert done.exit_code == 0, done.output",
            "print(*sys.modules)",
        ).split()
    )


# What only jobs, models, reports and pictures need: each takes from a tenth of a second to several.
HEAVY = {
    *("pyspark", "delta", "pandas", "mlflow", "sklearn", "scipy", "torch", "numba", "onnx", "onnxruntime", "skops"),
    *("matplotlib", "jinja2", "great_expectations", "confluent_kafka", "polars", "requests"),
}


def test_help_imports_nothing_heavy():
    assert not imports_of("--help") & {*HEAVY, "numpy", "pyarrow", "deltalake", "pydantic", "yaml", "conf"}


def test_the_lake_is_asked_without_what_jobs_need(lake_home):
    assert not imports_of("sql", "select 1 as n") & {*HEAVY, "infra"}
    assert not imports_of("tables") & {*HEAVY, "pyarrow", "numpy", "infra"}


def test_a_producer_starts_without_spark_and_the_lake():
    """A simulation imports neither what needs a JVM nor what belongs to another extra."""
    heavy = "{'pyspark', 'delta', 'mlflow', 'deltalake', 'pandas', 'pyarrow', 'torch'}"
    code = run(
        "import sys",
        "from typer.testing import CliRunner",
        "from slipstream.cli import app",
        "args = ['produce', 'simulate', '--cars', '1', '--duration', '5', '--dry-run']",
        "assert CliRunner().invoke(app, args).exit_code == 0",
        f"print(sorted(set(sys.modules) & {heavy}))",
    )
    assert code == "[]"


TALK = """
import logging
from slipstream.cli import app
from slipstream.logs import keep_log

@app.command()
def talk():
    logging.getLogger("a.library").warning("retrying")

app.command("logged")(keep_log("talk")(talk))
app()
"""


def talk(*arguments: str) -> str:
    """What a command prints whose library warns."""
    done = subprocess.run([sys.executable, "-c", TALK, *arguments], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_what_libraries_report_is_for_the_log_and_not_for_the_terminal(lake_home):
    assert not talk("talk")
    assert not talk("logged")
    assert "WARNING retrying" in (lake_home / "logs" / "talk.log").read_text()
    assert "WARNING a.library: retrying" in talk("--verbose", "talk")
