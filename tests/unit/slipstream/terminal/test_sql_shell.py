"""The shell of ``slipstream sql``, typed into as a user would."""

from __future__ import annotations

import io

import pytest
from deltalake import write_deltalake
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from conf.lake import table_uri
from conf.plain_console import PlainConsole
from serving.lake.reader import LakeReader
from slipstream.terminal.sql_shell import SqlCompleter, is_whole, run_shell


@pytest.fixture
def lake(home):
    pl = pytest.importorskip("polars")
    write_deltalake(table_uri("silver.sessions", home), pl.DataFrame({"session_id": ["s1", "s2"], "n_samples": [1, 2]}))
    return LakeReader(home)


def typed(lake, *keys, limit=50):
    """What the shell shows after these keys."""
    shown = io.StringIO()
    console = PlainConsole(file=shown, width=200)
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text("".join(keys))
        run_shell(lake, console, limit, None, lake.settings.home / "run" / "sql_history")
    return shown.getvalue()


def test_queries_over_several_lines_are_answered(lake):
    shown = typed(lake, "select sum(n_samples) as n\r", "from silver.sessions;\r", "show tables;\r", "exit\r")
    assert "3" in shown.splitlines()[2].split()
    assert "silver.sessions" in shown


def test_a_query_that_fails_says_why_and_the_next_is_answered(lake):
    shown = typed(
        lake, "select sesion_id from silver.sessions;\r", "drop table silver.sessions;\r", "select 7;\r", "\x04"
    )
    assert "near matches: session_id" in shown
    assert "read-only" in shown
    assert "7" in shown.split()


def test_what_was_asked_is_kept_for_its_owner_alone(lake):
    typed(lake, "select 42;\r", "exit\r")
    history = lake.settings.home / "run" / "sql_history"
    assert "select 42;" in history.read_text()
    assert history.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from silver.ses", "silver.sessions"),
        ("select n_sam", ""),
        ("from silver.sessions select n_sam", "n_samples"),
        ("from silver.sessions select max(n_sam", "n_samples"),
        ("QUALI", "QUALIFY"),
        ("quali", "qualify"),
    ],
)
def test_names_and_words_are_completed(text, expected):
    found = [c.text for c in SqlCompleter(["silver.sessions"]).get_completions(Document(text), CompleteEvent())]
    assert expected in found if expected else not found


def test_enter_ends_what_is_whole():
    assert [is_whole(text) for text in ("select 1", "select 1;", "exit", "", "select\n1 ;  ")] == [
        False,
        True,
        True,
        True,
        True,
    ]
