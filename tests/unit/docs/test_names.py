"""What pages name exists: modules and files of the packages, and the requirement numbers that the code names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.lake.views import view_names

REPO = Path(__file__).resolve().parents[3]
PACKAGES = [path.parent.name for path in sorted(REPO.glob("*/__init__.py")) if path.parent.name != "tests"]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
# Not slipstream.frame.v1 and its like, which are forms of messages.
NAMED = re.compile(rf"`((?:{'|'.join(PACKAGES)})(?:/[\w./*<>]*|(?!\.\w+\.v\d)(?:\.\w+)+))`")
NUMBER = re.compile(r"\b(?:GO-|[BGKV]X?)\d{1,2}\b")
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
