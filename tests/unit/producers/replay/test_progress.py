from __future__ import annotations

import io
from pathlib import Path

from conf.plain_console import PlainConsole
from producers.replay.progress import ReplayBar
from producers.replay.report import ReplayProgress


def test_shows_file_and_count():
    out = io.StringIO()
    with ReplayBar(PlainConsole(file=out, force_terminal=True, width=120)) as bar:
        bar(ReplayProgress(Path("some.csv"), 0, 200))
        bar(ReplayProgress(Path("some.csv"), 200, 200))
    assert "some.csv" in out.getvalue()
    assert "200/200" in out.getvalue()
