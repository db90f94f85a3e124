"""The shell of ``slipstream sql``: queries one after the other, with history and completion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers import get_lexer_by_name

from conf.contract import load_contract, table_names
from conf.errors import InputError
from conf.plain_console import PlainConsole
from infra.local.files import make_private_folder
from serving.lake.engine import reserved_words
from serving.lake.formats import print_table
from serving.lake.reader import LakeReader
from serving.lake.views import view_names

_LEAVE = {"exit", "quit", "\\q", ".exit", ".quit"}
HELP = "A query ends with ; · SHOW TABLES; DESCRIBE silver.laps; · Ctrl-C drops what is typed, Ctrl-D leaves"


class SqlCompleter(Completer):
    """Completes tables behind a layer, columns of the tables that are named, and words of SQL.

    Args:
        tables: Names of tables that there are.
    """

    def __init__(self, tables: Iterable[str]) -> None:
        self._tables = sorted(tables)
        self._words = reserved_words()

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """Names that begin as the word before the cursor does."""
        typed = document.get_word_before_cursor(WORD=True).rpartition("(")[2].rpartition(",")[2]
        if not typed:
            return
        for name in self._candidates(document.text, typed):
            if name.lower().startswith(typed.lower()):
                yield Completion(name, start_position=-len(typed))

    def _candidates(self, text: str, typed: str) -> Iterable[str]:
        named = [name for name in self._tables if name in text.lower() and name in table_names()]
        columns = sorted({column for name in named for column in load_contract(name).column_names})
        words = [word if typed.islower() else word.upper() for word in self._words]
        return [*self._tables, *columns, *words]


def run_shell(lake: LakeReader, console: PlainConsole, limit: int, timeout_s: float | None, history: Path) -> None:
    """Ask for queries and answer them, until the user leaves.

    Args:
        lake: The lake.
        console: Where answers go.
        limit: Most rows to show.
        timeout_s: Seconds after which a query is ended.
        history: File that keeps what was asked.
    """
    make_private_folder(history.parent)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)),
        completer=SqlCompleter((*lake.existing_tables(), *view_names())),
        lexer=PygmentsLexer(type(get_lexer_by_name("sql"))),
        multiline=True,
        key_bindings=_enter_ends_a_query(),
        complete_while_typing=True,
        prompt_continuation="      … ",
    )
    console.print(
        f"{len(lake.existing_tables())} tables in {lake.settings.lake_root}. {HELP}", style="dim", markup=False
    )
    answer_queries(lambda: session.prompt("lake > "), lake, console, limit, timeout_s)


def answer_queries(
    ask: Callable[[], str], lake: LakeReader, console: PlainConsole, limit: int, timeout_s: float | None
) -> None:
    """Answer one query after the other; one that fails says why, and the next is asked for.

    Args:
        ask: Gives the next text; ends with :class:`EOFError`.
        lake: The lake.
        console: Where answers go.
        limit: Most rows to show.
        timeout_s: Seconds after which a query is ended.
    """
    while True:
        try:
            text = ask().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text.rstrip(";").strip().lower() in _LEAVE:
            return
        if not text.rstrip(";").strip():
            continue
        started = time.perf_counter()
        try:
            print_table(lake.sql(text, timeout_s), console, limit)
            console.print(f"{time.perf_counter() - started:.2f} s", style="dim")
        except InputError as error:
            console.print(str(error), style="red")
        except KeyboardInterrupt:
            console.print("ended", style="dim")


def is_whole(text: str) -> bool:
    """Whether what is typed is to be run: it ends with a semicolon, says to leave, or says nothing."""
    typed = text.strip()
    return not typed or typed.endswith(";") or typed.lower() in _LEAVE


def _enter_ends_a_query() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.apply_completion(buffer.complete_state.current_completion)
        elif is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys
