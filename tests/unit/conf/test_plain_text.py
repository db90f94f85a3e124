"""Names are whatever somebody typed: what a terminal, a page or a figure would obey is shown instead."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from conf.plain_console import PlainConsole
from conf.plain_text import show_controls, show_in_json
from serving.charts.style import figure_to_svg, new_figure
from serving.reports.pages import page_environment

HOSTILE = "a[/bold][red]\x1b[2Jb\x9b31mc\u202ed\udc80\x00e"
SHOWN = "a[/bold][red]\\x1b[2Jb\\x9b31mc\\u202ed\\udc80\\x00e"


def test_what_would_be_obeyed_is_shown() -> None:
    assert show_controls(HOSTILE) == SHOWN
    assert show_controls("Zoë Müller\t🏁 Łukasz 車\nline") == "Zoë Müller\t🏁 Łukasz 車\nline"


@given(st.text())
def test_json_reads_back_as_it_was(text: str) -> None:
    shown = show_in_json(json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads(shown) == {"name": text}
    assert show_controls(shown) == shown


@pytest.mark.parametrize("cell", [HOSTILE, Text(HOSTILE, style="red")])
def test_a_console_shows_markup_and_controls(cell: str | Text) -> None:
    out = io.StringIO()
    console = PlainConsole(file=out, width=200)
    table = Table("[red]", title="[/]")
    table.add_row(cell)
    console.print(table)
    console.print(cell)
    with console.status(HOSTILE):
        pass
    assert out.getvalue().count(SHOWN) >= 1  # in a table, a styled one may be cut
    assert "[red]" in out.getvalue().splitlines()[1] + out.getvalue().splitlines()[2]
    assert "\x1b" not in out.getvalue()


def test_a_page_shows_html_and_controls() -> None:
    page = page_environment().from_string("<p>{{ name }}</p>").render(name="<script>\x1b[2J")
    assert page == "<p>&lt;script&gt;\\x1b[2J</p>"


def test_a_figure_shows_formulas_and_controls() -> None:
    figure = new_figure(2, 2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], label=r"$\nothing$<b>")
    axes.set_title("\x1b[2J")
    axes.legend()
    svg = figure_to_svg(figure)
    assert r"$\nothing$&lt;b&gt;" in svg
    assert "\\x1b[2J" in svg
