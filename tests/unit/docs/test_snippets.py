"""What the pages tell a reader to type exists: commands, options, targets, modules; and Python examples run."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from slipstream.cli import app

REPO = Path(__file__).resolve().parents[3]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """A piece of a page."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPO)}:{self.line}"


def blocks(language: str) -> Iterator[Snippet]:
    """Fenced blocks of all pages, in one language."""
    for page in PAGES:
        content = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(content):
            if match[1] == language:
                yield Snippet(page, content[: match.start()].count("\n") + 2, match[2])


def shell_lines() -> Iterator[Snippet]:
    """Each command line of the fenced bash blocks, continuation lines joined."""
    for block in blocks("bash"):
        for offset, line in enumerate(block.text.replace("\\\n", "  ").splitlines()):
            if line.strip() and not line.lstrip().startswith("#"):
                yield Snippet(block.page, block.line + offset, line)


def inline_commands() -> Iterator[Snippet]:
    """Commands in running text, between backticks; those with a gap (…) are no whole commands."""
    for page in PAGES:
        content = page.read_text(encoding="utf-8")
        text = FENCE.sub(lambda match: "\n" * match[0].count("\n"), content)
        for match in re.finditer(r"`((?:slipstream|make) [^`…]+)`", text):
            yield Snippet(page, text[: match.start()].count("\n") + 1, match[1].replace("\n", " "))


COMMANDS = [*shell_lines(), *inline_commands()]


def words(line: str) -> list[list[str]]:
    """The commands of a line: split at ``&&`` and ``|``, without comments, redirections and settings before them."""
    commands: list[list[str]] = [[]]
    tokens = shlex.split(line, comments=True)
    while tokens:
        token = tokens.pop(0)
        if token in ("&&", "|", ";"):
            commands.append([])
        elif token == ">":
            tokens.pop(0)
        elif commands[-1] or not re.fullmatch(r"[A-Z_]+=.*", token):
            commands[-1].append(token)
    return [command for command in commands if command]


def check_slipstream(arguments: list[str]) -> None:
    """Parse as the command line would, without running anything."""
    command, path = typer.main.get_command(app), "slipstream"
    while hasattr(command, "commands") and arguments:
        if arguments[0].startswith("-"):
            assert arguments[0] in {flag for p in command.params for flag in p.opts}, f"{path} has no {arguments[0]}"
            arguments = arguments[1:]
            continue
        assert arguments[0] in command.commands, f"{path} has no command '{arguments[0]}'"
        assert not command.commands[arguments[0]].hidden, f"{path} {arguments[0]} is an earlier spelling"
        command, path, arguments = command.commands[arguments[0]], f"{path} {arguments[0]}", arguments[1:]
    if not hasattr(command, "commands"):
        command.make_context(path, arguments)


def make_targets() -> set[str]:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (REPO / "Makefile").read_text(), re.MULTILINE)
    return set(phony.split())


def check_python(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        assert find_spec(arguments[1]) or arguments[1] in ("uv", "pip"), f"no module {arguments[1]}"
    elif arguments[0] == "-c":
        ast.parse(arguments[1])


def check_extras(arguments: list[str]) -> None:
    """``pip install`` of our package names extras that it has."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(rf"{project['name']}\[([\w,]+)\]", " ".join(arguments)):
        unknown = set(extras.split(",")) - project["optional-dependencies"].keys()
        assert not unknown, f"no extra {', '.join(unknown)}"


def assert_exists(command: list[str]) -> None:
    program, arguments = command[0].removeprefix(".venv/bin/"), command[1:]
    if program == "slipstream":
        check_slipstream(arguments)
    elif program == "make":
        assert {a for a in arguments if "=" not in a} <= make_targets()
    elif program == "python":
        check_python(arguments)
    elif program.endswith("pip"):
        check_extras(arguments)
    elif program == ".":
        assert arguments == [".venv/bin/activate"]
    else:
        assert program in ("curl", "dbt-env/bin/dbt", "jupyter", "mlflow", "pre-commit", "rm"), f"what is {program}?"


def test_there_is_something_to_check() -> None:
    assert sum("slipstream" in c.text for c in COMMANDS) > 40
    assert len(list(blocks("pycon"))) >= 3


@pytest.mark.parametrize("snippet", COMMANDS, ids=str)
def test_commands_exist(snippet: Snippet) -> None:
    for command in words(snippet.text):
        assert_exists(command)


@pytest.mark.parametrize(
    "line",
    [
        "slipstream produce simulate --wheels 5",
        "slipstream fly",
        "slipstream stream platinum",
        "make coffee",
        "pip install 'slipstream-lake[query,wings]'",
    ],
)
def test_what_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"wheels|fly|platinum|coffee|wings"):
        assert_exists(words(line)[0])


@pytest.mark.parametrize("block", list(blocks("pycon")), ids=str)
def test_python_sessions_run(block: Snippet) -> None:
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    test = parser.get_doctest(block.text, {}, str(block), str(block.page), block.line - 1)
    assert test.examples
    found: list[str] = []
    assert runner.run(test, out=found.append).failed == 0, "".join(found)


@pytest.mark.parametrize("block", list(blocks("python")), ids=str)
def test_python_programs_import_what_exists(block: Snippet) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert find_spec(node.module), node.module
