"""Tables by constant: one a contract, and no package outside ``conf`` writes a table's name out."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from typer.core import TyperGroup as Group
from typer.main import get_command

from conf import tables
from conf.contract import contract_names, load_contract, table_names
from medallion.gold.refresh import processor
from slipstream.cli import app

REPO = Path(__file__).resolve().parents[3]
PYPROJECT = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [name for name in PYPROJECT["tool"]["importlinter"]["root_packages"] if name != "conf"]


def test_there_is_one_constant_a_contract() -> None:
    constants = {name: value for name, value in vars(tables).items() if name.isupper()}
    assert constants == {table.replace(".", "_").upper(): table for table in table_names()}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_writes_a_table_s_name_out(package: str) -> None:
    written_out = {
        f"{path.relative_to(REPO)}:{node.lineno}: {node.value}"
        for path in sorted((REPO / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in table_names()
    }
    assert not written_out, "use the constants of conf/tables.py"


@pytest.mark.parametrize("name", table_names())
def test_the_command_that_fills_a_table_exists(name: str) -> None:
    program, *words = (load_contract(name).filled_by or "").split(" …")[0].split()
    assert program == "slipstream"
    command = get_command(app)
    for word in words:
        if isinstance(command, Group):  # what comes after a command are its arguments
            command = command.commands[word]


def test_only_tables_are_filled_by_a_command() -> None:
    events = set(contract_names()) - set(table_names())
    assert {load_contract(event).filled_by for event in events} == {None}


def test_what_gold_s_query_writes_is_filled_by_it() -> None:
    written = {*processor.TABLES, *processor.LAP_TABLES}
    assert {load_contract(name).filled_by for name in written} == {"slipstream stream gold"}
