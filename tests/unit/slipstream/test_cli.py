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


def test_help_imports_nothing_heavy():
    code = run(
        "import sys, slipstream.cli", "print(sorted(set(sys.modules) & {'numpy', 'polars', 'pydantic', 'conf'}))"
    )
    assert code == "[]"


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
