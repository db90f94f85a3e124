"""``karma export`` and ``karma push`` as typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from deltalake import write_deltalake
from typer.testing import CliRunner

from medallion.arrow_rows import arrow_rows
from serving.export.karma_tree import build_karma_tree
from slipstream.commands.karma_push import export, push
from slipstream.errors import FriendlyGroup
from tests.unit.serving.export.firebase_server import FirebaseServer, serving
from tests.unit.serving.export.karma_rows import race

Karma = Callable[..., Any]


@pytest.fixture
def karma(lake_home: Path, monkeypatch: pytest.MonkeyPatch) -> Karma:
    """Call the two commands; returns the result."""
    for name in ("FIREBASE_DB_URL", "FIREBASE_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    app = typer.Typer(cls=FriendlyGroup, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    app.command()(export)
    app.command()(push)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def scores(lake_home: Path) -> None:
    write_deltalake(str(lake_home / "lake" / "gold" / "karma_scores"), arrow_rows("gold.karma_scores", race()))


@pytest.fixture
def server() -> Iterator[FirebaseServer]:
    with serving() as server:
        yield server


@pytest.mark.usefixtures("scores")
def test_export(karma: Karma, lake_home: Path) -> None:
    done = karma("export")
    file = lake_home / "exports" / "karma.json"
    assert done.stdout == f"exported 24 leaves of 2 vehicles to {file}\n", done.output
    assert json.loads(file.read_text()) == build_karma_tree(race())
    done = karma("export", "--vehicle", "B-2", "--session", "r1", "--out", lake_home / "b.parquet")
    assert done.stdout == f"exported 12 rows to {lake_home / 'b.parquet'}\n", done.output
    assert karma("export", "--out", "karma.xml").exit_code == 2


def test_export_without_scores(karma: Karma) -> None:
    done = karma("export")
    assert done.exit_code == 1
    assert "run `slipstream score karma` first" in done.stderr


@pytest.mark.usefixtures("scores")
def test_push(karma: Karma, server: FirebaseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server.needs_token = True
    host = server.url.removeprefix("http://")
    told = karma("push", "--url", server.url, "--dry-run")
    assert told.stdout == f"would push 24 leaves in 1 requests (0 unchanged) to {server.url}/karma.json\n", told.output
    assert not server.bodies
    done = karma("push", "--url", server.url, "--service-account", server.key_file(tmp_path))
    assert done.stdout == f"pushed 24 leaves in 1 requests (0 unchanged, 0 retries) to {host}\n", done.output
    assert server.tree() == build_karma_tree(race())
    told = karma("push", "--url", server.url, "--dry-run", "--rebuild")
    assert told.stdout.startswith("would push 24 leaves"), told.output


@pytest.mark.usefixtures("scores")
def test_push_by_settings(
    karma: Karma, server: FirebaseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.needs_token = True
    monkeypatch.setenv("FIREBASE_DB_URL", server.url)
    monkeypatch.setenv("FIREBASE_CREDENTIALS", str(server.key_file(tmp_path)))
    assert karma("push", "--vehicle", "A-1").stdout.startswith("pushed 12 leaves in 1 requests")
    assert karma("push").stdout.startswith("pushed 12 leaves in 1 requests (12 unchanged")


@pytest.mark.usefixtures("scores")
def test_push_nowhere(karma: Karma) -> None:
    done = karma("push")
    assert done.exit_code == 1
    assert "FIREBASE_DB_URL" in done.stderr
    done = karma("push", "--url", "https://demo.firebaseio.com")
    assert done.exit_code == 1
    assert "needs a service account" in done.stderr


@pytest.mark.parametrize("command", ["export", "push"])
def test_help_has_examples(karma: Karma, command: str) -> None:
    assert f"slipstream karma {command} --" in karma(command, "--help").stdout
