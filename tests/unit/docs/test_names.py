"""What pages name exists: modules and files of the packages, and the requirement numbers that the code names.

Those are for who works on the code: what a user reads, tables and help, is in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from conf.contract import contract_names, load_contract
from serving.lake.views import view_names, view_sql
from slipstream.cli import app
from streaming.catalog import ALL_JOBS

REPO = Path(__file__).resolve().parents[3]
PACKAGES = [path.parent.name for path in sorted(REPO.glob("*/__init__.py")) if path.parent.name != "tests"]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
# Not slipstream.frame.v1 and its like, which are forms of messages.
NAMED = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:/[\w./*<>]*|(?!\.\w+\.v\d)(?:\.\w+)+))`")
NUMBER = re.compile(r"\b(?:GO-|[BGKV]X?)\d{1,2}\b")
CODE = re.compile(rf"{NUMBER.pattern}|\b[Tt]he seed (?:formula|writes|says)\b|\bseed formula\b|\bas written\b")
RANGE = re.compile(r"\b(GO-|[BGKV]X?)(\d{1,2})(?:-| to )\1(\d{1,2})\b")


def module_exists(name: str) -> bool:
    """Whether ``package.module``, or ``package.module.thing`` with the thing defined in it, exists."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = REPO.joinpath(*parts[:end])
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        if source.exists():
            rest = parts[end:]
            return not rest or re.search(rf"\b{rest[0]}\b", source.read_text(encoding="utf-8")) is not None
    return False


def exists(name: str) -> bool:
    if name in view_names():
        return True
    if "<" in name:  # a pattern for a reader, such as medallion/<layer>/<table>.py
        return True
    return any(REPO.glob(name.rstrip("/"))) if "/" in name else module_exists(name)


def requirement_numbers(text: str) -> set[str]:
    """Numbers in a text; of a range all of them."""
    spans = {f"{kind}{n}" for kind, low, high in RANGE.findall(text) for n in range(int(low), int(high) + 1)}
    return spans | set(NUMBER.findall(text))


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (p for p in (REPO / package).rglob("*") if p.suffix in {".py", ".yaml"})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPO)))
def test_modules_and_files_exist(page: Path) -> None:
    assert [name for name in NAMED.findall(page.read_text(encoding="utf-8")) if not exists(name)] == []


@pytest.mark.parametrize("name", ["conf/lakes.py", "medallion.ios", "conf.lake.table_place", "infra/locals/"])
def test_what_does_not_exist_is_found(name: str) -> None:
    assert NAMED.fullmatch(f"`{name}`")
    assert not exists(name)


def test_every_requirement_number_of_the_code_has_a_meaning() -> None:
    page = (REPO / "docs" / "concepts.md").read_text(encoding="utf-8")
    keys = [line.split("|")[1] for line in page.partition("## Requirement numbers")[2].splitlines() if "|" in line]
    explained = requirement_numbers(" ".join(keys))
    named = set().union(*(requirement_numbers(path.read_text(encoding="utf-8")) for path in sources()))
    assert len(named) > 50
    assert named - explained == set()
    assert explained - named == set(), "no longer named anywhere"


def command_texts(command: Any, path: str = "slipstream") -> Iterator[tuple[str, str]]:
    """Each command with what its help says, of its options too; those that are hidden as well."""
    options = [getattr(parameter, "help", None) for parameter in command.params]
    yield path, "\n".join(filter(None, [command.help, command.short_help, command.epilog, *options]))
    for name, below in getattr(command, "commands", {}).items():
        yield from command_texts(below, f"{path} {name}")


def user_texts() -> Iterator[tuple[str, str]]:
    """What users read of tables, views, commands and jobs: where, and the text."""
    for name in contract_names():
        yield name, (REPO / "conf" / "contracts" / f"{name}.yaml").read_text(encoding="utf-8")
    for name in view_names():
        yield name, view_sql(name)
    yield from command_texts(typer.main.get_command(app))
    for job in ALL_JOBS:
        yield job.module, job.parser().format_help()


def test_users_read_words_in_place_of_numbers() -> None:
    texts = dict(user_texts())
    assert len(texts) > len(contract_names()) + len(view_names()) + len(ALL_JOBS) + 40
    found = {where: codes for where, text in texts.items() if (codes := CODE.findall(text))}
    assert found == {}
    assert all(load_contract(name).description.strip() for name in contract_names())


@pytest.mark.parametrize(
    "text", ["Cars and who drives them (B30)", "cut (G9 to G11)", "Best lap less the seed formula", "the sum (BX2)"]
)
def test_a_number_among_words_is_found(text: str) -> None:
    assert CODE.search(text)


@pytest.mark.parametrize("text", ["GR86-004-78", "siwtl_seed_formula_s", "seed of everything random", "T5 to T6", "F1"])
def test_ids_and_columns_are_no_numbers(text: str) -> None:
    assert not CODE.search(text)
